"""`whaletrader risk`: how the desk stands, what risk would say, and the policy in force.

Asks the running risk agent; what only looks is answered from the log when it does not run.
"""

from __future__ import annotations

import getpass
import json
import os
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from google.protobuf.message import Message

from whaletrader.commands import risk_words
from whaletrader.commands.control import PortfolioOption
from whaletrader.commands.recorded import CommandFailed, run, settings, store
from whaletrader.commands.risk_line import RiskLine, risk_line
from whaletrader.commands.up import DataOption
from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.subjects import CHECKS, POLICIES
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.policy_file import load_policy
from whaletrader.services.risk.policy_terms import PolicyRefused
from whaletrader.store.what_if import Place, Question, UnknownMarket, check_of, find_place

app = typer.Typer(add_completion=False)
policy_app = typer.Typer(add_completion=False, no_args_is_help=True)
app.add_typer(policy_app, name="policy", help="Show, propose, confirm or withdraw limits.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoteOption = Annotated[str, typer.Option("--note", help="Why; kept with the command.")]

EXIT_REFUSED = 1
# Risk answers about one market on a subject that ends in its id.
_SUBJECT_TOKEN = re.compile(r"^[A-Za-z0-9_-]{1,100}$")


@dataclass(frozen=True)
class Where:
    """What every sub-command is told."""

    data: Path | None
    portfolio: str
    as_json: bool


@app.callback(invoke_without_command=True)
def risk(
    context: typer.Context,
    portfolio: PortfolioOption = "main",
    verdicts: Annotated[int, typer.Option(min=0, max=50, help="Last verdicts shown.")] = 10,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show the use of each limit, the desk's state and its exit, exposures and last verdicts.

    Exits 2 where neither risk nor its journal can be reached.
    """
    if context.invoked_subcommand is not None:
        return

    async def work(line: RiskLine) -> risk_pb2.RiskShown:
        return await line.shown(verdicts)

    shown, note = _asked(Where(data, portfolio, as_json), work)
    _print(shown, note, as_json, risk_words.desk(shown))


@app.command()
def check(  # noqa: PLR0913, PLR0917  one parameter an option
    market: Annotated[str, typer.Option(help="Condition id, its beginning, or slug.")],
    side: Annotated[Literal["buy", "sell"], typer.Option(help="Which way.")],
    price: Annotated[str, typer.Option(help="Dollars a share, above 0 and below 1.")],
    size: Annotated[str, typer.Option(help="Shares.")],
    outcome: Annotated[str, typer.Option(help="Name of the outcome; the first if none.")] = "",
    token: Annotated[str, typer.Option(help="Token id, where the market is not recorded.")] = "",
    leader: Annotated[str, typer.Option(help="The wallet that would be copied.")] = "",
    leader_usd: Annotated[str, typer.Option(help="What the wallet traded, dollars.")] = "0",
    strategy: Annotated[str, typer.Option(help="Counted under this strategy.")] = "copy",
    fair: Annotated[
        str, typer.Option(help="What a share is believed to be worth; 5 cents more if not said.")
    ] = "",
    portfolio: PortfolioOption = "main",
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Ask what risk would answer now, and why. Nothing is set aside.

    Exits 0 if it would be approved, 1 if refused, 2 where it cannot be asked.
    """

    async def work(line: RiskLine) -> risk_pb2.CheckAnswered:
        question = Question(
            side=side,
            price_micro=micro("--price", price, MICRO - 1),
            size_micro=micro("--size", size, 10**15),
            portfolio=portfolio,
            leader=leader.lower(),
            strategy=strategy,
            fair_micro=micro("--fair", fair, MICRO - 1) if fair else 0,
            leader_notional_micro=micro("--leader-usd", leader_usd, 10**15, least=0),
        )
        place = await _place(line.settings, market, outcome, token)
        now_ns = (await line.shown(0)).now_ns
        asked = check_of(question, place, now_ns)
        answer = await line.ask(CHECKS, place.condition_id, asked)
        if not isinstance(answer, risk_pb2.CheckAnswered):
            raise CommandFailed(f"risk answered {type(answer).__name__}")
        return answer

    answer, note = _asked(Where(data, portfolio, as_json), work)
    _print(answer, note, as_json, risk_words.check(answer))
    if not answer.approved:
        raise typer.Exit(EXIT_REFUSED)


@policy_app.command("show")
def show(
    portfolio: PortfolioOption = "main", as_json: JsonOption = False, data: DataOption = None
) -> None:
    """Print the limits in force, and those that wait."""
    command = risk_pb2.PolicyCommand(action=risk_pb2.POLICY_ACTION_SHOW)

    async def work(line: RiskLine) -> Message:
        return await line.ask(POLICIES, portfolio, _stamped(command, portfolio))

    answer, note = _asked(Where(data, portfolio, as_json), work)
    _print_policy(answer, note, as_json, with_document=True)


@policy_app.command("propose")
def propose(
    file: Annotated[Path, typer.Argument(help="A policy file (TOML).")],
    note: NoteOption = "",
    portfolio: PortfolioOption = "main",
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Put limits forward: what they tighten holds at once, what they loosen must be confirmed."""
    try:
        document = load_policy(file).document()
    except PolicyRefused as error:
        typer.echo(f"whaletrader risk policy: {error}", err=True)
        raise typer.Exit(2) from error
    command = risk_pb2.PolicyCommand(
        action=risk_pb2.POLICY_ACTION_PROPOSE, document=document, note=note
    )
    _command(command, Where(data, portfolio, as_json))


@policy_app.command("confirm")
def confirm(
    digest: Annotated[str, typer.Argument(help="Of the document that waits.")],
    note: NoteOption = "",
    portfolio: PortfolioOption = "main",
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Put the limits that wait in force."""
    command = risk_pb2.PolicyCommand(
        action=risk_pb2.POLICY_ACTION_CONFIRM, digest=digest, note=note
    )
    _command(command, Where(data, portfolio, as_json))


@policy_app.command("withdraw")
def withdraw(
    digest: Annotated[str, typer.Argument(help="Of the document that waits.")] = "",
    note: NoteOption = "",
    portfolio: PortfolioOption = "main",
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Take the limits that wait back."""
    command = risk_pb2.PolicyCommand(
        action=risk_pb2.POLICY_ACTION_WITHDRAW, digest=digest, note=note
    )
    _command(command, Where(data, portfolio, as_json))


def micro(name: str, text: str, most: int, *, least: int = 1) -> int:
    """Return millionths of what a person wrote. Raises CommandFailed."""
    try:
        value = Decimal(text) * MICRO
    except InvalidOperation as error:
        raise CommandFailed(f"{name} {text!r} is no number: write 0.62") from error
    if not value.is_finite() or value != value.to_integral_value() or not least <= value <= most:
        low, high = (format(Decimal(bound) / MICRO, "f") for bound in (least, most))
        raise CommandFailed(f"{name} {text} is not between {low} and {high}, in millionths")
    return int(value)


def _asked(where: Where, work: Any) -> tuple[Any, str]:
    """Run the work on a line to risk; return its answer and whom it is from."""

    async def asking() -> tuple[Any, str]:
        if not _SUBJECT_TOKEN.match(where.portfolio):
            raise CommandFailed(f"{where.portfolio!r} is no portfolio's name")
        async with risk_line(settings("risk", where.data), where.portfolio) as line:
            return await work(line), line.note

    return run("risk", asking())


async def _place(given: RuntimeSettings, market: str, outcome: str, token: str) -> Place:
    if not _SUBJECT_TOKEN.match(market):
        raise CommandFailed(f"--market {market!r} is no condition id and no slug")
    if token:
        return Place(market, token, 0)
    try:
        async with store(given) as connection:
            return await find_place(connection, market, outcome)
    except UnknownMarket as error:
        raise CommandFailed(str(error)) from error


def _command(command: risk_pb2.PolicyCommand, where: Where) -> None:
    async def work(line: RiskLine) -> Message:
        stamped = _stamped(command, where.portfolio)
        try:
            return await line.order(POLICIES, where.portfolio, stamped)
        except CommandFailed as error:
            raise CommandFailed(
                f"{error}; it may have been done: see `whaletrader risk policy show`"
                if line.client is not None
                else f"{error}: limits change only while risk runs; start it with `whaletrader up`"
            ) from error

    answer, note = _asked(where, work)
    _print_policy(answer, note, where.as_json, with_document=False)


def _stamped(command: risk_pb2.PolicyCommand, portfolio: str) -> risk_pb2.PolicyCommand:
    now_ns = WallClock().now_ns()
    command.portfolio = portfolio
    command.operator = f"{getpass.getuser()}@{os.uname().nodename}"
    command.meta.event_time_ns = now_ns
    command.meta.id = derived_id("risk-policy", portfolio, command.operator, now_ns)
    command.meta.correlation = command.meta.id
    command.meta.source = "operator"
    return command


def _print_policy(
    answer: risk_pb2.PolicyAnswered, note: str, as_json: bool, *, with_document: bool
) -> None:
    _print(answer, note, as_json, risk_words.policy(answer))
    if with_document and not as_json and answer.document:
        typer.echo(json.dumps(json.loads(answer.document), indent=2))
    if not answer.accepted:
        raise typer.Exit(EXIT_REFUSED)


def _print(answer: Message, note: str, as_json: bool, words: Any) -> None:
    if note:
        # On the error stream, so that --json stays JSON.
        typer.echo(note, err=True)
    if as_json:
        typer.echo(json.dumps(risk_words.plain(answer), indent=2, ensure_ascii=False))
    else:
        risk_words.console().print(words)
