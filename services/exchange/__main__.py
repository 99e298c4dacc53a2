"""Starts the exchange alone: `python -m whaletrader.services.exchange --port 0`.

The first line it prints is its URL.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from pydantic import ValidationError

from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import bind, server

_SKIPPED = frozenset({"credential_seed"})


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="exchange", description="A Polymarket in a box")
    for name, field in ExchangeConfig.model_fields.items():
        if name not in _SKIPPED:
            flag = "--" + name.replace("_", "-")
            parser.add_argument(flag, default=None, help=field.description)
    given = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    try:
        config = ExchangeConfig(**given)
    except ValidationError as error:
        print(error, file=sys.stderr)
        return 2
    listener, url = bind(config)
    print(url, flush=True)
    print(f"settings: {config.model_dump_json()}", flush=True)
    print(_hosts(url), flush=True)
    serving = server(config)
    with asyncio.Runner(loop_factory=serving.config.get_loop_factory()) as runner:
        runner.run(serving.serve(sockets=[listener]))
    return 0


def _hosts(url: str) -> str:
    streams = url.replace("http", "ws", 1)
    return "\n".join(
        (
            f"clob:      {url}",
            f"gamma:     {url}/gamma",
            f"data api:  {url}/data-api",
            f"relayer:   {url}/relayer",
            f"market ws: {streams}/ws/market",
            f"user ws:   {streams}/ws/user",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
