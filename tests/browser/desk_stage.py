"""Where a desk's story is told: its markets and wallets, its books, and the log that it is told to.

Events are real and are recorded by the recorder's own writer. Nothing here is read by the product.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, notional
from whaletrader.runtime.codec import Envelope, key_of, to_record
from whaletrader.runtime.log import Position, Record
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.topics import TOPICS
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    market_pb2,
    portfolio_pb2,
)
from whaletrader.store.schema import install
from whaletrader.store.writer import Writer

START_NS = 1_751_400_000 * 10**9
# When the log got the first event, by the wall clock: after START, as with any tape.
LOGGED_NS = 1_790_000_000 * 10**9
HOUR_NS = 3_600 * 10**9
CASH_MICRO = 10_000 * MICRO
FEE_RATE_MICRO = 40_000

# Above 2^53: a browser that takes it for a number shows another token.
YES_TOKENS = [f"9{number:02d}{'7' * 70}" for number in range(6)]
NO_TOKENS = [f"8{number:02d}{'3' * 70}" for number in range(6)]
MARKETS = [f"0x{number:064x}" for number in range(1, 7)]
HOSTILE_TITLE = "Will <img src=x onerror=\"document.title='owned'\"> & <b>friends</b> win?"
QUESTIONS = [
    "Will the Fed cut rates in September?",
    HOSTILE_TITLE,
    "Will Bitcoin close above $120,000 on 31 July?",
    "Lakers vs. Celtics: who wins game 7?",
    "Will a hurricane make landfall in Florida before August?",
    "Will the bill on artificial intelligence pass the Senate this session?",
]
WALLETS = [
    "0x0562c423912e325f83fa79df55085979e1f5594f",
    "0x0c0e270cf879583d6a0142fc817e05b768d0434e",
    "0x7c3db723f1d4d8cb9c550095203b686cb11e5c6b",
    "0x1ff49fdcb6685c94059b65620f43a683be0ce7a5",
    "0xd189664c5308903476f9f079820431e4fd7d06f4",
]


def usd(dollars: float) -> int:
    """Return micro-dollars (or micro-shares, or a price in millionths)."""
    return round(dollars * MICRO)


def reason(
    rule: str, value: int, limit: int, unit: int, passed: bool = True, detail: str = ""
) -> common_pb2.Reason:
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=passed, detail=detail
    )


@dataclass
class Desk:
    """Appends events to a log and keeps the portfolio's books while the story goes on."""

    log: MemoryLog
    clock: list[int]
    event_ns: int = START_NS
    cash: int = CASH_MICRO
    realized: int = 0
    fees: int = 0
    # By market: shares, cost, price of the last trade.
    held: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    told: int = 0
    # The journal entries of each agent.
    journal: dict[str, int] = field(default_factory=dict)

    async def say(
        self, topic: str, message: Message, source: str, cause: Message | None = None
    ) -> Message:
        """Stamp the message and append it, a few milliseconds after the one before."""
        meta = message.meta  # type: ignore[attr-defined]
        self.told += 1
        if not meta.id:
            meta.id = derived_id("story", source, self.told)
        meta.event_time_ns = meta.event_time_ns or self.event_ns
        meta.source = source
        if cause is not None:
            meta.cause = cause.meta.id  # type: ignore[attr-defined]
            meta.correlation = cause.meta.correlation or cause.meta.id  # type: ignore[attr-defined]
        else:
            meta.correlation = meta.correlation or meta.id
        await self.log.append([to_record(Envelope(topic, key_of(topic, message), message))])
        self.clock[0] += 2_500_000 + (self.told * 7_919) % 1_700_000
        return message


async def new_desk() -> Desk:
    clock = [LOGGED_NS]
    log = MemoryLog(lambda: clock[0])
    await log.create_topics(TOPICS)
    return Desk(log, clock)


async def price(desk: Desk, number: int, dollars: float) -> None:
    """Print a trade in a market, which is what its holders' shares are worth from then on."""
    printed = market_pb2.TradePrinted(
        condition_id=MARKETS[number],
        token_id=YES_TOKENS[number],
        side=common_pb2.SIDE_BUY,
        price_micro=usd(dollars),
        size_micro=usd(120),
        print_id=f"print-{desk.told}",
    )
    await desk.say("market.data", printed, "feeds")
    if number in desk.held:
        size, cost, _ = desk.held[number]
        desk.held[number] = (size, cost, usd(dollars))


async def value(desk: Desk, cause: Message | None = None) -> None:
    """Value the portfolio: one more point of the profit curve."""
    valued = portfolio_pb2.PortfolioValued(
        portfolio="main",
        cash_micro=desk.cash,
        positions_value_micro=sum(notional(mark, size) for size, _, mark in desk.held.values()),
        positions_cost_micro=sum(cost for _, cost, _ in desk.held.values()),
        realized_micro=desk.realized,
        fees_micro=desk.fees,
        open_positions=len(desk.held),
    )
    await desk.say("portfolio.attribution", valued, "attribution", cause)


async def heard(desk: Desk, agent: str, message: Message) -> None:
    """Something reached an agent outside the log: its journal tells."""
    desk.journal[agent] = desk.journal.get(agent, 0) + 1
    entry = agent_pb2.JournalEntry(agent=agent, sequence=desk.journal[agent], now_ns=desk.event_ns)
    inline = entry.inputs.add().inline
    inline.type = message.DESCRIPTOR.full_name
    inline.payload = message.SerializeToString(deterministic=True)
    entry.outputs.add()
    headers = {"ce_type": entry.DESCRIPTOR.full_name, "ce_id": ""}
    await desk.log.append(
        [Record(f"journal.{agent}", agent, entry.SerializeToString(), headers, 0)]
    )
    desk.clock[0] += 1_800_000


async def record(desk: Desk, dsn: str, seen: dict[tuple[str, int], int] | None = None) -> int:
    """Write what the log holds into the database with the recorder's writer, from `seen` on."""
    seen = {} if seen is None else seen
    connection = await asyncpg.connect(dsn)
    try:
        await install(connection)
        records = []
        for topic, partition in _partitions():
            start = seen.get((topic, partition), 0)
            found = await desk.log.read(Position(topic, partition, start), 1_000_000)
            seen[(topic, partition)] = start + len(found)
            records += found
        records.sort(key=lambda stored: stored.timestamp_ns)
        writer = Writer()
        written = await writer.write(connection, writer.prepare(records))
        return written.events
    finally:
        await connection.close()


def _partitions() -> Iterator[tuple[str, int]]:
    for topic in TOPICS:
        for partition in range(topic.partitions):
            yield topic.name, partition
