"""A trading desk for measurements: the real agents as processes, and the raw chain beside them.

Orchestrator, risk and execution run as in paper mode, against the local exchange; three raw hops
(`benchmarks.floors`) stand beside them on the same servers. Idle agents are there while the floor
is measured, and idle hops while the agents are.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import SecretStr

from benchmarks import events
from benchmarks.arrivals import Arrivals
from benchmarks.children import READY_S_MAX, Children
from benchmarks.entries import RawEntry, raw_entry
from benchmarks.floors.addresses import REQUEST_S_MAX, SUBJECT
from benchmarks.servers import LogKind
from whaletrader.runtime.log import Log
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.topics import TOPICS
from whaletrader.stack.ports import LOOPBACK, free_port
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner

_HOUR_S: Final = "3600"
_CALL_S_MAX: Final = 30.0
_LOOK_S: Final = 0.1
# No limit of risk may bind: every trade is to become an order.
_RISK: Final = {
    "STARTING_CASH_USD": "900000000",
    "POLICY_FILE": str(Path(__file__).with_name("policy.toml")),
}


@dataclass(frozen=True, slots=True)
class Site:
    """Where the servers of a desk are, and a folder for its files."""

    kind: LogKind
    folder: Path
    nats_url: str
    postgres_dsn: str = ""
    kafka_bootstrap: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the measurements use. `raw` is where the raw chain begins."""

    kind: LogKind
    log: Log
    nats: Client
    raw: RawEntry
    arrivals: Arrivals
    children: Children
    agent_env: Mapping[str, str]

    async def start_agents(self, *names: str) -> None:
        """Start agents and return when all are ready. Raises ChildFailed."""
        ports: dict[str, int] = {}
        for name in names:
            ports[name] = free_port(ports.values())
            env = {**self.agent_env, "WHALETRADER_HEALTH_PORT": str(ports[name])}
            self.children.start(name, f"whaletrader.services.{name}", env=env)
        for name, port in ports.items():
            await self.children.ready(name, port)


@asynccontextmanager
async def desk(site: Site) -> AsyncIterator[Desk]:
    """Set up the exchange, the groundwork on the log, and the raw chain; no agent runs yet."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    async with AsyncExitStack() as stack:
        children = stack.enter_context(Children(site.folder))
        pipe = children.start_talking("venue", "benchmarks.venue", str(port), env={})
        arrivals = await stack.enter_async_context(Arrivals.of(pipe))
        await children.ready("venue", port)
        await _furnish(url)
        log = await open_log(
            site.kind,
            postgres_dsn=site.postgres_dsn,
            kafka_bootstrap=site.kafka_bootstrap,
            now_ns=time.time_ns,
        )
        stack.push_async_callback(log.close)
        await log.create_topics(TOPICS)
        await log.append(events.groundwork(time.time_ns(), events.APPROVAL_MARKETS))
        raw = await raw_entry(site.kind, site.postgres_dsn or site.kafka_bootstrap)
        stack.push_async_callback(raw.close)
        client = await nats.connect(site.nats_url)
        stack.push_async_callback(client.close)
        for role in ("first", "middle", "last"):
            children.start(
                f"raw-{role}", "benchmarks.floors", role, site.kind, env=_hop_env(site, url)
            )
        await _middle_answers(client, children)
        yield Desk(site.kind, log, client, raw, arrivals, children, _agent_env(site, url))


async def _middle_answers(client: Client, children: Children) -> None:
    """Return when the raw chain's middle hop listens: until then nobody may enter the chain."""
    deadline_s = time.monotonic() + READY_S_MAX
    while True:
        try:
            await client.request(SUBJECT, b"ready?", timeout=REQUEST_S_MAX)
        except (NatsError, TimeoutError):
            children.check("raw-middle")
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(_LOOK_S)
        else:
            return


async def _furnish(url: str) -> None:
    """Fund the wallet and list the markets at the exchange."""
    wallet = LocalSigner(SecretStr(DEVELOPMENT_KEY)).address
    markets = [events.Market(number).admin_row(time.time_ns()) for number in range(events.MARKETS)]
    async with httpx.AsyncClient(base_url=url, timeout=_CALL_S_MAX) as client:
        account = {"address": wallet, "collateral": "900000000"}
        for path, body in (("accounts", account), ("markets", {"markets": markets})):
            (await client.post(f"/admin/{path}", json=body)).raise_for_status()


def _hop_env(site: Site, exchange_url: str) -> dict[str, str]:
    return {
        "BENCH_POSTGRES_DSN": site.postgres_dsn,
        "BENCH_KAFKA": site.kafka_bootstrap,
        "BENCH_NATS_URL": site.nats_url,
        "BENCH_EXCHANGE_URL": exchange_url,
    }


def _agent_env(site: Site, exchange_url: str) -> dict[str, str]:
    return {
        "WHALETRADER_LOG": site.kind,
        "WHALETRADER_MODE": "paper",
        "WHALETRADER_DATA_DIR": str(site.folder),
        "WHALETRADER_POSTGRES_DSN": site.postgres_dsn,
        "KAFKA_BOOTSTRAP": site.kafka_bootstrap,
        "WHALETRADER_NATS_URL": site.nats_url,
        "WHALETRADER_EXCHANGE_URL": exchange_url,
        "WHALETRADER_EXECUTION_PRIVATE_KEY": DEVELOPMENT_KEY,
        # Orders rest for the whole measurement: cancels would only add noise.
        "WHALETRADER_EXECUTION_WORKING_TIME_S": _HOUR_S,
        # The market here has no book to choose a tactic by; measured is the way of one order.
        "WHALETRADER_EXECUTION_TACTIC": "single",
        # Every trade of a whale is a signal, however soon after the last.
        "WHALETRADER_ORCHESTRATOR_COOLDOWN_S": "0",
        **{f"WHALETRADER_RISK_{name}": value for name, value in _RISK.items()},
    }
