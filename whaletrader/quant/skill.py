"""Skill or luck: one verdict a wallet, over all wallets that were tried.

Owns the rule. A wallet is *skilled* when nothing else explains its profit after fees: the prices
that it paid (fair-price test, corrected for every wallet tried), the events that it clustered in
(wild cluster bootstrap), one lucky event, or too few of them. It is *bad* when its loss after
fees is as hard to explain. Everything else is *unproven*. Called by discovery and the evidence
study; takes bets, knows no project type; draws from the generator it is handed. Weigh bets by
`edge.counted_once` for the most power, by shares to ask about the money; never by anything that
was known only after the trade.

The p-value that is corrected (Benjamini and Hochberg 1995) is the fair-price test's, whose tail
is right far out; a bootstrap of 1,000 draws cannot tell 1 in 10,000 wallets. It is only a second
lock. Shrunk edges and deflated Sharpe ratios say how much, not whether.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri  # type: ignore[import-untyped]

from whaletrader.quant.cluster_errors import MeanErrors, wild_cluster_p
from whaletrader.quant.edge import Bets, WalletEdges, wallet_edges
from whaletrader.quant.empirical_bayes import Shrunk, shrink_means
from whaletrader.quant.fair_price import FairPrice, fair_price_p
from whaletrader.quant.multiple_testing import benjamini_hochberg
from whaletrader.quant.ragged import Floats, Ragged, divided
from whaletrader.quant.resampling import sign_weights
from whaletrader.quant.sharpe_inference import deflated_sharpe, sharpe_moments


class Verdict(IntEnum):
    """What can be said of a wallet."""

    BAD = -1
    UNPROVEN = 0
    SKILLED = 1


@dataclass(frozen=True, slots=True)
class SkillOptions:
    """Limits of the verdict.

    `events_min`: settled events, which is what repeats. `effective_events_min`: the same for
    unequal stakes, (sum w)^2 / sum w^2. `false_discovery_rate`: of the wallets called skilled.
    `bootstrap_p_max`: of the second lock. `draws` of it. `confidence`: two-sided, of intervals.
    `prior_mean_max`: what the base rate is at most, dollars a share. `shrunk_edge_min` and
    `deflated_sharpe_min`: None holds nothing against them.
    """

    events_min: int = 15
    effective_events_min: float = 8.0
    false_discovery_rate: float = 0.10
    bootstrap_p_max: float = 0.05
    draws: int = 1_000
    confidence: float = 0.90
    prior_mean_max: float = 0.0
    shrunk_edge_min: float | None = None
    deflated_sharpe_min: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.false_discovery_rate < 1 or not 0 < self.bootstrap_p_max < 1:
            raise ValueError("false_discovery_rate and bootstrap_p_max must lie between 0 and 1")
        if not 0 < self.confidence < 1:
            raise ValueError("confidence must lie between 0 and 1")
        if self.events_min < 2 or self.effective_events_min < 1 or self.draws < 19:
            raise ValueError(
                "needs events_min of 2, effective_events_min of 1, draws of 19 or more"
            )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule held against one wallet. `value` is nan where it could not be computed."""

    name: str
    value: float
    limit: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All components of all wallets, arrays (wallets,); nan where not defined.

    Edges in dollars a share after fees. `p_value` and `p_value_below` are fair-price tests of a
    profit and of a loss; `q_value` and `q_value_below` are theirs over all wallets with a bet.
    `edge_without_best` leaves out each wallet's best event. `verdict` holds Verdict values.
    """

    edges: WalletEdges
    fair: FairPrice
    bootstrap_p: Floats
    q_value: Floats
    q_value_below: Floats
    shrunk: Shrunk
    shrunk_lower: Floats
    shrunk_upper: Floats
    deflated_sharpe: Floats
    edge_without_best: Floats
    verdict: NDArray[np.int8]
    options: SkillOptions
    # Names of the rules for "skilled" in order, and whether each wallet passed: (rules, wallets).
    rules: "Rules" = field(repr=False)

    @property
    def edge(self) -> Floats:
        """Mean edge of each wallet, weighted, unshrunk."""
        return self.edges.edge

    @property
    def p_value(self) -> Floats:
        """P(profit at least this high) of a wallet that knows nothing."""
        return self.fair.p_value

    def reasons(self, wallet: int) -> list[Rule]:
        """Return every rule for "skilled" that one wallet was held against."""
        rules = self.rules
        columns = zip(rules.names, rules.values, rules.limits, rules.passed, strict=True)
        return [
            Rule(name, float(value[wallet]), limit, bool(passed[wallet]))
            for name, value, limit, passed in columns
        ]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for "skilled": names, limits, and per wallet the values and what passed."""

    names: tuple[str, ...]
    limits: tuple[float, ...]
    values: Floats
    passed: NDArray[np.bool_]


