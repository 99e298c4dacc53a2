"""PolyBolt, the newer live-price stream: requests with ids, acknowledgements, numbered frames.

Reference prices need a login first; `price.polymarket` (a token's best prices) does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket

from whaletrader.services.exchange.engine.events import EngineEvent, LevelEvent
from whaletrader.services.exchange.engine.model import MICRO, NS
from whaletrader.services.exchange.engine.rules import plain
from whaletrader.services.exchange.wire.answers import BAD_JSON
from whaletrader.services.exchange.wire.books import best_prices
from whaletrader.services.exchange.wire.sockets import serve
from whaletrader.services.exchange.wire.spot import TWAP_S, coin_of, exact
from whaletrader.services.exchange.wire.subscribers import Subscriber
from whaletrader.services.exchange.wire.venue import Venue, venue_of

SUBSCRIPTIONS_MAX: Final = 64
FRAME_BYTES_MAX: Final = 64_000
LOGINS_MAX: Final = 8
SNAPSHOT_S: Final = 120
CHANNELS: Final = frozenset(
    {"price.crypto", "price.crypto.twap", "price.equity", "price.equity.twap", "price.polymarket"}
)
PUBLIC_CHANNELS: Final = frozenset({"price.polymarket"})

Key = tuple[str, str]


class PriceSubscriber(Subscriber):
    """One connection: what it hears, and a counter for each channel."""

    def __init__(self, backlog_frames_max: int) -> None:
        super().__init__(backlog_frames_max)
        self.keys: set[Key] = set()
        self.sequence: dict[str, int] = {}
        self.is_known = False
        self.logins = 0
        self.channel = "polybolt"

    def tell(self, channel: str, at_ms: int, payload: Any, *, is_snapshot: bool = False) -> None:
        number = self.sequence.get(channel, 0)
        self.sequence[channel] = number + 1
        frame: dict[str, Any] = {"v": 1, "channel": channel, "seq": number, "ts": at_ms}
        if is_snapshot:
            frame["snapshot"] = True
        self.send({**frame, "payload": payload})


@dataclass(slots=True)
class PriceFeed:
    """All PolyBolt connections of a venue."""

    subscribers: set[PriceSubscriber] = field(default_factory=set)

    def publish(self, venue: Venue, events: list[EngineEvent]) -> None:
        """Tell best prices of tokens whose book changed."""
        if not self.subscribers:
            return
        for event in events:
            if isinstance(event, LevelEvent):
                for token in event.market.tokens:
                    self._tell_best(venue, token.token_id, event.at_ns // 1_000_000)

    def tell_spot(self, venue: Venue, second: int) -> None:
        """Tell the prices of one second; called once a second."""
        for subscriber in self.subscribers:
            for channel, name in sorted(subscriber.keys):
                if channel in ("price.crypto", "price.crypto.twap"):
                    payload = {**_head(channel, name), **_point(venue, channel, name, second)}
                    subscriber.tell(channel, venue.wall_ns() // 1_000_000, payload)

    def _tell_best(self, venue: Venue, token_id: str, at_ms: int) -> None:
        heard = [s for s in self.subscribers if ("price.polymarket", token_id) in s.keys]
        if heard:
            payload = _best(venue, token_id)
            for subscriber in heard:
                subscriber.tell("price.polymarket", at_ms, payload)


async def price_channel(socket: WebSocket) -> None:
    venue = venue_of(socket)
    await socket.accept()
    subscriber = PriceSubscriber(venue.config.socket_backlog_frames_max)
    venue.prices.subscribers.add(subscriber)
    try:
        await serve(venue, socket, subscriber, lambda text: _on_text(venue, subscriber, text))
    finally:
        venue.prices.subscribers.discard(subscriber)


def _on_text(venue: Venue, subscriber: PriceSubscriber, text: str) -> None:
    rid = ""
    try:
        if len(text) > FRAME_BYTES_MAX:
            raise _Refused("bad_op")
        try:
            frame = msgspec.json.decode(text)
        except BAD_JSON as error:
            raise _Refused("bad_op") from error
        if not isinstance(frame, dict):
            raise _Refused("bad_op")
        rid = str(frame.get("rid", ""))
        _answer(venue, subscriber, frame, rid)
    except _Refused as refused:
        subscriber.send({"op": "error", "rid": rid, "code": refused.code})


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _answer(venue: Venue, subscriber: PriceSubscriber, frame: dict[str, Any], rid: str) -> None:
    """Carry a request out and acknowledge it; of subscriptions each on its own, in order."""
    op = frame.get("op")
    if op == "auth":
        _log_in(venue, subscriber, frame)
        subscriber.send({"op": "authed", "rid": rid})
    elif op == "ping":
        subscriber.send({"op": "pong", "rid": rid})
    elif op in ("subscribe", "unsubscribe"):
        wished = frame.get("subscriptions")
        for row in wished if isinstance(wished, list) else [frame]:
            channel = row.get("channel") if isinstance(row, dict) else None
            said = {"rid": rid} if channel is None else {"rid": rid, "channel": channel}
            try:
                key = _key(row)
                if op == "unsubscribe":
                    subscriber.keys.discard(key)
                    subscriber.send({"op": "unsubscribed", **said})
                else:
                    _subscribe(subscriber, key)
                    subscriber.send({"op": "subscribed", **said})
                    _snapshot(venue, subscriber, key)
            except _Refused as refused:
                subscriber.send({"op": "error", "code": refused.code, **said})
    else:
        raise _Refused("bad_op")


def _subscribe(subscriber: PriceSubscriber, key: Key) -> None:
    if not subscriber.is_known and key[0] not in PUBLIC_CHANNELS:
        raise _Refused("auth_required")
    if len(subscriber.keys | {key}) > SUBSCRIPTIONS_MAX:
        raise _Refused("sub_limit")
    subscriber.keys.add(key)


def _log_in(venue: Venue, subscriber: PriceSubscriber, frame: dict[str, Any]) -> None:
    subscriber.logins += 1
    if subscriber.logins > LOGINS_MAX:
        raise _Refused("auth_attempts")
    auth = frame.get("auth")
    parts = auth if isinstance(auth, dict) else {}
    names = ("apiKey", "secret", "passphrase")
    if venue.keys.find(*(str(parts.get(name)) for name in names)) is None:
        raise _Refused("auth_invalid")
    subscriber.is_known = True


def _key(row: Any) -> Key:
    channel = row.get("channel") if isinstance(row, dict) else None
    wanted = row.get("filter") if isinstance(row, dict) else None
    if channel not in CHANNELS or not isinstance(wanted, dict):
        raise _Refused("bad_channel")
    name = str(wanted.get("asset_id" if channel == "price.polymarket" else "symbol", ""))
    is_crypto = channel.startswith("price.crypto")
    is_other_window = wanted.get("window_seconds", TWAP_S) != TWAP_S
    if (is_crypto and coin_of(name) is None) or (channel.endswith(".twap") and is_other_window):
        raise _Refused("bad_filter")
    return channel, name if channel == "price.polymarket" else name.lower()


def _snapshot(venue: Venue, subscriber: PriceSubscriber, key: Key) -> None:
    channel, name = key
    now_s = venue.wall_ns() // NS
    if channel == "price.polymarket":
        if name in venue.exchange.state.market_of_token:
            subscriber.tell(channel, now_s * 1_000, _best(venue, name), is_snapshot=True)
    elif channel.startswith("price.crypto"):
        seconds = range(now_s - SNAPSHOT_S + 1, now_s + 1)
        data = [_point(venue, channel, name, second) for second in seconds]
        payload = {**_head(channel, name), "data": data}
        subscriber.tell(channel, now_s * 1_000, payload, is_snapshot=True)


def _head(channel: str, symbol: str) -> dict[str, Any]:
    head: dict[str, Any] = {"symbol": symbol, "source": "chainlink"}
    if channel.endswith(".twap"):
        head["window_seconds"] = TWAP_S
    return head


def _point(venue: Venue, channel: str, symbol: str, second: int) -> dict[str, Any]:
    coin = coin_of(symbol) or ""
    is_mean = channel.endswith(".twap")
    value = venue.spot.twap(coin, second) if is_mean else venue.spot.price(coin, second)
    return {"timestamp": second * 1_000, "value": value, "full_accuracy_value": exact(value)}


def _best(venue: Venue, token_id: str) -> dict[str, str]:
    market, index = venue.market_of_token(token_id)
    bid, ask = best_prices(venue, market, index)
    return {
        "asset_id": token_id,
        "market": market.condition_id,
        "best_bid": plain(bid or 0),
        "best_ask": plain(MICRO if ask is None else ask),
    }
