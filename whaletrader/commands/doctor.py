"""`whaletrader doctor`: what this machine lacks, and what to do about each thing.

With `--live`, what the venue lacks for this wallet: every check of the pre-flight that live trading
must pass, without trading. `--venue-url` looks at a local exchange instead.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from whaletrader.commands.up import DataOption
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.settings import Mode
from whaletrader.stack.doctor import examine
from whaletrader.stack.paths import data_home
from whaletrader.venues.errors import VenueError
from whaletrader.venues.polymarket.access import PREFIX, VenueAccess
from whaletrader.venues.preflight import PreflightOptions, preflight
from whaletrader.venues.report import Check, Report

app = typer.Typer(add_completion=False)

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}

LiveOption = Annotated[
    bool, typer.Option("--live", help="Look at the venue and the wallet instead. Sends no order.")
]
UrlOption = Annotated[
    str, typer.Option("--venue-url", help="A local exchange that serves every host.")
]
MarketOption = Annotated[
    str, typer.Option("--market", help="The condition id whose terms and book are read.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the live report as JSON.")]


@app.command()
def doctor(
    data: DataOption = None,
    live: LiveOption = False,
    venue_url: UrlOption = "",
    market: MarketOption = "",
    as_json: JsonOption = False,
) -> None:
    """Check Python, packages, disk, ports, clock, servers. Exits 1 when the stack cannot run."""
    if live:
        report = asyncio.run(_examined(venue_url, market))
        _print(report, as_json=as_json)
        if not report.has_passed:
            raise typer.Exit(1)
        return
    if venue_url or market or as_json:
        raise typer.BadParameter("--venue-url, --market and --json belong to --live")
    console = Console(soft_wrap=True, highlight=False)
    findings = examine((data or data_home()).absolute())
    for finding in findings:
        style = _STYLES[finding.verdict]
        console.print(f"[{style}]{finding.verdict:4}[/] {finding.check}: {finding.found}")
        if finding.to_do:
            console.print(f"     -> {finding.to_do}", markup=False)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(1)


async def _examined(venue_url: str, market: str) -> Report:
    try:
        access = _access(venue_url)
        signer = access.signer()
        venue = access.venue(signer)
    except ValidationError as error:
        # Names and rules only: a setting's value could be a key.
        found = "; ".join(
            _said(row["loc"], row["msg"])
            for row in error.errors(include_input=False, include_url=False, include_context=False)
        )
        return _not_begun(found, "see docs/live-trading.md for the settings")
    except VenueError as error:
        return _not_begun(f"{type(error).__name__}: {error}", "see docs/live-trading.md")
    try:
        return await preflight(venue, signer, PreflightOptions(WallClock().now_ns, market))
    finally:
        await venue.close()


def _said(place: tuple[int | str, ...], words: str) -> str:
    """Return a refused setting by the name under which it is set."""
    name = ".".join(map(str, place))
    field = VenueAccess.model_fields.get(name)
    named = (field and field.validation_alias) or f"{PREFIX}{name.upper()}"
    words = words.removeprefix("Value error, ")
    return f"{named}: {words}" if name else words


def _access(venue_url: str) -> VenueAccess:
    if venue_url:
        return VenueAccess(exchange_url=venue_url)
    # To look is not to trade: this confirms nothing but that production may be asked.
    return VenueAccess(mode=Mode.LIVE, live_confirmed=True)


def _not_begun(found: str, to_do: str) -> Report:
    return Report("polymarket", "", (Check("settings", False, found, to_do),))


def _print(report: Report, *, as_json: bool) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if as_json:
        console.print(json.dumps(report.as_json(), indent=1))
        return
    console.print(f"{report.venue}, wallet {report.wallet or 'unknown'}")
    for check in report.checks:
        console.print(str(check), style=None if check.is_ok else "red")
    failed = len(report.failures)
    console.print("ready to trade" if report.has_passed else f"{failed} failed: not ready to trade")
