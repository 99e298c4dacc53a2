"""The claim to a wallet where there is no PostgreSQL: the log's own fencing.

Only the owner of execution's journal can commit. A commit a moment ago is the proof; where there
was none, a message that changes nothing is put and its commit awaited. A process that was fenced
never sees that commit.
"""

import asyncio
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import monotonic_s
from whaletrader.schemas import agent_pb2
from whaletrader.services.execution.claims import ClaimLost
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.news import News

# A send follows the commit that announced it within milliseconds.
FRESH_S: Final = 2.0
_COMMIT_TIMEOUT_S: Final = 5.0


class LogClaim:
    """The right to send of whoever commits."""

    def __init__(self, desk: Desk, news: News) -> None:
        self._news = news
        self._committed_s = -FRESH_S
        self._commit = asyncio.Event()
        self._probes = 0
        desk.on_commit = self._note

    async def confirm(self) -> None:
        if monotonic_s() - self._committed_s <= FRESH_S / 2:
            return
        self._commit.clear()
        self._probes += 1
        probe = agent_pb2.TimerFired(timer_id=f"claim:{self._probes}:")
        probe.meta.id = derived_id("execution", "claim", self._probes, int(monotonic_s() * 1e9))
        self._news.tell(probe)
        try:
            async with asyncio.timeout(_COMMIT_TIMEOUT_S):
                await self._commit.wait()
        except TimeoutError as error:
            raise ClaimLost("the log took no commit of ours: another may own it") from error

    def require(self) -> None:
        if monotonic_s() - self._committed_s > FRESH_S:
            raise ClaimLost("our last commit is too long ago: another may own the log")

    def _note(self) -> None:
        self._committed_s = monotonic_s()
        self._commit.set()
