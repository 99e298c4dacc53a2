"""From sums to a score, and from a score to whether the wallet is worth copying.

Owns the rule: enough wallets to know a base rate, enough settled markets and trades, and the
lower end of the interval of the shrunk edge above the limit. Every rule is told with its value
and limit, passed or not. Pure; called by the agent.
"""

from whaletrader.domain.money import MICRO
from whaletrader.quant.shrinkage import Posterior, Prior, interval, prior_from_sums, shrink
from whaletrader.schemas import common_pb2, whale_pb2
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.discovery.statistics import BaseSums, WalletStats

# A wallet that only ever traded at certain prices would have no variance at all: one micro-unit
# of price keeps its interval from closing.
VARIANCE_MIN = 1e-12


def base_rate(base: BaseSums, settings: DiscoverySettings) -> Prior | None:
    """Return what edges are shrunk towards; None while there are too few wallets to tell.

    The mean is cut at `base_edge_max_micro`: wallets watched because they won have a positive
    mean that says how they were chosen, not what they will earn.
    """
    if base.wallets < settings.wallets_min:
        return None
    prior = prior_from_sums(base.in_dollars())
    if prior is None:
        return None
    mean = min(prior.mean, settings.base_edge_max_micro / MICRO)
    return Prior(mean, prior.between_variance, prior.mean_variance, prior.groups)


def score_of(
    stats: WalletStats, prior: Prior | None, settings: DiscoverySettings
) -> whale_pb2.Score:
    """Return the score. Without a base rate the edge is the wallet's own, unshrunk."""
    score = whale_pb2.Score(
        realized_profit_micro=stats.profit_micro,
        fees_micro=stats.fees_micro,
        volume_micro=stats.volume_micro,
        trades=stats.trades,
        markets=stats.markets,
        markets_won=stats.markets_won,
    )
    if stats.markets == 0:
        return score
    mean = stats.edge_sum / stats.markets / MICRO
    variance = max(stats.variance / stats.markets / MICRO**2, VARIANCE_MIN)
    posterior = shrink(mean, variance, prior) if prior else Posterior(mean, variance, 0.0)
    # With one market there is no degree of freedom; the widest t is the honest stand-in.
    lower, upper = interval(
        posterior.mean, posterior.variance, settings.confidence, max(1, stats.markets - 1)
    )
    score.edge_micro = _micro(posterior.mean)
    score.edge_lower_micro = _micro(lower)
    score.edge_upper_micro = _micro(upper)
    score.base_edge_micro = _micro(prior.mean) if prior else 0
    score.shrinkage_micro = _micro(posterior.prior_weight)
    return score


def reasons_for(
    score: whale_pb2.Score, wallets: int, is_whale: bool, settings: DiscoverySettings
) -> list[common_pb2.Reason]:
    """Return every rule that the score is held against; it is worth copying if all passed.

    A wallet that is a whale already is held against the limit less the prune margin.
    """
    margin = settings.prune_margin_micro if is_whale else 0
    edge_limit = settings.edge_lower_min_micro - margin
    counts = (
        ("discovery.wallets_min", wallets, settings.wallets_min),
        ("discovery.markets_min", score.markets, settings.markets_min),
        ("discovery.trades_min", score.trades, settings.trades_min),
    )
    reasons = [
        common_pb2.Reason(
            rule=rule, value=value, limit=limit, unit=common_pb2.UNIT_COUNT, passed=value >= limit
        )
        for rule, value, limit in counts
    ]
    reasons.append(
        common_pb2.Reason(
            rule="discovery.edge_lower_min",
            value=score.edge_lower_micro,
            limit=edge_limit,
            unit=common_pb2.UNIT_MICRO_PRICE,
            passed=score.edge_lower_micro > edge_limit,
        )
    )
    return reasons


def has_moved(before: whale_pb2.Score, after: whale_pb2.Score, settings: DiscoverySettings) -> bool:
    """Whether a score differs enough from the one last said to be said again."""
    least = settings.score_change_min_micro
    return any(
        abs(old - new) > least
        for old, new in (
            (before.edge_micro, after.edge_micro),
            (before.edge_lower_micro, after.edge_lower_micro),
        )
    )


def _micro(value: float) -> int:
    return round(value * MICRO)
