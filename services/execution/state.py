"""What execution remembers, and how its own events change it.

The state is the fold of execution's events and nothing else: orders with their fills, approved
trades under work, which approvals were used, what we hold, and why nothing may leave. Pure;
called by the agent only.
"""

from enum import StrEnum
from typing import Final

import msgspec

from whaletrader.schemas import market_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.transitions import FillStage, Phase
from whaletrader.services.execution.working.book import Book
from whaletrader.services.execution.working.work import Work

# Closed orders are kept so that late or repeated news of them is understood. News is late by
# minutes; at ten orders a second this many are more than an hour.
CLOSED_ORDERS_MAX: Final = 50_000
# Used approvals are kept longer than their orders: until well after their expiry.
APPROVALS_MAX: Final = 200_000
# A remainder below the venue's lot, a hundredth of a share, can be neither ordered nor filled.
LOT_MICRO: Final = 10_000


class Stop(StrEnum):
    """Why a portfolio may not trade."""

    HALT = "halt"
    # Selling is still allowed: that is how a flattened portfolio gets rid of what it holds.
    FLATTEN = "flatten"
    # Risk's own states: nothing more is bought, and what rests to buy goes, or may stay.
    REDUCE = "reduce"
    PAUSE = "pause"
    # Our books and the venue's differ: a person must look.
    DIFFERENCE = "difference"

    @property
    def allows_sales(self) -> bool:
        return self in (Stop.FLATTEN, Stop.REDUCE, Stop.PAUSE)


RISK_STOPS: Final = (Stop.REDUCE, Stop.PAUSE)


class StandingFill(msgspec.Struct):
    """One fill of one order, in micro-units. `at_ns`: when it was matched, in event time."""

    price_micro: int
    size_micro: int
    fee_micro: int
    liquidity: int
    stage: FillStage
    at_ns: int = 0


class OrderRecord(msgspec.Struct):
    """One order. `announced` is the OrderAnnounced event, `fills` go by fill id."""

    announced: bytes
    approval_id: str
    portfolio: str
    condition_id: str
    token_id: str
    side: int
    price_micro: int
    size_micro: int
    announced_ns: int
    phase: Phase = Phase.ANNOUNCED
    unknown_since_ns: int = 0
    fills: dict[str, StandingFill] = msgspec.field(default_factory=dict)
    # What the venue said when it took the order off the book; 0 while it has not.
    venue_status: int = 0
    venue_matched_micro: int = 0
    venue_detail: str = ""
    # What the venue said when it was last asked, and how many fills it listed then; 0 if it was
    # not asked since the last fill that failed.
    seen_state: int = 0
    seen_fills: int = 0
    # What had failed when the venue was found to have the order off the book: it comes back no
    # more, while what fails later still may.
    gone_micro: int = 0

    def size_in(self, *stages: FillStage) -> int:
        """Return how many micro-shares of fills are in one of the stages."""
        return sum(fill.size_micro for fill in self.fills.values() if fill.stage in stages)

    @property
    def standing_micro(self) -> int:
        """What is filled and not reversed."""
        return sum(
            fill.size_micro for fill in self.fills.values() if fill.stage is not FillStage.REVERSED
        )

    @property
    def has_provisional(self) -> bool:
        return any(not fill.stage.is_final for fill in self.fills.values())

    @property
    def has_reversed(self) -> bool:
        return any(fill.stage is FillStage.REVERSED for fill in self.fills.values())

    @property
    def is_complete(self) -> bool:
        """Whether no more than dust is left of it."""
        return self.standing_micro > self.size_micro - LOT_MICRO

    @property
    def is_told(self) -> bool:
        """Whether every fill that the venue speaks of has been told.

        A failed trade leaves the venue's matched size or stays in it, as the venue likes: after
        one, only the fills that a look listed say how many there are.
        """
        if self.has_reversed:
            return self.is_seen_closed and len(self.fills) >= self.seen_fills
        all_told = sum(fill.size_micro for fill in self.fills.values())
        return bool(self.venue_status) and all_told >= self.venue_matched_micro

    @property
    def is_seen_closed(self) -> bool:
        """Whether the venue, asked after the last fill that failed, had it off the book."""
        return self.seen_state not in (
            order_pb2.VENUE_ORDER_STATE_UNSPECIFIED,
            order_pb2.VENUE_ORDER_STATE_OPEN,
        )

    @property
    def is_off_book(self) -> bool:
        """Whether no further fill can come, as far as the venue has told."""
        return self.phase.is_end or self.phase is Phase.MATCHED or self.is_told

    @property
    def committed_micro(self) -> int:
        """Return how much of its approval the order takes up: all that it has filled or may."""
        if self.is_off_book:
            return self.standing_micro
        if not self.venue_status:
            return max(self.size_micro, self.standing_micro)
        # Taken off: of what was matched by then a failed part may come back, and no more.
        matched = sum(fill.size_micro for fill in self.fills.values()) - self.gone_micro
        most = min(self.size_micro, max(self.venue_matched_micro, matched))
        return max(most, self.standing_micro)


