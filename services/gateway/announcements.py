"""Hears what others announce: that something was recorded (Redis), how far the tape is (NATS).

Both are hints. What they say is read again from the read models, so a lost announcement costs
some time and nothing else; and when their server is away, so is only the hint.
"""

import asyncio
import logging
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from whaletrader.runtime.requests import connect
from whaletrader.services.gateway import views

_LOG = logging.getLogger(__name__)

CHANNEL: Final = "whaletrader:live"
PROGRESS: Final = "pace.progress"
RECONNECT_S_MIN: Final = 0.5
RECONNECT_S_MAX: Final = 5.0
# A silent channel is asked this often whether it is still there.
LISTEN_S_MAX: Final = 5.0


class Announcements:
    """Wakes whoever waits when the recorder has announced something."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._said = asyncio.Event()
        self.is_connected = False

    async def wait(self, timeout_s: float) -> bool:
        """Return whether something was announced before the time was over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._said.wait()
        except TimeoutError:
            return False
        self._said.clear()
        return True

    def wake(self) -> None:
        """Announce from within this process."""
        self._said.set()

    async def run(self) -> None:
        """Listen for good, and connect again after a loss. Returns only where no URL is set."""
        delay_s = RECONNECT_S_MIN
        while self._url:
            try:
                async with Redis.from_url(self._url, socket_connect_timeout=2) as client:
                    await self._listen(client)
            except (RedisError, OSError, TimeoutError) as error:
                if self.is_connected or delay_s == RECONNECT_S_MIN:
                    _LOG.warning("no announcements from Redis, polling instead: %r", error)
            delay_s = RECONNECT_S_MIN if self.is_connected else min(RECONNECT_S_MAX, 2 * delay_s)
            self.is_connected = False
            await asyncio.sleep(delay_s)

    async def _listen(self, client: Redis) -> None:
        channel: PubSub = client.pubsub()
        async with channel:
            await channel.subscribe(CHANNEL)
            while True:
                # Also tells that the connection was lost, by raising.
                message = await channel.get_message(timeout=LISTEN_S_MAX)
                self.is_connected = True
                if message is None:
                    await channel.ping()
                elif message["type"] == "message":
                    self._said.set()


class _Said(msgspec.Struct, frozen=True):
    """What the pacer publishes after each window."""

    window: int
    windows: int
    now_ns: int
    trades: int


class TapeProgress:
    """How far the replayed tape is, as its pacer last said."""

    def __init__(self, nats_url: str, mode: str) -> None:
        self._url = nats_url
        self._view = views.Progress(mode=mode)

    def view(self) -> views.Progress:
        return self._view

    async def run(self) -> None:
        """Listen for good, and connect again after a loss."""
        while True:
            try:
                client = await connect(self._url, "gateway")
            except (NatsError, OSError, TimeoutError) as error:
                _LOG.warning("the tape's progress is not known: %r", error)
                await asyncio.sleep(RECONNECT_S_MAX)
                continue
            await self._listen(client)

    async def _listen(self, client: Client) -> None:
        async def on_progress(raw: Msg) -> None:
            try:
                said = msgspec.json.decode(raw.data, type=_Said)
            except msgspec.DecodeError:
                _LOG.warning("unreadable progress on %s", raw.subject)
                return
            self._view = views.Progress(
                mode=self._view.mode,
                window=said.window,
                windows=said.windows,
                now_ns=said.now_ns,
                trades=said.trades,
            )

        try:
            await client.subscribe(PROGRESS, cb=on_progress)
            # The client itself reconnects and subscribes again.
            await asyncio.Event().wait()
        finally:
            await client.close()
