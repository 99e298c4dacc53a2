"""The raw chain on PostgreSQL: LISTEN, one SELECT, one statement that commits all, NOTIFY.

Every transaction is a single round trip of a prepared statement: there is no leaner way to write
a record with its position through asyncpg.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import httpx
import nats
from nats.aio.msg import Msg

from benchmarks.floors.addresses import (
    APPROVALS,
    DECISIONS,
    ORDERS,
    PATH,
    REQUEST_S_MAX,
    SUBJECT,
    TRADES,
    Addresses,
)

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

SCHEMA: Final = """
CREATE SCHEMA floor;
CREATE TABLE floor.record (
    topic text NOT NULL, "offset" bigint GENERATED ALWAYS AS IDENTITY, value bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, "offset")
);
CREATE TABLE floor.position (reader text PRIMARY KEY, "offset" bigint NOT NULL);
INSERT INTO floor.position VALUES ('first', 0), ('last', 0), ('batches', 0);
"""

APPEND: Final = """
WITH written AS (INSERT INTO floor.record (topic, value) VALUES ($1, $2) RETURNING 1)
SELECT pg_notify($1, '') FROM written
"""
_READ: Final = """
SELECT "offset", value FROM floor.record WHERE topic = $1 AND "offset" > $2
ORDER BY "offset" LIMIT 1
"""
_RELAY: Final = """
WITH written AS (INSERT INTO floor.record (topic, value) VALUES ($1, $2) RETURNING 1),
     moved AS (UPDATE floor.position SET "offset" = $4 WHERE reader = $3)
SELECT pg_notify($1, '') FROM written
"""
# Statistics of tables that grow from nothing are always wrong: one plan, by primary key.
SETTINGS: Final = {"jit": "off", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}

Then = Callable[[bytes], Awaitable[object]]


async def connect(dsn: str) -> Connection:
    """Open a connection with the floor's settings; durability is the server's default."""
    return await asyncpg.connect(dsn, server_settings=SETTINGS)


async def _first(addresses: Addresses) -> None:
    client = await nats.connect(addresses.nats_url)

    async def ask(value: bytes) -> None:
        await client.request(SUBJECT, value, timeout=REQUEST_S_MAX)

    await _relay(addresses.postgres_dsn, ("first", TRADES, DECISIONS), ask)


async def _middle(addresses: Addresses) -> None:
    connection = await connect(addresses.postgres_dsn)
    append = await connection.prepare(APPEND)
    client = await nats.connect(addresses.nats_url)

    async def answer(request: Msg) -> None:
        await append.fetchval(APPROVALS, request.data)
        await client.publish(request.reply, request.data)

    await client.subscribe(SUBJECT, cb=answer)
    await asyncio.Event().wait()


async def _last(addresses: Addresses) -> None:
    async with httpx.AsyncClient(base_url=addresses.exchange_url) as client:

        async def post(value: bytes) -> None:
            (await client.post(PATH, content=value)).raise_for_status()

        await _relay(addresses.postgres_dsn, ("last", APPROVALS, ORDERS), post)


async def _relay(dsn: str, route: tuple[str, str, str], then: Then) -> None:
    reader, source, target = route
    connection = await connect(dsn)
    woken = asyncio.Event()

    def wake(*_: Any) -> None:
        woken.set()

    await connection.add_listener(source, wake)
    read = await connection.prepare(_READ)
    relay = await connection.prepare(_RELAY)
    offset = 0
    while True:
        woken.clear()
        row = await read.fetchrow(source, offset)
        if row is None:
            await woken.wait()
            continue
        offset, value = row
        await relay.fetchval(target, value, reader, offset)
        await then(value)


HOPS: Final[dict[str, Callable[[Addresses], Coroutine[None, None, None]]]] = {
    "first": _first,
    "middle": _middle,
    "last": _last,
}
