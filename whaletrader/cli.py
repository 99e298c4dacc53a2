"""The `whaletrader` command: a small root that hands each sub-command to its own module.

Must not import what a sub-command needs: `whaletrader --help` answers at once, and a missing extra
is named only to whoever calls the command that needs it.
"""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from whaletrader import __version__
from whaletrader.commands import COMMANDS, CommandRow

# What follows a sub-command's name belongs to its module, options and --help included.
_PASS_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
    "help_option_names": [],
}


def main() -> None:
    """Run the command line of this process."""
    build(COMMANDS)()


def build(rows: tuple[CommandRow, ...]) -> typer.Typer:
    """Return the root command with a row's module behind each name."""
    root = typer.Typer(
        name="whaletrader",
        help="An event-driven, multi-agent trading platform for prediction markets.",
        no_args_is_help=True,
        add_completion=False,
    )
    root.callback()(_root)
    for row in rows:
        _add(root, row)
    return root


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None: ...


def _add(root: typer.Typer, row: CommandRow) -> None:
    def run(context: typer.Context) -> None:
        app = _load(row)
        app(args=list(context.args), prog_name=f"whaletrader {row.name}")

    root.command(row.name, help=row.summary, context_settings=dict(_PASS_ON))(run)


def _load(row: CommandRow) -> typer.Typer:
    try:
        app = importlib.import_module(row.module).app
    except ModuleNotFoundError as error:
        # One of our own missing is a defect, not an extra: let it be seen as such.
        if error.name is None or error.name.split(".")[0] == "whaletrader":
            raise
        typer.echo(
            f"whaletrader {row.name} needs the package '{error.name}': "
            f"pip install 'whaletrader[{row.extra}]'",
            err=True,
        )
        raise typer.Exit(1) from error
    if not isinstance(app, typer.Typer):
        raise TypeError(f"{row.module}.app is no typer.Typer")
    return app
