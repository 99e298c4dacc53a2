"""What an account's shares cost and what came of them: a fold over its trades and chain operations.

Nothing is kept that a reversal would have to undo: failed trades are left out of the fold. Average
cost, as the venue's profit pages have it; a split costs and a merge brings half a unit a share.
Called by reads only.
"""

from __future__ import annotations

import msgspec

from whaletrader.services.exchange.engine.model import (
    Activity,
    ActivityKind,
    Leg,
    Side,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.position import Position
from whaletrader.services.exchange.engine.state import EngineState

__all__ = ["Position", "carry_over", "positions"]


def positions(state: EngineState, account: str) -> list[Position]:
    """Return an account's positions, open and closed, by token id."""
    found = _folded(state, account, None)
    return [found[token_id] for token_id in sorted(found)]


def carry_over(state: EngineState, account: str, end_seq: int) -> None:
    """Keep what came of everything before a number, so that it can be forgotten."""
    state.carried_positions[account] = list(_folded(state, account, end_seq).values())
    state.carried_until[account] = max(end_seq, state.carried_until.get(account, 0))


def _folded(state: EngineState, account: str, end_seq: int | None) -> dict[str, Position]:
    found = {
        position.token_id: msgspec.structs.replace(position)
        for position in state.carried_positions.get(account, ())
    }

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
        if end_seq is not None and happened.seq >= end_seq:
            break
        if isinstance(happened, Activity):
            _fold_activity(happened, {t: of(t) for t, _ in happened.shares_micro})
        elif happened.status is not TradeStatus.FAILED:
            for leg in happened.legs:
                if leg.account == account:
                    _fold_leg(happened, leg, of(leg.token_id))
    return found


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
