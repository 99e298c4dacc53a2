"""`whaletrader evidence`: the whole study on a folder of recorded activity, and its report.

Owns what a user types and sees. The study lives in the lab, the top layer that nothing imports;
it is found by name here, so that the command can say what to install when it is not there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

app = typer.Typer(add_completion=False)

STUDY = "whaletrader.lab.evidence"
MISSING = (
    "whaletrader evidence needs the lab's libraries, and {name} is missing: "
    "`make install`, or pip install 'whaletrader[lab]'"
)


@app.command()
def evidence(
    data: Annotated[
        Path,
        typer.Option(help="Folder with activity, wallets and resolutions.parquet."),
    ],
    out: Annotated[
        Path, typer.Option(help="Where evidence.json and report.html are written.")
    ] = Path("evidence"),
    seconds: Annotated[int, typer.Option(help="How long after the whale the copier enters.")] = 30,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 7,
    draws: Annotated[int, typer.Option(help="Of bootstraps and lots.")] = 2_000,
    slippage: Annotated[float, typer.Option(help="Dollars a share above the print.")] = 0.005,
) -> None:
    """Ask whether these wallets can be told from lucky ones, and whether copying them pays.

    Prints the verdict, also when it is no. Exits 2 when the folder or an option is wrong.
    """
    study = load_study()
    options = study.StudyOptions(delay_s=seconds, seed=seed, draws=draws, slippage=slippage)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    with _progress(errors) as progress:
        try:
            found = study.run(data, out, options, _teller(progress))
        except (study.LayoutError, study.OptionError) as error:
            progress.stop()
            errors.print(str(error), markup=False)
            raise typer.Exit(2) from error
        except OSError as error:
            progress.stop()
            errors.print(f"{out} cannot be written: {error}. Give another --out.", markup=False)
            raise typer.Exit(2) from error
    console = Console(soft_wrap=True, highlight=False)
    console.print(found.verdict.sentence, markup=False)
    ledger = found.ledger
    console.print(f"ledger: {ledger.matches} of {ledger.compared} agree with published profit")
    console.print(f"written: {out / 'report.html'}, {out / 'evidence.json'}", markup=False)


def load_study() -> ModuleType:
    """Return the study; exits 1 with what to install when it is not there."""
    try:
        return importlib.import_module(STUDY)
    except ModuleNotFoundError as error:
        if error.name is None or error.name == STUDY or error.name.startswith("whaletrader.lab."):
            raise
        typer.echo(MISSING.format(name=error.name), err=True)
        raise typer.Exit(1) from error


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=console,
    )


def _teller(progress: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def tell(stage: str, done: int, of: int) -> None:
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage, total=of)
        progress.update(tasks[stage], completed=done, total=of)

    return tell
