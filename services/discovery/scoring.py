"""From a settled past to a score, and from a score to whether the wallet is worth copying.

Owns the rules: enough wallets to know a base rate, enough settled markets and trades, evidence
beyond luck over all wallets that were tried, the lower end of the shrunk edge above the limit, no
churn. Every rule is told with its value and limit, passed or not. Pure; called by the agent.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from scipy.special import stdtr  # type: ignore[import-untyped]

from whaletrader.domain.money import MICRO
from whaletrader.quant.shrinkage import Posterior, Prior, interval, prior_from_sums, shrink
from whaletrader.schemas import common_pb2, whale_pb2
from whaletrader.services.discovery.config import Rules
from whaletrader.services.discovery.evidence import added, evidence_micro, luck_micro
from whaletrader.services.discovery.state import Standing, WalletRecord
from whaletrader.services.discovery.statistics import BaseSums, WalletStats
from whaletrader.services.discovery.track import NANO, Track

# A wallet that only ever traded at certain prices would have no variance at all: one micro-unit
# of price keeps its interval from closing.
VARIANCE_MIN: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Subject:
    """A wallet as it is to be scored: its record, and what has changed since."""

    record: WalletRecord
    track: Track
    standing: Standing
    open_wealth: tuple[int, ...]
    open_cost_micro: int
    open_value_micro: int


@dataclass(frozen=True, slots=True)
class Field:
    """Everything about the others that a score rests on."""

    prior: Prior | None
    wallets: int
    bar_micro: int
    tried: int


def subject_of(record: WalletRecord, track: Track | None = None) -> Subject:
    """Return the wallet as the last round left it, with a newer past if there is one."""
    return Subject(
        record,
        track or record.track,
        record.standing,
        record.open_wealth,
        record.open_cost_micro,
        record.open_value_micro,
    )


def base_rate(base: BaseSums, rules: Rules) -> Prior | None:
    """Return what edges are shrunk towards; None while there are too few wallets to tell.

    The mean is cut at `base_edge_max_micro`: wallets watched because they won have a positive
    mean that says how they were chosen, not what they will earn.
    """
    if base.wallets < rules.wallets_min:
        return None
    prior = prior_from_sums(base.in_dollars())
    if prior is None:
        return None
    mean = min(prior.mean, rules.base_edge_max_micro / MICRO)
    return Prior(mean, prior.between_variance, prior.mean_variance, prior.groups)


def shrunk(stats: WalletStats, prior: Prior | None) -> Posterior:
    """Return the edge a share, shrunk; the wallet's own without a base rate."""
    mean = stats.edge_sum / stats.events / MICRO
    variance = max(stats.variance / stats.events / MICRO**2, VARIANCE_MIN)
    return shrink(mean, variance, prior) if prior else Posterior(mean, variance, 0.0)


def score_of(subject: Subject, field: Field, rules: Rules) -> whale_pb2.Score:
    """Return the score, without the stage, which follows from it."""
    stats, track, standing = subject.track.stats, subject.track, subject.standing
    score = whale_pb2.Score(
        realized_profit_micro=stats.profit_micro,
        fees_micro=stats.fees_micro,
        volume_micro=stats.volume_micro,
        trades=stats.trades,
        markets=stats.markets,
        markets_won=stats.markets_won,
        markets_inferred=stats.markets_inferred,
        events=stats.events,
        evidence_micro=evidence_micro(added(track.wealth, subject.open_wealth)),
        evidence_bar_micro=max(field.bar_micro, rules.evidence_min_micro),
        wallets_tried=field.tried,
        quality_micro=standing.quality_micro,
        quality_lower_micro=standing.quality_lower_micro,
        quality_rank=standing.quality_rank,
        components=[
            whale_pb2.Component(
                name=part.name,
                value=part.value,
                unit=part.unit,  # type: ignore[arg-type]
                quantile_micro=part.quantile_micro,
                weight_micro=part.weight_micro,
                is_known=part.is_known,
            )
            for part in standing.parts
        ],
        capital_share_micro=standing.share_micro,
        drawdown_micro=track.drawdown_micro,
        open_cost_micro=subject.open_cost_micro,
        open_value_micro=subject.open_value_micro,
        slippage_micro=rules.slippage_micro,
        income_micro=sum(subject.record.book.income_micro.values()),
    )
    if track.watch is not None:
        # 1e-9 nats are kept, 1e-6 are said.
        score.decay_micro = track.watch.score_nano * MICRO // NANO
        score.decay_limit_micro = track.watch.limit_nano * MICRO // NANO
    if stats.events:
        _put_edge(score, stats, field.prior, rules)
    return score


