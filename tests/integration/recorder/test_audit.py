"""Whoever changes, takes or adds a row is found, and the row is named."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.integration.recorder.chain_events import Chain, listed, trade
from tests.integration.recorder.recorder_process import opened, record_all
from whaletrader.commands.audit import app
from whaletrader.store.audit import Audit, audit
from whaletrader.store.events import link, row_of
from whaletrader.store.schema import install, is_hypertable

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection
PLACE = "topic = 'wallet.trades' AND partition = 3"


@pytest.fixture(params=["native partitions", "hypertable"])
def dsn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database for each of the two ways in which the events are kept."""
    if request.param == "hypertable":
        return str(request.getfixturevalue("timescale_dsn"))
    monkeypatch.setattr("whaletrader.store.schema._timescale", _never)
    return str(request.getfixturevalue("postgres_dsn"))


@pytest.fixture
async def store(
    dsn: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connection]:
    """Two hundred trades and a chain, recorded."""
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", dsn)
    async with opened(dsn) as (log, connection):
        await install(connection)
        assert await is_hypertable(connection) == ("hypertable" in request.node.name)
        await log.append([listed(), *Chain().records(), *map(trade, range(200))])
        await record_all(log, connection)
        yield connection


async def _never(_: Connection) -> bool:
    return False


async def _unlocked(connection: Connection, statement: str, *arguments: object) -> None:
    # As whoever owns the database can.
    await connection.execute("DROP TRIGGER events_append_only ON store.events")
    await connection.execute(statement, *arguments)


def _is(found: Audit, kind: str, offset: int) -> None:
    assert found.fault is not None
    assert (found.fault.kind, found.fault.topic, found.fault.partition, found.fault.offset) == (
        kind,
        "wallet.trades",
        3,
        offset,
    )


async def test_what_nobody_touched_verifies(store: Connection) -> None:
    found = await audit(store)
    assert found.fault is None
    assert found.events == await store.fetchval("SELECT count(*) FROM store.events") == 209


@pytest.mark.parametrize(
    "statement", ["UPDATE store.events SET key = ''", "DELETE FROM store.events"]
)
async def test_rows_can_be_neither_changed_nor_deleted_by_the_way(
    store: Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.RestrictViolationError):
        await store.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "payload = payload || '\\x00'::bytea",
        "payload = set_byte(payload, 5, get_byte(payload, 5) # 1)",
        "key = key || 'x'",
        "cause = 'x'",
        "event_time_ns = event_time_ns + 1",
        """headers = '{"ce_id": "x"}'""",
        "chain_hash = set_byte(chain_hash, 0, get_byte(chain_hash, 0) # 1)",
        "prev_hash = chain_hash, chain_hash = prev_hash",
    ],
)
async def test_a_changed_row_is_named(store: Connection, change: str) -> None:
    where = f'{PLACE} AND "offset" = 7'
    await _unlocked(store, f"UPDATE store.events SET {change} WHERE {where}")
    _is(await audit(store), "changed", 7)


@pytest.mark.parametrize("offset", [0, 7, 29])
async def test_a_changed_row_with_its_hash_made_anew_is_named(
    store: Connection, offset: int
) -> None:
    last = await store.fetchval(f'SELECT max("offset") FROM store.events WHERE {PLACE}')
    offset = min(offset, last)
    where = f'{PLACE} AND "offset" = {offset}'
    row = await store.fetchrow(f"SELECT * FROM store.events WHERE {where}")
    assert row is not None
    forged = row_of(row)._replace(payload=b"forged")
    await _unlocked(
        store,
        f"UPDATE store.events SET payload = $1, chain_hash = $2 WHERE {where}",
        forged.payload,
        link(row["prev_hash"], forged),
    )
    _is(await audit(store), "changed", offset)


@pytest.mark.parametrize("offset", [0, 7, "last"])
async def test_a_missing_row_is_named(store: Connection, offset: int | str) -> None:
    if offset == "last":
        offset = await store.fetchval(f'SELECT max("offset") FROM store.events WHERE {PLACE}')
    await _unlocked(store, f'DELETE FROM store.events WHERE {PLACE} AND "offset" = {offset}')
    _is(await audit(store), "missing", int(offset))


async def test_a_partition_that_is_gone_is_missed(store: Connection) -> None:
    await _unlocked(store, f"DELETE FROM store.events WHERE {PLACE}")
    _is(await audit(store), "missing", 0)


@pytest.mark.parametrize("chained", [True, False], ids=["well chained", "copied"])
@pytest.mark.parametrize("where", ["between", "at the end"])
async def test_an_added_row_is_named(store: Connection, where: str, chained: bool) -> None:
    last = await store.fetchval(f'SELECT max("offset") FROM store.events WHERE {PLACE}')
    offset = 7 if where == "between" else last
    row = await store.fetchrow(f'SELECT * FROM store.events WHERE {PLACE} AND "offset" = {offset}')
    assert row is not None
    # Between: a second row at the place of the one behind, which sorts before it by its time.
    behind = offset + 1
    time_ns = row["log_time_ns"] - 1 if where == "between" else row["log_time_ns"]
    added = row_of(row)._replace(offset=behind, log_time_ns=time_ns, payload=b"added")
    before = row["chain_hash"]
    own = link(before, added) if chained else row["chain_hash"]
    await store.execute(
        f"INSERT INTO store.events VALUES ({', '.join(f'${n}' for n in range(1, 16))})",
        *added,
        before,
        own,
    )
    _is(await audit(store), "added", behind)


async def test_a_row_in_a_partition_that_never_was_is_named(store: Connection) -> None:
    row = await store.fetchrow("SELECT * FROM store.events LIMIT 1")
    assert row is not None
    added = row_of(row)._replace(topic="wallet.trades", partition=99)
    await store.execute(
        f"INSERT INTO store.events VALUES ({', '.join(f'${n}' for n in range(1, 16))})",
        *added,
        b"",
        b"",
    )
    found = await audit(store)
    assert found.fault is not None
    assert (found.fault.kind, found.fault.partition) == ("added", 99)


async def test_the_command_verifies_rebuilds_and_fails_with_the_row(store: Connection) -> None:
    await store.execute("DELETE FROM read.orders")
    code, output = await _audit("--rebuild")
    assert code == 0, output
    assert "verified: 209 events" in output
    assert await store.fetchval("SELECT count(*) FROM read.orders") == 1
    await _unlocked(store, f'DELETE FROM store.events WHERE {PLACE} AND "offset" = 7')
    code, output = await _audit()
    assert code == 1
    assert "missing: wallet.trades/3 offset 7" in output


async def test_the_command_on_an_empty_database_says_so(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", postgres_dsn)
    code, output = await _audit()
    assert code == 2
    assert "nothing was ever recorded" in output


async def _audit(*arguments: str) -> tuple[int, str]:
    # The command has a loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    return result.exit_code, result.output
