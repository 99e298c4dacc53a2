"""Composition root of the recorder: log in, PostgreSQL and Redis out."""

import asyncio
import logging
import signal
import sys

from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.health import Health, HealthServer, health_app
from whaletrader.runtime.log import Log, LogUnavailable
from whaletrader.runtime.run import open_configured_log
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.services.recorder.config import RecorderSettings
from whaletrader.services.recorder.hot import HotState
from whaletrader.services.recorder.metrics import RecorderMetrics
from whaletrader.services.recorder.recorder import Recorder


def main() -> None:
    runtime, settings = RuntimeSettings(), RecorderSettings()
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s recorder %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger(__name__).info("settings: %r %r", runtime, settings)
    if not runtime.postgres_dsn.get_secret_value():
        sys.exit("recorder: WHALETRADER_POSTGRES_DSN is not set: there is nowhere to record to")
    asyncio.run(_main(runtime, settings))


async def _main(runtime: RuntimeSettings, settings: RecorderSettings) -> None:
    health, metrics = Health(), RecorderMetrics()
    server = HealthServer(health_app(health, metrics.registry), runtime.health_port)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        log = await _open_log(runtime, settings, health, stopping)
        if log is not None:
            await _record(log, runtime, settings, (health, metrics), stopping)
    finally:
        server.should_exit = True
        await serving


async def _record(
    log: Log,
    runtime: RuntimeSettings,
    settings: RecorderSettings,
    seen: tuple[Health, RecorderMetrics],
    stopping: asyncio.Event,
) -> None:
    health, metrics = seen
    dsn = runtime.postgres_dsn.get_secret_value()
    recorder = Recorder(log, dsn, settings, health, metrics, WallClock())
    tasks = [asyncio.create_task(recorder.run())]
    if redis_url := runtime.redis_url.get_secret_value():
        hot = HotState(redis_url, dsn, settings, metrics)
        recorder.on_change = hot.changed
        tasks.append(asyncio.create_task(hot.run()))
    try:
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait({*tasks, told}, return_when=asyncio.FIRST_COMPLETED)
        recorder.stop()
        told.cancel()
        await tasks[0]
        for task in tasks:
            # What waiting does not mend ends the process; its supervisor decides what then.
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await log.close()


async def _open_log(
    runtime: RuntimeSettings,
    settings: RecorderSettings,
    health: Health,
    stopping: asyncio.Event,
) -> Log | None:
    """Open the log as soon as it can be reached; None when told to stop before."""
    while not stopping.is_set():
        try:
            return await open_configured_log(runtime)
        except LogUnavailable as error:
            health.problem = f"waiting for the log: {error}"
            logging.getLogger(__name__).warning("the log cannot be reached: %s", error)
            await asyncio.sleep(settings.retry_first_s)
    return None


if __name__ == "__main__":
    main()
