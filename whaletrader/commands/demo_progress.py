"""The demo's progress bar: simulated date, events a second, open positions, profit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec
import nats
from nats.aio.subscription import Subscription
from nats.errors import TimeoutError as NatsTimeout
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from whaletrader.commands.demo_stack import DemoStack
from whaletrader.stack.clock import monotonic_s
from whaletrader.store import queries

PROGRESS_SUBJECT: Final = "pace.progress"
NS_PER_S: Final = 1_000_000_000
MICRO: Final = 1_000_000
# The tape may stand still while an agent is restarted; after this long something is wrong.
STANDSTILL_S_MAX: Final = 60.0
# The recorder has caught up when it has recorded nothing new for this long.
SETTLED_S: Final = 1.5
PORTFOLIO: Final = "main"


class TapeStopped(RuntimeError):
    """The tape does not move any more."""


class _Tape(msgspec.Struct):
    window: int
    windows: int
    now_ns: int
    trades: int


async def follow_tape(stack: DemoStack, console: Console) -> float:
    """Show the tape until its end and the recorder's; return how many seconds it took.

    Raises TapeStopped, and StackError if the stack ends.
    """
    started_s = monotonic_s()
    client = await nats.connect(stack.settings["WHALETRADER_NATS_URL"])
    database = await asyncpg.create_pool(
        stack.settings["WHALETRADER_POSTGRES_DSN"], min_size=1, max_size=2
    )
    try:
        subscription = await client.subscribe(PROGRESS_SUBJECT)
        with _bar(console) as bar:
            task = bar.add_task("", total=None, date="", rate="", open="", profit="")
            moved_s, window = monotonic_s(), -1
            while True:
                stack.state()
                tape = await _latest(subscription)
                if tape is not None and tape.window != window:
                    moved_s, window = monotonic_s(), tape.window
                if monotonic_s() - moved_s > STANDSTILL_S_MAX:
                    raise TapeStopped(f"no progress for {STANDSTILL_S_MAX:.0f} s at {window}")
                if tape is None:
                    continue
                elapsed_s = monotonic_s() - started_s
                rate, held, profit = await _figures(database, elapsed_s)
                bar.update(
                    task,
                    total=tape.windows,
                    completed=tape.window,
                    date=_date(tape.now_ns),
                    rate=rate,
                    open=held,
                    profit=profit,
                )
                if tape.window == tape.windows:
                    break
        elapsed_s = monotonic_s() - started_s
        await _settle(database)
        return elapsed_s
    finally:
        await database.close()
        await client.close()


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.fields[date]:>10}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]:>14}"),
        TextColumn("{task.fields[open]:>9}"),
        TextColumn("{task.fields[profit]:>20}"),
        TimeElapsedColumn(),
        console=console,
    )


async def _latest(subscription: Subscription) -> _Tape | None:
    """Return the newest progress within half a second, or None."""
    try:
        message = await subscription.next_msg(timeout=0.5)
        await asyncio.sleep(0.1)
        while subscription.pending_msgs:
            message = await subscription.next_msg(timeout=0.5)
    except NatsTimeout:
        return None
    return msgspec.json.decode(message.data, type=_Tape)


async def _figures(database: asyncpg.Pool, elapsed_s: float) -> tuple[str, str, str]:
    """Return events a second, open positions and profit, for people."""
    totals = await queries.topic_totals(database)
    events = sum(total.events for total in totals if not total.topic.startswith("journal."))
    rate = f"{events / max(elapsed_s, 0.1):,.0f} events/s"
    for state in await queries.portfolio_states(database):
        if state.portfolio == PORTFOLIO:
            open_micro = state.positions_value_micro - state.positions_cost_micro
            net = state.realized_micro + open_micro - state.fees_micro
            return rate, f"{state.open_positions} open", f"profit ${net / MICRO:+,.2f}"
    return rate, "", ""


async def _settle(database: asyncpg.Pool) -> None:
    seen, since_s = -1, monotonic_s()
    while monotonic_s() - since_s < SETTLED_S:
        totals = await queries.topic_totals(database)
        # Heartbeats never end.
        events = sum(total.events for total in totals if total.topic != "agent.health")
        if events != seen:
            seen, since_s = events, monotonic_s()
        await asyncio.sleep(0.2)


def _date(now_ns: int) -> str:
    return datetime.fromtimestamp(now_ns / NS_PER_S, UTC).strftime("%Y-%m-%d")
