"""What a judgement is made from: the book, the views, the limits and the time. Read only."""

from dataclasses import dataclass

from whaletrader.services.risk.config import Limits
from whaletrader.services.risk.state import DAY_NS, RiskState
from whaletrader.services.risk.views import Market, RiskViews


@dataclass(frozen=True, slots=True)
class Desk:
    """One portfolio at one moment. Nothing that holds a Desk changes it."""

    portfolio: str
    limits: Limits
    state: RiskState
    views: RiskViews
    now_ns: int

    @property
    def today(self) -> int:
        """The UTC day, counted from 1970-01-01."""
        return self.now_ns // DAY_NS

    @property
    def day_loss_micro(self) -> int:
        """What was lost since midnight UTC, realised; 0 after a gain."""
        return max(0, -self.state.realized_on(self.today))

    def market(self, condition_id: str) -> Market | None:
        return self.views.markets.get(condition_id)
