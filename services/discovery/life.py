"""A wallet's stage of life, from its settled past: who is quarantined, released, given up.

Owns what is handed to the rules of `quant.change.lifecycle`; a wallet that is proven and no longer
meets the rules for it begins anew. Pure; called by the agent.
"""

from math import sqrt
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.quant.change.lifecycle import Cause, Evidence, LifeRules, Stage, next_stage
from whaletrader.quant.student import t_multiplier
from whaletrader.schemas import whale_pb2
from whaletrader.services.discovery.config import NS_PER_DAY, Rules
from whaletrader.services.discovery.state import WalletRecord
from whaletrader.services.discovery.track import Track

_STAGES: Final[dict[int, Stage]] = {
    whale_pb2.STAGE_EMERGING: Stage.EMERGING,
    whale_pb2.STAGE_PROVEN: Stage.PROVEN,
    whale_pb2.STAGE_DECAYING: Stage.DECAYING,
    whale_pb2.STAGE_DEAD: Stage.DEAD,
    whale_pb2.STAGE_REVIVED: Stage.REVIVED,
}
_NUMBERS: Final = {stage: number for number, stage in _STAGES.items()}
NOT_MET: Final = "no longer meets the rules for a proven wallet"


def next_of(
    record: WalletRecord, track: Track, is_proven: bool, now_ns: int, rules: Rules
) -> tuple[int, str]:
    """Return the stage that follows and why; `is_proven`: the rules for it are met now."""
    if record.stage == whale_pb2.STAGE_PROVEN and not is_proven and not _is_flagged(track):
        return whale_pb2.STAGE_EMERGING, NOT_MET
    lower, upper = _of_late(track, rules)
    turn = next_stage(
        _STAGES[record.stage],
        Evidence(
            trades=track.stats.markets,
            stage_trades=min(track.stage_markets, track.stats.markets),
            stage_days=max(0, now_ns - record.stage_since_ns) / NS_PER_DAY,
            edge_lower=1.0 if is_proven else -1.0,
            recent_lower=lower,
            recent_upper=upper,
            has_drifted=_is_flagged(track),
            idle_days=max(0, now_ns - record.last_traded_ns) / NS_PER_DAY,
        ),
        LifeRules(
            proof_trades_min=rules.markets_min,
            recent_trades_min=rules.recent_markets_min,
            idle_days_max=rules.idle_ns_max / NS_PER_DAY,
            decay_days_max=rules.decay_ns_max / NS_PER_DAY,
        ),
    )
    cause = record.stage_cause if turn.cause is Cause.NOTHING_NEW else turn.cause.value
    return _NUMBERS[turn.stage], cause


def _is_flagged(track: Track) -> bool:
    return track.watch is not None and track.watch.is_flagged


def _of_late(track: Track, rules: Rules) -> tuple[float, float]:
    """The interval of the last settled markets' edge, dollars a share; wide open below two."""
    edges = [edge / MICRO for edge in track.recent[-rules.recent_markets_min :]]
    count = len(edges)
    if count < 2:
        return -1e9, 1e9
    mean = sum(edges) / count
    variance = sum((edge - mean) ** 2 for edge in edges) / (count - 1)
    reach = t_multiplier(rules.confidence_micro / MICRO, count - 1) * sqrt(variance / count)
    return mean - reach, mean + reach
