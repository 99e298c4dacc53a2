"""How work is done, as numbers: the tactics' settings, and fees and rebates of a market. Pure.

Prices, sizes and ratios are in millionths, times in nanoseconds. config.py makes the settings
from the environment; the defaults here are the product's.
"""

from dataclasses import dataclass, field
from typing import Final

from whaletrader.domain.money import MICRO, taker_fee
from whaletrader.schemas import order_pb2

S: Final = 1_000_000_000
CENT: Final = 10_000

# The share of the takers' fees that makers are paid back, by category (fee schedule of 2026-07).
# Paid once a day from a pool: an expectation, never booked.
REBATES_MICRO_RATIO: Final = {
    "crypto": 200_000,
    "sports": 150_000,
    "finance": 250_000,
    "politics": 250_000,
    "mentions": 250_000,
    "tech": 250_000,
    "economics": 250_000,
    "culture": 250_000,
    "weather": 250_000,
    "other": 250_000,
    "general": 250_000,
}


@dataclass(frozen=True, slots=True)
class PhaseTerms:
    """One phase: how long, how far beyond the target price, and what share of the rest."""

    duration_ns: int
    offset_micro: int
    size_micro_ratio: int


@dataclass(frozen=True, slots=True)
class TacticSettings:
    """The numbers behind the choice of a tactic and behind each tactic."""

    # UNSPECIFIED lets the rules choose; another value is always used.
    fixed: order_pb2.Tactic.ValueType = order_pb2.TACTIC_UNSPECIFIED
    # Patient, less patient, least patient.
    phases: tuple[PhaseTerms, ...] = (
        PhaseTerms(30 * S, 0, MICRO),
        PhaseTerms(45 * S, 2 * CENT, 900_000),
        PhaseTerms(60 * S, 5 * CENT, 750_000),
    )
    # Above this share of the displayed depth only that share is shown at a time.
    iceberg_micro_ratio: int = 100_000
    # Above this share the size is spread over time in equal parts.
    twap_micro_ratio: int = 1_000_000
    twap_parts: int = 5
    twap_interval_ns: int = 25 * S
    # From this spread on, as a share of the mid, we do not pay it but rest inside it.
    wide_spread_micro_ratio: int = 30_000
    passive_requotes: int = 4
    passive_requote_ns: int = 30 * S
    # How likely a resting order is filled in time, and what missing costs on top of taking later.
    maker_fill_micro_ratio: int = 500_000
    miss_cost_micro: int = 20_000
    # Sooner than this before the market's or the approval's end there is no time for patience.
    urgent_ns: int = 45 * S
    urgent_strategies: frozenset[str] = frozenset({"flatten"})
    aggressive_attempts: int = 5
    aggressive_pause_ns: int = 2 * S
    # More than this beyond the mid is not paid by resting orders, and by those that only take.
    limit_slippage_micro_ratio: int = 20_000
    market_slippage_micro_ratio: int = 50_000
    # A book older than this is read anew.
    book_age_ns_max: int = 2 * S
    # Failures in a row after which the work is given up, and the first pause between them.
    failures_max: int = 5
    retry_ns: int = 1 * S
    rebates_micro_ratio: dict[str, int] = field(default_factory=lambda: dict(REBATES_MICRO_RATIO))
    # The venue takes no marketable purchase below one dollar.
    notional_micro_min: int = MICRO


SINGLE: Final = TacticSettings(fixed=order_pb2.TACTIC_SINGLE)


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What a market takes from takers, and gives back to makers."""

    rate_micro: int
    exponent: int
    rebate_micro_ratio: int

    def taker_micro(self, price_micro: int, size_micro: int) -> int:
        """Return a taker's fee in micro-dollars."""
        return taker_fee(price_micro, size_micro, self.rate_micro, self.exponent)

    def rebate_micro(self, price_micro: int, size_micro: int) -> int:
        """Return a maker's expected rebate in micro-dollars, rounded down."""
        fee = self.taker_micro(price_micro, size_micro)
        return fee * self.rebate_micro_ratio // MICRO
