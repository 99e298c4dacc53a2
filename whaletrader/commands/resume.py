"""`whaletrader resume`: trade again."""

from __future__ import annotations

import typer

from whaletrader.commands.control import DataOption, NoteOption, PortfolioOption, order

app = typer.Typer(add_completion=False)


@app.command()
def resume(
    data: DataOption = None, note: NoteOption = "", portfolio: PortfolioOption = "main"
) -> None:
    """Trade again after a halt."""
    order("resume", data, note, portfolio)
