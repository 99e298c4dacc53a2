"""A restart finds in the log what the last commit left: snapshot, journal, inputs."""

from tests.unit.runtime.counting import READS, CountingAgent, trade_record
from whaletrader.runtime.core import Core
from whaletrader.runtime.journal import (
    SNAPSHOTS_LOOK,
    SNAPSHOTS_PAGE,
    latest_snapshot,
    restore,
)
from whaletrader.runtime.log import Position, Record, Stored
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.topics import SNAPSHOTS, TOPICS, journal_topic
from whaletrader.schemas import agent_pb2


class Shop:
    """A counting agent over a log in memory, one commit a trade."""

    def __init__(self) -> None:
        self.log = MemoryLog(lambda: 0)
        self.core = Core(CountingAgent())
        self.journal_offset = 0

    async def open(self) -> "Shop":
        await self.log.create_topics(TOPICS)
        membership = await self.log.join("discovery", "m", journal_topic("discovery"))
        self.shard = await membership.claim(0, (READS,))
        return self

    async def work(self, *numbers: int, snapshot: bool = False) -> None:
        await self.log.append([trade_record(n) for n in numbers])
        for record in await self.shard.poll(len(numbers), 0):
            step = self.core.step([record], record.offset)
            records = list(step.records)
            if snapshot:
                records.append(self.core.snapshot(self.journal_offset))
            await self.shard.commit(records, step.positions)
            if snapshot:
                self.journal_offset = (await self.log.end(journal_topic("discovery")))[0]

    async def reopened(self) -> tuple[Core, int]:
        core = Core(CountingAgent())
        redone = await restore(self.log, core)
        return core, redone


async def test_without_a_snapshot_the_whole_journal_is_redone() -> None:
    shop = await Shop().open()
    await shop.work(*range(5))
    core, redone = await shop.reopened()
    assert core.snapshot(0) == shop.core.snapshot(0)
    assert redone == 5


async def test_the_newest_snapshot_is_found_from_the_end_however_many_there_are() -> None:
    shop = await Shop().open()
    await shop.work(0)
    await shop.work(1, snapshot=True)
    await shop.work(2, snapshot=True)
    other = shop.core.snapshot(0)
    others = [Record(SNAPSHOTS, f"other/{n % 3}", other.value, other.headers) for n in range(200)]
    await shop.log.append(others)
    asked: list[int] = []
    read = shop.log.read

    async def counting(start: Position, limit: int) -> list[Stored]:
        records = await read(start, limit)
        asked.extend([len(records)] if start.topic == SNAPSHOTS else [])
        return records

    shop.log.read = counting  # type: ignore[method-assign]
    found = await latest_snapshot(shop.log, "discovery", 0)
    assert found is not None
    assert found.sequence == 3
    assert max(asked) <= SNAPSHOTS_PAGE
    asked.clear()
    assert await latest_snapshot(shop.log, "other", 1) is not None
    assert sum(asked) <= 2 * SNAPSHOTS_LOOK, "not all of them are read"
    assert await latest_snapshot(shop.log, "nobody", 0) is None


async def test_only_what_came_after_the_snapshot_is_redone() -> None:
    shop = await Shop().open()
    await shop.work(0, 1)
    await shop.work(2, snapshot=True)
    await shop.work(3, 4)
    core, redone = await shop.reopened()
    assert core.snapshot(0) == shop.core.snapshot(0)
    assert redone == 2


async def test_the_newest_snapshot_of_the_shard_counts() -> None:
    shop = await Shop().open()
    for number in range(4):
        await shop.work(number, snapshot=True)
    other = shop.core.snapshot(0)
    await shop.log.append([type(other)(SNAPSHOTS, "discovery/1", b"", {})])
    found = await latest_snapshot(shop.log, "discovery", 0)
    assert found is not None
    assert found.sequence == 4
    assert found.journal_offset == 3


async def test_a_snapshot_of_another_shape_is_passed_over_for_the_journal() -> None:
    shop = await Shop().open()
    await shop.work(0, 1, snapshot=True)
    (stored,) = await shop.log.read(Position(SNAPSHOTS, 0, 1), 1)
    snapshot = agent_pb2.AgentSnapshot.FromString(stored.value)
    snapshot.shape = "older"
    aged = type(shop.core.snapshot(0))(SNAPSHOTS, stored.key, snapshot.SerializeToString(), {})
    await shop.log.append([aged])
    core, redone = await shop.reopened()
    assert core.snapshot(0) == shop.core.snapshot(0)
    assert redone == 2


async def test_an_empty_log_gives_a_fresh_core() -> None:
    core, redone = await (await Shop().open()).reopened()
    assert (core.sequence, redone) == (0, 0)
