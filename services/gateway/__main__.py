"""Composition root of the gateway: `python -m whaletrader.services.gateway`.

The first line that it prints is the dashboard's address.
"""

import asyncio
import logging
import signal
import sys

from pydantic import ValidationError

from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.services.gateway.config import GatewaySettings
from whaletrader.services.gateway.serving import serving


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the process's exit code."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s gateway %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # It tells each failed attempt with a stack; we say once what is missing.
    logging.getLogger("nats.aio.client").setLevel(logging.CRITICAL)
    try:
        settings, runtime = GatewaySettings(), RuntimeSettings()
    except ValidationError as error:
        print(f"the gateway does not start: {error}", file=sys.stderr)
        return 2
    logging.getLogger(__name__).info("settings: %r %r", settings, runtime)
    try:
        asyncio.run(_serve(settings, runtime))
    except OSError as error:
        print(f"the gateway cannot listen on {settings.host}: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: GatewaySettings, runtime: RuntimeSettings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with serving(settings, runtime) as running:
        print(running.url, flush=True)
        await stopping.wait()


if __name__ == "__main__":
    sys.exit(main())
