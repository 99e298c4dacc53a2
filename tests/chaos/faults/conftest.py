"""One running stack for a module of faults."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from tests.chaos.faults.stack import Stack, stack
from whaletrader.stack.servers.postgres import PostgresServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(
    postgres_server: PostgresServer, nats_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    server, name = postgres_server.endpoint.url, f"faults_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server)
    await connection.execute(f'create database "{name}"')
    folder: Path = tmp_path_factory.mktemp("faults")
    try:
        async with stack(f"{server.rsplit('/', 1)[0]}/{name}", nats_url, folder) as running:
            yield running
    finally:
        await connection.execute(f'drop database "{name}" with (force)')
        await connection.close()
