"""Attribution: what each fill and each resolution did to profit, and for whom.

Reads order events and market data; says changes of profit by leader, market and day, and what
each portfolio is worth. Sums of what it says are the books. Must not decide anything about
trading: it only counts.
"""

from collections.abc import Mapping

from whaletrader.domain.money import MICRO
from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import market_pb2, order_pb2, portfolio_pb2
from whaletrader.services.attribution import state as fold
from whaletrader.services.attribution.config import AttributionSettings
from whaletrader.services.attribution.counting import changes_books
from whaletrader.services.attribution.errors import AttributionError, ResolutionContradiction
from whaletrader.services.attribution.position import Totals
from whaletrader.services.attribution.state import (
    AttributionState,
    AttributionViews,
    FillEvent,
    Position,
    position_id,
)
from whaletrader.services.attribution.valuation import NO_CHANGES, mark_of_first, valued

NS_PER_DAY = 86_400_000_000_000
TOPIC = "portfolio.attribution"


class AttributionAgent(Agent[AttributionState, AttributionViews]):
    """The three functions of attribution."""

    name = "attribution"
    # Fills before the resolution that pays them, where their times are the same.
    reads = ("order.events", "market.data")

    def __init__(self, settings: AttributionSettings) -> None:
        super().__init__(AttributionState(), AttributionViews())
        self.settings = settings
        self.decides = {
            order_pb2.OrderMatched: self._decide_fill,
            order_pb2.OrderConfirmed: self._decide_fill,
            order_pb2.OrderReversed: self._decide_fill,
            market_pb2.MarketResolved: self._decide_resolved,
            market_pb2.TradePrinted: self._decide_printed,
        }
        self.evolves = {
            order_pb2.OrderMatched: self._evolve_fill,
            order_pb2.OrderConfirmed: self._evolve_fill,
            order_pb2.OrderReversed: self._evolve_fill,
            market_pb2.MarketResolved: lambda event: fold.on_resolved(self.state, event),
            portfolio_pb2.PortfolioValued: lambda event: fold.on_valued(self.state, event),
        }
        self.observes = {
            market_pb2.TradePrinted: self._observe_printed,
            market_pb2.MarketResolved: self._observe_resolved,
        }

    def _decide_fill(self, message: FillEvent) -> Decision:
        if not changes_books(self.state, message):
            return Decision()
        noted = type(message)(order=message.order, fill=message.fill)
        decision = Decision().keep(noted)
        position = fold.position_of(self.state, message.order)
        fills = fold.fills_after(position, message)
        after = fold.totals_with(self.state, position, fills)
        if after != position.totals:
            event = _attributed(position, after, message.meta.event_time_ns)
            event.approval_id = message.order.approval_id
            event.order_id = message.order.order_id
            decision.emit(TOPIC, event)
            self._value(decision, position.portfolio, {position_id(position): after}, [position])
        return decision

    def _decide_resolved(self, message: market_pb2.MarketResolved) -> Decision:
        if not message.condition_id or not message.winning_token_id:
            raise AttributionError(f"market {message.condition_id!r} resolved without a winner")
        known = self.state.resolutions.get(message.condition_id)
        if known is not None and known != message.winning_token_id:
            raise ResolutionContradiction(f"{message.condition_id} resolved to {known} before")
        if known is not None:
            return Decision()
        noted = market_pb2.MarketResolved(
            condition_id=message.condition_id,
            winning_index=message.winning_index,
            winning_token_id=message.winning_token_id,
        )
        decision = Decision().keep(noted)
        held = self.state.positions.get(message.condition_id, {}).values()
        payouts: dict[str, dict[str, Totals]] = {}
        for position in held:
            payout = MICRO if position.token_id == message.winning_token_id else 0
            after = fold.totals_with(self.state, position, position.fills, payout)
            if after != position.totals:
                decision.emit(TOPIC, _attributed(position, after, message.meta.event_time_ns))
                payouts.setdefault(position.portfolio, {})[position_id(position)] = after
        for portfolio, after_by_id in payouts.items():
            self._value(decision, portfolio, after_by_id, [])
        return decision

    def _decide_printed(self, message: market_pb2.TradePrinted) -> Decision:
        decision = Decision()
        for portfolio, account in self.state.accounts.items():
            age_ns = message.meta.event_time_ns - account.valued_ns
            if account.open_count and age_ns >= self.settings.valuation_interval_ns:
                self._value(decision, portfolio, NO_CHANGES, [])
        return decision

    def _value(
        self,
        decision: Decision,
        portfolio: str,
        after: Mapping[str, Totals],
        changed: list[Position],
    ) -> None:
        account = fold.account_of(self.state, portfolio, self.settings.starting_cash_micro)
        positions = fold.open_positions(self.state, portfolio)
        known = {position_id(position) for position in positions}
        positions += [position for position in changed if position_id(position) not in known]
        decision.emit(TOPIC, valued(portfolio, account, positions, self.views.marks, after))

    def _evolve_fill(self, event: FillEvent) -> None:
        fold.on_fill(self.state, event, self.settings.starting_cash_micro)

    def _observe_printed(self, message: market_pb2.TradePrinted) -> None:
        if 0 < message.price_micro < MICRO and message.outcome_index in (0, 1):
            mark = mark_of_first(message.price_micro, message.outcome_index)
            self.views.marks[message.condition_id] = mark

    def _observe_resolved(self, message: market_pb2.MarketResolved) -> None:
        self.views.marks.pop(message.condition_id, None)


def _attributed(
    position: Position, after: Totals, event_time_ns: int
) -> portfolio_pb2.ProfitAttributed:
    delta = after.minus(position.totals)
    return portfolio_pb2.ProfitAttributed(
        portfolio=position.portfolio,
        leader=position.leader,
        strategy=position.strategy,
        condition_id=position.condition_id,
        token_id=position.token_id,
        day=event_time_ns // NS_PER_DAY,
        realized_delta_micro=delta.realized_micro,
        fee_delta_micro=delta.fees_micro,
        cash_delta_micro=delta.cash_micro,
        size_delta_micro=delta.size_micro,
        cost_delta_micro=delta.cost_micro,
    )
