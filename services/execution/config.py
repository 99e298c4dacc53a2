"""Settings of execution: one frozen type, units in the names, secrets never printed.

Read once by the composition root. Whose wallet, which hosts and which keys is the venue's own
settings type; live trading on production needs two explicit settings there.
"""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from whaletrader.domain.money import MICRO
from whaletrader.runtime.settings import Mode
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.working.terms import PhaseTerms, TacticSettings
from whaletrader.venues.polymarket.access import VenueAccess

HOUR_S: Final = 3_600
NS_PER_S: Final = 1_000_000_000

_TACTICS: Final[dict[str, order_pb2.Tactic.ValueType]] = {
    "auto": order_pb2.TACTIC_UNSPECIFIED,
    "single": order_pb2.TACTIC_SINGLE,
    "adaptive": order_pb2.TACTIC_ADAPTIVE,
    "iceberg": order_pb2.TACTIC_ICEBERG,
    "twap": order_pb2.TACTIC_TWAP,
    "passive": order_pb2.TACTIC_PASSIVE,
    "aggressive": order_pb2.TACTIC_AGGRESSIVE,
}


class TacticName(StrEnum):
    """How approved trades are worked; `auto` lets the rules choose for each."""

    AUTO = "auto"
    SINGLE = "single"
    ADAPTIVE = "adaptive"
    ICEBERG = "iceberg"
    TWAP = "twap"
    PASSIVE = "passive"
    AGGRESSIVE = "aggressive"


