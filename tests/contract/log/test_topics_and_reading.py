"""Topics, appends outside groups, reading by offset and by time."""

import asyncio
import time

import pytest

from tests.contract.log.log_worlds import World, everything, numbered, values
from whaletrader.runtime.log import (
    Log,
    LogError,
    Position,
    Record,
    UnknownTopic,
    partition_of,
)
from whaletrader.runtime.logs.placement import VALUE_BYTES_MAX
from whaletrader.runtime.topics import Topic


async def test_creating_a_topic_twice_changes_nothing(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events", 3)
    await log.append(numbered(topic, 3))
    await world.topic(await world.log(), "events", 3)
    assert await log.partitions(topic) == 3
    assert len(await everything(log, topic, 3)) == 3


async def test_a_topic_that_exists_with_other_partitions_is_refused(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events", 3)
    with pytest.raises(LogError, match="partitions"):
        await (await world.log()).create_topics([Topic(topic, "key", (), 4)])
    assert await log.partitions(topic) == 3


async def test_an_unknown_topic_or_partition_is_named_in_every_call(world: World) -> None:
    log = await world.log()
    known = await world.topic(log, "events", 2)
    missing = f"missing.{world.name}"
    shard = await world.shard(log, [known])
    membership = await log.join(f"other.{world.name}", "one", known)
    calls = (
        log.partitions(missing),
        log.end(missing),
        log.read(Position(missing, 0, 0), 1),
        log.read(Position(known, 2, 0), 1),
        log.offset_at(known, 7, 0),
        log.append([Record(missing, "k", b"")]),
        log.append([Record(known, "k", b"", partition=2)]),
        log.append([Record(known, "k", b""), Record(missing, "k", b"")]),
        log.join("nobody", "one", missing),
        membership.claim(0, [missing]),
        shard.commit([Record(known, "k", b""), Record(missing, "k", b"")], []),
    )
    for call in calls:
        with pytest.raises(UnknownTopic):
            await call
    # Nothing of the batches that named one good topic and one bad was written.
    assert await everything(log, known) == []


async def test_a_value_that_is_too_large_is_refused_whole(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events")
    with pytest.raises(LogError, match="bytes"):
        await log.append([Record(topic, "k", b"small"), Record(topic, "k", bytes(9 * 2**20))])
    assert await everything(log, topic) == []


async def test_the_largest_value_comes_back_as_it_was(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events")
    largest = bytes(range(256)) * (VALUE_BYTES_MAX // 256)
    await log.append([Record(topic, "k", largest)])
    [record] = await everything(log, topic)
    assert record.value == largest


async def test_records_of_a_key_stay_in_order_in_the_partition_of_the_key(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events", 4)
    keys = [f"market-{n}" for n in range(20)]
    for turn in range(3):
        await log.append([Record(topic, key, f"{key}/{turn}".encode()) for key in keys])
    records = await everything(log, topic, 60)
    for key in keys:
        mine = [record for record in records if record.key == key]
        assert values(mine) == [f"{key}/{turn}" for turn in range(3)]
        assert {record.partition for record in mine} == {partition_of(key, 4)}


async def test_keys_values_headers_and_times_come_back_as_they_were(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events")
    headers = {"ce_id": "a", "traceparent": "00-é-01", "empty": ""}
    before_ns = time.time_ns()
    await log.append([Record(topic, "schlüssel", b"\x00\xff", headers), Record(topic, "", b"")])
    first, second = await everything(log, topic, 2)
    assert (first.key, first.value, dict(first.headers)) == ("schlüssel", b"\x00\xff", headers)
    assert (second.key, second.value, dict(second.headers)) == ("", b"", {})
    # The log's clock is this machine's; Kafka's has milliseconds.
    assert before_ns - 2_000_000 <= first.timestamp_ns <= time.time_ns() + 2_000_000


async def test_reading_pages_through_everything_and_then_finds_nothing(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events")
    for first in range(0, 50, 10):
        await log.append(numbered(topic, 10, first=first))
    assert values(await everything(log, topic, 50, page=7)) == [str(n) for n in range(50)]
    end = (await log.end(topic))[0]
    started = time.monotonic()
    assert await log.read(Position(topic, 0, end), 10) == []
    assert time.monotonic() - started < 2


async def test_reading_starts_at_the_first_record_not_before_an_offset(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events")
    for n in range(5):
        await log.append(numbered(topic, 1, first=n))
    records = await everything(log, topic, 5)
    for wanted in records:
        [found] = await log.read(Position(topic, 0, wanted.offset), 1)
        assert found == wanted
        # Also from a gap: the offset after the record before.
    [third] = await log.read(Position(topic, 0, records[1].offset + 1), 1)
    assert third == records[2]


async def test_the_end_of_an_empty_topic_is_zero_and_grows(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events", 2)
    assert await log.end(topic) == {0: 0, 1: 0}
    await log.append([Record(topic, "k", b"x", partition=1)])
    end = await log.end(topic)
    assert end[0] == 0
    assert end[1] >= 1


async def test_an_offset_is_found_by_its_time(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events")
    for n in range(6):
        await log.append(numbered(topic, 1, first=n))
        await asyncio.sleep(0.005)
    records = await everything(log, topic)
    for record in records:
        assert await log.offset_at(topic, 0, record.timestamp_ns) == record.offset
    at = await log.offset_at(topic, 0, records[3].timestamp_ns + 1)
    assert (await log.read(Position(topic, 0, at), 1)) == [records[4]]
    assert await log.offset_at(topic, 0, 0) == records[0].offset
    end = (await log.end(topic))[0]
    assert await log.offset_at(topic, 0, records[-1].timestamp_ns + 10**9) == end


async def test_times_never_fall_within_a_partition(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events")
    for n in range(20):
        await log.append(numbered(topic, 2, first=2 * n))
    times = [record.timestamp_ns for record in await everything(log, topic, 40)]
    assert len(times) == 40
    assert times == sorted(times)


async def test_ten_thousand_records_in_one_append(world: World) -> None:
    log = await world.log()
    topic = await world.topic(log, "events", 3)
    await log.append([Record(topic, str(n), str(n).encode()) for n in range(10_000)])
    records = await everything(log, topic, 10_000)
    assert sorted(int(value) for value in values(records)) == list(range(10_000))
    for partition in range(3):
        mine = [int(v) for v in values([r for r in records if r.partition == partition])]
        assert mine == sorted(mine)


async def test_many_writers_on_one_partition_keep_their_order_without_gaps(world: World) -> None:
    logs: list[Log] = [await world.log() for _ in range(4)]
    topic = await world.topic(logs[0], "events")

    async def write(writer: int, log: Log) -> None:
        for turn in range(15):
            await log.append([Record(topic, "k", f"{writer}:{turn}:{i}".encode()) for i in (0, 1)])

    seen: list[str] = []

    async def follow() -> None:
        # A reader that never looks back: what became visible late would be missed.
        at = Position(topic, 0, 0)
        while len(seen) < 120:
            for record in await logs[0].read(at, 50):
                seen.append(record.value.decode())
                at = Position(topic, 0, record.offset + 1)
            await asyncio.sleep(0.001)

    writers = [write(number, log) for number, log in enumerate(logs)]
    await asyncio.wait_for(asyncio.gather(follow(), *writers), 60)
    for writer in range(4):
        mine = [value for value in seen if value.startswith(f"{writer}:")]
        assert mine == [f"{writer}:{turn}:{i}" for turn in range(15) for i in (0, 1)]
    # The two of one append stand beside each other: no other writer came between.
    assert all(a[:-1] == b[:-1] for a, b in zip(seen[::2], seen[1::2], strict=True))
