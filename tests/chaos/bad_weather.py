"""Random approved trades under seeded bad weather, on a running stack, against its own books.

    python -m tests.chaos.bad_weather --trades 10000 --seed 1

Execution and the exchange are real processes; execution is also killed now and then. At the end
every order has one end, none is at the venue twice, and positions and cash equal the exchange's
books to the micro-unit; anything else raises.
"""

import argparse
import asyncio
import contextlib
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos.faults.stack import Stack, stack
from tests.chaos.random_trades import Offer, Trade, Trades
from tests.chaos.weather_plan import SPELL_S, rules
from whaletrader.schemas import order_pb2
from whaletrader.stack.servers.nats import NatsServer
from whaletrader.stack.servers.postgres import PostgresServer
from whaletrader.stack.testing import running

_BATCH = 15
_PROGRESS_S = 10.0
_TICK_S = 0.05
_LOST_CLAIM = "execution.claims.Claim"
# Short, so that what nobody meets ends soon, and long enough for a queue behind a bad spell; few
# looks at holdings, of many tokens.
SETTINGS = {"WORKING_TIME_S": "15", "HOLDINGS_EVERY_S": "30", "LOOK_AFTER_MS": "1500"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done. `width` trades are under way at a time."""

    trades: int
    seed: int
    markets: int = 40
    width: int = 60
    # After this long no new trade begins; those under way are worked to their end.
    seconds_max: float = 3_600.0
    # Execution is killed after each so many trades; 0: never.
    crash_every: int = 0


@dataclass
class Report:
    """What was done and what struck."""

    seconds: float = 0.0
    crashes: int = 0
    # Lives that ended by themselves because the claim to the wallet was lost.
    lost_claims: int = 0
    orders: int = 0
    # Orders that the exchange took at least once; the others ended before, refused or unsent.
    accepted: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    fills: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Report") -> None:
        """Count another desk's run, which ran beside this one."""
        self.seconds = max(self.seconds, other.seconds)
        self.crashes += other.crashes
        self.lost_claims += other.lost_claims
        self.orders += other.orders
        self.accepted += other.accepted
        self.ends += other.ends
        self.struck += other.struck
        self.fills += other.fills

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.orders} orders in {self.seconds:.0f} s, {self.crashes} crashes, "
                f"{self.lost_claims} lost claims; "
                f"{self.accepted} were taken by the exchange",
                f"ends: {_row(self.ends)}",
                f"fills: {_row(self.fills)}",
                f"struck: {_row(self.struck)}",
            )
        )


