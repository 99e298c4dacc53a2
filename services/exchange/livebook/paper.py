"""Our orders against a followed book, in the exchange's own engine.

The street is one account that shows the real book: an order at each of its levels. What our orders
take of a level stays taken until that level is gone, so displayed size is used once. Our resting
orders are filled by real trades only: one through their price fills them, one at their price after
what stood there before them has traded. The street never crosses our orders by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.events import (
    EngineEvent,
    OrderEvent,
    OrderEventKind,
    TradeEvent,
)
from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.engine.model import (
    LOT_MICRO,
    MICRO,
    Market,
    NewOrder,
    Order,
    OrderType,
    Side,
    TradeStatus,
)
from whaletrader.services.exchange.livebook.followed import FollowedBook, Levels

STREET: Final = "0x00000000000000000000000000000000005712ee"
# The street can show any real book: a billion dollars, and shares for half of it in each market.
CASH_MICRO: Final = 10**15
SHARES_MICRO: Final = 10**13

Level = tuple[bool, int]


@dataclass(slots=True)
class _Shown:
    """The street's side of one market."""

    market: Market
    orders: dict[Level, tuple[str, int]] = field(default_factory=dict)
    taken: dict[Level, int] = field(default_factory=lambda: defaultdict(int))
    # What stood before our order at its price when it came, less what has traded there since.
    ahead: dict[str, int] = field(default_factory=dict)


