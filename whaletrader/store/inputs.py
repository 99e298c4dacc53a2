"""Finds again what an agent once read: from the log, and from the event store where the log
has forgotten it.

Called by replay. Reads each partition forward in pages, as the agent did.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from whaletrader.runtime.codec import decode
from whaletrader.runtime.core import Inline, Input
from whaletrader.runtime.log import Position, Stored
from whaletrader.schemas import agent_pb2

PAGE: Final = 2_000


class Source(Protocol):
    """What can be read forward: the Log, or the event store."""

    async def read(self, start: Position, limit: int) -> list[Stored]: ...


class InputGone(Exception):
    """A record that an agent decided upon can be found nowhere any more."""


class RecordedInputs:
    """The records that one agent's journal refers to, in the order of its entries."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._ahead: dict[tuple[str, int], deque[Stored]] = {}

    async def stored(self, entry: agent_pb2.JournalEntry) -> dict[int, Stored]:
        """Return, by index of the entry's input, the records that can be found."""
        found: dict[int, Stored] = {}
        for index, noted in enumerate(entry.inputs):
            if noted.HasField("inline"):
                continue
            place = (entry.topics[noted.topic], noted.partition)
            record = self._taken(place, noted.offset)
            if record is None:
                record = await self._fetched(place, noted.offset)
            if record is not None:
                found[index] = record
        return found

    async def all_of(self, entry: agent_pb2.JournalEntry) -> list[Input]:
        """Return every input of the entry. Raises InputGone."""
        stored = await self.stored(entry)
        inputs: list[Input] = []
        for index, noted in enumerate(entry.inputs):
            if noted.HasField("inline"):
                inline = noted.inline
                inputs.append(Inline(decode(inline.type, inline.payload), inline.effect_id))
            elif index in stored:
                inputs.append(stored[index])
            else:
                raise InputGone(
                    f"entry {entry.sequence} of {entry.agent} read offset {noted.offset} of "
                    f"{entry.topics[noted.topic]}/{noted.partition}, which is nowhere any more"
                )
        return inputs

    def _taken(self, place: tuple[str, int], offset: int) -> Stored | None:
        ahead = self._ahead.get(place)
        while ahead and ahead[0].offset < offset:
            ahead.popleft()
        return ahead.popleft() if ahead and ahead[0].offset == offset else None

    async def _fetched(self, place: tuple[str, int], offset: int) -> Stored | None:
        for source in self._sources:
            page = await source.read(Position(*place, offset), PAGE)
            if page and page[0].offset == offset:
                self._ahead[place] = deque(page[1:])
                return page[0]
        return None
