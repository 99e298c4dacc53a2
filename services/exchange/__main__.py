"""Starts the exchange alone: `whaletrader exchange`, or `python -m whaletrader.services.exchange`.

The first line it prints is its URL; its settings, its hosts and snippets for each client follow.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import bind, server
from whaletrader.services.exchange.wire.player import BadTape
from whaletrader.services.exchange.wire.saved import BadState
from whaletrader.services.exchange.wire.welcome import welcome

_SKIPPED = frozenset({"credential_seed"})
EXIT_BAD_OPTION = 2
EXIT_NO_PORT = 1


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; return the process's exit code."""
    given = {k: v for k, v in vars(_parser().parse_args(arguments)).items() if v is not None}
    try:
        config = ExchangeConfig(**given)
    except ValidationError as error:
        print("\n".join(_explained(error)), file=sys.stderr)
        return EXIT_BAD_OPTION
    try:
        listener, url = bind(config)
    except OSError as error:
        print(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}; "
            "choose another --port, or 0 for a free one",
            file=sys.stderr,
        )
        return EXIT_NO_PORT
    try:
        serving = server(config)
    except (BadState, BadTape) as error:
        print(f"{'--tape' if isinstance(error, BadTape) else '--state'}: {error}", file=sys.stderr)
        return EXIT_BAD_OPTION
    print(url, flush=True)
    print(f"settings: {config.model_dump_json()}", flush=True)
    print(welcome(url, config), flush=True)
    with asyncio.Runner(loop_factory=serving.config.get_loop_factory()) as runner:
        runner.run(serving.serve(sockets=[listener]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="whaletrader exchange",
        description="A Polymarket in a box",
    )
    for name, field in ExchangeConfig.model_fields.items():
        if name not in _SKIPPED:
            parser.add_argument(_flag(name), default=None, help=_help(field), **_kind(field))
    return parser


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _kind(field: FieldInfo) -> dict[str, Any]:
    # Values stay text: the settings type says what is wrong with them, for all callers alike.
    if field.annotation is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"metavar": "VALUE"}


def _help(field: FieldInfo) -> str:
    text = (field.description or "").replace("%", "%%")
    return f"{text} (default: {field.default})"


def _explained(error: ValidationError) -> list[str]:
    """Return one line for each wrong option: its name, what is wrong, what was given."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        said = problem["msg"].removeprefix("Value error, ")
        if not name:
            lines.append(said)
            continue
        lines.append(f"{_flag(name)}: {said} (given: {problem['input']!r})")
    lines.append("whaletrader exchange --help lists all options")
    return lines


if __name__ == "__main__":
    sys.exit(main())
