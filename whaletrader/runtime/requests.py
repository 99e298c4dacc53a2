"""Synchronous questions over NATS: one agent asks, another answers after its commit.

Nothing that must survive lives here. An answer that does not come is a no.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import nats
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from whaletrader.runtime.agent import Effect
from whaletrader.runtime.clock import Clock, SetClock
from whaletrader.runtime.codec import UnreadableMessage, decode, encode, type_name
from whaletrader.runtime.letters import Bury
from whaletrader.runtime.service import EffectRetry
from whaletrader.runtime.subjects import Subject

_LOG = logging.getLogger(__name__)

TYPE_HEADER: Final = "Whaletrader-Type"
TIME_HEADER: Final = "Whaletrader-Now"
# One attempt waits this long for an answer; the policy's deadline bounds all of them.
ATTEMPT_TIMEOUT_S: Final = 2.0


async def connect(url: str, name: str) -> Client:
    """Connect for good: reconnect for as long as the process lives."""
    return await nats.connect(
        url,
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
        connect_timeout=2,
        allow_reconnect=True,
    )


class NoAnswer(Exception):
    """Nobody is there, or nobody answered in time, or not in words that we know: it says which."""


async def ask_once(client: Client, subject: Subject, token: str, question: Message) -> Message:
    """Ask, once, for a person who waits. Raises NoAnswer; what was asked may have been done."""
    try:
        reply = await client.request(
            subject.of(token),
            encode(question),
            timeout=subject.deadline_s,
            headers={TYPE_HEADER: type_name(question)},
        )
    except NoRespondersError as error:
        raise NoAnswer(f"no {subject.responder} is there to answer {subject.name}") from error
    except (NatsError, TimeoutError) as error:
        raise NoAnswer(
            f"{subject.responder} did not answer {subject.name} within {subject.deadline_s:g} s"
        ) from error
    try:
        message = decode((reply.headers or {}).get(TYPE_HEADER, ""), reply.data)
    except UnreadableMessage as error:
        raise NoAnswer(f"{subject.responder} answered what cannot be read: {error}") from error
    if not isinstance(message, subject.replies):
        raise NoAnswer(f"{type_name(message)} is no answer to {subject.name}")
    return message


class Ask:
    """Performer: sends the effect's message as a request and returns the reply.

    `bind` is called by the shell once NATS is connected. The request carries the asker's time,
    so that a replayed tape's clock is the same on both ends.
    """

    def __init__(self, subject: Callable[[Any], str], replies: Sequence[type[Message]]) -> None:
        self._subject = subject
        self._replies = tuple(replies)
        self._client: Client | None = None
        self._clock: Clock = SetClock()

    def bind(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - the responder is idempotent
        if self._client is None:
            raise EffectRetry("NATS is not connected yet")
        try:
            reply = await self._client.request(
                self._subject(effect.message),
                encode(effect.message),
                timeout=ATTEMPT_TIMEOUT_S,
                headers={
                    TYPE_HEADER: type_name(effect.message),
                    TIME_HEADER: str(self._clock.now_ns()),
                },
            )
        except (NatsError, NoRespondersError, TimeoutError) as error:
            raise EffectRetry(f"no answer: {error!r}") from error
        return self._read(reply)

    def _read(self, reply: Msg) -> Message:
        message = decode((reply.headers or {}).get(TYPE_HEADER, ""), reply.data)
        if not isinstance(message, self._replies):
            raise UnreadableMessage(f"{type_name(message)} is no answer to this request")
        return message


class Responder:
    """Takes requests on subjects and hands them to the worker.

    Who has no worker must not listen: a standby that took requests would leave each unanswered.
    There is no queue group either: a process that lost its shard and does not know it yet must
    not swallow what its successor would answer. Its own commit fails, so one answers at most.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        take: Callable[[Message], Awaitable[Message | None]],
        bury: Bury | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._take = take
        self._bury = bury
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: list[Subscription] = []

    async def listen(self, subject: str, kind: type[Message]) -> None:
        """Subscribe. A request that cannot be read gets no answer, which means no."""

        async def answer(raw: Msg, message: Message) -> None:
            reply = await self._take(message)
            if reply is not None and raw.reply:
                await self._client.publish(
                    raw.reply, encode(reply), headers={TYPE_HEADER: type_name(reply)}
                )

        async def on_request(raw: Msg) -> None:
            try:
                message = _read_request(raw, kind)
            except UnreadableMessage as error:
                _LOG.warning("unreadable, no answer: a request on %s: %s", raw.subject, error)
                if self._bury is not None:
                    self._bury(raw.subject, kind, raw.data, error)
                return
            asked_at = (raw.headers or {}).get(TIME_HEADER, "")
            if isinstance(self._clock, SetClock) and asked_at.isdigit():
                self._clock.set(int(asked_at))
            # A task each, so that requests that arrive together share one commit.
            task = asyncio.create_task(answer(raw, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._listening.append(await self._client.subscribe(subject, cb=on_request))

    async def hush(self) -> None:
        """Take no more requests: from now on an asker is told that nobody is there. Idempotent."""
        listening, self._listening = self._listening, []
        for subscription in listening:
            # Without a connection nobody asks anyhow.
            with suppress(NatsError):
                await subscription.unsubscribe()


def _read_request(raw: Msg, kind: type[Message]) -> Message:
    stated = (raw.headers or {}).get(TYPE_HEADER, "")
    if stated and stated != type_name(kind):
        raise UnreadableMessage(f"{stated[:200]} is not what {raw.subject} is for")
    return decode(type_name(kind), raw.data)
