"""One thread that makes the blocking calls of one Kafka client, in their order.

librdkafka's clients block; each gets a lane, so the event loop never waits and two calls
never meet in a client that is being closed. Called by the other `logs.kafka` modules.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from whaletrader.runtime.log import LogUnavailable

Result = TypeVar("Result")


class Lane:
    """A thread for one client."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._closed = False

    def start(self, call: Callable[[], Result]) -> asyncio.Future[Result]:
        """Begin a call; it goes on also when nobody waits for it any more."""
        if self._closed:
            raise LogUnavailable("the log was closed")
        return asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def run(self, call: Callable[[], Result]) -> Result:
        """Make a call and return what it returns. A cancelled wait leaves the call running."""
        return await asyncio.shield(self.start(call))

    async def close(self, last: Callable[[], None]) -> None:
        """Make the last call, after those before it, and end the thread. Idempotent."""
        if self._closed:
            return
        done = self.start(last)
        self._closed = True
        try:
            await asyncio.shield(done)
        finally:
            self._executor.shutdown(wait=False)
