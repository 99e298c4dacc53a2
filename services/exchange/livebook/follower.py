"""Follows a real venue: market terms by REST, books by its market stream, and back after trouble.

Owns connections and nothing else: what frames mean is `followed`'s, what becomes of our orders
`paper`'s. While the stream is away, silent or has a gap, the street shows nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import websockets

from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.engine.model import MICRO, NS, Market, Token
from whaletrader.services.exchange.engine.rules import TICKS
from whaletrader.services.exchange.livebook.followed import FollowedBook, micro
from whaletrader.services.exchange.livebook.paper import Paper

# Without a handler, warnings go to standard error: nothing has to be set up.
_log = logging.getLogger("whaletrader.exchange")

READ_S_MAX: Final = 10.0
# A text PING this often; a stream that answers nothing for three of them is dead.
PING_S: Final = 10.0
SILENCE_S_MAX: Final = 30.0
RETRY_S_FIRST: Final = 0.5
RETRY_S_MAX: Final = 30.0
# The venue's end of time for markets without an end.
END_NS_UNKNOWN: Final = 4_102_444_800 * NS


class Unreachable(Exception):
    """The followed venue does not answer; the text says what was tried."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What to follow and where."""

    clob_url: str
    stream_url: str
    condition_ids: tuple[str, ...]


