"""`whaletrader exchange`: a Polymarket in a box, alone, until interrupted.

Hands its options to the service as they are: both ways to start it know the same ones.
"""

from __future__ import annotations

import typer

from whaletrader.services.exchange.__main__ import main

app = typer.Typer(add_completion=False)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def exchange(context: typer.Context) -> None:
    """Serve the exchange; the first line printed is its URL."""
    raise typer.Exit(main(list(context.args)))
