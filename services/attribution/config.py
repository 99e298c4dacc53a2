"""Settings of attribution. Owned by its operator."""

from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

NS_PER_S: Final = 1_000_000_000


class AttributionSettings(BaseSettings):
    """Read once at start from WHALETRADER_ATTRIBUTION_*; out of bounds is refused."""

    model_config = SettingsConfigDict(
        env_prefix="WHALETRADER_ATTRIBUTION_", frozen=True, extra="forbid"
    )

    # What a portfolio starts with, in micro-dollars. Must be what risk was told, too.
    starting_cash_micro: int = Field(default=10_000_000_000, ge=0)
    # A portfolio with open positions is valued at most this often as prices move (event time);
    # a fill or a resolution values it at once.
    valuation_interval_s: int = Field(default=3_600, ge=1)

    @property
    def valuation_interval_ns(self) -> int:
        return self.valuation_interval_s * NS_PER_S