class Follower:
    """One followed venue. `publish` tells the exchange's own listeners what changed."""

    def __init__(
        self,
        followed: Followed,
        exchange: Exchange,
        clock: Callable[[], int],
        publish: Callable[[], None],
    ) -> None:
        self._followed = followed
        self._exchange = exchange
        self._clock = clock
        self._publish = publish
        self.paper = Paper(exchange)
        self.books: dict[str, FollowedBook] = {}
        self.state = "starting"
        self.connections = 0
        self.resyncs = 0

    async def run(self) -> None:
        """Follow until cancelled; trouble is told once and then retried, ever more slowly."""
        wait_s = RETRY_S_FIRST
        while True:
            before = self.connections
            try:
                await self._load()
                await self._stream()
            except (Unreachable, OSError, websockets.WebSocketException, TimeoutError) as error:
                self._lost(f"{type(error).__name__}: {error}")
            wait_s = RETRY_S_FIRST if self.connections > before else min(2 * wait_s, RETRY_S_MAX)
            await asyncio.sleep(wait_s)

    def view(self) -> dict[str, Any]:
        """Return how the following goes, for the operator."""
        return {
            "state": self.state,
            "url": self._followed.clob_url,
            "stream": self._followed.stream_url,
            "connections": self.connections,
            "gaps": sum(book.gaps for book in self.books.values()),
            "resyncs": self.resyncs,
            "books": {token: book.is_trusted for token, book in self.books.items()},
        }

    async def _load(self) -> None:
        for condition_id in self._followed.condition_ids:
            if condition_id in self.paper_markets:
                continue
            row = await self._read(f"/markets/{condition_id}")
            market = market_of(row, await self._read(f"/clob-markets/{condition_id}"))
            self._exchange.list_market(market)
            self.paper.open(market, self._clock())
            self.books[market.tokens[0].token_id] = FollowedBook(market.tokens[0].token_id)
        self._publish()

    @property
    def paper_markets(self) -> set[str]:
        """The markets that are followed already."""
        found = self._exchange.state.market_of_token
        return {found[token].condition_id for token in self.books}

    async def _stream(self) -> None:
        url = self._followed.stream_url
        async with websockets.connect(url, open_timeout=READ_S_MAX, max_size=None) as socket:
            self.connections += 1
            self.state = "following"
            # Both outcomes: a trade is told under the token that its taker named.
            known = self._exchange.state.market_of_token
            tokens = [token.token_id for name in self.books for token in known[name].tokens]
            await socket.send(
                json.dumps({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True})
            )
            pinging = asyncio.create_task(_ping(socket))
            try:
                while True:
                    text = await asyncio.wait_for(socket.recv(), SILENCE_S_MAX)
                    if text != "PONG":
                        await self._on_text(str(text))
            finally:
                pinging.cancel()
                self._distrust()

    async def _on_text(self, text: str) -> None:
        try:
            frames = json.loads(text)
        except json.JSONDecodeError:
            return
        stale: set[str] = set()
        for frame in frames if isinstance(frames, list) else [frames]:
            stale |= self._on_frame(frame)
        for token in stale:
            self.resyncs += 1
            self.books[token].replace(await self._read(f"/book?token_id={token}"))
            self._show(token)
        self._publish()

    def _on_frame(self, frame: dict[str, Any]) -> set[str]:
        """Take one frame; return the tokens whose book must be read anew."""
        kind, token = frame.get("event_type"), str(frame.get("asset_id", ""))
        stale: set[str] = set()
        if kind == "book" and token in self.books:
            self.books[token].replace(frame)
            self._show(token)
        elif kind == "price_change":
            changes = frame.get("price_changes", [])
            last = {change.get("asset_id"): number for number, change in enumerate(changes)}
            for number, change in enumerate(changes):
                name = change.get("asset_id")
                if name in self.books:
                    is_last = last[name] == number
                    if not self.books[name].change(change, is_last=is_last):
                        stale.add(name)
                    if is_last:
                        self._show(name)
        elif kind == "last_trade_price":
            self._on_trade(token, frame)
        elif kind == "tick_size_change" and token in self.books:
            market = self._exchange.state.market_of_token[token]
            tick = micro(frame["new_tick_size"])
            self._exchange.set_tick(market.condition_id, tick, self._clock())
            stale.add(token)
        elif kind == "market_resolved":
            self._on_resolved(frame)
        return stale

    def _on_trade(self, token: str, frame: dict[str, Any]) -> None:
        market = self._exchange.state.market_of_token.get(token)
        if market is None or market.condition_id not in self.paper_markets:
            return
        price = micro(frame["price"])
        book_price = price if market.index_of(token) == 0 else MICRO - price
        now_ns = self._clock()
        self.paper.traded(market.condition_id, book_price, micro(frame["size"]), now_ns)

    def _on_resolved(self, frame: dict[str, Any]) -> None:
        market = self._exchange.state.markets.get(str(frame.get("market")))
        if market is not None and market.winning_index is None:
            index = market.index_of(str(frame.get("winning_asset_id")))
            self._exchange.resolve(market.condition_id, index, self._clock())

    def _show(self, token: str) -> None:
        market = self._exchange.state.market_of_token[token]
        if market.winning_index is None:
            self.paper.show(market.condition_id, self.books[token], self._clock())

    def _distrust(self) -> None:
        for token, book in self.books.items():
            book.distrust()
            self._show(token)
        self._publish()

    def _lost(self, reason: str) -> None:
        told = f"cannot follow {self._followed.stream_url} ({reason}); trying again"
        if self.state != told:
            _log.warning(told)
        self.state = told

    async def _read(self, path: str) -> Any:
        url = self._followed.clob_url + path

        def get() -> Any:
            request = urllib.request.Request(url, headers={"User-Agent": "whaletrader"})
            with urllib.request.urlopen(request, timeout=READ_S_MAX) as answer:
                return json.loads(answer.read())

        try:
            return await asyncio.to_thread(get)
        except urllib.error.HTTPError as error:
            raise Unreachable(f"{url} answers {error.code}: is the market id right?") from error
        except (urllib.error.URLError, TimeoutError, json.JSONDecodeError) as error:
            raise Unreachable(f"{url}: {error}; is --follow-url right?") from error


def market_of(row: dict[str, Any], compact: dict[str, Any]) -> Market:
    """Return a market from its full and its compact form; raises `Unreachable` for a bad one."""
    try:
        first, second = (Token(str(t["token_id"]), str(t["outcome"])) for t in row["tokens"])
        tick = micro(row["minimum_tick_size"])
        if tick not in TICKS:
            raise ValueError(f"unknown tick {row['minimum_tick_size']}")
        fees = compact.get("fd") or {}
        tags = row.get("tags") or ["other"]
        return Market(
            condition_id=str(row["condition_id"]),
            question=str(row.get("question", "")),
            slug=str(row.get("market_slug", "")),
            event_slug=str(row.get("market_slug", "")),
            category=str(tags[0]).lower(),
            tokens=(first, second),
            tick_size_micro=tick,
            min_size_micro=micro(row["minimum_order_size"]),
            fee_rate_micro=micro(fees.get("r", 0)),
            neg_risk=bool(row.get("neg_risk")),
            end_ns=END_NS_UNKNOWN,
            fee_exponent=int(fees.get("e", 1)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unreachable(f"the venue's market cannot be read: {error!r}") from error


async def _ping(socket: Any) -> None:
    while True:
        await asyncio.sleep(PING_S)
        await socket.send("PING")
