"""`whaletrader why`: the causal chain of an order, decision, approval or rejection.

Each step with its time, its agent and every rule it was held against. Reads the event store.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from whaletrader.commands.recorded import CommandFailed, run, settings, show_time, store
from whaletrader.commands.up import DataOption
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.store.causes import AmbiguousId, Chain, Step, UnknownId, chain_of
from whaletrader.store.phrases import phrase, reason_phrase, unit_of

app = typer.Typer(add_completion=False)

_PIPE_COLUMNS = 300  # into a file or a pipe nothing has to fold


@app.command()
def why(
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="Of an order, decision, approval, rejection...")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: DataOption = None,
) -> None:
    """Show why: the whole chain from the wallet's trade to the fill, with rules and limits.

    ID may be the beginning of an id. Exits 2 if nothing or more than one thing has it.
    """
    chain = run("why", _chain(settings("why", data), wanted))
    if as_json:
        typer.echo(json.dumps(_as_json(chain), indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPE_COLUMNS)
    for root in chain.roots:
        console.print(_tree(root, chain))


async def _chain(given: RuntimeSettings, wanted: str) -> Chain:
    async with store(given) as connection:
        try:
            return await chain_of(connection, wanted)
        except (UnknownId, AmbiguousId) as error:
            raise CommandFailed(str(error)) from error


def _tree(step: Step, chain: Chain) -> Tree:
    """Return the step with what followed from it."""
    tree = Tree(_label(step, chain))
    _grow(tree, step, chain)
    return tree


def _grow(tree: Tree, step: Step, chain: Chain) -> None:
    for reason in step.reasons:
        style, mark = ("green", "✓") if reason.passed else ("red", "✗")
        tree.add(f"[{style}]{mark}[/] {escape(reason_phrase(reason))}")
    for effect in step.effects:
        _grow(tree.add(_label(effect, chain)), effect, chain)


def _label(step: Step, chain: Chain) -> str:
    name = step.type.rpartition(".")[2] or "unreadable"
    style = "bold yellow" if step.id in chain.starts else "bold"
    said = escape(phrase(step.message))
    return (
        f"[dim]{show_time(step.event_time_ns)}[/] [cyan]{escape(step.agent or 'outside')}[/] "
        f"[{style}]{escape(name)}[/] {said} [dim]{step.id[:12]}[/]"
    )


def _as_json(chain: Chain) -> dict[str, Any]:
    return {
        "kind": chain.kind,
        "id": chain.id,
        "chain": [_step_json(root, chain) for root in chain.roots],
    }


def _step_json(step: Step, chain: Chain) -> dict[str, Any]:
    fields = (
        json_format.MessageToDict(step.message, preserving_proto_field_name=True)
        if step.message is not None
        else None
    )
    return {
        "id": step.id,
        "cause": step.cause,
        "asked_for": step.id in chain.starts,
        "agent": step.agent,
        "type": step.type,
        "topic": step.topic,
        "event_time_ns": step.event_time_ns,
        "log_time_ns": step.log_time_ns,
        "summary": phrase(step.message),
        "reasons": [
            {
                "rule": reason.rule,
                "value": reason.value,
                "limit": reason.limit,
                "unit": unit_of(reason.unit),
                "passed": reason.passed,
                "detail": reason.detail,
                "text": reason_phrase(reason),
            }
            for reason in step.reasons
        ],
        "message": fields,
        "effects": [_step_json(effect, chain) for effect in step.effects],
    }
