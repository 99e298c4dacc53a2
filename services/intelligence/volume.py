"""Volume of one market by bucket of event time: what is normal, and what the open bucket holds.

Owns how a print moves these numbers. A bucket joins the averages when the next one begins, so an
unusual bucket is measured against the past without itself. Volumes are micro-dollars. Pure;
called by views, anomalies and regimes.
"""

import msgspec

from whaletrader.quant.ewma import Ewma, updated, updated_by_zeros
from whaletrader.services.intelligence.config import IntelligenceSettings


class Averages(msgspec.Struct, frozen=True):
    """Mean and variance over closed buckets, as quant's Ewma."""

    mean: float = 0.0
    variance: float = 0.0
    count: int = 0

    @property
    def ewma(self) -> Ewma:
        return Ewma(self.mean, self.variance, self.count)


class Volume(msgspec.Struct, frozen=True):
    """One market. `bucket` counts buckets since the epoch; `open_micro` is its volume so far."""

    bucket: int
    open_micro: int = 0
    slow: Averages = msgspec.field(default_factory=Averages)
    fast: Averages = msgspec.field(default_factory=Averages)
    # When it was last unusual, as seen before the latest print and with it.
    unusual_before_ns: int = 0
    unusual_ns: int = 0


def advanced(volume: Volume, bucket: int, settings: IntelligenceSettings) -> Volume:
    """Return the market at a later bucket: the open one closed, those between empty."""
    if bucket <= volume.bucket:
        return volume
    empty = bucket - volume.bucket - 1
    return Volume(
        bucket=bucket,
        slow=_closed(volume.slow, volume.open_micro, empty, settings.slow_decay),
        fast=_closed(volume.fast, volume.open_micro, empty, settings.fast_decay),
        unusual_before_ns=volume.unusual_before_ns,
        unusual_ns=volume.unusual_ns,
    )


def _closed(before: Averages, value: int, empty: int, decay: float) -> Averages:
    after = updated_by_zeros(updated(before.ewma, value, decay), empty, decay)
    return Averages(after.mean, after.variance, after.count)
