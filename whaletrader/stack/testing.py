"""Real servers for tests: a pytest plugin, and the rule for a server that cannot be had.

Loaded by `tests/conftest.py`, so every test may ask for `postgres_dsn`, `nats_url`, `redis_url`,
`kafka_bootstrap`, `registry_url`. Each server is started once a session, when first asked for, on
a free port in a temporary folder, and is ended with the session, even one that is killed.

A server that cannot be had skips the test in one plain line; REQUIRE_REAL=1 makes it a failure.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from whaletrader.stack.errors import ServerUnavailable
from whaletrader.stack.servers.base import LocalServer
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.servers.nats import NatsServer
from whaletrader.stack.servers.postgres import Flavour, PostgresServer, find_installation
from whaletrader.stack.servers.registry import RegistryServer
from whaletrader.stack.servers.valkey import ValkeyServer

_DATABASE_SECONDS_MAX = 10.0


def skip_or_fail(server: str, reason: str) -> NoReturn:
    """Skip the running test in one line, or fail it when REQUIRE_REAL=1."""
    line = f"{server} is not available: {reason}"
    if os.environ.get("REQUIRE_REAL") == "1":
        pytest.fail(f"{line} (and REQUIRE_REAL=1)", pytrace=False)
    pytest.skip(line)


@contextmanager
def running(server: LocalServer, port: int = 0) -> Iterator[LocalServer]:
    """Run a server in a temporary folder for as long as the block lasts, or skip the test."""
    folder = Path(tempfile.mkdtemp(prefix=f"whaletrader-{server.name}-"))
    try:
        try:
            server.start(folder, port)
        except ServerUnavailable as error:
            skip_or_fail(server.name, error.reason)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def flavour_for_tests() -> Flavour:
    """Return PostgreSQL with TimescaleDB where it is installed, unless the environment chooses."""
    if asked := os.environ.get("WHALETRADER_POSTGRES"):
        return "system" if asked == "system" else "wheel"
    try:
        find_installation("system")
    except ServerUnavailable:
        return "wheel"
    return "system"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for the session; ask for `postgres_dsn` instead unless you stop it."""
    server = PostgresServer(flavour_for_tests())
    with running(server):
        yield server


@pytest.fixture
def postgres_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty database for this test, on the session's server."""
    name = f"test_{uuid.uuid4().hex}"
    server_dsn = postgres_server.endpoint.url
    _execute(server_dsn, f'create database "{name}"')
    yield f"{server_dsn.rsplit('/', 1)[0]}/{name}"
    _execute(server_dsn, f'drop database "{name}" with (force)')


@pytest.fixture
def timescale_dsn(postgres_server: PostgresServer, postgres_dsn: str) -> str:
    """A fresh database with TimescaleDB in it."""
    if not postgres_server.has_timescaledb:
        skip_or_fail("timescaledb", "the extension is not installed")
    _execute(postgres_dsn, "create extension if not exists timescaledb")
    return postgres_dsn


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """One NATS for the session."""
    server = NatsServer()
    with running(server):
        yield server


@pytest.fixture(scope="session")
def nats_url(nats_server: NatsServer) -> str:
    """The session's NATS, with its password."""
    return nats_server.endpoint.url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[ValkeyServer]:
    """One Valkey for the session."""
    server = ValkeyServer()
    with running(server):
        yield server


@pytest.fixture
def redis_url(redis_server: ValkeyServer) -> str:
    """The session's Valkey, emptied for this test."""
    import redis

    with redis.Redis.from_url(redis_server.endpoint.url) as client:
        client.flushall()
    return redis_server.endpoint.url


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """One Kafka broker for the session."""
    server = KafkaServer()
    with running(server):
        yield server


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: KafkaServer) -> str:
    """The session's broker. Topics stay for the session: give yours names of their own."""
    return kafka_server.endpoint.url


@pytest.fixture(scope="session")
def registry_server() -> Iterator[RegistryServer]:
    """One Schema Registry for the session."""
    server = RegistryServer()
    with running(server):
        yield server


@pytest.fixture(scope="session")
def registry_url(registry_server: RegistryServer) -> str:
    """The session's registry. Subjects stay for the session: give yours names of their own."""
    return registry_server.endpoint.url


def _execute(dsn: str, statement: str) -> None:
    import asyncpg

    async def run() -> None:
        connection = await asyncpg.connect(dsn, timeout=_DATABASE_SECONDS_MAX)
        try:
            await connection.execute(statement, timeout=_DATABASE_SECONDS_MAX)
        finally:
            await connection.close()

    asyncio.run(run())
