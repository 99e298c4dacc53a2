"""What an account's shares cost and what came of them: a fold over its trades and chain operations.

Nothing is kept that a reversal would have to undo: failed trades are left out of the fold. Average
cost, as the venue's profit pages have it; a split costs and a merge brings half a unit a share.
Called by reads only.
"""

from __future__ import annotations

import msgspec

from whaletrader.services.exchange.engine.model import (
    MICRO,
    Activity,
    ActivityKind,
    Leg,
    Market,
    Side,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.state import EngineState


class Position(msgspec.Struct):
    """One account's history in one token, in micro-units; `size_micro` is 0 once it is closed.

    `cost_micro`: what the open shares cost, `bought_*`: all shares ever got and what they cost,
    fees of purchases apart (`fees_micro`). `realized_micro`: proceeds, after the fees of sales,
    less the average cost of what was sold, merged, converted or redeemed.
    """

    token_id: str
    market: Market
    index: int
    size_micro: int = 0
    cost_micro: int = 0
    bought_micro: int = 0
    bought_cost_micro: int = 0
    fees_micro: int = 0
    realized_micro: int = 0
    first_ns: int = 0
    last_ns: int = 0

    @property
    def avg_price_micro(self) -> int:
        if self.size_micro > 0:
            return self.cost_micro * MICRO // self.size_micro
        return self.bought_cost_micro * MICRO // self.bought_micro if self.bought_micro else 0

    def gain(self, size: int, cost: int, at_ns: int) -> None:
        self.size_micro += size
        self.cost_micro += cost
        self.bought_micro += size
        self.bought_cost_micro += cost
        self.first_ns = self.first_ns or at_ns
        self.last_ns = at_ns

    def part(self, size: int, proceeds: int, at_ns: int) -> int:
        """Give shares away; return the cost that they had."""
        cost = self.cost_micro * size // self.size_micro if self.size_micro else 0
        self.size_micro -= size
        self.cost_micro -= cost
        self.realized_micro += proceeds - cost
        self.last_ns = at_ns
        return cost


def positions(state: EngineState, account: str) -> list[Position]:
    """Return an account's positions, open and closed, by token id."""
    found: dict[str, Position] = {}

    def of(token_id: str) -> Position:
        position = found.get(token_id)
        if position is None:
            market = state.market_of_token[token_id]
            position = found[token_id] = Position(token_id, market, market.index_of(token_id))
        return position

    trades = state.trades_by_account.get(account, [])
    activities = state.activities.get(account, [])
    history: list[Trade | Activity] = sorted([*trades, *activities], key=lambda it: it.seq)
    for happened in history:
        if isinstance(happened, Activity):
            _fold_activity(happened, {t: of(t) for t, _ in happened.shares_micro})
        elif happened.status is not TradeStatus.FAILED:
            for leg in happened.legs:
                if leg.account == account:
                    _fold_leg(happened, leg, of(leg.token_id))
    return [found[token_id] for token_id in sorted(found)]


def _fold_leg(trade: Trade, leg: Leg, position: Position) -> None:
    if leg.side is Side.BUY:
        position.gain(leg.size_micro, leg.money_micro, trade.match_ns)
        position.fees_micro += leg.fee_micro
    else:
        position.part(leg.size_micro, leg.money_micro - leg.fee_micro, trade.match_ns)


def _fold_activity(activity: Activity, touched: dict[str, Position]) -> None:
    at_ns = activity.at_ns
    if activity.kind is ActivityKind.CONVERSION:
        _fold_conversion(activity, touched)
        return
    for number, (token_id, change) in enumerate(activity.shares_micro):
        position = touched[token_id]
        # The odd micro-unit goes to the second outcome.
        half = (abs(change) + number) // 2
        if activity.kind is ActivityKind.SPLIT:
            position.gain(change, half, at_ns)
        elif activity.kind is ActivityKind.MERGE:
            position.part(-change, half, at_ns)
        else:
            won = position.market.winning_index == position.index
            position.part(-change, -change if won else 0, at_ns)


def _fold_conversion(activity: Activity, touched: dict[str, Position]) -> None:
    """Carry the cost of the NO shares, less the collateral got, over to the YES shares."""
    at_ns = activity.at_ns
    given = [(touched[t], -change) for t, change in activity.shares_micro if change < 0]
    got = [(touched[t], change) for t, change in activity.shares_micro if change > 0]
    carried = -activity.usdc_micro
    for position, size in given:
        cost = position.part(size, 0, at_ns)
        position.realized_micro += cost
        carried += cost
    if not got or carried < 0:
        # Nothing to carry it to, or the collateral alone was worth more than all of it had cost.
        given[0][0].realized_micro -= carried
        carried = 0
    for number, (position, size) in enumerate(got):
        share = carried * (number + 1) // len(got) - carried * number // len(got)
        position.gain(size, share, at_ns)
