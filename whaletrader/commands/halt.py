"""`whaletrader halt`: from now on no new order leaves; cancels do."""

from __future__ import annotations

import typer

from whaletrader.commands.control import DataOption, NoteOption, PortfolioOption, order

app = typer.Typer(add_completion=False)


@app.command()
def halt(
    data: DataOption = None, note: NoteOption = "", portfolio: PortfolioOption = "main"
) -> None:
    """Stop trading: no new order leaves, cancels do. Survives restarts."""
    order("halt", data, note, portfolio)
