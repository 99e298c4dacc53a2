"""A replay meets what the agent met and comes to the same, or shows where it does not."""

import json
import sys
import types
from collections.abc import AsyncIterator

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.integration.replay.replay_world import (
    START_NS,
    TRADES,
    Counter,
    forget,
    record_all,
    run,
)
from whaletrader.commands.replay import app
from whaletrader.runtime.log import Position
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.runtime.logs.postgres_session import PostgresSettings
from whaletrader.schemas import agent_pb2
from whaletrader.store.inputs import InputGone
from whaletrader.store.reader import StoreReader
from whaletrader.store.replay import JournalGap, Span, find_in_log, replay
from whaletrader.store.schema import install

SECOND_NS = 1_000_000_000


async def _memory() -> MemoryLog:
    now = iter(range(START_NS, START_NS + 10**12, 1_000))
    log = MemoryLog(lambda: next(now))
    await run(log)
    return log


@pytest.fixture
async def postgres_log(postgres_dsn: str) -> AsyncIterator[PostgresLog]:
    log = await PostgresLog.open(PostgresSettings(postgres_dsn))
    await run(log)
    yield log
    await log.close()


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    found = await asyncpg.connect(postgres_dsn)
    await install(found)
    yield found
    await found.close()


async def test_the_same_rules_come_to_the_same_decisions() -> None:
    log = await _memory()
    outcome = await replay(Counter, [log], Span())
    assert outcome.difference is None
    # Every trade, the repeated ones, and what the effects came to.
    told = sum(len(entry.effects) for entry in await _entries(log))
    assert told > 10
    assert outcome.decisions == TRADES + len(range(0, TRADES, 20)) + 1 + told
    assert outcome.events > TRADES // 3


async def test_only_the_decisions_of_the_span_and_topic_are_made_again() -> None:
    log = await _memory()
    span = Span(START_NS + 150 * SECOND_NS, START_NS + 300 * SECOND_NS, "wallet.trades")
    outcome = await replay(Counter, [log], span)
    within = [entry for entry in await _entries(log) if span.from_ns <= entry.now_ns <= span.to_ns]
    assert outcome.difference is None
    assert outcome.entries == len(within) > 0
    assert outcome.decisions == sum(
        not noted.HasField("inline") for entry in within for noted in entry.inputs
    )
    # A snapshot saved most of the way there.
    assert outcome.followed < (await _entries(log)).index(within[0])


async def test_a_changed_rule_shows_the_first_difference_with_both_sides() -> None:
    log = await _memory()
    outcome = await replay(lambda: Counter(1_000_250), [log], Span())
    found = outcome.difference
    assert found is not None
    assert found.input is not None
    assert found.recorded is not None
    assert found.input.size_micro == 1_000_200  # type: ignore[attr-defined]
    assert found.recorded.type.endswith("SignalRaised")
    said = await find_in_log(log, found.recorded, found.log_time_ns)
    assert said is not None
    assert said.size_micro == 1_000_200  # type: ignore[attr-defined]


async def test_a_rule_that_says_more_shows_what_was_not_said_then() -> None:
    log = await _memory()
    found = (await replay(lambda: Counter(1_000_100), [log], Span())).difference
    assert found is not None
    assert found.replayed is not None
    assert found.replayed.message is not None
    assert found.replayed.message.size_micro == 1_000_100  # type: ignore[attr-defined]


async def test_a_journal_that_was_changed_is_not_identical() -> None:
    log = await _memory()
    journal = log._partitions["journal.intelligence"][0]
    for index, record in enumerate(journal):
        entry = agent_pb2.JournalEntry.FromString(record.value)
        if entry.outputs:
            entry.outputs[0].digest = b"\0" * 32
            value = entry.SerializeToString(deterministic=True)
            journal[index] = type(record)(
                record.topic, 0, index, record.key, value, record.headers, record.timestamp_ns
            )
            break
    found = (await replay(Counter, [log], Span())).difference
    assert found is not None
    assert found.sequence == entry.sequence


async def test_what_postgres_has_forgotten_is_read_from_the_event_store(
    postgres_log: PostgresLog, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await record_all(postgres_log, connection)
    store = StoreReader(connection)
    before = await replay(Counter, [postgres_log], Span())
    await forget(connection, ["wallet.trades"])
    with pytest.raises(InputGone):
        await replay(Counter, [postgres_log], Span())
    after = await replay(Counter, [postgres_log, store], Span())
    await forget(connection, ["journal.intelligence", "agent.snapshot"])
    from_store = await replay(Counter, [postgres_log, store], Span())
    alone = await replay(Counter, [store], Span())
    for outcome in (before, after, from_store, alone):
        assert outcome.difference is None
        assert outcome.decisions == before.decisions > TRADES


async def test_a_journal_with_a_hole_is_not_replayed_as_if_it_were_whole(
    postgres_log: PostgresLog, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await connection.execute(
        """
        DELETE FROM log.record WHERE "offset" < 3
        AND topic_id = (SELECT id FROM log.topic WHERE name = 'journal.intelligence')
        """
    )
    with pytest.raises(JournalGap):
        await replay(Counter, [postgres_log], Span())


@pytest.mark.parametrize("source", ["log", "store"])
async def test_the_command_says_identical_and_how_many(
    source: str,
    postgres_log: PostgresLog,
    connection: "asyncpg.Connection[asyncpg.Record]",
    postgres_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await record_all(postgres_log, connection)
    code, output = await _command(monkeypatch, postgres_dsn, Counter, "--source", source)
    assert code == 0, output
    outcome = await replay(Counter, [postgres_log], Span())
    assert f"identical: {outcome.decisions} decisions" in output


async def test_the_command_shows_both_sides_and_exits_1(
    postgres_log: PostgresLog, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed() -> Counter:
        return Counter(1_000_250)

    code, output = await _command(monkeypatch, postgres_dsn, changed, "wallet.trades")
    assert code == 1, output
    recorded, replayed = output.split("recorded:")[1].split("replayed:")
    assert json.dumps("1000200") in recorded
    assert "SignalRaised" in recorded
    assert json.dumps("1000200") not in replayed


@pytest.mark.parametrize(
    "arguments", [["no.such.topic"], ["--agent", "nobody"], ["--from", "yesterday"]]
)
async def test_the_command_refuses_what_it_does_not_know(
    arguments: list[str], postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = await _command(monkeypatch, postgres_dsn, Counter, *arguments)
    assert code == 2
    assert arguments[-1] in output


async def _command(
    monkeypatch: pytest.MonkeyPatch, dsn: str, make: object, *arguments: str
) -> tuple[int, str]:
    import asyncio

    module = types.ModuleType("whaletrader.services.intelligence.__main__")
    module.make_agent = make  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", dsn)
    monkeypatch.setenv("WHALETRADER_LOG", "postgres")
    # The command has a loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    return result.exit_code, result.output


async def _entries(log: MemoryLog) -> list[agent_pb2.JournalEntry]:
    records = await log.read(Position("journal.intelligence", 0, 0), 100_000)
    return [agent_pb2.JournalEntry.FromString(record.value) for record in records]
