"""Follows every topic of the log and writes it to the event store, exactly once.

The store's own positions, moved in the transaction that records, say where to read on; the
log's group positions only follow. While one batch is being written the next is read and
prepared. A lost log, PostgreSQL or claim ends the round, and the next one starts from the
store: nothing is remembered across. Must not know what the events mean.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import asyncpg

from whaletrader.runtime.clock import Clock, member_name, monotonic_s
from whaletrader.runtime.health import Health
from whaletrader.runtime.log import CommitUncertain, Fenced, Log, LogUnavailable, Position, Shard
from whaletrader.runtime.log import Membership as LogMembership
from whaletrader.runtime.topics import SNAPSHOTS, TOPICS
from whaletrader.services.recorder.config import RecorderSettings
from whaletrader.services.recorder.metrics import RecorderMetrics
from whaletrader.store.rebuild import rebuild
from whaletrader.store.schema import install
from whaletrader.store.tables import Touched
from whaletrader.store.writer import Prepared, Writer, positions

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

_LOG = logging.getLogger(__name__)

GROUP: Final = "recorder"
# Snapshots say nothing that the journals do not, and are large.
RECORDED_TOPICS: Final = tuple(topic.name for topic in TOPICS if topic.name != SNAPSHOTS)
# The shards of the group are the partitions of this topic. It has one, so one member records.
SHARD_TOPIC: Final = SNAPSHOTS
MEMBERSHIP_POLL_S: Final = 0.5
# A thread for less than this costs more than it saves.
THREAD_RECORDS_MIN: Final = 256

# Worth waiting for: the server is away, starting, out of something, or was told to stop.
_AWAY: Final = (
    LogUnavailable,
    CommitUncertain,
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.DeadlockDetectedError,
)


class Recorder:
    """Runs until told to stop. `on_change` hears which rows of read models changed."""

    def __init__(
        self,
        log: Log,
        dsn: str,
        settings: RecorderSettings,
        health: Health,
        metrics: RecorderMetrics,
        clock: Clock,
    ) -> None:
        self._log = log
        self._dsn = dsn
        self._settings = settings
        self._health = health
        self._metrics = metrics
        self._clock = clock
        self._stopping = asyncio.Event()
        self.on_change: Callable[[Touched], None] = lambda _: None

    def stop(self) -> None:
        """Finish the batch at hand and leave. Idempotent; safe in a signal handler."""
        self._stopping.set()

    async def run(self) -> None:
        """Record until stopped; wait for what is away. Raises on what no waiting mends."""
        pause_s = self._settings.retry_first_s
        while not self._stopping.is_set():
            started_s = monotonic_s()
            try:
                await self._follow()
            except Fenced as error:
                _LOG.warning("another recorder has taken over: %s", error)
            except _AWAY as error:
                self._health.problem = f"waiting for the log and PostgreSQL: {error!r}"
                _LOG.warning("starting again in %.1f s: %r", pause_s, error)
            if monotonic_s() - started_s > self._settings.retry_max_s:
                pause_s = self._settings.retry_first_s
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, self._settings.retry_max_s)

    async def _follow(self) -> None:
        """Record while this member owns the shard; stand by while another does."""
        membership = await self._log.join(GROUP, member_name(GROUP), SHARD_TOPIC)
        task: asyncio.Task[None] | None = None
        try:
            while not self._stopping.is_set():
                owned = await membership.owned(MEMBERSHIP_POLL_S)
                if 0 in owned and task is None:
                    task = asyncio.create_task(self._record(membership))
                elif 0 not in owned and task is not None:
                    await _cancelled(task)
                    task = None
                if task is None:
                    self._standing_by()
                elif task.done():
                    task.result()
                    return
                else:
                    await asyncio.wait({task}, timeout=MEMBERSHIP_POLL_S)
        finally:
            if task is not None and not task.done() and self._stopping.is_set():
                # The batch at hand is worth a moment.
                await asyncio.wait({task}, timeout=self._settings.retry_max_s)
            if task is not None:
                await _cancelled(task)
            await membership.leave()

    async def _record(self, membership: LogMembership) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=self._settings.connect_timeout_s,
            command_timeout=self._settings.statement_timeout_s,
            server_settings={"application_name": "whaletrader-recorder", "jit": "off"},
        )
        try:
            await self._prepare_store(connection)
            shard = await membership.claim(0, RECORDED_TOPICS)
            try:
                await _seek(shard, await positions(connection))
                self._standing_by()
                await _Round(self, connection, shard).run()
            finally:
                await shard.release()
        finally:
            connection.terminate()

    async def _prepare_store(self, connection: Connection) -> None:
        if await install(connection):
            self._health.problem = "rebuilding the read models"
            _LOG.info("the read models have changed and are rebuilt")
            _LOG.info("rebuilt from %d events", await rebuild(connection))

    def _standing_by(self) -> None:
        self._health.started = True
        self._health.problem = ""

    async def _pause(self, pause_s: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), pause_s)
        except TimeoutError:
            return


class _Round:
    """One claim over one connection, until either is lost or the recorder stops."""

    def __init__(self, recorder: Recorder, connection: Connection, shard: Shard) -> None:
        self._recorder = recorder
        self._settings = recorder._settings
        self._connection = connection
        self._shard = shard
        self._writer = Writer()
        # Positions that are recorded and not yet told to the log.
        self._untold: dict[tuple[str, int], Position] = {}
        self._told_at_s = monotonic_s()

    async def run(self) -> None:
        writing: asyncio.Task[None] | None = None
        try:
            while not self._recorder._stopping.is_set():
                records = await self._shard.poll(self._settings.batch_max, self._settings.poll_s)
                prepared = None
                if len(records) >= THREAD_RECORDS_MIN:
                    prepared = await asyncio.to_thread(self._writer.prepare, records)
                elif records:
                    prepared = self._writer.prepare(records)
                if writing is not None:
                    await writing
                    writing = None
                await self._tell_positions()
                if prepared is not None:
                    writing = asyncio.create_task(self._write(prepared))
            if writing is not None:
                await writing
            await self._tell_positions(now=True)
        finally:
            if writing is not None:
                await _cancelled(writing)

    async def _write(self, prepared: Prepared) -> None:
        metrics = self._recorder._metrics
        started_s = monotonic_s()
        written = await self._writer.write(self._connection, prepared)
        metrics.batches.observe(monotonic_s() - started_s)
        metrics.events.inc(written.events)
        metrics.repeated.inc(written.repeated)
        newest = prepared.events[-1]
        metrics.age.set(max(0, self._recorder._clock.now_ns() - newest.log_time_ns) / 1e9)
        for event in prepared.events:
            place = (event.topic, event.partition)
            self._untold[place] = Position(event.topic, event.partition, event.offset + 1)
        self._recorder.on_change(written.touched)

    async def _tell_positions(self, *, now: bool = False) -> None:
        due = monotonic_s() - self._told_at_s >= self._settings.positions_interval_s
        if self._untold and (due or now):
            untold, self._untold = self._untold, {}
            await self._shard.commit([], list(untold.values()))
            self._told_at_s = monotonic_s()


async def _seek(shard: Shard, recorded: list[Position]) -> None:
    """Read on from what is recorded, wherever the group's own positions are."""
    offsets = {(place.topic, place.partition): place.offset for place in recorded}
    for place in await shard.positions():
        offset = offsets.get((place.topic, place.partition), 0)
        await shard.seek(Position(place.topic, place.partition, offset))


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
