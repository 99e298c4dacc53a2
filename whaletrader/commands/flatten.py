"""`whaletrader flatten`: halt, cancel what rests, and sell what is held."""

from __future__ import annotations

from typing import Annotated

import typer

from whaletrader.commands.control import DataOption, NoteOption, PortfolioOption, order

app = typer.Typer(add_completion=False)


@app.command()
def flatten(
    data: DataOption = None,
    note: NoteOption = "",
    portfolio: PortfolioOption = "main",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Halt, cancel what rests, and sell what is held."""
    if not yes:
        typer.confirm(f"Sell everything that portfolio {portfolio!r} holds?", abort=True)
    order("flatten", data, note, portfolio)
