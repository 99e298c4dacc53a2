"""Dealing shards out, without any server: balanced, sticky, and home again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.runtime.logs.dealing import ShardState, deal

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


def played(
    shards: list[ShardState], live: frozenset[str], rounds: int = 4
) -> tuple[list[ShardState], int]:
    """Let each live member deal in turn; return the shards and how many moved."""
    moved = 0
    for _ in range(rounds):
        for member in sorted(live):
            mine = deal(shards, live, member)
            moved += len(mine.take)
            for number in mine.give:
                home = shards[number].home
                shards[number] = ShardState(number, None, None if home == member else home)
            for number in mine.take:
                shards[number] = ShardState(number, member, shards[number].home or member)
    return shards, moved


def fresh(count: int) -> list[ShardState]:
    return [ShardState(number, None, None) for number in range(count)]


@given(
    st.integers(1, 20),
    st.lists(st.frozensets(NAMES, min_size=1), min_size=1, max_size=6),
)
def test_whoever_lives_all_shards_are_held_evenly_and_then_nothing_moves(
    count: int, lives: list[frozenset[str]]
) -> None:
    shards = fresh(count)
    for live in lives:
        shards, _ = played(shards, live)
        held = [sum(shard.owner == member for shard in shards) for member in live]
        assert sum(held) == count
        assert max(held) - min(held) <= 1
        _, moved = played(list(shards), live)
        assert moved == 0


@given(st.integers(1, 20), st.frozensets(NAMES, min_size=2, max_size=4))
def test_a_newcomer_takes_its_share_and_nothing_else_moves(
    count: int, live: frozenset[str]
) -> None:
    shards, _ = played(fresh(count), live)
    _, moved = played(shards, live | {"new"})
    assert moved == count // (len(live) + 1)


def test_after_a_death_and_a_return_each_has_what_it_had() -> None:
    both = frozenset({"a", "b"})
    before, _ = played(fresh(6), both)
    owners = [shard.owner for shard in before]
    alone, _ = played(before, frozenset({"a"}))
    assert {shard.owner for shard in alone} == {"a"}
    after, _ = played(alone, both)
    assert [shard.owner for shard in after] == owners


def test_a_member_that_is_not_alive_may_not_deal() -> None:
    with pytest.raises(ValueError, match="live"):
        deal(fresh(1), frozenset({"a"}), "b")
