"""Settings of discovery: when a wallet counts as worth copying. Owned by its operator.

What the state is folded by goes into the journal as `RulesAdopted`: a restart with other settings
folds the past as it was folded then, and says so before it goes on by the new ones.
"""

from typing import Final

import msgspec
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.schemas import whale_pb2

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
NS_PER_S: Final = 1_000_000_000
NS_PER_DAY: Final = DAY_S * NS_PER_S


class Rules(msgspec.Struct, frozen=True):
    """The settings in whole numbers: 1e-6 of a dollar, share or one; nanoseconds; counts."""

    markets_min: int = 15
    trades_min: int = 20
    wallets_min: int = 10
    confidence_micro: int = 900_000
    edge_lower_min_micro: int = 0
    prune_margin_micro: int = 10_000
    base_edge_max_micro: int = 0
    false_discovery_micro: int = 100_000
    # 1e-6 nats; with `is_corrected` the bar is at least this and what the correction asks.
    evidence_min_micro: int = 0
    is_corrected: int = 1
    # Once found, a wallet's evidence may fall by so much before it is let go.
    evidence_margin_micro: int = 1_000_000
    counts_inferred: int = 0
    slippage_micro: int = 5_000
    unlisted_fee_rate_micro: int = 70_000
    idle_ns_max: int = 30 * NS_PER_DAY
    decay_ns_max: int = 14 * NS_PER_DAY
    recent_markets_min: int = 20
    false_flag_ns: int = 30 * NS_PER_DAY
    score_change_min_micro: int = 1_000
    rescore_interval_ns: int = 6 * HOUR_S * NS_PER_S
    round_wallets_max: int = 500
    whales_max: int = 200


def rules_event(rules: Rules) -> whale_pb2.RulesAdopted:
    """Return the rules as an event, by name."""
    values = msgspec.structs.asdict(rules)
    return whale_pb2.RulesAdopted(
        values=[whale_pb2.RuleValue(name=name, value=value) for name, value in values.items()]
    )


def rules_of(event: whale_pb2.RulesAdopted) -> Rules:
    """Return the rules that were adopted; what an older journal does not name has its default."""
    known = Rules.__struct_fields__
    return Rules(**{one.name: one.value for one in event.values if one.name in known})


class DiscoverySettings(BaseSettings):
    """Read once at start from WHALETRADER_DISCOVERY_*; out of bounds is refused."""

    model_config = SettingsConfigDict(
        env_prefix="WHALETRADER_DISCOVERY_", frozen=True, extra="forbid"
    )

    # Settled markets and trades in them below which a wallet is not judged.
    markets_min: int = Field(default=15, ge=2)
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
    # Of the wallets called whales at one moment, the share that may be there by luck.
    false_discovery_rate: float = Field(default=0.10, gt=0.0, lt=1.0)
    # False judges each wallet as if it were the only one that was tried: for a demo only.
    is_corrected: bool = True
    # Evidence below which nothing is a whale whatever the correction asks, in nats.
    evidence_nats_min: float = Field(default=0.0, ge=0.0, le=100.0)
    # Scores from results that were read off redemptions as well: they favour whoever redeemed.
    counts_inferred_results: bool = False
    # What a copier is taken to pay a share above the wallet's price.
    copier_slippage_micro: int = Field(default=5_000, ge=0, le=50_000)
    # What a market without a listing is charged: the highest rate of the venue's schedule.
    unlisted_fee_rate_micro: int = Field(default=70_000, ge=0, lt=1_000_000)
    # Without a trade for longer a wallet is taken for gone.
    idle_days_max: int = Field(default=30, ge=1, le=3_650)
    # A quarantine ends after this, one way or the other.
    quarantine_days_max: int = Field(default=14, ge=1, le=3_650)
    # Settled markets of late that a release, or a death, rests on.
    recent_markets_min: int = Field(default=20, ge=2, le=60)
    # A wallet that keeps its edge is flagged about once in so many days.
    days_between_false_flags: int = Field(default=30, ge=1, le=3_650)
    # Every score is looked at anew after this much event time; said again if it moved this much.
    rescore_interval_s: int = Field(default=6 * HOUR_S, ge=60)
    score_change_min_micro: int = Field(default=1_000, ge=0)
    # A full round takes so many wallets at a time, so that no message takes long.
    round_wallets_max: int = Field(default=500, ge=1, le=100_000)
    # Capital is shared out over at most so many whales.
    whales_max: int = Field(default=200, ge=1, le=1_000)

    @property
    def rescore_interval_ns(self) -> int:
        return self.rescore_interval_s * NS_PER_S

    def rules(self) -> Rules:
        """Return the settings in whole numbers, as they are journaled."""
        return Rules(
            markets_min=self.markets_min,
            trades_min=self.trades_min,
            wallets_min=self.wallets_min,
            confidence_micro=round(self.confidence * 1e6),
            edge_lower_min_micro=self.edge_lower_min_micro,
            prune_margin_micro=self.prune_margin_micro,
            base_edge_max_micro=self.base_edge_max_micro,
            false_discovery_micro=round(self.false_discovery_rate * 1e6),
            evidence_min_micro=round(self.evidence_nats_min * 1e6),
            is_corrected=int(self.is_corrected),
            counts_inferred=int(self.counts_inferred_results),
            slippage_micro=self.copier_slippage_micro,
            unlisted_fee_rate_micro=self.unlisted_fee_rate_micro,
            idle_ns_max=self.idle_days_max * NS_PER_DAY,
            decay_ns_max=self.quarantine_days_max * NS_PER_DAY,
            recent_markets_min=self.recent_markets_min,
            false_flag_ns=self.days_between_false_flags * NS_PER_DAY,
            score_change_min_micro=self.score_change_min_micro,
            rescore_interval_ns=self.rescore_interval_ns,
            round_wallets_max=self.round_wallets_max,
            whales_max=self.whales_max,
        )


class DemoDiscoverySettings(DiscoverySettings):
    """For the shipped sample, on which the default settings find nobody.

    No wallet of the sample can be told from a lucky one, and few of its results were published.
    These limits let luck pass, so that there is something to copy, to refuse and to lose: each
    wallet is judged as if it were the only one, on three markets, with an interval that holds in
    10 of 100. What a demo finds is therefore no finding. Its results are published ones only.
    """

    markets_min: int = Field(default=3, ge=2)
    trades_min: int = Field(default=3, ge=1)
    wallets_min: int = Field(default=4, ge=4)
    confidence: float = Field(default=0.1, gt=0.0, lt=1.0)
    prune_margin_micro: int = Field(default=30_000, ge=0, le=1_000_000)
    is_corrected: bool = False
    # Markets of the sample settle months after they were traded.
    idle_days_max: int = Field(default=365, ge=1, le=3_650)
