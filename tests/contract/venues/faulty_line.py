"""A TCP line to the exchange that can lose requests, lose answers, hang, or be cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from enum import StrEnum
from urllib.parse import urlsplit


class Fault(StrEnum):
    NONE = "none"
    # The request never arrives, and the connection breaks.
    LOSE_REQUEST = "lose request"
    # The request arrives, and the connection breaks before the answer.
    LOSE_ANSWER = "lose answer"
    # The request arrives, and the answer never comes.
    HANG = "hang"


class Line:
    """Passes bytes on; the next request that begins with `target` meets the fault, once."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self.url = ""
        self.requests: Counter[str] = Counter()
        self._target = b""
        self._fault = Fault.NONE
        self._is_down = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, target: str, fault: Fault) -> None:
        self._target, self._fault = target.encode(), fault

    async def cut(self) -> None:
        """Break every connection, and refuse new ones until `mend`."""
        self._is_down = True
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    def mend(self) -> None:
        self._is_down = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_down:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, up_writer}
        lost = asyncio.Event()
        back = asyncio.create_task(self._answers(up_reader, writer, lost))
        self._tasks.add(back)
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                fault = self._meet(data)
                if fault is Fault.LOSE_REQUEST:
                    break
                if fault is Fault.HANG:
                    lost.set()
                up_writer.write(data)
                if fault is Fault.LOSE_ANSWER:
                    lost.set()
                    # The answer shows that the exchange has done it.
                    await up_reader_idle(back)
                    break
                await up_writer.drain()
        self._writers -= {writer, up_writer}
        back.cancel()
        self._tasks.discard(back)
        up_writer.transport.abort()
        writer.transport.abort()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if lost.is_set():
                    continue
                writer.write(data)
                await writer.drain()
            writer.transport.abort()

    def _meet(self, data: bytes) -> Fault:
        first = data.split(b"\r\n", 1)[0]
        if first.endswith(b"HTTP/1.1"):
            method, path, _ = first.decode().split(" ")
            self.requests[f"{method} {path.split('?')[0]}"] += 1
        if self._fault is Fault.NONE or not data.startswith(self._target):
            return Fault.NONE
        fault, self._fault = self._fault, Fault.NONE
        return fault


async def up_reader_idle(back: asyncio.Task[None]) -> None:
    """Give the exchange the time to act on what it was sent."""
    await asyncio.wait({back}, timeout=0.3)


@contextlib.asynccontextmanager
async def line_to(upstream: str) -> AsyncIterator[Line]:
    line = Line(upstream)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    line.url = f"http://{host}:{port}"
    try:
        yield line
    finally:
        server.close()
        await line.cut()
