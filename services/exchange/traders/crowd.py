"""Zero-intelligence traders: a book that lives without anybody thinking.

Orders and cancels come at random (Poisson) rates, limit prices at random distances from a fair
value that walks (Gode & Sunder 1993: budget-constrained random bids; Farmer, Patelli & Zovko 2005:
limit, market and cancel rates make spread and depth). The crowd draws from its own seed and from
nothing else, so equal settings and times give equal flows. Reads no clock and places nothing by
itself: `step` says what it wants, `drive` hands that to an exchange. Called by the wire's task.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from typing import Final

import msgspec

from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.engine.model import (
    LOT_MICRO,
    MICRO,
    NS,
    Market,
    NewOrder,
    OrderType,
    Side,
)
from whaletrader.services.exchange.signing.keys import checksum

# After a pause no more than this is caught up on: the crowd does not flood a book.
CATCH_UP_NS_MAX: Final = 5 * NS
_SHARES_MIN: Final = 5
# What the crowd did longer ago is forgotten, looked for after so many of its orders: a month of it
# would fill the memory with what nobody asks for.
KEPT_NS: Final = 600 * NS
FORGET_EVERY_ORDERS: Final = 5_000


class CrowdSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates are per second and market, of the whole crowd.

    `half_spread_ticks`: nobody quotes closer to the fair value than this.
    `offset_micro_mean`: how much further limit prices lie from it, on average.
    `volatility`: standard deviation of the fair value's log-odds after one second.
    `shares_mean`: mean order size; sizes are exponential, as the distances are.
    """

    seed: int = 1
    traders: int = 10
    limit_per_s: float = 2.0
    market_per_s: float = 0.3
    cancel_share_per_s: float = 0.05
    half_spread_ticks: int = 1
    offset_micro_mean: int = 30_000
    volatility: float = 0.01
    shares_mean: float = 40.0
    orders_max: int = 200
    cash_micro: int = 100_000 * MICRO
    shares_micro: int = 10_000 * MICRO

    def __post_init__(self) -> None:
        rates = (self.limit_per_s, self.market_per_s, self.cancel_share_per_s, self.volatility)
        if min(rates) < 0:
            raise ValueError("rates and volatility must not be negative")
        if self.traders < 2:
            raise ValueError("at least two traders are needed: nobody trades with himself")
        if self.orders_max < 1 or self.offset_micro_mean <= 0 or self.shares_mean <= 0:
            raise ValueError("orders_max, offset_micro_mean and shares_mean must be positive")


class Place(msgspec.Struct, frozen=True):
    """An order that a trader of the crowd wants to place."""

    order: NewOrder


class Cancel(msgspec.Struct, frozen=True):
    """An order that a trader of the crowd takes back."""

    principal: str
    order_id: str


class DriveReport(msgspec.Struct, frozen=True):
    """How one drive went. Refusals are part of the game: a post-only quote that would cross."""

    placed: int = 0
    refused: int = 0
    canceled: int = 0


class _Stage(msgspec.Struct):
    """What the crowd knows of one market: its terms, the fair value's log-odds, its own orders."""

    market: Market
    log_odds: float
    # Order id to its trader, oldest first; those that were filled are found out when cancelled.
    quotes: dict[str, str] = {}