def skill_verdicts(
    bets: Bets, wallets: int, options: SkillOptions, random: np.random.Generator
) -> Verdicts:
    """Return the verdict of wallets 0..wallets-1: hand in all that were tried, losers too.

    Only resolved bets. The false discovery rate holds over the wallets handed in, so a wallet
    left out because it lost makes the rest look better than they are. Raises ValueError.
    """
    edges = wallet_edges(bets, wallets, options.confidence)
    fair = fair_price_p(bets, wallets)
    longest = int(edges.events.max(initial=0))
    bootstrap_p = wild_cluster_p(edges.clustered, sign_weights(longest, options.draws, random))
    shrunk = shrink_means(edges.edge, edges.error**2, edges.events, options.prior_mean_max)
    reach = ndtri((1 + options.confidence) / 2) * np.sqrt(shrunk.variance)
    q_value = benjamini_hochberg(fair.p_value)
    deflated = _deflated(edges.clustered)
    without_best = _without_best(edges.clustered)
    rules = _held(
        options,
        {
            "events_min": edges.events.astype(np.float64),
            "effective_events_min": edges.effective_events,
            "q_value_max": q_value,
            "bootstrap_p_max": bootstrap_p,
            "edge_lower_above": edges.lower,
            "edge_without_best_event_above": without_best,
            "shrunk_edge_min": shrunk.mean,
            "deflated_sharpe_min": deflated,
        },
    )
    q_below = benjamini_hochberg(fair.p_value_below)
    is_bad = (q_below <= options.false_discovery_rate) & (edges.edge < 0)
    verdict = np.where(rules.passed.all(axis=0), Verdict.SKILLED, Verdict.UNPROVEN)
    return Verdicts(
        edges=edges,
        fair=fair,
        bootstrap_p=bootstrap_p,
        q_value=q_value,
        q_value_below=q_below,
        shrunk=shrunk,
        shrunk_lower=shrunk.mean - reach,
        shrunk_upper=shrunk.mean + reach,
        deflated_sharpe=deflated,
        edge_without_best=without_best,
        verdict=np.where(is_bad, Verdict.BAD, verdict).astype(np.int8),
        options=options,
        rules=rules,
    )


# How a rule is held: at least, at most, or above its limit.
_LIMITS: Final[dict[str, Callable[[SkillOptions], float | None]]] = {
    "events_min": lambda o: float(o.events_min),
    "effective_events_min": lambda o: o.effective_events_min,
    "q_value_max": lambda o: o.false_discovery_rate,
    "bootstrap_p_max": lambda o: o.bootstrap_p_max,
    "edge_lower_above": lambda _: 0.0,
    "edge_without_best_event_above": lambda _: 0.0,
    "shrunk_edge_min": lambda o: o.shrunk_edge_min,
    "deflated_sharpe_min": lambda o: o.deflated_sharpe_min,
}


def _held(options: SkillOptions, values: dict[str, Floats]) -> Rules:
    names, limits, columns, passed = [], [], [], []
    for name, value in values.items():
        limit = _LIMITS[name](options)
        if limit is None:
            continue
        if name.endswith("_min"):
            is_passed = value >= limit
        elif name.endswith("_max"):
            is_passed = value <= limit
        else:
            is_passed = value > limit
        names.append(name)
        limits.append(float(limit))
        columns.append(value)
        passed.append(is_passed)
    return Rules(tuple(names), tuple(limits), np.stack(columns), np.stack(passed))


def _deflated(clustered: MeanErrors) -> Floats:
    """Deflated Sharpe ratio of profit an event, over all wallets with at least three events.

    What the Sharpe ratios of the wallets tried differ by is the variance; how many, the trials.
    """
    moments = sharpe_moments(clustered.scores)
    tried = np.isfinite(moments.sharpe) & (clustered.clusters >= 3)
    if tried.sum() < 2:
        return deflated_sharpe(moments, 0.0, 1)
    variance = float(np.var(moments.sharpe[tried], ddof=1))
    return deflated_sharpe(moments, variance, int(tried.sum()))


def _without_best(clustered: MeanErrors) -> Floats:
    """The edge that is left when each wallet's best event is taken away; nan with one event.

    In weights times dollars over the weight of all events: its sign is what is asked for.
    """
    scores: Ragged = clustered.scores
    best = np.full(scores.groups, -np.inf)
    np.maximum.at(best, scores.labels, scores.values)
    total = scores.sums()
    left = np.where(scores.counts > 1, total - best, np.nan)
    # sum w (x) / W = mean, so W = total / mean where the mean is not 0.
    weight = divided(total, clustered.mean)
    return np.where(total == 0, left, divided(left, weight))
