"""`whaletrader replay`: decide recorded input again, and compare with what was decided then.

Agents are made by `make_agent` in their composition roots, found by name: the same settings as
the running process, or others, to see what would have been different.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from whaletrader.commands.recorded import (
    CommandFailed,
    agent_folder,
    parse_time,
    run,
    settings,
    show_time,
    store,
)
from whaletrader.commands.up import DataOption
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.log import Log, LogError, Position
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.topics import BY_NAME, DECIDING_AGENTS, journal_topic
from whaletrader.store.inputs import InputGone, Source
from whaletrader.store.reader import StoreReader
from whaletrader.store.replay import (
    FOREVER_NS,
    Difference,
    JournalGap,
    MakeAgent,
    Outcome,
    Said,
    Span,
    find_in_log,
)
from whaletrader.store.replay import replay as replay_agent

app = typer.Typer(add_completion=False)

Where = Literal["log", "store"]


@dataclass(frozen=True)
class Wanted:
    """What the user asked for."""

    topic: str
    span: Span
    agent: str
    source: Where
    data: Path | None


@app.command()
def replay(
    topic: Annotated[str, typer.Argument(help="Only agents that read this topic.")] = "",
    since: Annotated[str, typer.Option("--from", help="First moment, agents' time, UTC.")] = "",
    until: Annotated[str, typer.Option("--to", help="Last moment.")] = "",
    agent: Annotated[str, typer.Option(help="Only this agent.")] = "",
    source: Annotated[
        Where,
        typer.Option(help="log: the event store only for what the log has forgotten."),
    ] = "log",
    data: DataOption = None,
) -> None:
    """Run recorded input through the agents again and compare every decision.

    Prints `identical: N decisions`, or the first difference and exits 1. Exits 2 when it cannot
    be done.
    """

    async def work() -> bool:
        span = Span(parse_time(since, 0), parse_time(until, FOREVER_NS), topic)
        return await _replay(Wanted(topic, span, agent, source, data), settings("replay", data))

    if not run("replay", work()):
        raise typer.Exit(1)


def load_agent(name: str) -> MakeAgent:
    """Return the function that makes an agent as its process would. Raises CommandFailed."""
    module = f"whaletrader.services.{name}.__main__"
    try:
        made: Callable[[], Any] = importlib.import_module(module).make_agent
    except ModuleNotFoundError as error:
        raise CommandFailed(f"{name} cannot be made here: {error}") from error
    except AttributeError as error:
        raise CommandFailed(f"{module} has no make_agent") from error
    return made


async def _replay(wanted: Wanted, given: RuntimeSettings) -> bool:
    names = _names(wanted)
    console = Console(soft_wrap=True, highlight=False)
    outcomes: list[Outcome] = []
    async with _sources(wanted, given) as found:
        for name in names:
            if not await _has_journal(found.sources, name):
                continue
            agent_folder(wanted.data, name)
            make = load_agent(name)
            if wanted.topic and not _reads(make, wanted.topic):
                continue
            try:
                outcome = await replay_agent(make, found.sources, wanted.span)
            except (InputGone, JournalGap) as error:
                raise CommandFailed(str(error)) from error
            outcomes.append(outcome)
            if outcome.difference is not None:
                _print_agents(console, outcomes)
                await _print_difference(console, outcome.difference, found)
                return False
    if not outcomes:
        raise CommandFailed("no agent that is meant has a journal there")
    _print_agents(console, outcomes)
    console.print(f"identical: {sum(outcome.decisions for outcome in outcomes)} decisions")
    return True


def _names(wanted: Wanted) -> list[str]:
    if wanted.agent and wanted.agent not in DECIDING_AGENTS:
        raise CommandFailed(f"there is no agent {wanted.agent!r}: {', '.join(DECIDING_AGENTS)}")
    if wanted.topic and wanted.topic not in BY_NAME:
        raise CommandFailed(f"there is no topic {wanted.topic!r}: {', '.join(BY_NAME)}")
    return [name for name in DECIDING_AGENTS if wanted.agent in {"", name}]


def _reads(make: MakeAgent, topic: str) -> bool:
    agent = make()
    return topic in agent.reads or topic == journal_topic(agent.name)


@dataclass(frozen=True)
class _Found:
    sources: list[Source]
    log: Log | None
    store: StoreReader | None


@asynccontextmanager
async def _sources(wanted: Wanted, given: RuntimeSettings) -> AsyncIterator[_Found]:
    """Open what is to be read: the log first, then the store."""
    async with AsyncExitStack() as stack:
        sources: list[Source] = []
        log: Log | None = None
        reader: StoreReader | None = None
        if wanted.source == "log":
            try:
                log = await open_log(
                    given.log.value,
                    postgres_dsn=given.postgres_dsn.get_secret_value(),
                    kafka_bootstrap=given.kafka_bootstrap,
                    now_ns=WallClock().now_ns,
                )
            except LogError as error:
                raise CommandFailed(f"the log cannot be read: {error}") from error
            stack.push_async_callback(log.close)
            sources.append(log)
        if given.postgres_dsn.get_secret_value():
            connection = await stack.enter_async_context(store(given))
            recorded = "SELECT to_regclass('store.events') IS NOT NULL"
            if await connection.fetchval(recorded):
                reader = StoreReader(connection)
                sources.append(reader)
        if not sources:
            raise CommandFailed("no event store is known: set WHALETRADER_POSTGRES_DSN")
        yield _Found(sources, log, reader)


async def _has_journal(sources: list[Source], name: str) -> bool:
    for source in sources:
        try:
            if await source.read(Position(journal_topic(name), 0, 0), 1):
                return True
        except LogError:
            continue
    return False


def _print_agents(console: Console, outcomes: list[Outcome]) -> None:
    table = Table(box=None)
    for column in ("agent", "commits", "decisions", "events", "seconds", "inputs/s"):
        table.add_column(column, justify="left" if column == "agent" else "right")
    for outcome in outcomes:
        rate = outcome.decisions / outcome.seconds if outcome.seconds else 0.0
        table.add_row(
            outcome.agent,
            f"{outcome.entries:,}",
            f"{outcome.decisions:,}",
            f"{outcome.events:,}",
            f"{outcome.seconds:.2f}",
            f"{rate:,.0f}",
        )
    console.print(table)


async def _print_difference(console: Console, found: Difference, where: _Found) -> None:
    console.print(
        f"different: {found.agent}, journal entry {found.sequence} of shard {found.shard}, "
        f"its time {show_time(found.now_ns)}"
    )
    console.print("input:", markup=False)
    _print_message(console, found.input)
    for title, said in (("recorded:", found.recorded), ("replayed:", found.replayed)):
        console.print(title, markup=False)
        if said is None:
            console.print("  nothing")
            continue
        kind = "effect" if said.is_effect else f"event on {said.topic or 'no topic'}"
        console.print(f"  {said.type} {said.id} ({kind})", markup=False)
        message = said.message or await _looked_up(said, found.log_time_ns, where)
        _print_message(console, message)


def _print_message(console: Console, message: Message | None) -> None:
    if message is None:
        console.print("  its content is not to be found any more")
        return
    fields = json_format.MessageToDict(message, preserving_proto_field_name=True)
    text = json.dumps({message.DESCRIPTOR.name: fields}, indent=2, ensure_ascii=False)
    console.print("\n".join(f"  {line}" for line in text.splitlines()), markup=False)


async def _looked_up(said: Said, near_ns: int, where: _Found) -> Message | None:
    """Return what was said then: the journal holds only its digest."""
    from whaletrader.runtime.codec import UnreadableMessage, from_stored

    if not said.topic:
        return None
    if where.store is not None and (stored := await where.store.payload(said.id)) is not None:
        try:
            return from_stored(stored)
        except UnreadableMessage:
            return None
    return await find_in_log(where.log, said, near_ns) if where.log is not None else None