class Position(msgspec.Struct):
    """Shares of one token: what stands of our fills, and what of that is not settled."""

    condition_id: str = ""
    size_micro: int = 0
    bought_provisional_micro: int = 0
    sold_provisional_micro: int = 0


class Balance(msgspec.Struct):
    """What we hold by our own fills, on top of what the first look at the wallet found."""

    is_open: bool = False
    cash_micro: int = 0
    # Money of fills that are not settled: spent, and received.
    spent_provisional_micro: int = 0
    received_provisional_micro: int = 0
    positions: dict[str, Position] = msgspec.field(default_factory=dict)
    # Looks in a row that differed, and what the last one found; when our fills last moved it.
    differing_looks: int = 0
    differing_digest: str = ""
    moved_ns: int = 0


class ExecutionState(msgspec.Struct):
    """Orders by id, oldest first; approval id -> its first order's id, or a word for none."""

    orders: dict[str, OrderRecord] = msgspec.field(default_factory=dict)
    used_approvals: dict[str, str] = msgspec.field(default_factory=dict)
    # Approved trades that are not finished, by approval id.
    works: dict[str, Work] = msgspec.field(default_factory=dict)
    # Portfolio -> why it is stopped, by whom: an operator's stop and risk's do not undo each other.
    stops: dict[str, Stop] = msgspec.field(default_factory=dict)
    risk_stops: dict[str, Stop] = msgspec.field(default_factory=dict)
    balance: Balance = msgspec.field(default_factory=Balance)
    # Why the whole wallet may not trade; empty while it may.
    wallet_stop: str = ""
    closed_count: int = 0


class MarketTerms(msgspec.Struct, frozen=True):
    """What an order needs to know of its market."""

    condition_id: str
    outcome_index: int
    tick_micro: int
    min_size_micro: int
    fee_rate_micro: int
    fee_exponent: int
    neg_risk: bool
    category: str = ""
    ends_ns: int = 0


class ExecutionViews(msgspec.Struct):
    """Terms and last books by token, and the markets that are decided."""

    tokens: dict[str, MarketTerms] = msgspec.field(default_factory=dict)
    books: dict[str, Book] = msgspec.field(default_factory=dict)
    resolved: dict[str, bool] = msgspec.field(default_factory=dict)


def note_listing(views: ExecutionViews, listed: market_pb2.MarketListed) -> None:
    """Take a market's terms; a later listing replaces an earlier one."""
    for index, token in enumerate(listed.tokens):
        views.tokens[token.token_id] = MarketTerms(
            condition_id=listed.condition_id,
            outcome_index=index,
            tick_micro=listed.tick_size_micro,
            min_size_micro=listed.min_size_micro,
            fee_rate_micro=listed.fee_rate_micro,
            fee_exponent=listed.fee_exponent or 1,
            neg_risk=listed.neg_risk,
            category=listed.category,
            ends_ns=listed.ends_ns,
        )


def note_book(views: ExecutionViews, event: market_pb2.BookSnapshotted) -> None:
    """Keep the newest book of a token."""
    views.books[event.token_id] = Book.of(event.bids, event.asks, event.meta.event_time_ns)


