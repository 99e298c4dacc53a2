"""Hears from the venue's process when an order has reached its socket."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order at the exchange's socket: monotonic nanoseconds, path, token (- if raw)."""

    at_ns: int
    path: str
    token_id: str


class Arrivals:
    """Reads the venue's lines (see `benchmarks.venue`)."""

    def __init__(self) -> None:
        self._seen: asyncio.Queue[Arrival] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def of(cls, pipe: int) -> "AsyncIterator[Arrivals]":
        """Listen to the reading end of a pipe, which is closed at the end."""
        arrivals = cls()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb")
        )
        listening = asyncio.create_task(arrivals._listen(reader))
        try:
            yield arrivals
        finally:
            listening.cancel()
            transport.close()

    async def next(self, path: str, token_id: str, timeout_s: float) -> Arrival | None:
        """Return the next arrival of that order; others are dropped. None after the time-out."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    arrival = await self._seen.get()
                    if (arrival.path, arrival.token_id) == (path, token_id):
                        return arrival
        except TimeoutError:
            return None

    def clear(self) -> int:
        """Forget what has arrived unasked; return how many those were."""
        count = self._seen.qsize()
        while not self._seen.empty():
            self._seen.get_nowait()
        return count

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            at_ns, path, token_id = line.decode().split()
            self._seen.put_nowait(Arrival(int(at_ns), path, token_id))
