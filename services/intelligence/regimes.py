"""Which regime a market is in, by recent volume over usual volume.

Owns the rule: active when the fast mean reaches a multiple of the slow one, quiet again when it
has come down to a lower one, so that it does not flap in between. Pure; called by the agent.
"""

from whaletrader.domain.money import MICRO
from whaletrader.schemas import anomaly_pb2, common_pb2
from whaletrader.services.intelligence.config import IntelligenceSettings
from whaletrader.services.intelligence.volume import Volume

# Both means decay; below a micro-dollar a bucket their ratio is noise.
MEAN_MIN = 1.0


def change_of(
    volume: Volume, is_active: bool, settings: IntelligenceSettings
) -> anomaly_pb2.RegimeChanged | None:
    """Return the change of regime after the closed buckets, without market; None if none."""
    ratio = volume.fast.mean / volume.slow.mean if volume.slow.mean >= MEAN_MIN else 0.0
    limit = settings.quiet_ratio if is_active else settings.active_ratio
    turns = ratio <= limit if is_active else ratio >= limit
    if not turns or volume.slow.count < settings.warm_up_buckets:
        return None
    return anomaly_pb2.RegimeChanged(
        regime=anomaly_pb2.REGIME_QUIET if is_active else anomaly_pb2.REGIME_ACTIVE,
        reasons=[
            common_pb2.Reason(
                rule="intelligence.quiet_ratio" if is_active else "intelligence.active_ratio",
                value=round(ratio * MICRO),
                limit=round(limit * MICRO),
                unit=common_pb2.UNIT_MICRO_RATIO,
                passed=True,
            )
        ],
    )
