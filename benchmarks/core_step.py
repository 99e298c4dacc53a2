"""The pure core: what deciding one message costs, beside only decoding and encoding it."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from benchmarks.figures import Better, Figure, Section, rate_per_s
from benchmarks.noop import INPUT, NoopAgent
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.runtime.agent import Agent
from whaletrader.runtime.codec import Envelope, encode, from_stored, key_of, to_record
from whaletrader.runtime.core import Core
from whaletrader.runtime.log import Record, Stored
from whaletrader.services.attribution.agent import AttributionAgent
from whaletrader.services.attribution.config import AttributionSettings
from whaletrader.services.discovery.agent import DiscoveryAgent
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.feeds.publication import window_events
from whaletrader.services.feeds.tape import load_tape

# As many inputs a commit as an agent that is behind takes.
_BATCH: Final = 500
_WINDOW_S: Final = 3_600

MakeAgent = Callable[[], Agent[Any, Any]]


def run(_: Servers, sizes: Sizes) -> list[Section]:
    """Measure in this process; no server is involved."""
    agents: dict[str, MakeAgent] = {
        "no-op agent": lambda: NoopAgent((INPUT,)),
        "discovery": lambda: DiscoveryAgent(DiscoverySettings()),
        "attribution": lambda: AttributionAgent(AttributionSettings()),
    }
    recorded = sample_records(sizes.core_blocks * sizes.core_block)
    figures = [_measured(name, make, recorded, sizes) for name, make in agents.items()]
    return [
        Section(
            "Core.step, no log",
            "How many messages a second one core can decide at best, whatever the log.",
            f"The shipped sample's events, {_BATCH} a step, through the core: decode, duplicates, "
            "observe, decide, evolve, journal entry. The floor decodes and encodes the same "
            "messages with protobuf. Blocks alternate.",
            figures,
        )
    ]


def sample_records(count: int) -> list[Stored]:
    """Return events of the shipped tape, in order, as an agent would read them from the log."""
    found: list[Stored] = []
    for window in load_tape().windows(_WINDOW_S):
        for topic, message in window_events(window):
            record = to_record(Envelope(topic, key_of(topic, message), message))
            found.append(_stored(record, len(found)))
            if len(found) == count:
                return found
    return found


def _stored(record: Record, offset: int) -> Stored:
    at_ns = int(record.headers["ce_time"])
    return Stored(record.topic, 0, offset, record.key, record.value, record.headers, at_ns)


def _measured(name: str, make: MakeAgent, recorded: Sequence[Stored], sizes: Sizes) -> Figure:
    agent = make()
    core = Core(agent)
    inputs = [it for it in recorded if it.topic in agent.reads or name == "no-op agent"]
    ours_ns = floor_ns = count = 0
    block = max(len(inputs) // sizes.core_blocks, 1)
    # The first block warms both up and does not count.
    for number, start in enumerate(range(0, len(inputs), block)):
        part = inputs[start : start + block]
        floor = _floor_ns(part)
        ours = _step_ns(core, part)
        if number:
            ours_ns, floor_ns, count = ours_ns + ours, floor_ns + floor, count + len(part)
    return Figure(
        f"{name}, messages",
        rate_per_s(count, ours_ns),
        "/s",
        rate_per_s(count, floor_ns),
        Better.HIGHER,
    )


def _step_ns(core: Core, inputs: Sequence[Stored]) -> int:
    started_ns = time.perf_counter_ns()
    for start in range(0, len(inputs), _BATCH):
        batch = inputs[start : start + _BATCH]
        core.step(batch, batch[-1].timestamp_ns)
    return time.perf_counter_ns() - started_ns


def _floor_ns(inputs: Sequence[Stored]) -> int:
    started_ns = time.perf_counter_ns()
    for stored in inputs:
        encode(from_stored(stored))
    return time.perf_counter_ns() - started_ns
