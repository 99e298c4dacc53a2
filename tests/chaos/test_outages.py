"""A server that goes away and comes back: nothing is lost, and nothing is done meanwhile.

The servers are the test's own, given to the stack by their addresses, so that nobody restarts
them before their time.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import asyncpg
import pytest

from tests.chaos.demo_run import DemoRun, Outcome
from whaletrader.stack.options import LogKind
from whaletrader.stack.servers.base import LocalServer
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.servers.nats import NatsServer
from whaletrader.stack.servers.postgres import PostgresServer
from whaletrader.stack.testing import running

OUTAGE_AT_WINDOW = 25
SETTINGS = {
    "kafka": "KAFKA_BOOTSTRAP",
    "nats": "WHALETRADER_NATS_URL",
    "postgres": "WHALETRADER_POSTGRES_DSN",
}


@contextmanager
def own_servers(log: LogKind) -> Iterator[dict[str, LocalServer]]:
    kinds: list[LocalServer] = [PostgresServer(), NatsServer()]
    if log == "kafka":
        kinds.append(KafkaServer())
    with ExitStack() as stack:
        yield {server.name: stack.enter_context(running(server)) for server in kinds}


def addresses(servers: dict[str, LocalServer]) -> dict[str, str]:
    return {SETTINGS[name]: server.endpoint.url for name, server in servers.items()}


class Outage:
    """Stops a server once, in the middle of the tape, and starts it again after a while."""

    def __init__(self, server: LocalServer, seconds: float) -> None:
        self._server = server
        self._seconds = seconds
        self.happened = False

    async def __call__(self, run: DemoRun, window: int) -> None:
        if self.happened or window < OUTAGE_AT_WINDOW:
            return
        self.happened = True
        self._server.stop()
        await asyncio.sleep(self._seconds)
        self._server.restart()


async def play_through(log: LogKind, name: str, seconds: float) -> Outcome:
    with own_servers(log) as servers, DemoRun(log, addresses(servers)) as run:
        outage = Outage(servers[name], seconds)
        await run.play(outage)
        assert outage.happened
        outcome = await run.outcome()
        await nothing_came_unapproved(run)
        return outcome


async def nothing_came_unapproved(run: DemoRun) -> None:
    """Each order has its approval, and each approval its entry in risk's journal."""
    database = await asyncpg.connect(run.settings["WHALETRADER_POSTGRES_DSN"])
    try:
        orphans = await database.fetch(
            "SELECT order_id FROM read.orders AS o WHERE NOT EXISTS "
            "(SELECT 1 FROM read.approvals AS a WHERE a.approval_id = o.approval_id)"
        )
        journaled = await database.fetchval(
            "SELECT count(*) FROM store.events WHERE topic = 'journal.risk'"
        )
        approved = await database.fetchval("SELECT count(*) FROM read.approvals")
    finally:
        await database.close()
    assert orphans == []
    assert journaled >= 1 or approved == 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("log", "name", "seconds"),
    [("kafka", "kafka", 30.0), ("kafka", "nats", 5.0), ("postgres", "postgres", 10.0)],
)
async def test_an_outage_changes_nothing(
    log: LogKind, name: str, seconds: float, undisturbed: Outcome
) -> None:
    assert await play_through(log, name, seconds) == undisturbed
