"""Starts one agent's process. Every service's `__main__` ends in `run`."""

import asyncio
import gc
import logging
import signal
import sys
from enum import Enum
from typing import Final

from whaletrader.runtime.clock import Clock, SetClock, WallClock, member_name
from whaletrader.runtime.health import Health, HealthServer, health_app
from whaletrader.runtime.heartbeat import beat
from whaletrader.runtime.letters import Letters
from whaletrader.runtime.log import Log, Shard
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.paced import PacedWorker
from whaletrader.runtime.pacing import PacedLine
from whaletrader.runtime.requests import Ask, Responder, connect
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.shell import Shell
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import TOPICS
from whaletrader.runtime.worker import FreeWorker, Tools, Worker

# An agent's state lives long and holds no cycles; what has cycles (a task, a traceback) dies young.
# Python's defaults walk all of it whenever it has grown by a quarter: a tenth of a second in which
# nobody is answered. So the young are looked at every 10,000 objects, the old hardly ever.
_COLLECT_AFTER: Final = (10_000, 20, 1_000)


class Pace(Enum):
    """What an agent has to do with a replayed tape's time. Without a tape it does not matter."""

    FOLLOWS = "works in lock step with the tape"
    GIVES = "its sources tell the time"
    FREE = "works as inputs come, by the wall clock"


def run(service: Service, pace: Pace = Pace.FOLLOWS) -> None:
    """Run the service until SIGTERM or SIGINT. Exits with 1 on a defect."""
    settings = RuntimeSettings()
    agent = service.make_agent()
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s %(levelname)s {agent.name} %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # A line for each request would drown everything else.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger(__name__).info("settings: %r", settings)
    if not settings.is_paced:
        pace = Pace.FREE
    # What the imports have made stays for good.
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    asyncio.run(_main(service, settings, agent.name, pace))


async def open_configured_log(settings: RuntimeSettings) -> Log:
    """Open the log that the settings name, with its topics created."""
    log = await open_log(
        settings.log.value,
        postgres_dsn=settings.postgres_dsn.get_secret_value(),
        kafka_bootstrap=settings.kafka_bootstrap,
        now_ns=WallClock().now_ns,
    )
    await log.create_topics(TOPICS)
    return log


async def face(responder: Responder, service: Service, is_at_work: bool) -> None:
    """Listen for requests while there is a worker to answer them."""
    if not is_at_work:
        await responder.hush()
        return
    for subject, kind in service.responds.items():
        await responder.listen(subject, kind)


async def _main(service: Service, settings: RuntimeSettings, name: str, pace: Pace) -> None:
    clock: Clock = WallClock() if pace is Pace.FREE else SetClock()
    telemetry = Telemetry(name)
    for collector in service.collectors:
        telemetry.registry.register(collector)
    log = await open_configured_log(settings)
    client = await connect(settings.nats_url.get_secret_value(), name)
    for edge in service.edges.values():
        if isinstance(edge.performer, Ask):
            edge.performer.bind(client, clock)
    tools = Tools(log, clock, settings, service, telemetry)
    line = PacedLine(client, name)

    def make_worker(tools: Tools, shard: Shard) -> Worker:
        if pace is Pace.FOLLOWS:
            return PacedWorker(tools, shard, line)
        return FreeWorker(tools, shard)

    health = Health()
    shell = Shell(tools, name, member_name(name), make_worker, health)
    server = HealthServer(
        health_app(health, telemetry.registry), settings.health_port, settings.health_host
    )
    serving = asyncio.create_task(server.serve())
    beating = asyncio.create_task(beat(log, shell, health, name, member_name(name)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shell.stop)
    try:
        if service.before is not None:
            await service.before()
        if pace is Pace.FOLLOWS:
            await line.listen(shell.wake)
        letters = Letters(log, clock, name, member_name(name))
        responder = Responder(client, clock, shell.answer, letters.bury)
        shell.on_work = lambda is_at_work: face(responder, service, is_at_work)
        await shell.run()
        await letters.drain()
    finally:
        if service.after is not None:
            await service.after()
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        server.should_exit = True
        await serving
        await client.close()
        await log.close()
        telemetry.close()