def _put_edge(
    score: whale_pb2.Score, stats: WalletStats, prior: Prior | None, rules: Rules
) -> None:
    posterior = shrunk(stats, prior)
    # With one event there is no degree of freedom; the widest t is the honest stand-in.
    degrees = max(1, stats.events - 1)
    confidence = rules.confidence_micro / MICRO
    lower, upper = interval(posterior.mean, posterior.variance, confidence, degrees)
    score.edge_micro = _micro(posterior.mean)
    score.edge_lower_micro = _micro(lower)
    score.edge_upper_micro = _micro(upper)
    score.base_edge_micro = _micro(prior.mean) if prior else 0
    score.shrinkage_micro = _micro(posterior.prior_weight)
    above = float(stdtr(degrees, posterior.mean / sqrt(posterior.variance)))
    score.confidence_micro = _micro(above)


def reasons_for(
    score: whale_pb2.Score, subject: Subject, wallets: int, rules: Rules
) -> list[common_pb2.Reason]:
    """Return every rule for a proven wallet, with its value and limit.

    One that is a whale already is held against the limits less their margins.
    """
    is_held = subject.record.stage == whale_pb2.STAGE_PROVEN
    edge_limit = rules.edge_lower_min_micro - (rules.prune_margin_micro if is_held else 0)
    counts = (
        ("discovery.wallets_min", wallets, rules.wallets_min),
        ("discovery.markets_min", score.markets, rules.markets_min),
        ("discovery.trades_min", score.trades, rules.trades_min),
    )
    reasons = [
        common_pb2.Reason(
            rule=rule, value=value, limit=limit, unit=common_pb2.UNIT_COUNT, passed=value >= limit
        )
        for rule, value, limit in counts
    ]
    reasons.append(_luck(score, rules.evidence_margin_micro if is_held else 0, rules))
    reasons.append(
        common_pb2.Reason(
            rule="discovery.edge_lower_min",
            value=score.edge_lower_micro,
            limit=edge_limit,
            unit=common_pb2.UNIT_MICRO_PRICE,
            passed=score.edge_lower_micro > edge_limit,
        )
    )
    churns = int(subject.standing.is_churning)
    reasons.append(
        common_pb2.Reason(
            rule="discovery.churn",
            value=churns,
            limit=0,
            unit=common_pb2.UNIT_COUNT,
            passed=churns == 0,
        )
    )
    return reasons


def _luck(score: whale_pb2.Score, margin: int, rules: Rules) -> common_pb2.Reason:
    """The chance of ever seeing such evidence by luck, against what the correction allows."""
    bar = score.evidence_bar_micro if rules.is_corrected else rules.evidence_min_micro
    bar -= margin
    how = f"1 of {score.wallets_tried} wallets tried" if rules.is_corrected else "not corrected"
    return common_pb2.Reason(
        rule="discovery.luck_max",
        value=luck_micro(score.evidence_micro),
        limit=luck_micro(bar),
        unit=common_pb2.UNIT_MICRO_RATIO,
        passed=score.evidence_micro >= bar and score.evidence_micro > 0,
        detail=how,
    )


def has_moved(record: WalletRecord, after: whale_pb2.Score, rules: Rules) -> bool:
    """Whether a score differs enough from the one last said to be said again."""
    least = rules.score_change_min_micro
    return (
        abs(record.said_edge_micro - after.edge_micro) > least
        or abs(record.said_edge_lower_micro - after.edge_lower_micro) > least
        or (
            record.is_whale and abs(record.standing.share_micro - after.capital_share_micro) > least
        )
    )


def _micro(value: float) -> int:
    return round(value * MICRO)
