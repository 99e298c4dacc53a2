"""One simulated process: a core, its claim, what it has announced and what waits for it.

Does what a worker of the runtime does, one step at a time and with a place to die between any
two. Killing it forgets everything; starting it again claims the shard and restores it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from tests.simulation.faults import CrashPoint, Faults
from whaletrader.runtime.agent import Agent, Effect
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.codec import type_name
from whaletrader.runtime.core import Core, Inline, Input, Step
from whaletrader.runtime.effects import Timers, stamp_outcome
from whaletrader.runtime.journal import restore
from whaletrader.runtime.log import (
    CommitUncertain,
    Fenced,
    LogUnavailable,
    Membership,
    Position,
    Record,
    Shard,
)
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.service import EffectRetry, Performer, Watcher
from whaletrader.runtime.topics import journal_topic
from whaletrader.runtime.worker import merged
from whaletrader.schemas import agent_pb2

# As often as the runtime's default policy tries.
ATTEMPTS_MAX: Final = 5
SNAPSHOT_INPUTS: Final = 60
Reply = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Plugs:
    """What one incarnation of a process is plugged into."""

    performers: Mapping[type[Message], Performer] = field(default_factory=dict)
    watcher: Watcher | None = None
    # Brings news in: called when `has_news`, and once after every start.
    listen: Callable[[], Awaitable[None]] | None = None
    has_news: Callable[[], bool] = lambda: False
    # Asks the venue for everything; puts what is news.
    reconcile: Callable[[], Awaitable[None]] | None = None
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Role:
    """An agent with its edges."""

    name: str
    make_agent: Callable[[], Agent[Any, Any]]
    plug: Callable[["Process"], Plugs] = lambda _: Plugs()


@dataclass(slots=True)
class Due:
    """An announced effect that has not ended."""

    effect: Effect
    again: bool
    attempts: int = 0


@dataclass(slots=True)
class Ground:
    """What outlives every process."""

    log: MemoryLog
    clock: SetClock
    faults: Faults
    # Told of every commit that is known to be durable.
    committed: Callable[["Process", Step], None]
    late_snapshots: list[Record] = field(default_factory=list)


class Process:
    """One incarnation. After `die` it must not be used again."""

    def __init__(self, ground: Ground, role: Role) -> None:
        self.ground = ground
        self.role = role
        self.core = Core(role.make_agent())
        self.inbox: list[tuple[Inline, Reply | None]] = []
        self.due: list[Due] = []
        self.timers = Timers()
        self.is_alive = True
        # Whether memory is what the log says: false between a step and its commit.
        self.is_clean = True
        self.shard: Shard | None = None
        self.plugs = Plugs()
        self._since_snapshot = 0
        self._journal_offset = 0

    async def start(self, membership: Membership) -> None:
        """Claim the shard, restore the core, take up what was announced before."""
        self.shard = await membership.claim(0, self.core.agent.reads)
        self._since_snapshot = await restore(self.ground.log, self.core)
        self._journal_offset = await self._journal_end()
        self.plugs = self.role.plug(self)
        if self.plugs.watcher is not None:
            self.plugs.watcher.restored(self.core)
        for effect in list(self.core.pending.values()):
            self._start_effect(effect, again=True)

    def die(self) -> None:
        self.is_alive = False
        self.plugs.close()

    def put(self, message: Message, reply: Reply | None = None) -> None:
        """Queue a request, a fact or a word of the pacer."""
        self.inbox.append((Inline(message), reply))

    @property
    def has_unsettled(self) -> bool:
        """Whether something waits that needs no reading of the log."""
        due_ns = self.timers.next_due_ns
        timer_due = due_ns is not None and due_ns <= self.ground.clock.now_ns()
        return bool(self.inbox or self.due or timer_due or self.plugs.has_news())

    async def unread(self) -> int:
        """Return how many records wait for it."""
        count = 0
        for position in await self._claimed().positions():
            ends = await self.ground.log.end(position.topic)
            count += ends[position.partition] - position.offset
        return count

    async def take(self, records_max: int, inline_max: int) -> Step | None:
        """Decide what has come: some of the inbox, due timers, some of the log."""
        taken, self.inbox = self.inbox[:inline_max], self.inbox[inline_max:]
        records = await self._claimed().poll(records_max, 0) if records_max else []
        timers = self.timers.take_due(self.ground.clock.now_ns())
        inputs: list[Input] = [
            *(item for item, _ in taken),
            *timers,
            *merged(records, self.core.agent.reads),
        ]
        if not inputs:
            return None
        step = await self._step(inputs)
        for index, (_, reply) in enumerate(taken):
            if reply is not None and index in step.replies:
                reply(step.replies[index])
        return step

    async def run_effect(self) -> None:
        """Carry out one announced effect that may run now."""
        faults = self.ground.faults
        due = faults.rng.choice(self._runnable())
        faults.maybe_crash(CrashPoint.BEFORE_EFFECT)
        performer = self.plugs.performers.get(type(due.effect.message))
        due.attempts += 1
        error = ""
        try:
            if performer is None:
                raise TypeError("no performer is plugged in")
            outcome = await performer(due.effect, due.again)
            if faults.happens("answer after the deadline", faults.rates.answer_late):
                raise EffectRetry("the deadline has passed")
        except EffectRetry as failure:
            due.again = True
            if due.attempts < ATTEMPTS_MAX:
                return
            outcome, error = self._failed(due.effect, str(failure)), str(failure)
        except Exception as failure:  # noqa: BLE001 - as the runtime does
            outcome, error = self._failed(due.effect, repr(failure)), repr(failure)
        if error:
            faults.fates[f"effect failed: {type_name(due.effect.message)}"] += 1
        faults.maybe_crash(CrashPoint.AFTER_EFFECT)
        self.due.remove(due)
        stamped = stamp_outcome(due.effect, outcome, self.ground.clock.now_ns())
        self.inbox.append((Inline(stamped, due.effect.id), None))

    def fingerprint(self) -> bytes:
        """Return all that a restart must bring back."""
        return self.core.snapshot(0).value

    async def _step(self, inputs: list[Input]) -> Step:
        faults = self.ground.faults
        faults.maybe_crash(CrashPoint.BEFORE_STEP)
        self.is_clean = False
        step = self.core.step(inputs, self.ground.clock.now_ns())
        faults.maybe_crash(CrashPoint.AFTER_STEP)
        await self._commit(step.records, step.positions)
        self.is_clean = True
        self.ground.committed(self, step)
        if self.plugs.watcher is not None:
            self.plugs.watcher.committed(self.core, step)
        faults.maybe_crash(CrashPoint.AFTER_COMMIT)
        for effect in step.effects:
            self._start_effect(effect, again=False)
        self._since_snapshot += len(inputs)
        if self._since_snapshot >= SNAPSHOT_INPUTS:
            await self._save()
        return step

    async def _save(self) -> None:
        """Write a snapshot beside the work, as the runtime does; it may be lost on the way."""
        self._since_snapshot = 0
        faults = self.ground.faults
        snapshot = self.core.snapshot(self._journal_offset)
        faults.maybe_crash(CrashPoint.BEFORE_SNAPSHOT)
        if faults.happens("snapshot written late", faults.rates.snapshot_late):
            self.ground.late_snapshots.append(snapshot)
            return
        # What was late comes now: the newest on the log is then not the latest.
        await self.ground.log.append([snapshot, *self.ground.late_snapshots])
        self.ground.late_snapshots.clear()
        self._journal_offset = await self._journal_end()

    async def _commit(self, records: list[Record], positions: list[Position]) -> None:
        faults = self.ground.faults
        if faults.chance(faults.rates.crash[CrashPoint.LOG_UNAVAILABLE]):
            raise LogUnavailable("no connection")
        if faults.chance(faults.rates.crash[CrashPoint.UNCERTAIN_LOST]):
            raise CommitUncertain("lost")
        await self._claimed().commit(records, positions)
        if faults.chance(faults.rates.crash[CrashPoint.UNCERTAIN_WRITTEN]):
            self.is_clean = True
            raise CommitUncertain("written")

    def _runnable(self) -> list[Due]:
        lanes: set[str] = set()
        runnable = []
        for due in self.due:
            if due.effect.lane not in lanes:
                runnable.append(due)
            if due.effect.lane:
                lanes.add(due.effect.lane)
        return runnable

    def _start_effect(self, effect: Effect, *, again: bool) -> None:
        if isinstance(effect.message, agent_pb2.SetTimer):
            self.timers.set(effect)
        else:
            self.due.append(Due(effect, again))

    def _failed(self, effect: Effect, error: str) -> Message:
        return agent_pb2.EffectFailed(
            effect_id=effect.id, type=type_name(effect.message), error=error
        )

    async def _journal_end(self) -> int:
        return (await self.ground.log.end(journal_topic(self.role.name)))[0]

    def _claimed(self) -> Shard:
        if self.shard is None or not self.is_alive:
            raise Fenced(f"{self.role.name} does not run")
        return self.shard


def crash_point_of(error: BaseException) -> CrashPoint:
    """Return where a process died by what the log told it."""
    if isinstance(error, Fenced):
        return CrashPoint.FENCED
    if isinstance(error, LogUnavailable):
        return CrashPoint.LOG_UNAVAILABLE
    written = str(error) == "written"
    return CrashPoint.UNCERTAIN_WRITTEN if written else CrashPoint.UNCERTAIN_LOST
