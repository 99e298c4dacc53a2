"""Who listens to what: fans the engine's events out to market and user subscriptions.

Knows subscriptions and rendering, no sockets; every frame goes through the weather.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

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
from whaletrader.services.exchange.wire.frame_weather import About, FrameWeather
from whaletrader.services.exchange.wire.subscribers import (
    MarketSubscriber,
    Subscriber,
    UserSubscriber,
)

MarketEvent = LevelEvent | LastTradeEvent | MarketListed | TickChanged | MarketResolved
BookOf = Callable[[str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class HubOptions:
    """`keepalive_ns`: a market stream that was silent this long is sent its books again."""

    reason_in_status: bool = True
    keepalive_ns: int = 0


class Hub:
    """All subscribers. `book_of` renders a token's book when one is due."""

    def __init__(self, book_of: BookOf, weather: FrameWeather, options: HubOptions) -> None:
        self._book_of = book_of
        self._weather = weather
        self._options = options
        # The best prices last told, by token: news only when they changed.
        self._told_best: dict[str, tuple[str, str]] = {}
        self._quiet_since: dict[MarketSubscriber, tuple[int, int]] = {}
        self.market_subscribers: set[MarketSubscriber] = set()
        self.user_subscribers: set[UserSubscriber] = set()

    def publish(self, events: Iterable[EngineEvent]) -> None:
        traded: dict[str, None] = {}
        # What one order does to a book is one frame: in between the book was seen by nobody.
        levels: dict[str, list[LevelEvent]] = {}
        for event in events:
            if isinstance(event, OrderEvent):
                self._tell_order(event)
            elif isinstance(event, TradeEvent):
                self._tell_trade(event)
            elif self.market_subscribers:
                name = event.market.condition_id
                if isinstance(event, LevelEvent):
                    levels.setdefault(name, []).append(event)
                    continue
                self._tell_levels(levels.pop(name, []))
                self._tell_market(event)
                if isinstance(event, LastTradeEvent):
                    traded.update((t.token_id, None) for t in event.market.tokens)
        for changed in levels.values():
            self._tell_levels(changed)
        for token_id in traded:
            self._send_book(token_id)

    def keep_alive(self, now_ns: int) -> None:
        """Send books again to streams that were silent too long; called once a second."""
        limit_ns = self._options.keepalive_ns
        if not limit_ns:
            return
        for subscriber in self.market_subscribers:
            sent, since_ns = self._quiet_since.get(subscriber, (-1, now_ns))
            if sent != subscriber.sent:
                self._quiet_since[subscriber] = (subscriber.sent, now_ns)
            elif now_ns - since_ns >= limit_ns:
                for token_id in sorted(subscriber.tokens):
                    self._send_book(token_id, (subscriber,))
        for gone in self._quiet_since.keys() - self.market_subscribers:
            del self._quiet_since[gone]

    def subscribers(self) -> list[Subscriber]:
        return [*self.market_subscribers, *self.user_subscribers]

    def _tell_order(self, event: OrderEvent) -> None:
        market = event.order.market
        for subscriber in self._users(event.order.terms.principal, market):
            frame = render.order_event(event, reason_in_status=self._options.reason_in_status)
            about = About(market.condition_id, event.status, f"order {event.kind.value}")
            self._weather.deliver(subscriber, frame, about)

    def _tell_trade(self, event: TradeEvent) -> None:
        market = event.trade.market
        legs = event.trade.legs
        for principal in dict.fromkeys(leg.principal for leg in legs if leg.principal):
            for subscriber in self._users(principal, market):
                frame = render.trade_event(event, principal)
                what = f"trade {event.trade.trade_id} {event.status.value}"
                about = About(market.condition_id, event.status.value, what)
                self._weather.deliver(subscriber, frame, about)

    def _users(self, principal: str, market: Market) -> list[UserSubscriber]:
        return [s for s in self.user_subscribers if s.principal == principal and s.hears(market)]

    def _tell_market(self, event: MarketEvent) -> None:
        if isinstance(event, MarketListed | MarketResolved):
            news = (
                market_frames.new_market(event)
                if isinstance(event, MarketListed)
                else market_frames.market_resolved(event)
            )
            self._send(news, [s for s in self.market_subscribers if s.wants_news])
            return
        tokens = {token.token_id for token in event.market.tokens}
        listeners = [s for s in self.market_subscribers if s.tokens & tokens]
        if isinstance(event, LastTradeEvent):
            about = [s for s in listeners if event.token_id in s.tokens]
            self._send(market_frames.last_trade(event), about)
        elif isinstance(event, TickChanged):
            for token in sorted(tokens):
                about = [s for s in listeners if token in s.tokens]
                self._send(market_frames.tick_change(event, token), about)

    def _tell_levels(self, events: list[LevelEvent]) -> None:
        names = [token.token_id for event in events[-1:] for token in event.market.tokens]
        listeners = [s for s in self.market_subscribers if not s.tokens.isdisjoint(names)]
        if not listeners:
            return
        event = events[-1]
        books = [self._book_of(name) for name in names]
        frame = market_frames.price_change(events, books)
        self._send(frame, listeners)
        curious = [s for s in listeners if s.wants_news]
        if not curious:
            return
        for change in frame["price_changes"]:
            best = (change["best_bid"], change["best_ask"])
            if self._told_best.get(change["asset_id"]) != best:
                self._told_best[change["asset_id"]] = best
                about = [s for s in curious if change["asset_id"] in s.tokens]
                self._send(market_frames.best_bid_ask(event, change), about)

    def _send_book(
        self, token_id: str, listeners: Iterable[MarketSubscriber] | None = None
    ) -> None:
        chosen = self.market_subscribers if listeners is None else listeners
        heard = [s for s in chosen if token_id in s.tokens]
        if heard:
            self._send(render.book_event(self._book_of(token_id)), heard)

    def _send(self, frame: dict[str, Any], listeners: list[MarketSubscriber]) -> None:
        about = About(frame["market"], "", frame["event_type"])
        for subscriber in listeners:
            self._weather.deliver(subscriber, frame, about)