class Phase(BaseModel):
    """One phase of the adaptive tactic, as an operator writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Annotated[int, Field(ge=1, le=HOUR_S)]
    # Beyond the target price, and never beyond the approved limit.
    cents: Annotated[int, Field(ge=0, le=50)]
    # Of what is left to fill.
    size_percent: Annotated[int, Field(ge=1, le=100)]


class ExecutionSettings(VenueAccess):
    """Where orders go and whose they are (VenueAccess), and how they are worked."""

    # Where risk writes its public key; by default below the data folder.
    data_dir: Annotated[Path, Field(validation_alias="WHALETRADER_DATA_DIR")] = Path(".data")
    risk_public_key_path: Annotated[
        Path | None, Field(validation_alias="WHALETRADER_RISK_PUBLIC_KEY_PATH")
    ] = None

    # How long an order is worked, in event time; by default six hours in a demo, whose tape runs
    # in time lapse, and a minute otherwise.
    working_time_s: Annotated[int | None, Field(ge=1, le=30 * 24 * HOUR_S)] = None
    # Above 0 orders are GTD: the venue drops them about this long after the working time.
    gtd_margin_s: Annotated[int, Field(ge=0, le=24 * HOUR_S)] = 0
    cancel_on_halt: bool = True

    # A demo's tape has no books and runs in windows of an hour: there each trade is one order.
    tactic: TacticName | None = None
    phases: tuple[Phase, ...] = (
        Phase(seconds=30, cents=0, size_percent=100),
        Phase(seconds=45, cents=2, size_percent=90),
        Phase(seconds=60, cents=5, size_percent=75),
    )
    iceberg_percent: Annotated[int, Field(ge=1, le=100)] = 10
    twap_percent: Annotated[int, Field(ge=1, le=10_000)] = 100
    twap_parts: Annotated[int, Field(ge=1, le=100)] = 5
    twap_interval_s: Annotated[int, Field(ge=1, le=HOUR_S)] = 25
    wide_spread_percent: Annotated[int, Field(ge=1, le=100)] = 3
    # How likely a resting order is filled in time, and what missing costs on top of taking later.
    maker_fill_percent: Annotated[int, Field(ge=0, le=100)] = 50
    miss_cost_cents: Annotated[int, Field(ge=0, le=50)] = 2
    urgent_s: Annotated[int, Field(ge=0, le=HOUR_S)] = 45
    # Beyond the mid by more than this no order leaves: resting ones, and those that only take.
    limit_slippage_percent: Annotated[int, Field(ge=0, le=100)] = 2
    market_slippage_percent: Annotated[int, Field(ge=0, le=100)] = 5
    book_age_ms_max: Annotated[int, Field(ge=0, le=60_000)] = 2_000
    failures_max: Annotated[int, Field(ge=1, le=20)] = 5
    retry_ms: Annotated[int, Field(ge=10, le=60_000)] = 1_000
    look_after_ms: Annotated[int, Field(ge=100, le=60_000)] = 2_000
    # Longer than the client's time-outs: an order that is not there by then will not come.
    unknown_grace_s: Annotated[int, Field(ge=10, le=HOUR_S)] = 15
    reconcile_every_s: Annotated[int, Field(ge=1, le=HOUR_S)] = 60
    # How often the holdings are held against the venue's; 0 never. By default five minutes, and
    # never in a demo, whose time stands still between windows.
    holdings_every_s: Annotated[int | None, Field(ge=0, le=HOUR_S)] = None
    # How far below our books the venue's cash may be before it is a difference.
    cash_tolerance_usd: Annotated[Decimal, Field(ge=0, le=10**6, decimal_places=6)] = Decimal(0)
    # Heartbeats as long as we run; the venue cancels all orders when it hears none for ten seconds.
    # Never in a demo by default: a busy machine must not cancel what the tape would have filled.
    heartbeats: bool | None = None
    # The claim to the wallet is held in this database; without one, by the log itself.
    postgres_dsn: Annotated[SecretStr, Field(validation_alias="WHALETRADER_POSTGRES_DSN")] = (
        SecretStr("")
    )
    # How long a start waits for the wallet's former owner to end.
    claim_wait_s: Annotated[int, Field(ge=0, le=600)] = 10
    # How often region and clock are looked at in live mode, and how far the clocks may be apart.
    watch_every_s: Annotated[int, Field(ge=1, le=HOUR_S)] = 15
    skew_max_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    # How long a start waits for the venue and for risk's public key.
    start_wait_s: Annotated[int, Field(ge=1, le=600)] = 60

    @property
    def working_ns(self) -> int:
        """How long an order is worked, in nanoseconds."""
        default_s = 6 * HOUR_S if self.mode is Mode.DEMO else 60
        return (self.working_time_s or default_s) * 1_000_000_000

    @property
    def holdings_s(self) -> int:
        """How often the holdings are looked at, in seconds; 0 never."""
        default_s = 0 if self.mode is Mode.DEMO else 300
        return default_s if self.holdings_every_s is None else self.holdings_every_s

    @property
    def sends_heartbeats(self) -> bool:
        """Whether the venue is told that we live."""
        return self.mode is not Mode.DEMO if self.heartbeats is None else self.heartbeats

    def tactics(self) -> TacticSettings:
        """Return the tactics' numbers in millionths and nanoseconds."""
        default = TacticName.SINGLE if self.mode is Mode.DEMO else TacticName.AUTO
        percent, cent = MICRO // 100, MICRO // 100
        return TacticSettings(
            fixed=_TACTICS[self.tactic or default],
            phases=tuple(
                PhaseTerms(it.seconds * NS_PER_S, it.cents * cent, it.size_percent * percent)
                for it in self.phases
            ),
            iceberg_micro_ratio=self.iceberg_percent * percent,
            twap_micro_ratio=self.twap_percent * percent,
            twap_parts=self.twap_parts,
            twap_interval_ns=self.twap_interval_s * NS_PER_S,
            wide_spread_micro_ratio=self.wide_spread_percent * percent,
            maker_fill_micro_ratio=self.maker_fill_percent * percent,
            miss_cost_micro=self.miss_cost_cents * cent,
            urgent_ns=self.urgent_s * NS_PER_S,
            limit_slippage_micro_ratio=self.limit_slippage_percent * percent,
            market_slippage_micro_ratio=self.market_slippage_percent * percent,
            book_age_ns_max=self.book_age_ms_max * 1_000_000,
            failures_max=self.failures_max,
            retry_ns=self.retry_ms * 1_000_000,
        )

    @property
    def public_key_path(self) -> Path:
        """Where risk's public key is."""
        return self.risk_public_key_path or self.data_dir / "keys" / "risk.pub.pem"
