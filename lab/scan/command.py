"""`whaletrader scan`: wallets' histories from the venue into a folder that evidence reads."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from whaletrader.lab.scan.checkpoint import Checkpoint, Plan, ScanError
from whaletrader.lab.scan.files import write
from whaletrader.lab.scan.listening import Listening, listened
from whaletrader.lab.scan.scanner import Scan, Subgraph, scan
from whaletrader.venues.polymarket.history.calls import (
    Caller,
    CallOptions,
    HistoryRefused,
    HistoryUnavailable,
)
from whaletrader.venues.polymarket.history.data_api import PRODUCTION, DataApi
from whaletrader.venues.polymarket.history.rows import UnreadableRow
from whaletrader.venues.polymarket.history.rtds import PRODUCTION as STREAM
from whaletrader.venues.polymarket.history.subgraph import ORDERBOOK
from whaletrader.venues.polymarket.history.subgraph import PRODUCTION as GOLDSKY

app = typer.Typer(add_completion=False)

_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")
_PERIODS: Final = ("day", "week", "month", "all")


@app.command()
def command(  # noqa: PLR0913, PLR0917 - a parameter each option
    out: Annotated[Path, typer.Option(help="Folder to write; the scan goes on where it was.")],
    wallet: Annotated[list[str] | None, typer.Option(help="An address; may be repeated.")] = None,
    wallets: Annotated[Path | None, typer.Option(help="A file of addresses, one a line.")] = None,
    top: Annotated[int, typer.Option(min=0, max=10_000, help="So many leaders.")] = 0,
    period: Annotated[str, typer.Option(help="Of the leaders: day, week, month or all.")] = "month",
    listen: Annotated[
        int, typer.Option(min=0, max=10_000, help="The next wallets that trade, whoever they are.")
    ] = 0,
    listen_seconds: Annotated[
        float, typer.Option(min=1, max=86_400, help="For so long at most.")
    ] = 300,
    stream: Annotated[str, typer.Option(help="The real-time stream to listen to.")] = STREAM,
    base_url: Annotated[str, typer.Option(help="The Data API.")] = PRODUCTION,
    api: Annotated[int, typer.Option(min=1, max=2, help="Version of the Data API.")] = 2,
    rate: Annotated[float, typer.Option(min=0.1, max=20, help="Requests a second.")] = 10.0,
    rows_max: Annotated[int, typer.Option(min=1, help="Rows a wallet and kind.")] = 200_000,
    subgraph: Annotated[
        str, typer.Option(help="Fill cut histories from here: a URL, or `goldsky`.")
    ] = "",
) -> None:
    """Collect what wallets did. Ended in any way, the same command goes on where it was.

    Leaders are winners by selection: evidence says what that does to its figures. Who trades next
    (--listen) is chosen without regard to what he won.
    """
    console = Console(stderr=True)
    try:
        given = _given(wallet or [], wallets)
        if period not in _PERIODS:
            raise ScanError(f"--period is one of {', '.join(_PERIODS)}, not {period!r}")
        heard = Listening(stream, listen, listen_seconds)
        question = _Question(base_url, api, rate, rows_max, top, period, subgraph, heard)
        found = asyncio.run(_scan(question, given, out, console))
        write(found, out, f"leaderboard of {base_url}")
    except (ScanError, HistoryRefused, UnreadableRow, OSError) as error:
        console.print(f"scan: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(2) from error
    except HistoryUnavailable as error:
        console.print(f"scan: {error}", style="red", markup=False, highlight=False)
        console.print("What was fetched is kept. Call the same command again to go on.")
        raise typer.Exit(1) from error
    cut = sum(one.is_cut for one in found.wallets)
    deeds = sum(len(one.deeds) for one in found.wallets)
    typer.echo(
        f"{len(found.wallets)} wallets ({cut} cut), {deeds:,} rows, "
        f"{len(found.ends):,} resolved markets in {out}"
    )
    if subgraph:
        typer.echo(
            f"{found.fills.added:,} trades filled in from the subgraph; {found.fills.unplaced:,} "
            "left out: no scanned wallet says what market their tokens are of"
        )


@dataclass(frozen=True, slots=True)
class _Question:
    """The options that decide what is fetched."""

    base_url: str
    api: int
    rate: float
    rows_max: int
    top: int
    period: str
    subgraph: str
    heard: Listening


async def _scan(question: _Question, given: list[str], out: Path, console: Console) -> Scan:
    checkpoint = Checkpoint(out)
    async with httpx.AsyncClient() as client:
        caller = Caller(client, question.base_url, CallOptions(requests_per_s=question.rate))
        with _bars(console) as bars:
            chosen = await _chosen(question, given, checkpoint, (caller, bars))
            plan = Plan(question.base_url, question.api, tuple(chosen), question.rows_max)
            return await scan(caller, checkpoint, plan, _Bars(bars), _subgraph(question, client))


async def _chosen(
    question: _Question, given: list[str], checkpoint: Checkpoint, seams: tuple[Caller, Bar]
) -> list[str]:
    """Return whom to scan. The board and the stream move on; a scan that goes on does not."""
    caller, bars = seams
    begun = checkpoint.begun()
    if begun is not None and (question.top or question.heard.wallets):
        return list(begun.wallets)
    chosen = dict.fromkeys(given)
    if question.top:
        leaders = await DataApi(caller).leaders(question.period, question.top)
        chosen |= dict.fromkeys(one.wallet for one in leaders)
    if question.heard.wallets:
        task = bars.add_task("heard", total=question.heard.wallets)
        chosen |= dict.fromkeys(
            await listened(question.heard, lambda done: bars.update(task, completed=done))
        )
    if not chosen:
        raise ScanError("no wallet to scan: give --wallet, --wallets, --top or --listen")
    return list(chosen)


def _subgraph(question: _Question, client: httpx.AsyncClient) -> Subgraph | None:
    if not question.subgraph:
        return None
    options = CallOptions(requests_per_s=question.rate)
    if question.subgraph == "goldsky":
        return Subgraph(Caller(client, GOLDSKY, options), ORDERBOOK)
    url = httpx.URL(question.subgraph)
    if not url.host:
        raise ScanError(f"--subgraph is a URL or `goldsky`, not {question.subgraph!r}")
    return Subgraph(
        Caller(client, str(url.copy_with(raw_path=b"/")).rstrip("/"), options), url.path
    )


def _given(addresses: list[str], file: Path | None) -> list[str]:
    lines = file.read_text(encoding="utf-8").split() if file else []
    found = [address.lower() for address in [*addresses, *lines]]
    wrong = [address for address in found if not _ADDRESS.fullmatch(address)]
    if wrong:
        raise ScanError(f"not a wallet's address (0x and 40 hex digits): {', '.join(wrong[:5])}")
    return list(dict.fromkeys(found))


def _bars(console: Console) -> Bar:
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class _Bars:
    """Shows progress."""

    def __init__(self, bars: Bar) -> None:
        self._bars = bars
        self._wallets = bars.add_task("wallets", total=None)
        self._markets = bars.add_task("markets", total=None)

    def wallets(self, done: int, total: int) -> None:
        self._bars.update(self._wallets, completed=done, total=total)

    def markets(self, done: int, total: int) -> None:
        self._bars.update(self._markets, completed=done, total=total)
