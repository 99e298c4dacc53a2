"""Settings of intelligence. Owned by its operator."""

from typing import Final, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

NS_PER_S: Final = 1_000_000_000


class IntelligenceSettings(BaseSettings):
    """Read once at start from WHALETRADER_INTELLIGENCE_*; out of bounds is refused."""

    model_config = SettingsConfigDict(
        env_prefix="WHALETRADER_INTELLIGENCE_", frozen=True, extra="forbid"
    )

    # Volume is summed by bucket of event time.
    bucket_s: int = Field(default=300, ge=1)
    # Weight of the past at each bucket: 0.97 remembers about 33 buckets, 0.7 about 3.
    slow_decay: float = Field(default=0.97, gt=0.0, lt=1.0)
    fast_decay: float = Field(default=0.7, gt=0.0, lt=1.0)
    # Closed buckets before a market is judged at all.
    warm_up_buckets: int = Field(default=24, ge=2)
    # A bucket is unusual this many deviations above the mean, if it holds at least that volume.
    z_min: float = Field(default=4.0, gt=0.0)
    volume_min_micro: int = Field(default=500_000_000, ge=0)
    # The least deviation that is believed, in micro-dollars a bucket.
    deviation_min_micro: int = Field(default=50_000_000, gt=0)
    # Unusual buckets with no longer pause than this between them are one burst: one alert.
    cool_down_s: int = Field(default=3_600, ge=1)
    # Fast mean over slow mean: active from the first on, quiet again at or below the second.
    active_ratio: float = Field(default=2.0, gt=0.0)
    quiet_ratio: float = Field(default=1.0, gt=0.0)
    # How often active markets that no longer trade are looked at.
    sweep_interval_s: int = Field(default=3_600, ge=1)
    # Markets whose volumes are remembered; the one that traded longest ago goes first.
    markets_max: int = Field(default=20_000, ge=1)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.quiet_ratio >= self.active_ratio:
            raise ValueError("quiet_ratio must be below active_ratio, or the regime flaps")
        if self.fast_decay >= self.slow_decay:
            raise ValueError("fast_decay must be below slow_decay")
        return self

    @property
    def bucket_ns(self) -> int:
        return self.bucket_s * NS_PER_S

    @property
    def cool_down_ns(self) -> int:
        return self.cool_down_s * NS_PER_S

    @property
    def sweep_interval_ns(self) -> int:
        return self.sweep_interval_s * NS_PER_S
