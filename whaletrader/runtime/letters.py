"""Keeps what came over NATS and could not be read: a dead letter each, with its bytes.

A request is no record of the log, so the core never sees these; the shell's process appends them
itself. Called by the responder.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import Clock
from whaletrader.runtime.codec import Envelope, digest, to_record, type_name
from whaletrader.runtime.log import Log, LogError
from whaletrader.runtime.topics import DEAD_LETTERS
from whaletrader.schemas import agent_pb2

_LOG = logging.getLogger(__name__)

# Nonsense comes from a defect or from an enemy: it must not take the log's time from requests.
UNDER_WAY_MAX: Final = 64
APPEND_S_MAX: Final = 5.0

Bury = Callable[[str, type[Message], bytes, Exception], None]


class Letters:
    """Appends dead letters of one agent's requests, a bounded number at once."""

    def __init__(self, log: Log, clock: Clock, agent: str, member: str) -> None:
        self._log = log
        self._clock = clock
        self._agent = agent
        self._member = member
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def bury(self, subject: str, kind: type[Message], payload: bytes, error: Exception) -> None:
        """Append the request to the dead letters; what floods is counted in the process's log."""
        if len(self._tasks) >= UNDER_WAY_MAX:
            _LOG.error("an unreadable request on %s of %d bytes is lost", subject, len(payload))
            return
        self._count += 1
        letter = agent_pb2.DeadLettered(
            agent=self._agent,
            topic=subject,
            partition=-1,
            offset=-1,
            type=type_name(kind),
            error=f"{type(error).__name__}: {error}",
            payload=payload,
        )
        now_ns = self._clock.now_ns()
        letter.meta.event_time_ns = now_ns
        letter.meta.source = self._agent
        letter.meta.id = derived_id(
            self._agent, self._member, subject, now_ns, self._count, digest(payload).hex()
        )
        letter.meta.correlation = letter.meta.id
        task = asyncio.create_task(self._append(letter))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._tasks)

    async def _append(self, letter: agent_pb2.DeadLettered) -> None:
        record = to_record(Envelope(DEAD_LETTERS, letter.topic, letter))
        try:
            async with asyncio.timeout(APPEND_S_MAX):
                await self._log.append([record])
        except (LogError, TimeoutError):
            # Nothing was decided on it, and its sender was told no by silence.
            _LOG.exception("an unreadable request on %s could not be kept", letter.topic)
