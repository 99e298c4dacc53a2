"""The servers of a run: each started once, when first asked for, and gone at its end.

Started from the main thread, before the event loop (see `whaletrader.stack.servers.base`).
"""

import asyncio
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Final, Literal

import asyncpg

from whaletrader.stack.servers.base import LocalServer
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.servers.nats import NatsServer
from whaletrader.stack.servers.postgres import PostgresServer

LogKind = Literal["postgres", "kafka"]

_STATEMENT_S_MAX: Final = 20.0


class Servers:
    """PostgreSQL, NATS and Kafka in one temporary folder. Use as a context."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="whaletrader-bench-"))
        self._running: dict[str, LocalServer] = {}

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        for server in reversed(self._running.values()):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def nats_url(self) -> str:
        return self._url(NatsServer())

    def kafka_bootstrap(self) -> str:
        return self._url(KafkaServer())

    def stop(self, name: str) -> None:
        """Stop one, so that it takes nothing from what is measured next. Harmless if absent."""
        server = self._running.pop(name, None)
        if server is not None:
            server.stop()

    def database(self) -> str:
        """Return the DSN of a fresh, empty database."""
        server_dsn = self._url(PostgresServer("wheel"))
        name = f"bench_{uuid.uuid4().hex[:12]}"
        asyncio.run(_execute(server_dsn, f'CREATE DATABASE "{name}"'))
        return f"{server_dsn.rsplit('/', 1)[0]}/{name}"

    def _url(self, server: LocalServer) -> str:
        known = self._running.get(server.name)
        if known is None:
            server.start(self.folder / server.name)
            known = self._running[server.name] = server
        return known.endpoint.url


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=_STATEMENT_S_MAX)
    try:
        await connection.execute(statement, timeout=_STATEMENT_S_MAX)
    finally:
        await connection.close()
