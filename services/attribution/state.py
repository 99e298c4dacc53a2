"""What attribution remembers, and how its own events change it.

Owns the books: every fill counted once by (order id, trade id), positions by portfolio, leader,
strategy and token, and what each portfolio has. The events are private copies of the fills and
resolutions that it has read, and the valuations it has said. Called by the agent only.
"""

from typing import Final

import msgspec

from whaletrader.domain.ids import derived_id, id_prefix
from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, market_pb2, order_pb2, portfolio_pb2
from whaletrader.services.attribution.errors import BooksDoNotBalance
from whaletrader.services.attribution.position import StandingFill, Totals, totals_of

# Fill status by key. Reversed and confirmed are final.
MATCHED: Final = 1
CONFIRMED: Final = 2
REVERSED: Final = 3

# Resolutions that are remembered, so that a fill told after its market's resolution is settled
# at once. The venue resolves a few thousand markets a day; a fill is hours late at most.
RESOLUTIONS_MAX: Final = 50_000


class Position(msgspec.Struct):
    """One leader's shares of one token in one portfolio.

    `base` holds the oldest fills that are final; `fills` the rest, in the order they were told.
    """

    portfolio: str
    leader: str
    strategy: str
    condition_id: str
    token_id: str
    outcome_index: int
    base: Totals = msgspec.field(default_factory=Totals)
    fills: list[StandingFill] = msgspec.field(default_factory=list)
    totals: Totals = msgspec.field(default_factory=Totals)


class Account(msgspec.Struct):
    """Sums over all of a portfolio's positions, open and closed, in micro-dollars."""

    deposits_micro: int = 0
    cash_micro: int = 0
    realized_micro: int = 0
    fees_micro: int = 0
    open_cost_micro: int = 0
    # Positions that hold shares.
    open_count: int = 0
    valued_ns: int = 0


class FillRecord(msgspec.Struct, frozen=True):
    """What is known of one fill; the digest tells whether a repetition is the same."""

    status: int
    digest: int


class AttributionState(msgspec.Struct):
    """Fold of attribution's journal."""

    accounts: dict[str, Account] = msgspec.field(default_factory=dict)
    # By market, then position key, so that a resolution finds its positions.
    positions: dict[str, dict[str, Position]] = msgspec.field(default_factory=dict)
    fills: dict[int, FillRecord] = msgspec.field(default_factory=dict)
    # Winning token by market.
    resolutions: dict[str, str] = msgspec.field(default_factory=dict)


class AttributionViews(msgspec.Struct):
    """The last traded price of outcome 0, by market; outcome 1 is worth the rest of a dollar."""

    marks: dict[str, int] = msgspec.field(default_factory=dict)


FillEvent = order_pb2.OrderMatched | order_pb2.OrderConfirmed | order_pb2.OrderReversed


def fill_key(event: FillEvent) -> int:
    return id_prefix(derived_id(event.order.order_id, event.fill.trade_id))


def fill_digest(event: FillEvent) -> int:
    """Return what must be equal whenever the same fill is told."""
    order, fill = event.order, event.fill
    return id_prefix(
        derived_id(
            position_id(order),
            order.side,
            fill.price_micro,
            fill.size_micro,
            fill.fee_micro,
        )
    )


def position_id(named: "order_pb2.OrderRef | Position") -> str:
    """Return the id of a position, or of the one that an order belongs to."""
    return derived_id(
        named.portfolio, named.leader, named.strategy, named.condition_id, named.token_id
    )


def position_of(state: AttributionState, order: order_pb2.OrderRef) -> Position:
    """Return the position that the order belongs to; a new one that is not in the books yet."""
    found = state.positions.get(order.condition_id, {}).get(position_id(order))
    return found or Position(
        order.portfolio,
        order.leader,
        order.strategy,
        order.condition_id,
        order.token_id,
        order.outcome_index,
    )


def totals_with(
    state: AttributionState,
    position: Position,
    fills: list[StandingFill],
    payout_micro: int | None = None,
) -> Totals:
    """Return the position's totals if these were its fills that are not in the base.

    A payout stands in for a resolution that is not in the books yet.
    """
    known = _payout(state, position)
    return totals_of(position.base, fills, payout_micro if known is None else known)


