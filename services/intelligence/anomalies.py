"""Whether the open bucket's volume is unusual, and whether that is worth a new alert.

Owns the rule: warmed up, enough volume, far enough above the mean, and not the same burst as the
last unusual bucket. Every rule is told with value and limit. Pure; called by views and the agent.
"""

from whaletrader.domain.money import MICRO
from whaletrader.quant.ewma import z_score
from whaletrader.schemas import common_pb2
from whaletrader.services.intelligence.config import IntelligenceSettings
from whaletrader.services.intelligence.volume import Volume

# Reasons carry integers; a z-score beyond a million says no more than a million does.
Z_MAX = 1e6


def z_of(volume: Volume, settings: IntelligenceSettings) -> float:
    """Return the open bucket's volume in deviations above the mean of closed buckets."""
    z = z_score(volume.slow.ewma, volume.open_micro, settings.deviation_min_micro)
    return max(-Z_MAX, min(Z_MAX, z))


def reasons_for(
    volume: Volume, event_time_ns: int, settings: IntelligenceSettings
) -> list[common_pb2.Reason]:
    """Return the rules of an alert; it is raised if all passed."""
    pause_ns = event_time_ns - volume.unusual_before_ns
    return [
        *unusual_reasons(volume, settings),
        common_pb2.Reason(
            rule="intelligence.cool_down",
            value=pause_ns,
            limit=settings.cool_down_ns,
            unit=common_pb2.UNIT_NANOSECONDS,
            passed=pause_ns > settings.cool_down_ns,
        ),
    ]


def unusual_reasons(volume: Volume, settings: IntelligenceSettings) -> list[common_pb2.Reason]:
    """Return the rules by which a bucket is unusual, whether or not it was alerted before."""
    z_micro = round(z_of(volume, settings) * MICRO)
    z_min_micro = round(settings.z_min * MICRO)
    return [
        common_pb2.Reason(
            rule="intelligence.warm_up",
            value=volume.slow.count,
            limit=settings.warm_up_buckets,
            unit=common_pb2.UNIT_COUNT,
            passed=volume.slow.count >= settings.warm_up_buckets,
        ),
        common_pb2.Reason(
            rule="intelligence.volume_min",
            value=volume.open_micro,
            limit=settings.volume_min_micro,
            unit=common_pb2.UNIT_MICRO_USD,
            passed=volume.open_micro >= settings.volume_min_micro,
        ),
        common_pb2.Reason(
            rule="intelligence.z_min",
            value=z_micro,
            limit=z_min_micro,
            unit=common_pb2.UNIT_MICRO_RATIO,
            passed=z_micro >= z_min_micro,
            detail=f"mean {round(volume.slow.mean)} micro-dollars a bucket",
        ),
    ]


def is_unusual(volume: Volume, settings: IntelligenceSettings) -> bool:
    # The cheap test first: this runs on every print.
    if volume.open_micro < settings.volume_min_micro:
        return False
    return all(reason.passed for reason in unusual_reasons(volume, settings))
