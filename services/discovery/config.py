"""Settings of discovery: when a wallet counts as worth copying. Owned by its operator."""

from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

HOUR_S: Final = 3_600
NS_PER_S: Final = 1_000_000_000


class DiscoverySettings(BaseSettings):
    """Read once at start from WHALETRADER_DISCOVERY_*; out of bounds is refused."""

    model_config = SettingsConfigDict(
        env_prefix="WHALETRADER_DISCOVERY_", frozen=True, extra="forbid"
    )

    # Settled markets and trades in them below which a wallet is not judged.
    markets_min: int = Field(default=10, ge=2)
    trades_min: int = Field(default=20, ge=1)
    # Wallets with a settled market below which there is no base rate to shrink towards.
    wallets_min: int = Field(default=10, ge=4)
    # Two-sided: 0.9 leaves 5 % below the lower bound.
    confidence: float = Field(default=0.9, gt=0.0, lt=1.0)
    # Discovered above, pruned below that less the margin; 1e-6 dollars a share.
    edge_lower_min_micro: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    prune_margin_micro: int = Field(default=10_000, ge=0, le=1_000_000)
    # The base rate that edges are shrunk towards is at most this. Before fees trading is zero-sum,
    # so a universe with a positive mean was picked for having won.
    base_edge_max_micro: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    # What a market without a listing is charged: the highest rate of the venue's schedule.
    unlisted_fee_rate_micro: int = Field(default=70_000, ge=0, lt=1_000_000)
    # Every score is looked at anew after this much event time; said again if it moved this much.
    rescore_interval_s: int = Field(default=6 * HOUR_S, ge=60)
    score_change_min_micro: int = Field(default=1_000, ge=0)

    @property
    def rescore_interval_ns(self) -> int:
        return self.rescore_interval_s * NS_PER_S
