"""A recorder as its own process, and the log and store around it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.log import Position
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.runtime.logs.postgres_session import PostgresSettings
from whaletrader.runtime.topics import TOPICS
from whaletrader.store.writer import Writer

WAIT_S = 30.0


class RecorderProcess:
    """`python -m whaletrader.services.recorder` on a database."""

    def __init__(self, dsn: str, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._env = {
            **os.environ,
            "WHALETRADER_LOG": "postgres",
            "WHALETRADER_POSTGRES_DSN": dsn,
            "WHALETRADER_REDIS_URL": "",
            "WHALETRADER_RECORDER_BATCH_MAX": "500",
            **(env or {}),
        }
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        with (self._folder / f"recorder{self.starts}.log").open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "whaletrader.services.recorder"],
                env=self._env,
                stderr=output,
                stdout=output,
            )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def output(self) -> str:
        return (self._folder / f"recorder{self.starts}.log").read_text()

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(WAIT_S)
        self._process = None
        return code


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[tuple[PostgresLog, "asyncpg.Connection[Any]"]]:
    """A log with all its topics, and a connection to the same database."""
    log = await PostgresLog.open(PostgresSettings(dsn))
    connection = await asyncpg.connect(dsn)
    try:
        await log.create_topics(TOPICS)
        yield log, connection
    finally:
        await connection.close()
        await log.close()


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for an awaitable condition to be true; fail after a while."""
    deadline_ns = WallClock().now_ns() + int(WAIT_S * 1e9)
    while WallClock().now_ns() < deadline_ns:
        try:
            if found := await condition():
                return found
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited {WAIT_S} s in vain for {what}")


async def count(connection: "asyncpg.Connection[Any]") -> int:
    return int(await connection.fetchval("SELECT count(*) FROM store.events"))


async def contents(log: PostgresLog) -> list[tuple[str, int, int, str, bytes, int]]:
    """Everything that the log holds, in the order of topic, partition, offset."""
    found = []
    for topic in sorted(topic.name for topic in TOPICS if topic.name != "agent.snapshot"):
        for partition in range(await log.partitions(topic)):
            records = await log.read(Position(topic, partition, 0), 1_000_000)
            found += [
                (r.topic, r.partition, r.offset, r.key, r.value, r.timestamp_ns) for r in records
            ]
    return found


async def recorded_contents(
    connection: "asyncpg.Connection[Any]",
) -> list[tuple[str, int, int, str, bytes, int]]:
    rows = await connection.fetch(
        """
        SELECT topic, partition, "offset", key, payload, log_time_ns FROM store.events
        ORDER BY topic, partition, "offset"
        """
    )
    return [tuple(row) for row in rows]


async def record_all(log: PostgresLog, connection: "asyncpg.Connection[Any]") -> None:
    """Put the whole log but the snapshots into the event store, as the recorder would."""
    writer = Writer()
    for topic in TOPICS:
        if topic.name == "agent.snapshot":
            continue
        for partition in range(topic.partitions):
            records = await log.read(Position(topic.name, partition, 0), 1_000_000)
            await writer.write(connection, writer.prepare(records))
