"""Reads journals back: restores a core, and pairs journal entries with what they read.

Restart = the latest snapshot, then the journal entries after it: their events are folded and
their inputs are read again from the log so that the views follow. Nothing is decided anew.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

from whaletrader.runtime.core import Core
from whaletrader.runtime.log import Log, Position, Stored
from whaletrader.runtime.topics import SNAPSHOTS, journal_topic
from whaletrader.schemas import agent_pb2

READ_LIMIT: Final = 2_000
# How many of the newest snapshots, of all agents, are looked at first, and how many at a time: one
# may be as large as a record of the log can be.
SNAPSHOTS_LOOK: Final = 32
SNAPSHOTS_PAGE: Final = 8

Place = tuple[str, int, int]


async def restore(log: Log, core: Core) -> int:
    """Bring a fresh core to where its shard's last commit left it.

    Returns how many inputs it had to go through again because no snapshot held them.
    """
    snapshot = await latest_snapshot(log, core.agent.name, core.shard)
    start = 0
    if snapshot is not None and core.load(snapshot):
        start = snapshot.journal_offset
    redone = 0
    async for entries in journal_entries(log, core.agent.name, core.shard, start):
        fresh = [entry for entry in entries if entry.sequence > core.sequence]
        inputs = await inputs_of(log, fresh)
        for entry in fresh:
            core.follow(entry, pick_inputs(entry, inputs))
            redone += len(entry.inputs)
    return redone


async def latest_snapshot(log: Log, agent: str, shard: int) -> agent_pb2.AgentSnapshot | None:
    """Return the shard's newest snapshot, or None.

    Looked for from the end of the topic backwards: it is near, and all that were ever taken may
    still be there, each of megabytes.
    """
    key = f"{agent}/{shard}"
    for partition, beyond in (await log.end(SNAPSHOTS)).items():
        end, width = beyond, SNAPSHOTS_LOOK
        while end > 0:
            start = max(0, end - width)
            latest = await _last_of(log, key, Position(SNAPSHOTS, partition, start), end)
            if latest is not None:
                return agent_pb2.AgentSnapshot.FromString(latest.value)
            end, width = start, width * 2
    return None


async def journal_entries(
    log: Log, agent: str, shard: int, start: int = 0
) -> AsyncIterator[list[agent_pb2.JournalEntry]]:
    """Yield the shard's journal from an offset on, in pages, in order."""
    async for records in _pages(log, Position(journal_topic(agent), shard, start)):
        yield [agent_pb2.JournalEntry.FromString(record.value) for record in records]


async def inputs_of(log: Log, entries: Sequence[agent_pb2.JournalEntry]) -> dict[Place, Stored]:
    """Return the log records that the entries read, as far as the log still has them."""
    wanted: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for entry in entries:
        for noted in entry.inputs:
            if not noted.HasField("inline"):
                wanted[(entry.topics[noted.topic], noted.partition)].add(noted.offset)
    found: dict[Place, Stored] = {}
    for (topic, partition), offsets in wanted.items():
        position = Position(topic, partition, min(offsets))
        async for records in _pages(log, position):
            for record in records:
                if record.offset in offsets:
                    found[(topic, partition, record.offset)] = record
            if records[-1].offset >= max(offsets):
                break
    return found


def pick_inputs(entry: agent_pb2.JournalEntry, found: dict[Place, Stored]) -> dict[int, Stored]:
    """Return, by index of the entry's input, the records that were found."""
    picked = {}
    for index, noted in enumerate(entry.inputs):
        if noted.HasField("inline"):
            continue
        stored = found.get((entry.topics[noted.topic], noted.partition, noted.offset))
        if stored is not None:
            picked[index] = stored
    return picked


async def _last_of(log: Log, key: str, start: Position, end: int) -> Stored | None:
    """Return the last record of a key from a position up to an offset, without it."""
    last: Stored | None = None
    async for records in _pages(log, start, SNAPSHOTS_PAGE):
        for record in records:
            if record.key == key and record.offset < end:
                last = record
        if records[-1].offset >= end - 1:
            break
    return last


async def _pages(log: Log, start: Position, limit: int = READ_LIMIT) -> AsyncIterator[list[Stored]]:
    position = start
    while records := await log.read(position, limit):
        yield records
        position = Position(position.topic, position.partition, records[-1].offset + 1)
