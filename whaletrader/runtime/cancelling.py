"""Ends tasks for certain. Used by the workers and the shell wherever they let go of one.

In Python 3.11 `asyncio.wait_for` swallows a cancellation that comes in the moment in which what
it waits for is done (cpython issue 86296, mended in 3.12): whoever then goes on in a loop never
ends. So one cancellation is not enough.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

# A second one cuts short whatever cleaning up the first one began: it must come late.
CANCEL_AGAIN_S: Final = 2.0


async def end_all(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel the tasks until each has ended. What they raise is dropped."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
        for task in ended:
            if not task.cancelled():
                # Looked at, so that asyncio does not complain that nobody did.
                task.exception()