class Crowd:
    """A seeded crowd over some markets. Not safe for two drivers at once."""

    def __init__(self, settings: CrowdSettings) -> None:
        self.settings = settings
        self._draw = random.Random(settings.seed)
        self._stages: dict[str, _Stage] = {}
        self._then_ns: int | None = None
        self._orders = 0
        self._forget_at = FORGET_EVERY_ORDERS
        self.traders = [_address(settings.seed, number) for number in range(settings.traders)]

    def join(self, exchange: Exchange, condition_ids: list[str]) -> None:
        """Fund every trader once, give it shares of these markets, and begin at the last price."""
        settings = self.settings
        for condition_id in condition_ids:
            market = exchange.state.markets[condition_id]
            last = exchange.state.last_prints.get(condition_id)
            start = last.book_price_micro / MICRO if last else 0.5
            start = min(max(start, 0.02), 0.98)
            self._stages[condition_id] = _Stage(market, math.log(start / (1 - start)))
            for trader in self.traders:
                deposit_id = f"crowd:{settings.seed}:{condition_id}"
                if exchange.deposit(trader, settings.cash_micro, deposit_id):
                    size = min(settings.shares_micro, settings.cash_micro // 2)
                    if size > 0:
                        exchange.split(trader, condition_id, size, exchange.now_ns)

    def fair_micro(self, condition_id: str) -> int:
        """Return the fair value of outcome 0 as the crowd has it now, in micro-units."""
        odds = math.exp(self._stages[condition_id].log_odds)
        return round(odds / (1 + odds) * MICRO)

    def step(self, now_ns: int) -> list[Place | Cancel]:
        """Return what the crowd wants since the last step; the first step only sets its watch."""
        if self._then_ns is None or now_ns <= self._then_ns:
            self._then_ns = now_ns if self._then_ns is None else self._then_ns
            return []
        seconds = min(now_ns - self._then_ns, CATCH_UP_NS_MAX) / NS
        self._then_ns = now_ns
        wishes: list[Place | Cancel] = []
        for stage in self._stages.values():
            if stage.market.winning_index is None:
                wishes += self._wishes(stage, seconds)
        return wishes

    def drive(
        self, exchange: Exchange, now_ns: int, told: Callable[[], None] = lambda: None
    ) -> DriveReport:
        """Step, and hand what comes out to the exchange; `told` is called after each of it."""
        placed = refused = canceled = 0
        for wish in self.step(now_ns):
            if isinstance(wish, Cancel):
                canceled += exchange.cancel(wish.principal, wish.order_id, now_ns) is None
                told()
                continue
            try:
                exchange.place(wish.order, now_ns)
                placed += 1
            except OrderRefused:
                refused += 1
                self._forget(wish.order)
            told()
        if self._orders >= self._forget_at:
            self._forget_at = self._orders + FORGET_EVERY_ORDERS
            exchange.forget(self.traders, now_ns - KEPT_NS)
        return DriveReport(placed, refused, canceled)

    def _wishes(self, stage: _Stage, seconds: float) -> list[Place | Cancel]:
        settings, draw = self.settings, self._draw
        stage.log_odds += draw.gauss(0, settings.volatility * math.sqrt(seconds))
        # Beyond 97.5 % there are too few ticks left to quote two sides.
        stage.log_odds = min(max(stage.log_odds, -3.66), 3.66)
        wishes: list[Place | Cancel] = []
        expected = settings.cancel_share_per_s * len(stage.quotes) * seconds
        surplus = len(stage.quotes) - settings.orders_max
        for _ in range(min(max(self._poisson(expected), surplus), len(stage.quotes))):
            order_id = draw.choice(list(stage.quotes))
            wishes.append(Cancel(stage.quotes.pop(order_id), order_id))
        quotes = range(self._poisson(settings.limit_per_s * seconds))
        wishes += [Place(self._limit(stage)) for _ in quotes]
        takes = range(self._poisson(settings.market_per_s * seconds))
        return wishes + [Place(self._market(stage)) for _ in takes]

    def _limit(self, stage: _Stage) -> NewOrder:
        """Quote one side of one outcome, post-only, off the fair value by a random distance."""
        settings, draw = self.settings, self._draw
        tick = stage.market.tick_size_micro
        index, side = draw.randrange(2), draw.choice((Side.BUY, Side.SELL))
        fair = self.fair_micro(stage.market.condition_id)
        fair = fair if index == 0 else MICRO - fair
        away = settings.half_spread_ticks * tick
        away += round(draw.expovariate(1 / settings.offset_micro_mean))
        price = fair - away if side is Side.BUY else fair + away
        ticks = price // tick if side is Side.BUY else -(-price // tick)
        on_grid = min(max(ticks, 1), MICRO // tick - 1) * tick
        least = max(_SHARES_MIN * MICRO, stage.market.min_size_micro)
        size = least + round(draw.expovariate(1 / settings.shares_mean) * 100) * LOT_MICRO
        # Whole shares keep the amounts within the decimals of every tick.
        size = -(-size // MICRO) * MICRO
        cost = size * on_grid // MICRO
        trader = draw.choice(self.traders)
        amounts = (cost, size) if side is Side.BUY else (size, cost)
        order = self._order(stage, trader, index, side, amounts, OrderType.GTC)
        stage.quotes[order.order_id] = trader
        return order

    def _market(self, stage: _Stage) -> NewOrder:
        """Take what there is within twice the usual distance of the fair value."""
        settings, draw = self.settings, self._draw
        tick = stage.market.tick_size_micro
        index, side = draw.randrange(2), draw.choice((Side.BUY, Side.SELL))
        fair = self.fair_micro(stage.market.condition_id)
        fair = fair if index == 0 else MICRO - fair
        reach = 2 * settings.offset_micro_mean + settings.half_spread_ticks * tick
        reach = reach if side is Side.BUY else -reach
        ticks = min(max((fair + reach) // tick, 1), MICRO // tick - 1)
        price = ticks * tick
        shares = max(_SHARES_MIN, round(draw.expovariate(1 / settings.shares_mean)))
        if side is Side.BUY:
            # Dollars in whole cents, at least the venue's one.
            dollars = max(shares * price // LOT_MICRO, 100) * LOT_MICRO
            amounts = dollars, dollars * MICRO // price // 100 * 100
        else:
            amounts = shares * MICRO, shares * price
        trader = draw.choice(self.traders)
        return self._order(stage, trader, index, side, amounts, OrderType.FAK)

    def _order(
        self,
        stage: _Stage,
        trader: str,
        index: int,
        side: Side,
        amounts: tuple[int, int],
        kind: OrderType,
    ) -> NewOrder:
        self._orders += 1
        name = f"{self.settings.seed}:{stage.market.condition_id}:{self._orders}"
        return NewOrder(
            order_id="0x" + hashlib.sha256(name.encode()).hexdigest(),
            account=trader,
            principal=trader,
            owner=f"crowd-{self.traders.index(trader)}",
            maker_address=checksum(trader),
            token_id=stage.market.tokens[index].token_id,
            side=side,
            order_type=kind,
            maker_amount=amounts[0],
            taker_amount=amounts[1],
            post_only=kind is OrderType.GTC,
        )

    def _forget(self, order: NewOrder) -> None:
        for stage in self._stages.values():
            stage.quotes.pop(order.order_id, None)

    def _poisson(self, expected: float) -> int:
        """Draw how often something of a given expectation happens (Knuth's product of draws)."""
        # Above a few hundred the product underflows; a crowd that large is split over its steps.
        limit, product, count = math.exp(-min(expected, 500.0)), 1.0, 0
        while True:
            product *= self._draw.random()
            if product <= limit:
                return count
            count += 1


def _address(seed: int, number: int) -> str:
    return "0x" + hashlib.sha256(f"crowd:{seed}:{number}".encode()).hexdigest()[:40]
