"""Opens everything that the gateway works with, and serves it until the block ends.

Called by the composition root and by tests that want a gateway on real sockets.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.health import Health, HealthServer, health_app
from whaletrader.runtime.run import open_configured_log
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.services.gateway.announcements import Announcements, TapeProgress
from whaletrader.services.gateway.api import Ports
from whaletrader.services.gateway.app import create_app
from whaletrader.services.gateway.config import GatewaySettings
from whaletrader.services.gateway.control import ControlDesk
from whaletrader.services.gateway.live import LiveHub
from whaletrader.services.gateway.risk_desk import RiskDesk
from whaletrader.services.gateway.store import StoreNotReady, StoreUnavailable, open_store

_LOG = logging.getLogger(__name__)

BACKLOG_CONNECTIONS = 128
STOP_S_MAX = 2
CHECK_INTERVAL_S = 1.0
CANCEL_ATTEMPTS_MAX = 10
CANCEL_S = 0.5


@dataclass(frozen=True, slots=True)
class Serving:
    """A gateway that answers. `url` ends without a slash."""

    url: str
    app: FastAPI
    ports: Ports


@contextlib.asynccontextmanager
async def opened(
    settings: GatewaySettings, runtime: RuntimeSettings, health: Health
) -> AsyncIterator[tuple[FastAPI, Ports]]:
    """Yield the application with its readers running. No server has to be there yet."""
    store = await open_store(runtime.postgres_dsn.get_secret_value(), settings.query_s_max)
    control = ControlDesk(lambda: open_configured_log(runtime), settings.portfolio, WallClock())
    progress = TapeProgress(runtime.nats_url.get_secret_value(), runtime.mode.value)
    announcements = Announcements(runtime.redis_url.get_secret_value())
    hub = LiveHub(store, control, progress, announcements, settings)
    risk = RiskDesk(runtime.nats_url.get_secret_value(), settings.portfolio, store, WallClock())
    ports = Ports(store, control, hub, progress, announcements, settings, risk)
    registry = CollectorRegistry()
    running = [hub.run(), announcements.run(), _watch(ports, health)]
    if runtime.is_paced:
        running.append(progress.run())
    tasks = [asyncio.create_task(one) for one in running]
    try:
        yield create_app(ports, registry), ports
    finally:
        await _end(tasks)
        await risk.close()
        await control.close()
        await store.close()


@contextlib.asynccontextmanager
async def serving(settings: GatewaySettings, runtime: RuntimeSettings) -> AsyncIterator[Serving]:
    """Serve on the settings' port within this event loop, and the probes on theirs."""
    listener, url = _bind(settings.host, settings.port)
    health = Health()
    try:
        async with opened(settings, runtime, health) as (app, ports):
            probes = HealthServer(health_app(health, CollectorRegistry()), runtime.health_port)
            server = _Server(
                uvicorn.Config(
                    app,
                    log_level="warning",
                    access_log=False,
                    ws="websockets-sansio",
                    ws_ping_interval=20.0,
                    ws_ping_timeout=20.0,
                    # Pages say nothing on the socket.
                    ws_max_size=1_024,
                    server_header=False,
                    timeout_graceful_shutdown=STOP_S_MAX,
                )
            )
            tasks = [asyncio.create_task(server.serve(sockets=[listener]))]
            if runtime.health_port:
                tasks.append(asyncio.create_task(probes.serve()))
            try:
                # The listener is open: whoever connects now is answered in a moment.
                health.started = True
                yield Serving(url, app, ports)
            finally:
                server.should_exit = probes.should_exit = True
                await asyncio.gather(*tasks)
    finally:
        listener.close()


async def _watch(ports: Ports, health: Health) -> None:
    """Keep the probes' answer fresh: ready is who reaches the store."""
    while True:
        try:
            await ports.store.check()
            health.problem = ""
        except (StoreUnavailable, StoreNotReady) as error:
            health.problem = str(error)
        await asyncio.sleep(CHECK_INTERVAL_S)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel the readers; tell of those that had failed."""
    for _ in range(CANCEL_ATTEMPTS_MAX):
        for task in tasks:
            task.cancel()
        # Before Python 3.12 `asyncio.wait_for`, which the NATS client connects with, loses a
        # cancellation that comes in the moment of an answer: then it takes another one.
        _, pending = await asyncio.wait(tasks, timeout=CANCEL_S)
        if not pending:
            break
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a reader of the gateway had ended: %r", error)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave signals to the composition root."""
        yield


def _bind(host: str, port: int) -> tuple[socket.socket, str]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named so that asyncio turns Nagle's delay off on what it accepts.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG_CONNECTIONS)
    bound, number = listener.getsockname()[:2]
    return listener, f"http://[{bound}]:{number}" if ":" in bound else f"http://{bound}:{number}"
