"""What intelligence has said (state) and what it has seen (views).

The state is only what others were told and may rely on: which markets are active. Volumes are
views: lost, they are learned anew, and until then no market is judged. Called by the agent only.
"""

import msgspec

from whaletrader.domain.money import MICRO, notional
from whaletrader.schemas import agent_pb2, anomaly_pb2, market_pb2
from whaletrader.services.intelligence.anomalies import is_unusual
from whaletrader.services.intelligence.config import IntelligenceSettings
from whaletrader.services.intelligence.volume import Volume, advanced


class IntelligenceState(msgspec.Struct):
    """Fold of the journal. A market that is not active is quiet."""

    active: dict[str, None] = msgspec.field(default_factory=dict)
    # 0 while no sweep is set.
    sweep_due_ns: int = 0


class IntelligenceViews(msgspec.Struct):
    """Volumes by market, the one that traded longest ago first."""

    volumes: dict[str, Volume] = msgspec.field(default_factory=dict)


def on_regime(
    state: IntelligenceState, event: anomaly_pb2.RegimeChanged, settings: IntelligenceSettings
) -> None:
    if event.regime == anomaly_pb2.REGIME_ACTIVE:
        state.active[event.condition_id] = None
        if state.sweep_due_ns == 0:
            state.sweep_due_ns = event.meta.event_time_ns + settings.sweep_interval_ns
    else:
        state.active.pop(event.condition_id, None)


def on_sweep(state: IntelligenceState, event: agent_pb2.TimerFired) -> None:
    state.sweep_due_ns = event.due_ns


def observe_print(
    views: IntelligenceViews, message: market_pb2.TradePrinted, settings: IntelligenceSettings
) -> None:
    """Add a print's volume. One from a bucket that is closed already is left out."""
    if not is_countable(message):
        return
    bucket = message.meta.event_time_ns // settings.bucket_ns
    before = views.volumes.pop(message.condition_id, None) or Volume(bucket)
    volume = advanced(before, bucket, settings)
    if bucket == volume.bucket:
        volume = _with_print(volume, message, settings)
    views.volumes[message.condition_id] = volume
    if len(views.volumes) > settings.markets_max:
        del views.volumes[next(iter(views.volumes))]


def is_countable(message: market_pb2.TradePrinted) -> bool:
    """Whether the print has a market, a size and a price between 0 and 1."""
    return bool(message.condition_id) and (
        0 < message.price_micro < MICRO and message.size_micro > 0
    )


def _with_print(
    volume: Volume, message: market_pb2.TradePrinted, settings: IntelligenceSettings
) -> Volume:
    added = notional(message.price_micro, message.size_micro)
    after = msgspec.structs.replace(
        volume,
        open_micro=volume.open_micro + added,
        unusual_before_ns=volume.unusual_ns,
    )
    if is_unusual(after, settings):
        return msgspec.structs.replace(after, unusual_ns=message.meta.event_time_ns)
    return after
