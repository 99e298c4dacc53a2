"""Whom `whaletrader risk` asks: the running agent over NATS, or its book restored from the log.

A restored book answers questions only: nothing that it decides is kept. Changes nothing anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import nats
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.errors import Error as NatsError

from whaletrader.commands.recorded import CommandFailed, show_time
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.core import Core
from whaletrader.runtime.journal import restore
from whaletrader.runtime.log import LogError, UnknownTopic
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.requests import NoAnswer, ask_once
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.subjects import QUERIES, Subject
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import RiskSettings

CONNECT_S_MAX = 2


@dataclass
class RiskLine:
    """One person's line to risk. `note` says whom the answers are from, if not from itself."""

    settings: RuntimeSettings
    portfolio: str
    client: Client | None
    why_not: str = ""
    note: str = ""
    _restored: RiskAgent | None = field(default=None, repr=False)

    async def ask(self, subject: Subject, token: str, question: Message) -> Message:
        """Return risk's answer, or the restored book's. Raises CommandFailed."""
        try:
            return await self.order(subject, token, question)
        except CommandFailed as error:
            agent = await self._book(str(error))
        reply = agent.decide(question).reply
        if reply is None:
            raise CommandFailed(f"the restored book has no answer to {subject.name}")
        return reply

    async def order(self, subject: Subject, token: str, command: Message) -> Message:
        """Return the running agent's answer. Raises CommandFailed."""
        if self.client is None:
            raise CommandFailed(self.why_not)
        try:
            return await ask_once(self.client, subject, token, command)
        except NoAnswer as error:
            raise CommandFailed(str(error)) from error

    async def shown(self, verdicts_max: int) -> risk_pb2.RiskShown:
        """Return how the desk stands. Raises CommandFailed."""
        query = risk_pb2.RiskQuery(portfolio=self.portfolio, verdicts_max=verdicts_max)
        query.meta.event_time_ns = WallClock().now_ns()
        query.meta.id = derived_id("risk-query", self.portfolio, query.meta.event_time_ns)
        answer = await self.ask(QUERIES, self.portfolio, query)
        if not isinstance(answer, risk_pb2.RiskShown):
            raise CommandFailed(f"risk answered {type(answer).__name__}")
        if answer.portfolio != self.portfolio:
            raise CommandFailed(
                f"risk guards {answer.portfolio!r}, not {self.portfolio!r}: name it by --portfolio"
            )
        return answer

    async def _book(self, why: str) -> RiskAgent:
        """Return risk as its last commit left it."""
        if self._restored is not None:
            return self._restored
        core = Core(RiskAgent(RiskSettings(portfolio=self.portfolio), _never_sign, ""))
        try:
            log = await open_log(
                self.settings.log.value,
                postgres_dsn=self.settings.postgres_dsn.get_secret_value(),
                kafka_bootstrap=self.settings.kafka_bootstrap,
                now_ns=WallClock().now_ns,
            )
        except LogError as error:
            raise CommandFailed(
                f"{why}; nor can the log be read ({error}): start the stack with `whaletrader up`"
            ) from error
        try:
            await restore(log, core)
        except UnknownTopic:
            # Nothing was ever said on this log: told below.
            pass
        except LogError as error:
            raise CommandFailed(f"{why}; nor can its journal be read: {error}") from error
        finally:
            await log.close()
        if core.sequence == 0:
            raise CommandFailed(f"{why}, and it has never run here: `whaletrader up` starts it")
        agent = core.agent
        if not isinstance(agent, RiskAgent):
            raise CommandFailed("the journal of risk belongs to another agent")
        self.note = f"{why}: this is its book as of {show_time(agent.now_ns)}"
        if not self.settings.is_paced:
            # A tape's time stands still; the world's does not.
            agent.now_ns = WallClock().now_ns()
        self._restored = agent
        return agent


@asynccontextmanager
async def risk_line(settings: RuntimeSettings, portfolio: str) -> AsyncIterator[RiskLine]:
    """Yield a line that is open as long as the block lasts."""
    client, why_not = await _connected(settings)
    try:
        yield RiskLine(settings, portfolio, client, why_not)
    finally:
        if client is not None:
            await client.close()


async def _connected(settings: RuntimeSettings) -> tuple[Client | None, str]:
    async def hush(_: Exception) -> None:
        """What is wrong is told by the answer that does not come."""

    try:
        # By itself the client tries for minutes.
        async with asyncio.timeout(CONNECT_S_MAX):
            client = await nats.connect(
                settings.nats_url.get_secret_value(),
                name="whaletrader-risk",
                connect_timeout=CONNECT_S_MAX,
                allow_reconnect=False,
                error_cb=hush,
            )
    except (NatsError, OSError, TimeoutError) as error:
        return None, f"risk cannot be asked, NATS is not there ({type(error).__name__})"
    return client, ""


def _never_sign(_: bytes) -> bytes:
    raise CommandFailed("a restored book signs nothing")
