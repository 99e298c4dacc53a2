"""An intelligence agent driven print by print, with its timer."""

from dataclasses import dataclass, field

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.codec import Envelope, meta_of, to_record
from whaletrader.runtime.core import Core, Inline, Input
from whaletrader.runtime.log import Stored
from whaletrader.schemas import agent_pb2, anomaly_pb2, market_pb2
from whaletrader.services.intelligence.agent import IntelligenceAgent
from whaletrader.services.intelligence.config import IntelligenceSettings

DOLLAR = 1_000_000
MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
START_NS = 400_000 * HOUR_NS

SETTINGS = IntelligenceSettings(
    bucket_s=60,
    warm_up_buckets=10,
    slow_decay=0.95,
    fast_decay=0.6,
    volume_min_micro=50 * DOLLAR,
    deviation_min_micro=5 * DOLLAR,
    cool_down_s=600,
    sweep_interval_s=1_800,
)


@dataclass
class Prints:
    """Steps messages at their event time; fires the timer when it is due."""

    settings: IntelligenceSettings = SETTINGS
    said: list[Message] = field(default_factory=list)
    entries: list[tuple[agent_pb2.JournalEntry, Input]] = field(default_factory=list)
    timer: Effect | None = None
    now_ns: int = START_NS

    def __post_init__(self) -> None:
        self.core = Core(IntelligenceAgent(self.settings))

    @property
    def state(self):
        return self.core.agent.state

    def tell(self, message: Message, at_ns: int) -> list[Message]:
        self.fire_until(at_ns)
        meta = meta_of(message)
        meta.id = derived_id("test", len(self.entries))
        meta.event_time_ns = at_ns
        record = to_record(Envelope("market.data", "key", message))
        return self._step(
            Stored("market.data", 0, len(self.entries), "k", record.value, record.headers, 0)
        )

    def print(self, dollars: int, at_ns: int, market: str = "m") -> list[Message]:
        """A trade of that many dollars, at 0.5."""
        return self.tell(printed(dollars, market), at_ns)

    def steady(self, minutes: int, dollars: int = 10, market: str = "m") -> int:
        """One print a minute; return the time of the minute after the last."""
        start = self.now_ns
        for minute in range(minutes):
            # Not quite the same each time, so that there is a deviation.
            self.print(dollars + minute % 3, start + minute * MINUTE_NS, market)
        return start + minutes * MINUTE_NS

    def fire_until(self, now_ns: int) -> list[Message]:
        heard: list[Message] = []
        while self.timer is not None and self.timer.message.due_ns <= now_ns:
            effect, self.timer = self.timer, None
            due_ns = effect.message.due_ns
            fired = agent_pb2.TimerFired(timer_id=effect.message.timer_id, due_ns=due_ns)
            fired.meta.id = derived_id("timer", effect.id)
            fired.meta.event_time_ns = self.now_ns = due_ns
            heard += self._step(Inline(fired, effect.id))
        self.now_ns = max(now_ns, self.now_ns)
        return heard

    def _step(self, item: Input) -> list[Message]:
        step = self.core.step([item], self.now_ns)
        self.entries.append((step.entry, item))
        for effect in step.effects:
            assert self.timer is None
            self.timer = effect
        heard = [event for _, topic, event in step.events if topic]
        self.said += heard
        return heard

    def restored(self) -> Core:
        fresh = Core(IntelligenceAgent(self.settings))
        for entry, item in self.entries:
            fresh.follow(entry, {0: item} if isinstance(item, Stored) else {})
        return fresh

    def alerts(self) -> list[anomaly_pb2.AnomalyRaised]:
        return [event for event in self.said if isinstance(event, anomaly_pb2.AnomalyRaised)]

    def regimes(self) -> list[int]:
        return [e.regime for e in self.said if isinstance(e, anomaly_pb2.RegimeChanged)]


def printed(dollars: int, market: str = "m") -> market_pb2.TradePrinted:
    return market_pb2.TradePrinted(
        condition_id=market, token_id="y", price_micro=500_000, size_micro=2 * dollars * DOLLAR
    )


def state_bytes(core: Core) -> bytes:
    return msgspec.msgpack.encode((core.agent.state, core.agent.views))
