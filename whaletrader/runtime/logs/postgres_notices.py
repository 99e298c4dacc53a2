"""Who is told what in PostgreSQL's LISTEN/NOTIFY.

Owns one listening connection a process and keeps it up. A notice only says "look again":
one that is lost costs time (`look_again_s`), never a record. Called by `logs.postgres`.

    r [topic.partition ...]   records were appended there (nothing named: anywhere)
    g <group>                 members or owners of the group changed
    c <group>                 a shard of the group was claimed
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import asyncpg

from whaletrader.runtime.log import LogUnavailable
from whaletrader.runtime.logs.postgres_schema import CHANNEL
from whaletrader.runtime.logs.postgres_session import (
    DRIVER_ERRORS,
    Connection,
    PostgresSettings,
    connect,
)

Place = tuple[int, int]

# Between tries to listen again, beside the time that `connect` itself takes.
_RETRY_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Notice:
    """What was said. No places means anywhere; no group means any."""

    places: tuple[Place, ...] | None = None
    group: str | None = None


ANYTHING: Final = Notice()


class Listener(Protocol):
    """Someone who wants to be told; called on the event loop and must not block."""

    def on_notice(self, notice: Notice) -> None:
        """Note it and wake who waits."""


class Notices:
    """Passes notices on to the listeners of this process."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self.is_listening = False

    async def start(self) -> None:
        """Listen from now on; returns when it does. Raises LogUnavailable."""
        connection = await self._listen()
        self._task = asyncio.create_task(self._keep_listening(connection))

    def add(self, listener: Listener) -> None:
        self._listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_listening(self, connection: Connection) -> None:
        try:
            while True:
                await self._lost(connection)
                self.is_listening = False
                connection = await self._listen_again()
                # Whatever was said while nobody listened is found by looking.
                self._tell(ANYTHING)
        finally:
            self.is_listening = False
            connection.terminate()

    async def _lost(self, connection: Connection) -> None:
        gone = asyncio.Event()

        def on_end(_: object) -> None:
            gone.set()

        connection.add_termination_listener(on_end)
        if not connection.is_closed():
            await gone.wait()

    async def _listen_again(self) -> Connection:
        while True:
            try:
                return await self._listen()
            except LogUnavailable:
                await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> Connection:
        connection = await connect(self._settings)
        try:
            await connection.add_listener(CHANNEL, self._on_notification)
        except (asyncpg.PostgresError, *DRIVER_ERRORS) as error:
            connection.terminate()
            raise LogUnavailable(f"cannot listen: {error!r}") from error
        self.is_listening = True
        return connection

    def _on_notification(self, *arguments: object) -> None:
        self._tell(_parsed(str(arguments[-1])))

    def _tell(self, notice: Notice) -> None:
        for listener in tuple(self._listeners):
            listener.on_notice(notice)


def _parsed(payload: str) -> Notice:
    kind, _, rest = payload.partition(" ")
    if kind == "r" and rest:
        pairs = (pair.split(".") for pair in rest.split(" "))
        return Notice(places=tuple((int(topic), int(number)) for topic, number in pairs))
    if kind in ("g", "c"):
        return Notice(places=(), group=rest)
    return ANYTHING