def announce(state: ExecutionState, event: order_pb2.OrderAnnounced, now_ns: int) -> None:
    """Remember a new order, and that its approval is used."""
    ref = event.order
    state.orders[ref.order_id] = record_of(event, now_ns)
    work = state.works.get(ref.approval_id)
    if work is not None:
        work.orders.append(ref.order_id)
    if event.child == 0:
        state.used_approvals[ref.approval_id] = ref.order_id


def record_of(event: order_pb2.OrderAnnounced, now_ns: int) -> OrderRecord:
    """Return the record that an announcement begins."""
    ref = event.order
    return OrderRecord(
        announced=event.SerializeToString(deterministic=True),
        approval_id=ref.approval_id,
        portfolio=ref.portfolio,
        condition_id=ref.condition_id,
        token_id=ref.token_id,
        side=int(ref.side),
        price_micro=ref.price_micro,
        size_micro=ref.size_micro,
        announced_ns=now_ns,
    )


def note_venue_closed(record: OrderRecord, event: order_pb2.VenueOrderClosed) -> None:
    """Take the venue's word that the order is off the book. The first word counts."""
    if not record.venue_status:
        record.venue_status = int(event.status)
        record.venue_matched_micro = event.matched_size_micro
        record.venue_detail = event.detail


def note_look(record: OrderRecord, event: order_pb2.OrderResolved) -> None:
    """Take what the venue said of the order when it was asked."""
    record.seen_state = int(event.state)
    record.seen_fills = event.fills
    if record.is_seen_closed:
        record.gone_micro = record.size_in(FillStage.REVERSED)


def count_closed(state: ExecutionState) -> None:
    """Count one more closed order, and forget the oldest above the limit."""
    state.closed_count += 1
    if state.closed_count > CLOSED_ORDERS_MAX:
        _forget_oldest_closed(state)


def note_trading_state(state: ExecutionState, event: risk_pb2.TradingStateChanged) -> None:
    """Stop a portfolio or let it trade again, as an operator, risk or our own books said."""
    if event.rule == Stop.DIFFERENCE:
        state.wallet_stop = event.detail if event.halted else ""
        state.balance.differing_looks = 0
        if not event.halted:
            # A person has looked: what the wallet holds next is taken as it is.
            state.balance.is_open = False
    elif event.rule in RISK_STOPS:
        if event.halted:
            state.risk_stops[event.portfolio] = Stop(event.rule)
        else:
            state.risk_stops.pop(event.portfolio, None)
    elif event.halted:
        state.stops[event.portfolio] = Stop(event.rule)
    else:
        state.stops.pop(event.portfolio, None)
        state.risk_stops.pop(event.portfolio, None)


def note_skip(state: ExecutionState, event: order_pb2.ChildSkipped) -> None:
    """Count an order that a rule held back."""
    state.works[event.approval_id].skips += 1


def stop_of(state: ExecutionState, portfolio: str) -> Stop | None:
    """Return the strictest reason why a portfolio may not trade, or None."""
    if state.wallet_stop:
        return Stop.DIFFERENCE
    return state.stops.get(portfolio) or state.risk_stops.get(portfolio)


def begin(state: ExecutionState, event: order_pb2.WorkStarted) -> None:
    """Take an approved trade under work; its approval is used from here on."""
    state.works[event.approval_id] = Work.of(event)
    if event.approval_id not in state.used_approvals:
        state.used_approvals[event.approval_id] = "under work"
    while len(state.used_approvals) > APPROVALS_MAX:
        del state.used_approvals[next(iter(state.used_approvals))]


def finish(state: ExecutionState, event: order_pb2.WorkFinished) -> None:
    """End an approved trade; its orders stay on record for late news."""
    del state.works[event.approval_id]


def _forget_oldest_closed(state: ExecutionState) -> None:
    oldest = next(
        name
        for name, record in state.orders.items()
        if record.phase.is_end and record.approval_id not in state.works
    )
    state.orders.pop(oldest)
    state.closed_count -= 1
