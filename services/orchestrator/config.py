"""What the orchestrator is told: when a whale's trade is worth proposing."""

from decimal import Decimal
from typing import Annotated, Final, Literal, Self

import msgspec
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.domain.money import MICRO

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
DAY_S: Final = 86_400

Price = Annotated[Decimal, Field(gt=0, lt=1, decimal_places=6)]


class Thresholds(msgspec.Struct, frozen=True):
    """What the rules compare with: micro-units and nanoseconds."""

    portfolio: str
    price_micro_min: int
    price_micro_max: int
    time_to_end_ns_min: int
    signal_age_ns_max: int
    conviction_micro_min: int
    opposition_ratio_micro_max: int
    conviction_window_ns: int
    cooldown_ns: int
    slippage_micro: int
    copy_micro_ratio: int
    exit_micro_ratio_min: int
    deadline_ns: int


class OrchestratorSettings(BaseSettings):
    """Read from WHALETRADER_ORCHESTRATOR_*; frozen, out of bounds is refused."""

    model_config = SettingsConfigDict(
        env_prefix="WHALETRADER_ORCHESTRATOR_",
        frozen=True,
        extra="forbid",
        populate_by_name=True,
    )

    mode: Literal["demo", "paper", "live"] = Field(
        default="demo", validation_alias="WHALETRADER_MODE"
    )
    portfolio: str = Field(default="main", min_length=1)
    # Near 0 and 1 a cent of slippage is worth more than any edge.
    price_usd_min: Price = Decimal("0.05")
    price_usd_max: Price = Decimal("0.95")
    # A market that ends sooner is not entered. One whose end is not told is left to risk.
    time_to_end_s_min: int = Field(default=3_600, ge=0, le=30 * DAY_S)
    # A trade that we learn of later than this is history, not a signal: by default ten minutes,
    # and a day in a demo, whose tape comes in windows.
    signal_age_s_max: int | None = Field(default=None, ge=1, le=30 * DAY_S)
    # What a whale must have put into one outcome within the window to mean it.
    conviction_usd_min: Decimal = Field(default=Decimal(100), ge=0, le=10**9, decimal_places=6)
    # Other whales on the other side: with more than this share of the conviction, they cancel out.
    opposition_ratio_max: Decimal = Field(default=Decimal("0.5"), ge=0, le=1, decimal_places=6)
    conviction_window_s: int = Field(default=DAY_S, ge=1, le=30 * DAY_S)
    # A burst of one whale's fills in one token is one signal.
    cooldown_s: int = Field(default=3_600, ge=0, le=30 * DAY_S)
    # How much worse than the whale's own price a copy may be.
    slippage_usd: Decimal = Field(default=Decimal("0.02"), ge=0, lt=1, decimal_places=6)
    # Copies hold at most this share of what the whale has been seen to build up.
    copy_ratio: Decimal = Field(default=Decimal(1), gt=0, le=1, decimal_places=6)
    # A whale leaves when it has sold this share of the most it was seen to hold. Less is trimming.
    exit_ratio_min: Decimal = Field(default=Decimal("0.2"), ge=0, le=1, decimal_places=6)
    # Risk answers within this time, or the answer is no.
    deadline_ms: int = Field(default=250, ge=1, le=60_000)

    @model_validator(mode="after")
    def _the_range_is_not_empty(self) -> Self:
        if self.price_usd_min > self.price_usd_max:
            raise ValueError("price_usd_min is above price_usd_max: nothing would be copied")
        return self

    def thresholds(self) -> Thresholds:
        """Return the settings in micro-units and nanoseconds."""
        age_s = self.signal_age_s_max or (DAY_S if self.mode == "demo" else 600)
        return Thresholds(
            portfolio=self.portfolio,
            price_micro_min=int(self.price_usd_min * MICRO),
            price_micro_max=int(self.price_usd_max * MICRO),
            time_to_end_ns_min=self.time_to_end_s_min * NS_PER_S,
            signal_age_ns_max=age_s * NS_PER_S,
            conviction_micro_min=int(self.conviction_usd_min * MICRO),
            opposition_ratio_micro_max=int(self.opposition_ratio_max * MICRO),
            conviction_window_ns=self.conviction_window_s * NS_PER_S,
            cooldown_ns=self.cooldown_s * NS_PER_S,
            slippage_micro=int(self.slippage_usd * MICRO),
            copy_micro_ratio=int(self.copy_ratio * MICRO),
            exit_micro_ratio_min=int(self.exit_ratio_min * MICRO),
            deadline_ns=self.deadline_ms * NS_PER_MS,
        )