class Paper:
    """The street in all followed markets."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._shown: dict[str, _Shown] = {}
        self._made = 0

    def open(self, market: Market, now_ns: int) -> None:
        """Take a market up; it must be listed already."""
        exchange = self._exchange
        if exchange.deposit(STREET, CASH_MICRO, f"street:{market.condition_id}"):
            exchange.split(STREET, market.condition_id, SHARES_MICRO, now_ns)
        listed = exchange.state.markets[market.condition_id]
        self._shown[market.condition_id] = _Shown(listed)
        for order in exchange.state.open_by_principal[STREET].copy().values():
            if order.market is listed:
                exchange.cancel(STREET, order.order_id, now_ns)

    def show(self, condition_id: str, book: FollowedBook, now_ns: int) -> None:
        """Make the street's orders what the book displays, less what was taken of it."""
        shown = self._shown[condition_id]
        wanted: Levels
        for is_bid, levels in ((True, book.bids), (False, book.asks)):
            wanted = levels if book.is_trusted else {}
            for price in [p for side, p in shown.taken if side == is_bid and p not in levels]:
                if book.is_trusted:
                    del shown.taken[is_bid, price]
            self._withdraw(shown, is_bid, wanted, now_ns)
            for price, size in wanted.items():
                self._place(shown, (is_bid, price), size, now_ns)

    def traded(self, condition_id: str, book_price: int, size_micro: int, now_ns: int) -> int:
        """Let a real trade fill our resting orders; return how much it filled (micro-shares)."""
        shown = self._shown[condition_id]
        left = size_micro
        for is_bid in (True, False):
            reached = self._reached(shown, is_bid, book_price, left)
            if reached >= LOT_MICRO:
                self._hit(shown, is_bid, book_price, reached, now_ns)
                left -= reached
        return size_micro - left

    def note(self, events: Iterable[EngineEvent]) -> None:
        """Follow what the engine did: our orders' places in the queue, and what was taken."""
        for event in events:
            if isinstance(event, OrderEvent):
                self._note_order(event)
            elif isinstance(event, TradeEvent) and event.status is TradeStatus.MATCHED:
                shown = self._shown.get(event.trade.market.condition_id)
                for leg in event.trade.makers if shown else ():
                    if leg.account == STREET and shown is not None:
                        is_bid = (leg.terms.side is Side.BUY) == (leg.index == 0)
                        price = leg.price_micro if leg.index == 0 else MICRO - leg.price_micro
                        shown.taken[is_bid, price] += leg.size_micro
                        name, size = shown.orders.get((is_bid, price), ("", 0))
                        if name == leg.order_id:
                            shown.orders[is_bid, price] = (name, size - leg.size_micro)

    def _note_order(self, event: OrderEvent) -> None:
        order = event.order
        shown = self._shown.get(order.market.condition_id)
        if shown is None or order.terms.account == STREET:
            return
        if event.kind is OrderEventKind.PLACEMENT:
            level = (order.is_bid, order.book_price_micro)
            shown.ahead[order.order_id] = shown.orders.get(level, ("", 0))[1]
        elif event.kind is OrderEventKind.CANCELLATION or not order.is_open:
            shown.ahead.pop(order.order_id, None)

    def _withdraw(self, shown: _Shown, is_bid: bool, wanted: Levels, now_ns: int) -> None:
        for side, price in [level for level in shown.orders if level[0] == is_bid]:
            left = wanted.get(price, 0) - shown.taken.get((side, price), 0)
            name, size = shown.orders[side, price]
            if left != size:
                self._exchange.cancel(STREET, name, now_ns)
                del shown.orders[side, price]

    def _place(self, shown: _Shown, level: Level, size: int, now_ns: int) -> None:
        left = size - shown.taken.get(level, 0)
        if level in shown.orders or left < LOT_MICRO:
            return
        is_bid, price = level
        # A bid buys outcome 0, an ask sells it: the street has money and shares for both.
        side = Side.BUY if is_bid else Side.SELL
        order = self._order(shown.market, 0, side, (price, left), OrderType.GTC)
        if self._sent(shown.market, order, now_ns):
            shown.orders[level] = (order.order_id, left)

    def _reached(self, shown: _Shown, is_bid: bool, price: int, left: int) -> int:
        """Return how much of our orders on one side a trade fills; moves the queue on."""
        book = self._exchange.state.books[shown.market.condition_id]
        ladder = book.bids if is_bid else book.asks
        reached = 0
        for order in ladder.orders():
            if order.terms.account == STREET:
                continue
            if _is_through(order, price):
                reached += order.remaining_micro
            elif order.book_price_micro == price:
                ahead = shown.ahead.get(order.order_id, 0)
                shown.ahead[order.order_id] = max(0, ahead - left)
                reached += min(order.remaining_micro, max(0, left - ahead))
        return min(reached, left) // LOT_MICRO * LOT_MICRO

    def _hit(self, shown: _Shown, is_bid: bool, price: int, size: int, now_ns: int) -> None:
        # Always a sale: of outcome 0 into bids, of outcome 1 into asks, which are its bids.
        index, limit = (0, price) if is_bid else (1, MICRO - price)
        order = self._order(shown.market, index, Side.SELL, (limit, size), OrderType.FAK)
        self._sent(shown.market, order, now_ns)

    def _order(
        self, market: Market, index: int, side: Side, terms: tuple[int, int], kind: OrderType
    ) -> NewOrder:
        price, size = terms
        self._made += 1
        money = price * size // MICRO
        maker, taker = (money, size) if side is Side.BUY else (size, money)
        return NewOrder(
            order_id=f"0x5712ee{self._made:058x}",
            account=STREET,
            principal=STREET,
            owner="street",
            maker_address=STREET,
            token_id=market.tokens[index].token_id,
            side=side,
            order_type=kind,
            maker_amount=maker,
            taker_amount=taker,
            post_only=kind.rests,
        )

    def _sent(self, market: Market, order: NewOrder, now_ns: int) -> bool:
        """Place one of the street's orders; real levels may be smaller than ours may be."""
        least, market.min_size_micro = market.min_size_micro, 0
        delay, market.taker_delay_ns = market.taker_delay_ns, 0
        try:
            self._exchange.place(order, now_ns)
        except OrderRefused:
            # It would cross one of ours, or is off the grid: then it is not shown.
            return False
        finally:
            market.min_size_micro, market.taker_delay_ns = least, delay
        return True


def _is_through(order: Order, price: int) -> bool:
    limit = order.book_price_micro
    return price < limit if order.is_bid else price > limit
