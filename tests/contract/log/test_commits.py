"""One shard: reading on, committing events with positions, back-pressure, fencing."""

import asyncio
import os
import time

import pytest

from tests.contract.log.log_worlds import World, drained, everything, numbered, values
from whaletrader.runtime.log import Fenced, LogError, Position, Record, Stored, partition_of


async def test_a_commit_writes_all_topics_and_moves_all_positions(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs", 2)
    outputs = [await world.topic(log, f"outputs-{n}", 2) for n in range(3)]
    journal = await world.topic(log, "journal.relay")
    await log.append([Record(inputs, "k", b"a", partition=p) for p in (0, 1)])
    shard = await world.shard(log, [inputs])
    read = await drained(shard, 2)
    events = [Record(topic, "k", b"event") for topic in outputs]
    entry = Record(journal, "0", b"entry", partition=0)
    moved = [Position(inputs, r.partition, r.offset + 1) for r in read]
    await shard.commit([entry, *events], moved)
    for topic in outputs:
        [event] = await everything(log, topic, 1)
        assert event.value == b"event"
    assert values(await everything(log, journal, 1)) == ["entry"]
    assert sorted(await shard.positions(), key=str) == sorted(moved, key=str)


async def test_reading_starts_at_the_beginning_and_then_where_the_group_stands(
    world: World,
) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    await log.append(numbered(inputs, 6))
    first = await world.shard(log, [inputs])
    read = await drained(first, 4)
    assert values(read) == ["0", "1", "2", "3"]
    await first.commit([], [Position(inputs, 0, read[1].offset + 1)])
    await first.release()
    second = await world.shard(await world.log(), [inputs])
    assert values(await drained(second, 4)) == ["2", "3", "4", "5"]


async def test_reading_alone_moves_no_position(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    await log.append(numbered(inputs, 3))
    shard = await world.shard(log, [inputs])
    assert len(await drained(shard, 3)) == 3
    assert await shard.positions() == [Position(inputs, 0, 0)]


async def test_a_poll_returns_at_most_what_was_asked_for_and_every_record_once(
    world: World,
) -> None:
    log = await world.log()
    topics = [await world.topic(log, f"inputs-{n}", 2) for n in range(3)]
    for topic in topics:
        await log.append([Record(topic, str(n), f"{topic}{n}".encode()) for n in range(40)])
    shard = await world.shard(log, topics)
    seen: list[str] = []
    while len(seen) < 120:
        records = await shard.poll(7, 5)
        assert 0 < len(records) <= 7
        seen.extend(values(records))
    assert sorted(seen) == sorted(f"{topic}{n}" for topic in topics for n in range(40))
    assert await shard.poll(7, 0.2) == []


async def test_a_waiting_poll_wakes_when_another_process_commits(world: World) -> None:
    log, other = await world.log(), await world.log()
    inputs = await world.topic(log, "inputs")
    shard = await world.shard(log, [inputs])
    await drained(shard, 1, patience_s=1)
    waits = []
    for n in range(20):
        waiting = asyncio.create_task(shard.poll(10, 10))
        await asyncio.sleep(0.02)
        await other.append(numbered(inputs, 1, first=n))
        appended = time.monotonic()
        assert values(await waiting) == [str(n)]
        waits.append(time.monotonic() - appended)
    # The usual wait is about a millisecond; the bound allows for a busy machine.
    assert sorted(waits)[10] < 0.05


async def test_a_cancelled_poll_loses_nothing(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    shard = await world.shard(log, [inputs])
    for _ in range(10):
        waiting = asyncio.create_task(shard.poll(5, 10))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await log.append(numbered(inputs, 20))
    read: list[Stored] = []
    for _ in range(3):
        waiting = asyncio.create_task(shard.poll(1, 10))
        await asyncio.sleep(0)
        waiting.cancel()
        [outcome] = await asyncio.gather(waiting, return_exceptions=True)
        # One that was quicker than its cancellation has its records.
        read.extend(outcome if isinstance(outcome, list) else [])
    read.extend(await drained(shard, 20 - len(read)))
    assert values(read) == [str(n) for n in range(20)]


async def test_a_busy_topic_starves_no_other(world: World) -> None:
    log = await world.log()
    busy = await world.topic(log, "busy")
    calm = await world.topic(log, "calm")
    # More than one answer of the server holds; chance bytes do not compress away.
    await log.append([Record(busy, "k", os.urandom(400)) for _ in range(8000)])
    await log.append(numbered(calm, 1))
    shard = await world.shard(log, [busy, calm])
    read = 0
    while True:
        records = await shard.poll(500, 5)
        read += len(records)
        if any(record.topic == calm for record in records):
            break
    assert read < 8000


async def test_paused_topics_wait_and_lose_nothing(world: World) -> None:
    log = await world.log()
    slow = await world.topic(log, "slow", 2)
    fast = await world.topic(log, "fast")
    shard = await world.shard(log, [slow, fast])
    expected: list[str] = []
    read: list[str] = []
    for turn in range(4):
        shard.pause([slow])
        await log.append([Record(slow, "k", f"{turn}.{n}".encode()) for n in range(10)])
        await log.append(numbered(fast, 3))
        records = await drained(shard, 3)
        assert {record.topic for record in records} == {fast}
        assert await shard.poll(10, 0.1) == []
        shard.resume([slow])
        read.extend(values(await drained(shard, 10)))
        expected.extend(f"{turn}.{n}" for n in range(10))
    assert read == expected


async def test_a_pause_holds_back_what_was_fetched_already(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    await log.append(numbered(inputs, 100))
    shard = await world.shard(log, [inputs])
    first = await drained(shard, 5)
    shard.pause([inputs])
    assert await shard.poll(100, 0.3) == []
    shard.resume([inputs])
    assert values(first + await drained(shard, 95)) == [str(n) for n in range(100)]


async def test_a_seek_reads_again_and_skips(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs", 2)
    await log.append([Record(inputs, "k", str(n).encode(), partition=0) for n in range(10)])
    await log.append([Record(inputs, "k", b"other", partition=1)])
    shard = await world.shard(log, [inputs])
    read = await drained(shard, 11)
    assert len(read) == 11
    mine = [record for record in read if record.partition == 0]
    await shard.seek(Position(inputs, 0, mine[7].offset))
    assert values(await drained(shard, 3)) == ["7", "8", "9"]
    await shard.seek(Position(inputs, 0, 0))
    assert values(await drained(shard, 10)) == [str(n) for n in range(10)]
    # The other partition stayed where it was.
    assert await shard.poll(10, 0.2) == []


async def test_a_seek_to_a_time_reads_from_there(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    await log.append(numbered(inputs, 5))
    await asyncio.sleep(0.01)
    await log.append(numbered(inputs, 5, first=5))
    shard = await world.shard(log, [inputs])
    read = await drained(shard, 10)
    at = await log.offset_at(inputs, 0, read[5].timestamp_ns)
    await shard.seek(Position(inputs, 0, at))
    assert values(await drained(shard, 5)) == ["5", "6", "7", "8", "9"]


async def test_positions_elsewhere_are_refused_and_nothing_is_written(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs", 2)
    foreign = await world.topic(log, "foreign")
    shard = await world.shard(log, [inputs])
    for position in (Position(foreign, 0, 1), Position(inputs, 5, 1), Position(inputs, 0, -1)):
        with pytest.raises(LogError):
            await shard.commit([Record(inputs, "k", b"x")], [position])
        with pytest.raises(LogError):
            await shard.seek(position)
    assert await everything(log, inputs) == []


async def test_an_empty_commit_changes_nothing(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    await log.append(numbered(inputs, 2))
    shard = await world.shard(log, [inputs])
    before = await log.end(inputs)
    await shard.commit([], [])
    assert await log.end(inputs) == before
    assert await shard.positions() == [Position(inputs, 0, 0)]
    assert values(await drained(shard, 2)) == ["0", "1"]


async def test_ten_thousand_records_in_one_commit(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs", 3)
    outputs = await world.topic(log, "outputs", 3)
    shard = await world.shard(log, [inputs, outputs])
    records = [Record(outputs, str(n), str(n).encode()) for n in range(10_000)]
    await shard.commit(records, [Position(inputs, 0, 1)])
    read = await drained(shard, 10_000, patience_s=60)
    assert len(read) == 10_000
    for partition in range(3):
        mine = [int(v) for v in values([r for r in read if r.partition == partition])]
        assert mine == [n for n in range(10_000) if partition_of(str(n), 3) == partition]


async def test_an_older_claim_is_fenced_and_writes_nothing(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    outputs = await world.topic(log, "outputs")
    journal = await world.topic(log, "journal.relay")
    membership = await log.join(f"relay.{world.name}", "one", journal)
    assert await membership.owned(20) == {0}
    old = await membership.claim(0, [inputs])
    await old.commit([Record(outputs, "k", b"before")], [Position(inputs, 0, 1)])
    new = await membership.claim(0, [inputs])
    with pytest.raises(Fenced):
        await old.commit([Record(outputs, "k", b"zombie")], [Position(inputs, 0, 9)])
    # Once fenced, always fenced; the newer claim does not suffer.
    with pytest.raises(Fenced):
        await old.commit([Record(outputs, "k", b"zombie")], [])
    assert await new.positions() == [Position(inputs, 0, 1)]
    await new.commit([Record(outputs, "k", b"after")], [Position(inputs, 0, 2)])
    assert values(await everything(log, outputs, 2)) == ["before", "after"]


async def test_a_released_shard_does_nothing_more(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    shard = await world.shard(log, [inputs])
    await shard.release()
    await shard.release()
    with pytest.raises(LogError):
        await shard.commit([Record(inputs, "k", b"x")], [])
    with pytest.raises(LogError):
        await shard.poll(1, 0)
    assert await everything(log, inputs) == []


async def test_a_shard_reads_its_own_partitions_only(world: World) -> None:
    log = await world.log()
    journal = await world.topic(log, "journal", 2)
    inputs = await world.topic(log, "inputs", 5)
    membership = await log.join(f"wide.{world.name}", "one", journal)
    assert await membership.owned(20) == {0, 1}
    await log.append([Record(inputs, "k", str(p).encode(), partition=p) for p in range(5)])
    even, odd = await membership.claim(0, [inputs]), await membership.claim(1, [inputs])
    assert sorted(values(await drained(even, 3))) == ["0", "2", "4"]
    assert sorted(values(await drained(odd, 2))) == ["1", "3"]
    with pytest.raises(LogError):
        await membership.claim(2, [inputs])
