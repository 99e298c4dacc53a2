"""What a portfolio is worth: cash, and open positions at the last traded price.

A position whose market has not traded since this agent watches it is worth what it cost. Pure;
called by the agent, also with totals that are not in the books yet.
"""

from collections.abc import Mapping

from whaletrader.domain.money import MICRO, notional
from whaletrader.schemas import portfolio_pb2
from whaletrader.services.attribution.position import Totals
from whaletrader.services.attribution.state import Account, Position, position_id

NO_CHANGES: Mapping[str, Totals] = {}


def valued(
    portfolio: str,
    account: Account,
    positions: list[Position],
    marks: Mapping[str, int],
    after: Mapping[str, Totals] = NO_CHANGES,
) -> portfolio_pb2.PortfolioValued:
    """Return the portfolio's valuation once the positions in `after` have those totals.

    `positions` are all that hold shares or are in `after`; `marks` as in AttributionViews.
    """
    event = portfolio_pb2.PortfolioValued(
        portfolio=portfolio,
        cash_micro=account.cash_micro,
        realized_micro=account.realized_micro,
        fees_micro=account.fees_micro,
        positions_cost_micro=account.open_cost_micro,
    )
    for position in positions:
        totals = after.get(position_id(position), position.totals)
        delta = totals.minus(position.totals)
        event.cash_micro += delta.cash_micro
        event.realized_micro += delta.realized_micro
        event.fees_micro += delta.fees_micro
        event.positions_cost_micro += delta.cost_micro
        if totals.size_micro:
            event.open_positions += 1
            event.positions_value_micro += _value(position, totals, marks)
    return event


def mark_of_first(price_micro: int, outcome_index: int) -> int:
    """Return what a trade of either outcome says about the price of outcome 0."""
    return price_micro if outcome_index == 0 else MICRO - price_micro


def _value(position: Position, totals: Totals, marks: Mapping[str, int]) -> int:
    mark = marks.get(position.condition_id)
    if mark is None:
        return totals.cost_micro
    return notional(mark_of_first(mark, position.outcome_index), totals.size_micro)
