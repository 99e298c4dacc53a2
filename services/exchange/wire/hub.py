"""Who listens to what: fans the engine's events out to market and user subscriptions.

Frames go into a bounded queue for each connection; one that does not keep up is closed rather than
fed late or with gaps. Knows subscriptions and rendering, no sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from whaletrader.services.exchange.engine.events import (
    EngineEvent,
    LastTradeEvent,
    LevelEvent,
    MarketListed,
    MarketResolved,
    OrderEvent,
    TickChanged,
    TradeEvent,
)
from whaletrader.services.exchange.engine.model import Market
from whaletrader.services.exchange.wire import market_frames, render


class Subscriber:
    """One connection's wishes and its outgoing frames; None in the queue means close."""

    def __init__(self, backlog_frames_max: int) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(backlog_frames_max + 1)
        self._limit = backlog_frames_max
        self.is_overrun = False

    def send(self, frame: Any) -> None:
        if self.is_overrun:
            return
        if self.queue.qsize() >= self._limit:
            self.is_overrun = True
            self.queue.put_nowait(None)
            return
        self.queue.put_nowait(frame if isinstance(frame, bytes) else msgspec.json.encode(frame))


class MarketSubscriber(Subscriber):
    """Listens to the books of some tokens, and to market news if it asked for them."""

    def __init__(self, backlog_frames_max: int) -> None:
        super().__init__(backlog_frames_max)
        self.tokens: set[str] = set()
        self.wants_news = False


class UserSubscriber(Subscriber):
    """Listens to one API key owner's orders and trades; no markets means all of them."""

    def __init__(self, backlog_frames_max: int, principal: str) -> None:
        super().__init__(backlog_frames_max)
        self.principal = principal
        self.markets: set[str] | None = None

    def hears(self, market: Market) -> bool:
        return self.markets is None or market.condition_id.lower() in self.markets


class Hub:
    """All subscribers. `book_of` renders a token's book when one is due."""

    def __init__(self, book_of: Callable[[str], dict[str, Any]], *, reason_in_status: bool) -> None:
        self._book_of = book_of
        self._reason_in_status = reason_in_status
        self.market_subscribers: set[MarketSubscriber] = set()
        self.user_subscribers: set[UserSubscriber] = set()

    def publish(self, events: Iterable[EngineEvent]) -> None:
        traded: dict[str, None] = {}
        for event in events:
            if isinstance(event, OrderEvent):
                self._tell_user(event.order.terms.principal, event.order.market, event)
            elif isinstance(event, TradeEvent):
                legs = event.trade.legs
                for principal in dict.fromkeys(leg.principal for leg in legs if leg.principal):
                    self._tell_user(principal, event.trade.market, event)
            elif self.market_subscribers:
                self._tell_market(event)
                if isinstance(event, LastTradeEvent):
                    traded.update((t.token_id, None) for t in event.market.tokens)
        for token_id in traded:
            self._send_book(token_id)

    def _tell_user(self, principal: str, market: Market, event: OrderEvent | TradeEvent) -> None:
        for subscriber in self.user_subscribers:
            if subscriber.principal != principal or not subscriber.hears(market):
                continue
            if isinstance(event, OrderEvent):
                frame = render.order_event(event, reason_in_status=self._reason_in_status)
            else:
                frame = render.trade_event(event, principal)
            subscriber.send(frame)

    def _tell_market(
        self,
        event: LevelEvent | LastTradeEvent | MarketListed | TickChanged | MarketResolved,
    ) -> None:
        tokens = {token.token_id for token in event.market.tokens}
        if isinstance(event, MarketListed | MarketResolved):
            news = (
                market_frames.new_market(event)
                if isinstance(event, MarketListed)
                else market_frames.market_resolved(event)
            )
            for subscriber in self.market_subscribers:
                if subscriber.wants_news:
                    subscriber.send(news)
            return
        listeners = [s for s in self.market_subscribers if s.tokens & tokens]
        if not listeners:
            return
        for frame, about in self._frames(event):
            for subscriber in listeners:
                if about is None or about in subscriber.tokens:
                    subscriber.send(frame)

    def _frames(
        self, event: LevelEvent | LastTradeEvent | TickChanged
    ) -> list[tuple[dict[str, Any], str | None]]:
        """Return frames with the token each is about; None for both tokens of the market."""
        if isinstance(event, LevelEvent):
            books = [self._book_of(token.token_id) for token in event.market.tokens]
            return [(market_frames.price_change(event, books), None)]
        if isinstance(event, LastTradeEvent):
            return [(market_frames.last_trade(event), event.token_id)]
        return [
            (market_frames.tick_change(event, token.token_id), token.token_id)
            for token in event.market.tokens
        ]

    def _send_book(self, token_id: str) -> None:
        listeners = [s for s in self.market_subscribers if token_id in s.tokens]
        if listeners:
            frame = render.book_event(self._book_of(token_id))
            for subscriber in listeners:
                subscriber.send(frame)
