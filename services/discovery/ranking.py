"""A wallet among all others: the bar over all that were tried, quality, capital, churn.

Owns the full round's arithmetic, vectorised over wallets; a round takes some wallets at a time.
Capital is shared by Thompson sampling from a seed that is the id of the message which asked: the
same message gives the same shares. Pure; called by the agent.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whaletrader.domain.money import MICRO
from whaletrader.quant.bandits import NormalGammaArm, thompson_weights_above
from whaletrader.quant.scores import QUALITY_WEIGHTS, Composite, WhaleFactors, whale_quality
from whaletrader.quant.shrinkage import Prior
from whaletrader.quant.surveillance.churn import ChurnRules, Trades, find_churn
from whaletrader.schemas import common_pb2
from whaletrader.services.discovery.config import Rules
from whaletrader.services.discovery.evidence import added, bar_micro, evidence_micro
from whaletrader.services.discovery.scoring import shrunk
from whaletrader.services.discovery.state import KeptTrade, Part, WalletRecord
from whaletrader.services.discovery.statistics import WalletStats

Floats = NDArray[np.float64]

# What is believed of a whale before its first bet: as much as four bets at one half would say.
_PRIOR_BETS: Final = 4.0
_PRIOR_SHAPE: Final = 2.0
_PRIOR_RATE: Final = 0.5
_UNITS: Final = {
    "size": common_pb2.UNIT_MICRO_USD,
    "profitability": common_pb2.UNIT_MICRO_PRICE,
    "impact": common_pb2.UNIT_MICRO_PRICE,
    "liquidity": common_pb2.UNIT_MICRO_USD,
    "risk_control": common_pb2.UNIT_MICRO_RATIO,
}
_DRAWDOWN_MIN: Final = 1.0


def bar_of(records: Mapping[str, WalletRecord], rules: Rules) -> tuple[int, int]:
    """Return the bar of evidence in 1e-6 nats, and over how many wallets it was taken.

    Tried is who has a settled bet that counts: also those who lost, and those given up.
    """
    evidence = [
        evidence_micro(added(record.track.wealth, record.open_wealth))
        for record in records.values()
        if record.track.stats.events
    ]
    return bar_micro(evidence, rules.false_discovery_micro), len(evidence)


class Ranking:
    """The quality of every wallet with a settled bet, as of one moment."""

    def __init__(
        self, records: Mapping[str, WalletRecord], prior: Prior | None, rules: Rules
    ) -> None:
        judged = {name: one for name, one in records.items() if one.track.stats.events}
        self._place = {name: place for place, name in enumerate(judged)}
        self._factors = _factors(list(judged.values()), prior)
        self._quality: Composite | None = None
        if judged:
            posteriors = [shrunk(one.track.stats, prior) for one in judged.values()]
            errors = np.sqrt([one.variance for one in posteriors])
            self._quality = whale_quality(
                self._factors,
                {"profitability": errors},
                confidence=rules.confidence_micro / MICRO,
            )

    def of(self, wallet: str) -> tuple[int, int, int, tuple[Part, ...]]:
        """Return quality, its lower end, rank and parts; zeros for who has no settled bet."""
        place = self._place.get(wallet)
        if place is None or self._quality is None:
            return 0, 0, 0, ()
        quality = self._quality
        parts = []
        for row, name in enumerate(quality.names):
            value = float(getattr(self._factors, name)[place])
            is_known = not np.isnan(value)
            parts.append(
                Part(
                    name,
                    _micro(value) if is_known else 0,
                    _UNITS[name],
                    _micro(float(quality.components[row, place])),
                    _micro(QUALITY_WEIGHTS[name]),
                    is_known,
                )
            )
        return (
            _micro(float(quality.score[place])),
            _micro(float(quality.lower[place])),
            int(quality.rank[place]),
            tuple(parts),
        )


def shares_of(
    whales: Mapping[str, WalletStats], prior: Prior | None, seed: int, rules: Rules
) -> dict[str, int]:
    """Return each whale's share of the capital in 1e-6; what is missing to one is cash."""
    ranked = sorted(whales, key=lambda name: (-shrunk(whales[name], prior).mean, name))
    chosen = sorted(ranked[: rules.whales_max])
    if not chosen:
        return {}
    arms = [_arm(whales[name], prior) for name in chosen]
    weights = thompson_weights_above(arms, 0.0, seed)
    return {name: _micro(float(w)) for name, w in zip(chosen, weights, strict=True)}


def is_churning(trades: Sequence[KeptTrade]) -> bool:
    """Whether the last trades are round trips that neither earn nor lose but their fees."""
    if len(trades) < 2 * ChurnRules().trips_min:
        return False
    table = np.array([(t.token, t.size_micro, t.price_micro, t.fee_micro, t.at_s) for t in trades])
    [found] = find_churn(
        Trades(
            wallet=np.zeros(len(trades), dtype=np.int64),
            token=table[:, 0],
            size=table[:, 1] / MICRO,
            price=table[:, 2] / MICRO,
            fee=table[:, 3] / MICRO,
            time_s=table[:, 4].astype(np.float64),
        )
    )
    return found.is_churn


def _arm(stats: WalletStats, prior: Prior | None) -> NormalGammaArm:
    """The belief in a whale's edge a bet after its settled events (Murphy 2007, eqs. 86 to 89)."""
    count = stats.events
    start = prior.mean if prior else 0.0
    mean = stats.edge_sum / count / MICRO
    squares = max(0.0, (stats.edge_squares - stats.edge_sum**2 / count) / MICRO**2)
    weight = _PRIOR_BETS + count
    return NormalGammaArm(
        (_PRIOR_BETS * start + count * mean) / weight,
        weight,
        _PRIOR_SHAPE + count / 2,
        _PRIOR_RATE + squares / 2 + _PRIOR_BETS * count * (mean - start) ** 2 / (2 * weight),
    )


def _factors(records: Sequence[WalletRecord], prior: Prior | None) -> WhaleFactors:
    def column(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    stats = [record.track.stats for record in records]
    settled = [max(1, one.markets + one.markets_inferred) for one in stats]
    return WhaleFactors(
        size=column([s.volume_micro / n / MICRO for s, n in zip(stats, settled, strict=True)]),
        profitability=column([shrunk(one, prior).mean for one in stats]),
        impact=column(
            [r.impact_micro / r.impacts / MICRO if r.impacts else np.nan for r in records]
        ),
        liquidity=column(
            [r.track.depth_micro / n / MICRO for r, n in zip(records, settled, strict=True)]
        ),
        risk_control=column(
            [
                r.track.stats.profit_micro
                / MICRO
                / max(r.track.drawdown_micro / MICRO, _DRAWDOWN_MIN)
                for r in records
            ]
        ),
    )


def _micro(value: float) -> int:
    return round(value * MICRO)
