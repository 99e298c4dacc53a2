"""The live-data stream (RTDS): wallets' trades as activity, and spot prices.

Frames are `{topic, type, timestamp, payload}`. A client may send `ping` and is not answered; one
unknown topic silences its whole subscription, as on the live host.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket

from whaletrader.services.exchange.engine.events import EngineEvent, TradeEvent
from whaletrader.services.exchange.engine.model import MICRO, NS, Leg, Trade, TradeStatus
from whaletrader.services.exchange.wire import rtds_clob
from whaletrader.services.exchange.wire.answers import BAD_JSON
from whaletrader.services.exchange.wire.render import transaction_hash
from whaletrader.services.exchange.wire.sockets import serve
from whaletrader.services.exchange.wire.spot import BASE_USD, coin_of, exact, scaled
from whaletrader.services.exchange.wire.subscribers import LiveSubscriber, Wish
from whaletrader.services.exchange.wire.venue import Venue, venue_of

SNAPSHOT_POINTS: Final = {"crypto_prices": 120, "crypto_prices_chainlink": 59}
TWAP_TOPICS: Final = {"crypto_prices_twap_thirty": 30, "crypto_prices_twap_sixty": 60}
SPOT_TOPICS: Final = (*SNAPSHOT_POINTS, *TWAP_TOPICS)
# Topics that are taken but never say anything here: nobody comments, no shares are quoted.
QUIET_TOPICS: Final = ("comments", "equity_prices", "rfq")
TOPICS: Final = frozenset(("activity", *rtds_clob.TOPICS, *SPOT_TOPICS, *QUIET_TOPICS))


@dataclass(slots=True)
class LiveFeed:
    """All RTDS connections of a venue."""

    subscribers: set[LiveSubscriber] = field(default_factory=set)
    made: int = 0

    def publish(self, venue: Venue, events: list[EngineEvent]) -> None:
        """Tell whoever listens about matches and changed levels."""
        if not self.subscribers:
            return
        for event in events:
            if isinstance(event, TradeEvent) and event.status is TradeStatus.MATCHED:
                self._tell_trade(event.trade)
            rtds_clob.tell(venue, self.subscribers, event)

    def tell_spot(self, venue: Venue, second: int) -> None:
        """Tell the prices of one second; called once a second."""
        for subscriber in self.subscribers:
            for wish in subscriber.wishes:
                if wish.topic in SPOT_TOPICS and wish.takes_kind("update"):
                    for symbol in _symbols(wish):
                        payload = _spot_payload(venue, wish.topic, symbol, second)
                        subscriber.tell(wish.topic, "update", venue.wall_ns() // 1_000_000, payload)

    def _tell_trade(self, trade: Trade) -> None:
        at_ms = trade.match_ns // 1_000_000
        for subscriber in self.subscribers:
            for wish in subscriber.wishes:
                if wish.topic != "activity" or not _about(wish, trade):
                    continue
                if wish.takes_kind("trades"):
                    for leg in trade.legs:
                        if leg.principal:
                            payload = _activity(trade, leg)
                            subscriber.tell("activity", "trades", at_ms, payload)
                if wish.takes_kind("orders_matched"):
                    payload = _activity(trade, trade.taker)
                    subscriber.tell("activity", "orders_matched", at_ms, payload)


async def live_channel(socket: WebSocket) -> None:
    venue = venue_of(socket)
    await socket.accept()
    venue.live.made += 1
    subscriber = LiveSubscriber(
        venue.config.socket_backlog_frames_max, f"{venue.boot_id[:8]}-{venue.live.made}"
    )
    subscriber.send(b"")
    venue.live.subscribers.add(subscriber)
    try:
        await serve(venue, socket, subscriber, lambda text: _on_text(venue, subscriber, text))
    finally:
        venue.live.subscribers.discard(subscriber)


def _on_text(venue: Venue, subscriber: LiveSubscriber, text: str) -> None:
    try:
        frame = msgspec.json.decode(text)
    except BAD_JSON:
        return
    if not isinstance(frame, dict):
        return
    items = frame.get("subscriptions")
    items = items if isinstance(items, list) else []
    asked = [_wish(venue, item) for item in items if isinstance(item, dict)]
    trouble = next((_trouble(wish) for wish in asked if _trouble(wish)), "")
    if trouble and frame.get("action") == "subscribe":
        subscriber.send({"body": {"message": trouble}, "statusCode": 401})
        return
    if frame.get("action") == "unsubscribe":
        gone = {(w.topic, w.kind) for w in asked}
        subscriber.wishes = [w for w in subscriber.wishes if (w.topic, w.kind) not in gone]
    elif frame.get("action") == "subscribe":
        subscriber.wishes += [w for w in asked if w not in subscriber.wishes]
        for wish in asked:
            _snapshot(venue, subscriber, wish)
            rtds_clob.snapshot(venue, subscriber, wish)


def _trouble(wish: Wish) -> str:
    if wish.topic not in TOPICS:
        return f"{wish.topic} not found"
    return "invalid clob_auth" if wish.topic == "clob_user" and not wish.principal else ""


def _wish(venue: Venue, item: dict[str, Any]) -> Wish:
    filters = item.get("filters")
    if isinstance(filters, str) and filters:
        # A space in the filter silences the subscription on the live host; here it is only read.
        try:
            filters = msgspec.json.decode(filters)
        except BAD_JSON:
            filters = {"": ""}
    auth = item.get("clob_auth")
    parts = auth if isinstance(auth, dict) else {}
    key = venue.keys.find(*(str(parts.get(name)) for name in ("key", "secret", "passphrase")))
    topic, kind = str(item.get("topic")), str(item.get("type", "*"))
    return Wish(topic, kind, filters or None, key.address if key else "")


def _snapshot(venue: Venue, subscriber: LiveSubscriber, wish: Wish) -> None:
    points = SNAPSHOT_POINTS.get(wish.topic)
    if points is None or not isinstance(wish.filters, dict):
        return
    second = venue.wall_ns() // NS
    for symbol in _symbols(wish):
        coin = coin_of(symbol)
        if coin is None:
            continue
        data = [
            {"timestamp": at * 1_000, "value": venue.spot.price(coin, at)}
            for at in range(second - points + 1, second + 1)
        ]
        # The live host labels this frame crypto_prices whatever was asked for.
        payload = {"symbol": symbol, "data": data}
        subscriber.tell("crypto_prices", "subscribe", second * 1_000, payload)


def _symbols(wish: Wish) -> list[str]:
    if isinstance(wish.filters, dict):
        symbol = str(wish.filters.get("symbol", "")).lower()
        return [symbol] if coin_of(symbol) else []
    form = "{}usdt" if wish.topic == "crypto_prices" else "{}/usd"
    return [form.format(coin) for coin in BASE_USD]


def _spot_payload(venue: Venue, topic: str, symbol: str, second: int) -> dict[str, Any]:
    coin = coin_of(symbol) or ""
    window = TWAP_TOPICS.get(topic)
    value = venue.spot.twap(coin, second, window) if window else venue.spot.price(coin, second)
    payload: dict[str, Any] = {
        "symbol": symbol,
        "timestamp": second * 1_000,
        "value": value,
        "full_accuracy_value": exact(value) if topic == "crypto_prices" else scaled(value),
    }
    if window:
        payload["window_s"] = window
    return payload


def _about(wish: Wish, trade: Trade) -> bool:
    if not isinstance(wish.filters, dict):
        return True
    market = trade.market
    known = {"event_slug": market.event_slug, "market_slug": market.slug}
    return all(known.get(name) == value for name, value in wish.filters.items())


def _activity(trade: Trade, leg: Leg) -> dict[str, Any]:
    market = trade.market
    return {
        "asset": leg.token_id,
        "bio": "",
        "conditionId": market.condition_id,
        "eventSlug": market.event_slug,
        "icon": "",
        "name": "",
        "outcome": market.tokens[leg.index].outcome,
        "outcomeIndex": leg.index,
        "price": leg.price_micro / MICRO,
        "profileImage": "",
        "proxyWallet": leg.account,
        "pseudonym": "",
        "side": leg.side.value,
        "size": leg.size_micro / MICRO,
        "slug": market.slug,
        "timestamp": trade.match_ns // NS,
        "title": market.question,
        "transactionHash": transaction_hash(trade, TradeStatus.MINED),
    }
