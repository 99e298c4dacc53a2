"""How far equity stands below the highest it has been. Called by risk; integers only."""

from dataclasses import dataclass

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class HighWater:
    """Equity in micro-dollars now, and the highest so far. Give what is paid in as `moved`."""

    high_micro: int
    equity_micro: int

    def __post_init__(self) -> None:
        if self.high_micro < self.equity_micro:
            raise ValueError("equity above the high-water mark: use `updated`")

    def updated(self, equity_micro: int) -> "HighWater":
        """Return the mark after equity was seen at that level."""
        return HighWater(max(self.high_micro, equity_micro), equity_micro)

    def moved(self, paid_in_micro: int) -> "HighWater":
        """Return the mark after money was paid in (or out, below zero): no profit and no loss."""
        return HighWater(self.high_micro + paid_in_micro, self.equity_micro + paid_in_micro)

    @property
    def drawdown_micro(self) -> int:
        """What is lost since the high, in micro-dollars."""
        return self.high_micro - self.equity_micro

    @property
    def drawdown_micro_ratio(self) -> int:
        """What is lost since the high, in millionths of it, rounded up; all, where it was 0."""
        if self.drawdown_micro == 0:
            return 0
        if self.high_micro <= 0:
            return MICRO
        return -(-self.drawdown_micro * MICRO // self.high_micro)
