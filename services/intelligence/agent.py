"""Intelligence: which markets trade unusually now, and which are active.

Reads prints and resolutions; raises one alert a burst of volume and says when a market turns
active or quiet. Must not judge a market before it has seen enough of it.
"""

from typing import Final

from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import agent_pb2, anomaly_pb2, common_pb2, market_pb2
from whaletrader.services.intelligence import state as fold
from whaletrader.services.intelligence.anomalies import is_unusual, reasons_for
from whaletrader.services.intelligence.config import IntelligenceSettings
from whaletrader.services.intelligence.errors import InvalidPrint
from whaletrader.services.intelligence.regimes import change_of
from whaletrader.services.intelligence.state import IntelligenceState, IntelligenceViews
from whaletrader.services.intelligence.volume import advanced

SWEEP_TIMER: Final = "intelligence.sweep"


class IntelligenceAgent(Agent[IntelligenceState, IntelligenceViews]):
    """The three functions of intelligence."""

    name = "intelligence"
    reads = ("market.data",)

    def __init__(self, settings: IntelligenceSettings) -> None:
        super().__init__(IntelligenceState(), IntelligenceViews())
        self.settings = settings
        self.decides = {
            market_pb2.TradePrinted: self._decide_printed,
            market_pb2.MarketResolved: self._decide_resolved,
            agent_pb2.TimerFired: self._decide_sweep,
            agent_pb2.EffectFailed: self._decide_sweep_lost,
        }
        self.evolves = {
            anomaly_pb2.RegimeChanged: lambda event: fold.on_regime(
                self.state, event, self.settings
            ),
            agent_pb2.TimerFired: lambda event: fold.on_sweep(self.state, event),
        }
        self.observes = {
            market_pb2.TradePrinted: lambda message: fold.observe_print(
                self.views, message, self.settings
            ),
            market_pb2.MarketResolved: self._observe_resolved,
        }

    def _decide_printed(self, message: market_pb2.TradePrinted) -> Decision:
        if not fold.is_countable(message):
            raise InvalidPrint(f"{message.size_micro} at {message.price_micro} is no print")
        decision = Decision()
        volume = self.views.volumes[message.condition_id]
        event_time_ns = message.meta.event_time_ns
        is_late = event_time_ns // self.settings.bucket_ns < volume.bucket
        if not is_late and is_unusual(volume, self.settings):
            reasons = reasons_for(volume, event_time_ns, self.settings)
            if all(reason.passed for reason in reasons):
                raised = anomaly_pb2.AnomalyRaised(
                    condition_id=message.condition_id,
                    kind=anomaly_pb2.ANOMALY_KIND_VOLUME,
                    reasons=reasons,
                )
                decision.emit("anomaly.alert", raised)
        self._say_change(decision, message.condition_id, volume.bucket)
        if decision.events and _turns_active(decision) and not self.state.sweep_due_ns:
            due_ns = event_time_ns + self.settings.sweep_interval_ns
            decision.ask(agent_pb2.SetTimer(timer_id=SWEEP_TIMER, due_ns=due_ns))
        return decision

    def _decide_resolved(self, message: market_pb2.MarketResolved) -> Decision:
        if message.condition_id not in self.state.active:
            return Decision()
        resolved = common_pb2.Reason(
            rule="intelligence.resolved", passed=True, unit=common_pb2.UNIT_COUNT
        )
        return Decision().emit(
            "market.regime",
            anomaly_pb2.RegimeChanged(
                condition_id=message.condition_id,
                regime=anomaly_pb2.REGIME_QUIET,
                reasons=[resolved],
            ),
        )

    def _decide_sweep(self, message: agent_pb2.TimerFired) -> Decision:
        if message.timer_id != SWEEP_TIMER:
            return Decision()
        decision = Decision()
        bucket = self.now_ns // self.settings.bucket_ns
        for condition_id in self.state.active:
            self._say_change(decision, condition_id, bucket)
        if len(decision.events) == len(self.state.active):
            return decision.keep(agent_pb2.TimerFired(timer_id=SWEEP_TIMER, due_ns=0))
        return self._next_sweep(decision)

    def _decide_sweep_lost(self, message: agent_pb2.EffectFailed) -> Decision:
        if message.type != agent_pb2.SetTimer.DESCRIPTOR.full_name:
            return Decision()
        return self._next_sweep(Decision())

    def _next_sweep(self, decision: Decision) -> Decision:
        due_ns = self.now_ns + self.settings.sweep_interval_ns
        decision.keep(agent_pb2.TimerFired(timer_id=SWEEP_TIMER, due_ns=due_ns))
        return decision.ask(agent_pb2.SetTimer(timer_id=SWEEP_TIMER, due_ns=due_ns))

    def _say_change(self, decision: Decision, condition_id: str, bucket: int) -> None:
        volume = self.views.volumes.get(condition_id)
        is_active = condition_id in self.state.active
        if volume is None:
            # Its volumes are no longer remembered: nobody has traded it for long.
            change = _forgotten() if is_active else None
        else:
            change = change_of(advanced(volume, bucket, self.settings), is_active, self.settings)
        if change is not None:
            change.condition_id = condition_id
            decision.emit("market.regime", change)

    def _observe_resolved(self, message: market_pb2.MarketResolved) -> None:
        self.views.volumes.pop(message.condition_id, None)


def _turns_active(decision: Decision) -> bool:
    return any(
        isinstance(emit.event, anomaly_pb2.RegimeChanged)
        and emit.event.regime == anomaly_pb2.REGIME_ACTIVE
        for emit in decision.events
    )


def _forgotten() -> anomaly_pb2.RegimeChanged:
    # Averages held for the market, and how many it takes to go on calling it active.
    reason = common_pb2.Reason(
        rule="intelligence.remembered", value=0, limit=1, unit=common_pb2.UNIT_COUNT
    )
    return anomaly_pb2.RegimeChanged(regime=anomaly_pb2.REGIME_QUIET, reasons=[reason])
