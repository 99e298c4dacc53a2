"""Members of a group: joining, leaving, dying, coming back, and two of one name."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from tests.contract.log.log_worlds import World, everything
from whaletrader.runtime.log import Fenced, Membership, Position, Record

SHARDS = frozenset(range(4))


async def settled(
    members: Sequence[Membership], wanted: frozenset[int] = SHARDS, patience_s: float = 30
) -> list[frozenset[int]]:
    """Ask all members until they hold all shards, each one once and evenly shared out."""
    end = time.monotonic() + patience_s
    owned: list[frozenset[int]] = []
    while time.monotonic() < end:
        owned = list(await asyncio.gather(*(member.owned(0.1) for member in members)))
        counts = [len(each) for each in owned]
        if sum(counts) == len(wanted) == len(frozenset().union(*owned)) and (
            max(counts) - min(counts) <= 1
        ):
            return owned
    raise AssertionError(f"not settled: {owned}")


async def group(world: World, *names: str) -> list[Membership]:
    members = []
    for name in names:
        log = await world.log()
        journal = await world.topic(log, "journal", len(SHARDS))
        members.append(await log.join(f"group.{world.name}", name, journal))
    return members


async def test_a_lone_member_gets_every_shard(world: World) -> None:
    [one] = await group(world, "one")
    assert await settled([one]) == [SHARDS]


async def test_asking_returns_at_once_on_a_change_and_waits_without_one(world: World) -> None:
    [one] = await group(world, "one")
    await settled([one])
    started = time.monotonic()
    assert await one.owned(0.3) == SHARDS
    assert 0.25 < time.monotonic() - started < 2


async def test_a_joining_member_gets_its_share_and_the_other_keeps_the_rest(world: World) -> None:
    [one] = await group(world, "one")
    await settled([one])
    [two] = await group(world, "two")
    kept, moved = await settled([one, two])
    assert len(kept) == len(moved) == 2


async def test_a_leaving_member_is_replaced_long_before_its_session_ends(world: World) -> None:
    one, two = await group(world, "one", "two")
    await settled([one, two])
    started = time.monotonic()
    await two.leave()
    await two.leave()
    assert await settled([one]) == [SHARDS]
    if world.kind == "kafka":
        assert time.monotonic() - started < world.session_s / 2
    assert await two.owned(0) == frozenset()


async def test_a_silent_member_loses_its_shards_when_its_session_ends(world: World) -> None:
    one, two = await group(world, "one", "two")
    await settled([one, two])
    # From here on two does not ask any more: as good as dead.
    started = time.monotonic()
    assert await settled([one], patience_s=world.session_s * 4) == [SHARDS]
    assert time.monotonic() - started > world.session_s / 3


async def test_a_member_that_wakes_after_its_session_shares_again(world: World) -> None:
    one, two = await group(world, "one", "two")
    await settled([one, two])
    assert await settled([one], patience_s=world.session_s * 4) == [SHARDS]
    owned = await settled([one, two], patience_s=40)
    assert [len(each) for each in owned] == [2, 2]


async def test_a_member_that_comes_back_in_time_gets_its_old_shards(world: World) -> None:
    one, two = await group(world, "one", "two")
    first, second = await settled([one, two])
    # Its process ends without a word and starts again under its name.
    [again] = await group(world, "two")
    assert await settled([one, again]) == [first, second]
    assert await one.owned(0.2) == first


async def test_the_older_of_two_members_of_one_name_is_fenced(world: World) -> None:
    [old] = await group(world, "one")
    await settled([old])
    [new] = await group(world, "one")
    assert await settled([new]) == [SHARDS]

    async def ask_on() -> None:
        while True:
            await old.owned(0.2)

    with pytest.raises(Fenced):
        await asyncio.wait_for(ask_on(), 15)


async def test_the_new_owner_fences_the_old_one_and_goes_on_where_it_stood(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs", len(SHARDS))
    outputs = await world.topic(log, "outputs")
    [one] = await group(world, "one")
    await settled([one])
    old = {number: await one.claim(number, [inputs]) for number in SHARDS}
    for number, shard in old.items():
        await shard.commit([Record(outputs, "k", b"old")], [Position(inputs, number, 5)])
    [two] = await group(world, "two")
    _, moved = await settled([one, two])
    for number in moved:
        new = await two.claim(number, [inputs])
        assert await new.positions() == [Position(inputs, number, 5)]
        with pytest.raises(Fenced):
            await old[number].commit([Record(outputs, "k", b"late")], [])
        await new.commit([Record(outputs, "k", b"new")], [Position(inputs, number, 6)])
    # Those that did not move go on undisturbed.
    for number in SHARDS - moved:
        await old[number].commit([Record(outputs, "k", b"old")], [Position(inputs, number, 6)])
    said = [record.value for record in await everything(log, outputs, 8)]
    assert sorted(said) == [b"new"] * 2 + [b"old"] * 6


async def test_two_groups_read_the_same_topic_apart(world: World) -> None:
    log = await world.log()
    inputs = await world.topic(log, "inputs")
    first = await world.shard(log, [inputs], "first")
    second = await world.shard(log, [inputs], "second")
    await first.commit([], [Position(inputs, 0, 7)])
    assert await first.positions() == [Position(inputs, 0, 7)]
    assert await second.positions() == [Position(inputs, 0, 0)]
