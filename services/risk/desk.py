"""What a judgement is made from: the book, the views, the limits and the time. Read only."""

from dataclasses import dataclass

from whaletrader.services.risk.limits import Limits, share
from whaletrader.services.risk.marks import Marks
from whaletrader.services.risk.standing import drawdown
from whaletrader.services.risk.state import RiskState, day_of, week_of
from whaletrader.services.risk.views import Market, RiskViews


@dataclass(frozen=True, slots=True)
class Desk:
    """One portfolio at one moment. Nothing that holds a Desk changes it.

    `marks` are up to date: whoever makes a Desk refreshes them.
    """

    portfolio: str
    limits: Limits
    state: RiskState
    views: RiskViews
    marks: Marks
    now_ns: int

    @property
    def today(self) -> int:
        """The UTC day, counted from 1970-01-01."""
        return day_of(self.now_ns)

    @property
    def equity_micro(self) -> int:
        """Cash and holdings at the last prices."""
        return self.state.cash_micro + self.marks.value_micro

    @property
    def capital_micro(self) -> int:
        """What shares of the capital are taken of: holdings at cost, or at the marks if less."""
        return max(0, min(self.state.capital_micro, self.equity_micro))

    @property
    def day_loss_micro(self) -> int:
        """What was lost since midnight UTC, realised; 0 after a gain."""
        return max(0, -self.state.realized_on(self.today))

    @property
    def week_loss_micro(self) -> int:
        """What was lost since Monday, realised; 0 after a gain."""
        return max(0, -self.state.realized_in(week_of(self.now_ns)))

    def leader_loss_micro(self, leader: str) -> int:
        """What copies of one wallet lost since Monday, realised; 0 after a gain."""
        return max(0, -self.state.leader_realized_in(week_of(self.now_ns), leader))

    @property
    def day_loss_limit_micro(self) -> int:
        """The smaller of the amount and the share of the capital that the book stands at."""
        limits = self.limits
        whole = self.state.capital_micro + self.day_loss_micro
        return min(limits.day_loss_micro_max, share(limits.day_loss_micro_ratio_max, whole))

    @property
    def week_loss_limit_micro(self) -> int:
        limits = self.limits
        whole = self.state.capital_micro + self.week_loss_micro
        return min(limits.week_loss_micro_max, share(limits.week_loss_micro_ratio_max, whole))

    @property
    def drawdown_micro_ratio(self) -> int:
        """How far equity is below its high-water mark, or below where a person resumed."""
        high = max(self.state.history.review_high_micro, self.equity_micro)
        return drawdown(high, self.equity_micro)

    @property
    def phase_micro_ratio(self) -> int:
        """The share of the capital that may be deployed."""
        ratios = self.limits.phase_micro_ratios
        return ratios[min(max(1, self.state.history.phase), len(ratios)) - 1]

    def market(self, condition_id: str) -> Market | None:
        return self.views.markets.get(condition_id)
