"""Which shards a member takes and gives up: pure, decided by each member for itself.

Balanced (counts differ by one at most), sticky (only shards that must move do), and a member
that was away gets back what was its home. Called by `logs.postgres_group` and
`logs.memory`, under the group's lock; does no I/O.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardState:
    """A shard, who has it and where it belongs."""

    number: int
    owner: str | None
    home: str | None


@dataclass(frozen=True, slots=True)
class Deal:
    """What one member does now."""

    take: frozenset[int]
    give: frozenset[int]


def deal(shards: Sequence[ShardState], live: frozenset[str], member: str) -> Deal:
    """Return what the member takes and gives up, so that the group nears its balance.

    Raises ValueError if the member is not among the living.
    """
    if member not in live:
        raise ValueError(f"{member} is not a live member")
    mine = [shard for shard in shards if shard.owner == member]
    quota = _quota(shards, live, member)
    if len(mine) > quota:
        # What belongs to another live member goes first, then the highest numbers.
        def is_at_home(shard: ShardState) -> bool:
            return shard.home not in live - {member}

        given = sorted(mine, key=lambda shard: (is_at_home(shard), -shard.number))
        return Deal(frozenset(), frozenset(s.number for s in given[: len(mine) - quota]))
    free = [shard for shard in shards if shard.owner not in live]
    wanted = sorted(free, key=lambda s: (s.home != member, s.home in live, s.number))
    return Deal(frozenset(s.number for s in wanted[: quota - len(mine)]), frozenset())


def _quota(shards: Sequence[ShardState], live: frozenset[str], member: str) -> int:
    # Those who hold more already keep the places for one more; else the names decide.
    held = Counter(shard.owner for shard in shards if shard.owner in live)
    base, extra = divmod(len(shards), len(live))
    order = sorted(live, key=lambda name: (held[name] <= base, name))
    return base + (order.index(member) < extra)