class Run:
    """One run over a running stack."""

    def __init__(self, desk: Stack, plan: Plan) -> None:
        self._desk = desk
        self._plan = plan
        self._open: dict[str, Trade] = {}
        self._started = 0
        self._spells = 0
        self.report = Report()

    async def play(self, tells: bool = False) -> Report:
        """Work all trades, then hold the books against the exchange's."""
        desk, plan = self._desk, self._plan
        began_s = next_s = time.monotonic()
        trades = Trades(plan.seed, [await desk.market() for _ in range(plan.markets)])
        weather = asyncio.create_task(self._weather())
        try:
            while self._started < plan.trades or self._open:
                if time.monotonic() - began_s > plan.seconds_max:
                    plan = self._plan = replace(plan, trades=self._started, seconds_max=math.inf)
                await desk.told.read(desk.log)
                self._close()
                await self._top_up(trades)
                await self._meet()
                await self._crash()
                await self._still_works(weather)
                if tells and time.monotonic() >= next_s:
                    _say(self._progress(time.monotonic() - began_s))
                    next_s = time.monotonic() + _PROGRESS_S
                await asyncio.sleep(_TICK_S)
        finally:
            weather.cancel()
            await asyncio.gather(weather, return_exceptions=True)
        await self._count_strikes()
        await desk.admin("DELETE", "weather")
        self._report(time.monotonic() - began_s)
        await desk.settled(timeout_s=120)
        return self.report

    def _close(self) -> None:
        told = self._desk.told
        for name in [n for n in self._open if n in told.finished or n in told.refused]:
            del self._open[name]

    async def _top_up(self, trades: Trades) -> None:
        held = self._desk.told.positions()
        fresh = [
            trades.draw(held)
            for _ in range(
                min(self._plan.width - len(self._open), self._plan.trades - self._started)
            )
        ]
        if not fresh:
            return
        self._started += len(fresh)
        await self._offer([offer for trade in fresh for offer in trade.before])
        await self._desk.approve(*(trade.approval for trade in fresh))
        self._open |= {trade.name: trade for trade in fresh}

    async def _meet(self) -> None:
        """Meet each order that rests with what was drawn for it, one offer at a time."""
        told = self._desk.told
        offers = []
        for name, trade in self._open.items():
            orders = told.orders_of(name)
            if trade.after and orders and told.accepted[orders[-1].order.order_id]:
                offers.append(trade.after.pop())
        await self._offer(offers)

    async def _offer(self, offers: list[Offer]) -> None:
        rival = self._desk.rival
        for start in range(0, len(offers), _BATCH):
            signed = [
                await rival.create_limit_order(
                    asset_id=offer.token_id,
                    price=f"{offer.cents / 100:.2f}",
                    size=f"{offer.hundredths / 100:.2f}",
                    side="BUY",
                )
                for offer in offers[start : start + _BATCH]
            ]
            answers: Any = await rival.post_orders(signed)
            self._desk.rival_orders += sum(bool(answer.ok) for answer in answers)

    async def _crash(self) -> None:
        every = self._plan.crash_every
        done = self._started - len(self._open)
        if every and done // every > self.report.crashes:
            self.report.crashes += 1
            await self._desk.execution.kill()
            await self._desk.start(**self._desk.settings)

    async def _still_works(self, weather: "asyncio.Task[None]") -> None:
        if weather.done():
            weather.result()
        execution = self._desk.execution
        if execution.is_running:
            return
        if _LOST_CLAIM not in execution.last_words():
            raise AssertionError(f"execution ended:\n{execution.last_words()}")
        # It does not trade without its claim to the wallet: its supervisor starts it anew.
        self.report.lost_claims += 1
        await self._desk.start(**self._desk.settings)

    async def _weather(self) -> None:
        while True:
            chosen = rules(self._plan.seed, self._spells)
            await self._desk.blow(*chosen, seed=self._plan.seed * 1_000_003 + self._spells)
            await asyncio.sleep(SPELL_S)
            await self._count_strikes()
            self._spells += 1

    async def _count_strikes(self) -> None:
        for row in (await self._desk.admin("GET", "weather"))["rules"]:
            name = row["rule"]["effect"] if row["rule"]["id"] != "posts" else "posts"
            self.report.struck[name] += row["done"]

    def _report(self, seconds: float) -> None:
        told, report = self._desk.told, self.report
        report.seconds = seconds
        report.orders = len(told.announced)
        report.accepted = len(told.accepted)
        for ends in told.closed.values():
            name = order_pb2.CloseStatus.Name(ends[-1].status).removeprefix("CLOSE_STATUS_")
            report.ends[name.lower()] += 1
        report.fills["matched"] = len(told.matched)
        report.fills["confirmed"] = len(told.confirmed)
        report.fills["reversed"] = len(told.reversed)

    def _progress(self, seconds: float) -> str:
        done = self._started - len(self._open)
        head = f"{seconds:5.0f} s, seed {self._plan.seed}: {done} of {self._plan.trades} done"
        return f"{head}; {_row(self.report.struck)}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _row(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)


@contextlib.contextmanager
def _servers() -> Iterator[tuple[str, str]]:
    with running(PostgresServer("wheel")) as postgres, running(NatsServer()) as nats:
        yield postgres.endpoint.url, nats.endpoint.url


async def _main(plan: Plan, desks: int) -> None:
    with _servers() as (server, nats_url), tempfile.TemporaryDirectory() as folder:
        one = replace(plan, trades=-(-plan.trades // desks))
        runs = [
            _desk((server, nats_url, Path(folder)), replace(one, seed=plan.seed + number))
            for number in range(desks)
        ]
        reports = await asyncio.gather(*runs)
    total = reports[0]
    for report in reports[1:]:
        total.add(report)
    _say(str(total))
    _say("every order has one end, none is doubled, and the books are equal")


async def _desk(place: tuple[str, str, Path], plan: Plan) -> Report:
    """Run one wallet at an exchange of its own: its orders leave one after another."""
    server, nats_url, folder = place
    name = f"weather_{plan.seed}"
    connection = await asyncpg.connect(server)
    await connection.execute(f'create database "{name}"')
    await connection.close()
    own = folder / name
    own.mkdir()
    dsn = f"{server.rsplit('/', 1)[0]}/{name}"
    async with stack(dsn, nats_url, own, ["--seed", str(plan.seed)], **SETTINGS) as desk:
        report = await Run(desk, plan).play(tells=True)
        _say(f"seed {plan.seed}: {report.orders} orders, the books are equal")
        return report


def main(arguments: list[str] | None = None) -> int:
    """Run once and print what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.bad_weather")
    parser.add_argument("--trades", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markets", type=int, default=40)
    parser.add_argument("--width", type=int, default=50, help="a desk's trades under way")
    parser.add_argument("--crash-every", type=int, default=1_000, help="trades; 0: no crashes")
    parser.add_argument("--minutes-max", type=float, default=60, help="then no new trade begins")
    parser.add_argument("--desks", type=int, default=4, help="wallets, each at its own exchange")
    given = parser.parse_args(arguments)
    seconds_max = given.minutes_max * 60
    plan = Plan(
        given.trades, given.seed, given.markets, given.width, seconds_max, given.crash_every
    )
    asyncio.run(_main(plan, given.desks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
