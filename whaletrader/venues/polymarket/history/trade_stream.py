"""The socket under the stream of all trades: one connection, its frames as they come.

Owns connecting, the subscription and the pings. Whoever calls says what a loss means, and connects
again. Called by feeds and by the scan.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import websockets

from whaletrader.venues.polymarket.history.rtds import PING, PING_S, subscribe

CONNECT_S_MAX: Final = 10.0
# What a lost connection raises, whatever broke it.
LOSSES: Final = (OSError, TimeoutError, websockets.WebSocketException)


async def frames(url: str) -> AsyncGenerator[str, None]:
    """Yield what one connection says until it ends; its end raises one of LOSSES."""
    async with websockets.connect(url, open_timeout=CONNECT_S_MAX, max_size=None) as socket:
        await socket.send(subscribe())
        pinging = asyncio.create_task(_ping(socket))
        try:
            async for frame in socket:
                yield frame if isinstance(frame, str) else frame.decode(errors="replace")
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
    raise ConnectionResetError("the venue closed the stream")


async def _ping(socket: websockets.ClientConnection) -> None:
    while True:
        await asyncio.sleep(PING_S)
        await socket.send(PING)