def fills_after(position: Position, event: FillEvent) -> list[StandingFill]:
    """Return the position's fills once the event is taken into account."""
    key = fill_key(event)
    others = [fill for fill in position.fills if fill.key != key]
    if isinstance(event, order_pb2.OrderReversed):
        return others
    if len(others) < len(position.fills):
        return position.fills
    return [*others, _standing(key, event)]


def on_fill(state: AttributionState, event: FillEvent, starting_cash_micro: int) -> None:
    """Count, settle or undo the fill. The caller has checked that the status may follow."""
    key = fill_key(event)
    state.fills[key] = FillRecord(_status(event), fill_digest(event))
    account = account_of(state, event.order.portfolio, starting_cash_micro)
    state.accounts[event.order.portfolio] = account
    position = position_of(state, event.order)
    position.fills = fills_after(position, event)
    held = state.positions.setdefault(event.order.condition_id, {})
    held[position_id(event.order)] = position
    _set_totals(account, position, totals_with(state, position, position.fills))
    _fold_final(state, position)
    _drop_finished(state, event.order.condition_id)


def on_resolved(state: AttributionState, event: market_pb2.MarketResolved) -> None:
    state.resolutions[event.condition_id] = event.winning_token_id
    for position in state.positions.get(event.condition_id, {}).values():
        account = state.accounts[position.portfolio]
        _set_totals(account, position, totals_with(state, position, position.fills))
    _drop_finished(state, event.condition_id)
    if len(state.resolutions) > RESOLUTIONS_MAX:
        # The oldest of which nothing is unsettled any more.
        oldest = next((key for key in state.resolutions if key not in state.positions), None)
        state.resolutions.pop(oldest or event.condition_id)


def on_valued(state: AttributionState, event: portfolio_pb2.PortfolioValued) -> None:
    account = state.accounts[event.portfolio]
    account.valued_ns = max(account.valued_ns, event.meta.event_time_ns)


def account_of(state: AttributionState, portfolio: str, starting_cash_micro: int) -> Account:
    """Return the portfolio's account; a new one holds the starting cash and nothing else."""
    found = state.accounts.get(portfolio)
    return found or Account(deposits_micro=starting_cash_micro, cash_micro=starting_cash_micro)


def open_positions(state: AttributionState, portfolio: str) -> list[Position]:
    """Return the portfolio's positions that hold shares, in the order they were opened."""
    return [
        position
        for held in state.positions.values()
        for position in held.values()
        if position.portfolio == portfolio and position.totals.size_micro
    ]


def _set_totals(account: Account, position: Position, after: Totals) -> None:
    delta = after.minus(position.totals)
    account.open_count += bool(after.size_micro) - bool(position.totals.size_micro)
    position.totals = after
    account.cash_micro += delta.cash_micro
    account.realized_micro += delta.realized_micro
    account.fees_micro += delta.fees_micro
    account.open_cost_micro += delta.cost_micro
    earned = account.deposits_micro + account.realized_micro - account.fees_micro
    if account.cash_micro + account.open_cost_micro != earned:
        raise BooksDoNotBalance(f"portfolio {position.portfolio}: {account}")


def _fold_final(state: AttributionState, position: Position) -> None:
    # Only the oldest may leave the list: totals depend on the order of fills.
    while position.fills and state.fills[position.fills[0].key].status == CONFIRMED:
        position.base = totals_of(position.base, position.fills[:1], None)
        position.fills = position.fills[1:]


def _drop_finished(state: AttributionState, condition_id: str) -> None:
    if condition_id not in state.resolutions:
        return
    held = state.positions.get(condition_id, {})
    for key in [key for key, position in held.items() if not position.fills]:
        del held[key]
    if not held:
        state.positions.pop(condition_id, None)


def _payout(state: AttributionState, position: Position) -> int | None:
    winner = state.resolutions.get(position.condition_id)
    if winner is None:
        return None
    return MICRO if winner == position.token_id else 0


def _standing(key: int, event: FillEvent) -> StandingFill:
    fill = event.fill
    is_buy = event.order.side == common_pb2.SIDE_BUY
    return StandingFill(key, is_buy, fill.price_micro, fill.size_micro, fill.fee_micro)


def _status(event: FillEvent) -> int:
    if isinstance(event, order_pb2.OrderMatched):
        return MATCHED
    return CONFIRMED if isinstance(event, order_pb2.OrderConfirmed) else REVERSED
