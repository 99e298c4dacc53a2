"""Runs a slice of the demo on real processes and lets a test disturb it.

The outcome holds what must not depend on disturbance: the venue's books (cash, positions, every
order and trade, by fingerprint), and our own positions and verdicts in the read models.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import asyncpg
import httpx
import msgspec
import nats
from rich.console import Console

from whaletrader.commands.demo_stack import DemoStack
from whaletrader.stack.options import LogKind, StackOptions

# A slice of the sample with whales, copies, fills and resolutions in it. The thresholds are lower
# than the product's, so that a short slice is enough: what is tested is not the statistics. Few of
# its results were published, so those read off redemptions count too: else hardly anyone is found.
SLICE = {
    "WHALETRADER_FEEDS_FROM_S": "1769904000",  # 2026-02-01
    "WHALETRADER_FEEDS_TO_S": "1771200000",  # 2026-02-16
    "WHALETRADER_FEEDS_WINDOW_S": "21600",
    "WHALETRADER_DISCOVERY_CONFIDENCE": "0.5",
    "WHALETRADER_DISCOVERY_MARKETS_MIN": "2",
    "WHALETRADER_DISCOVERY_TRADES_MIN": "2",
    "WHALETRADER_DISCOVERY_BASE_EDGE_MAX_MICRO": "1000000",
    "WHALETRADER_DISCOVERY_COUNTS_INFERRED_RESULTS": "true",
}
RUN_S_MAX = 240.0
KILL_ATTEMPTS_MAX = 300

Disturb = Callable[["DemoRun", int], Awaitable[None]]


@dataclass(frozen=True)
class Outcome:
    """What a run ended with."""

    venue: dict[str, Any]
    orders: list[tuple[str, str, int]]
    verdicts: list[tuple[str, str]]
    positions: list[tuple[str, str, int]]
    dead_letters: int

    @property
    def is_trading(self) -> bool:
        """Whether the slice exercised the whole chain: orders, and trades at the venue."""
        return bool(self.orders) and self.venue["trades"] > 0


class DemoRun:
    """Use as a context; everything it starts and writes is gone at the end."""

    def __init__(self, log: LogKind, environment: dict[str, str] | None = None) -> None:
        self._log = log
        self._stack = DemoStack(None, {**SLICE, **(environment or {})})

    def __enter__(self) -> Self:
        self._handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        options = StackOptions(data_dir=self._stack.folder, log=self._log, mode="demo")
        try:
            self._stack.start(options, Console(quiet=True))
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._show_logs()
        self._stack.__exit__(kind, error, trace)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @property
    def settings(self) -> dict[str, str]:
        return self._stack.settings

    def pid(self, name: str) -> int | None:
        """Return the process id of a process of the stack, None while it is restarted."""
        state = self._stack.state()
        for process in state.processes if state else ():
            if process.name == name and process.process is not None:
                return process.process.pid
        return None

    def restarts(self, name: str) -> int:
        state = self._stack.state()
        return next((p.restarts for p in (state.processes if state else ()) if p.name == name), 0)

    async def kill(self, name: str) -> None:
        """Send kill -9, once the process is there: it may just be being restarted."""
        for _ in range(KILL_ATTEMPTS_MAX):
            pid = self.pid(name)
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    return
            await asyncio.sleep(0.1)
        raise TimeoutError(f"{name} does not come back")

    async def play(self, disturb: Disturb | None = None) -> None:
        """Follow the tape to its end; `disturb` is awaited after each window."""
        client = await nats.connect(self.settings["WHALETRADER_NATS_URL"])
        try:
            subscription = await client.subscribe("pace.progress")
            last = -1
            async with asyncio.timeout(RUN_S_MAX):
                while True:
                    with suppress(nats.errors.TimeoutError):
                        message = await subscription.next_msg(timeout=1.0)
                        progress = msgspec.json.decode(message.data)
                        if progress["window"] == progress["windows"]:
                            return
                        if disturb is not None and progress["window"] != last:
                            last = progress["window"]
                            await disturb(self, last)
        finally:
            await client.close()

    async def outcome(self) -> Outcome:
        """Return what the venue and our read models say once the recorder has caught up."""
        async with httpx.AsyncClient() as client:
            url = self.settings["WHALETRADER_EXCHANGE_URL"]
            venue = (await client.get(f"{url}/admin/state")).raise_for_status().json()
        database = await asyncpg.connect(self.settings["WHALETRADER_POSTGRES_DSN"])
        try:
            await _recorder_is_level(database)
            return Outcome(
                venue={key: venue[key] for key in ("accounts", "orders", "trades", "digest")},
                orders=await _rows(
                    database, "SELECT order_id, status, size_micro FROM read.orders ORDER BY 1"
                ),
                verdicts=await _rows(
                    database,
                    "SELECT proposal_id, 'yes' FROM read.approvals UNION ALL "
                    "SELECT proposal_id, rule FROM read.rejections WHERE refused_by = 'risk' "
                    "ORDER BY 1, 2",
                ),
                positions=await _rows(
                    database,
                    "SELECT token_id, leader, size_micro FROM read.positions "
                    "WHERE size_micro <> 0 ORDER BY 1, 2",
                ),
                dead_letters=await database.fetchval("SELECT count(*) FROM read.dead_letters"),
            )
        finally:
            await database.close()

    def _show_logs(self) -> None:
        for log in sorted((self._stack.folder / "logs").glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-6:]
            sys.stderr.write("\n".join((f"--- {log.name}", *tail, "")))


async def _rows(database: asyncpg.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.fetch(query)]


async def _recorder_is_level(database: asyncpg.Connection) -> None:
    seen, still = -1, 0
    while still < 8:
        # Heartbeats never end; everything else does.
        events = await database.fetchval(
            "SELECT coalesce(sum(events), 0) FROM store.position WHERE topic <> 'agent.health'"
        )
        still = still + 1 if events == seen else 0
        seen = events
        await asyncio.sleep(0.25)
