"""Carries out effects: lanes, deadlines, retries, circuit breakers, timers.

An effect is started only after the commit that announced it is durable. Its outcome goes back
to the agent as an inline input; the first outcome counts. Used by the shard worker.
"""

import asyncio
import heapq
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.cancelling import end_all
from whaletrader.runtime.clock import Clock, monotonic_s
from whaletrader.runtime.codec import meta_of, type_name
from whaletrader.runtime.core import Inline
from whaletrader.runtime.service import Edge, EffectRetry, Policy
from whaletrader.schemas import agent_pb2

_LOG = logging.getLogger(__name__)

BACKOFF_MAX_S = 5.0


@dataclass(slots=True)
class Circuit:
    """Opens after a run of failures, so that a dead edge is not hammered."""

    policy: Policy
    failures: int = 0
    open_until_s: float = 0.0

    def wait_s(self) -> float:
        """Return how long to wait before the next attempt may be made."""
        return max(0.0, self.open_until_s - monotonic_s())

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self) -> None:
        self.failures += 1
        if self.failures >= self.policy.circuit_failures:
            self.open_until_s = monotonic_s() + self.policy.circuit_open_s
            self.failures = 0

    @property
    def is_open(self) -> bool:
        return self.wait_s() > 0


class Timers:
    """Timers by due time. They fire when the agent's clock has passed them."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str, Effect]] = []

    def set(self, effect: Effect) -> None:
        message = effect.message
        if not isinstance(message, agent_pb2.SetTimer):
            raise TypeError(f"{type_name(message)} is no timer")
        heapq.heappush(self._heap, (message.due_ns, effect.id, effect))

    @property
    def next_due_ns(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_ns: int) -> list[Inline]:
        """Return what has come due, earliest first."""
        due = []
        while self._heap and self._heap[0][0] <= now_ns:
            _, _, effect = heapq.heappop(self._heap)
            fired = agent_pb2.TimerFired(
                timer_id=effect.message.timer_id,  # type: ignore[attr-defined]
                due_ns=effect.message.due_ns,  # type: ignore[attr-defined]
            )
            due.append(Inline(stamp_outcome(effect, fired, now_ns), effect.id))
        return due


class EffectRunner:
    """Runs effects and hands their outcomes to `done`."""

    def __init__(
        self,
        source: str,
        edges: Mapping[type[Message], Edge],
        clock: Clock,
        done: Callable[[Inline], None],
    ) -> None:
        self.timers = Timers()
        self._source = source
        self._edges = edges
        self._clock = clock
        self._done = done
        self._circuits = {kind: Circuit(edge.policy) for kind, edge in edges.items()}
        self._lanes: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    @property
    def open_circuits(self) -> list[str]:
        return [type_name(kind) for kind, circuit in self._circuits.items() if circuit.is_open]

    def start(self, effect: Effect, again: bool) -> None:
        """Carry the effect out. `again`: it may have been carried out before."""
        if isinstance(effect.message, agent_pb2.SetTimer):
            self.timers.set(effect)
            return
        task = asyncio.create_task(self._run(effect, again))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait_idle(self) -> None:
        """Return when no effect is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Cancel what is under way; it stays announced and is taken up after a restart."""
        await end_all(self._tasks)

    async def _run(self, effect: Effect, again: bool) -> None:
        if not effect.lane:
            await self._attempt_all(effect, again)
            return
        # asyncio's locks are fair: effects of a lane run in the order they were started.
        async with self._lanes[effect.lane]:
            await self._attempt_all(effect, again)

    async def _attempt_all(self, effect: Effect, again: bool) -> None:
        edge = self._edges.get(type(effect.message))
        if edge is None:
            self._finish(effect, self._failure(effect, "no performer is plugged in", False))
            return
        deadline_s = monotonic_s() + edge.policy.deadline_s
        error = "no attempt was made"
        for attempt in range(edge.policy.attempts_max):
            left_s = deadline_s - monotonic_s()
            if left_s <= 0:
                break
            try:
                outcome = await self._attempt(effect, edge, again or attempt > 0, left_s)
            except (TimeoutError, EffectRetry) as failure:
                error = str(failure) or type(failure).__name__
                pause_s = min(edge.policy.backoff_s * 2**attempt, BACKOFF_MAX_S)
                await asyncio.sleep(min(pause_s, max(0.0, deadline_s - monotonic_s())))
            except Exception as failure:  # noqa: BLE001 - its outcome is a recorded failure
                _LOG.exception("effect %s failed", type_name(effect.message))
                self._finish(effect, self._failure(effect, repr(failure), False))
                return
            else:
                self._finish(effect, outcome)
                return
        self._finish(effect, self._failure(effect, error, True))

    async def _attempt(self, effect: Effect, edge: Edge, again: bool, left_s: float) -> Message:
        circuit = self._circuits[type(effect.message)]
        async with asyncio.timeout(left_s):
            await asyncio.sleep(circuit.wait_s())
            try:
                outcome = await edge.performer(effect, again)
            except (TimeoutError, EffectRetry):
                circuit.failed()
                raise
        circuit.succeeded()
        return outcome

    def _failure(self, effect: Effect, error: str, timed_out: bool) -> Message:
        return agent_pb2.EffectFailed(
            effect_id=effect.id, type=type_name(effect.message), error=error, timed_out=timed_out
        )

    def _finish(self, effect: Effect, outcome: Message) -> None:
        self._done(Inline(stamp_outcome(effect, outcome, self._clock.now_ns()), effect.id))


def stamp_outcome(effect: Effect, outcome: Message, now_ns: int) -> Message:
    """Give an outcome its identity. One that has an id already (a reply) keeps it."""
    meta = meta_of(outcome)
    meta.id = meta.id or derived_id(effect.id, "outcome")
    meta.cause = meta.cause or effect.cause
    meta.correlation = meta.correlation or effect.correlation
    meta.event_time_ns = meta.event_time_ns or now_ns
    return outcome
