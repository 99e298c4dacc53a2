"""`whaletrader doctor`: what this machine lacks, and what to do about each thing."""

from __future__ import annotations

import typer
from rich.console import Console

from whaletrader.commands.up import DataOption
from whaletrader.stack.doctor import examine
from whaletrader.stack.paths import data_home

app = typer.Typer(add_completion=False)

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@app.command()
def doctor(data: DataOption = None) -> None:
    """Check Python, packages, disk, ports, clock, servers. Exits 1 when the stack cannot run."""
    console = Console(soft_wrap=True, highlight=False)
    findings = examine((data or data_home()).absolute())
    for finding in findings:
        style = _STYLES[finding.verdict]
        console.print(f"[{style}]{finding.verdict:4}[/] {finding.check}: {finding.found}")
        if finding.to_do:
            console.print(f"     -> {finding.to_do}", markup=False)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(1)
