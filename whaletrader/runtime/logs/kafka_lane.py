"""One thread that makes the blocking calls of one Kafka client, in their order.

librdkafka's clients block; each gets a lane, so the event loop never waits and two calls
never meet in a client that is being closed. The threads are daemons: a call that hangs in the
library cannot keep the process alive. Called by the other `logs.kafka` modules.
"""

import asyncio
import concurrent.futures
import logging
import queue
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from whaletrader.runtime.log import LogUnavailable

Result = TypeVar("Result")

# The last call waits for the one before it: a commit may still be waiting for its answer.
_CLOSE_S_MAX: Final = 10.0

_logger = logging.getLogger(__name__)


class Lane:
    """A thread for one client."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._closed = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def start(self, call: Callable[[], Result]) -> asyncio.Future[Result]:
        """Begin a call; it goes on also when nobody waits for it any more."""
        if self._closed:
            raise LogUnavailable("the log was closed")
        outcome: concurrent.futures.Future[Result] = concurrent.futures.Future()
        self._calls.put(lambda: _settle(outcome, call))
        return asyncio.wrap_future(outcome)

    async def run(self, call: Callable[[], Result]) -> Result:
        """Make a call and return what it returns. A cancelled wait leaves the call running."""
        return await asyncio.shield(self.start(call))

    async def close(self, last: Callable[[], None]) -> None:
        """Make the last call, after those before it, and end the thread. Idempotent."""
        if self._closed:
            return
        done = self.start(last)
        self._closed = True
        self._calls.put(None)
        await asyncio.wait({done}, timeout=_CLOSE_S_MAX)
        if not done.done():
            _logger.warning("%s is left alone after %s s", self._name, _CLOSE_S_MAX)
            return
        done.result()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _settle(outcome: concurrent.futures.Future[Result], call: Callable[[], Result]) -> None:
    # A wait that was cancelled has no outcome to set; the call is made all the same.
    is_awaited = outcome.set_running_or_notify_cancel()
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - raised where the outcome is awaited
        if is_awaited:
            outcome.set_exception(error)
        return
    if is_awaited:
        outcome.set_result(result)
