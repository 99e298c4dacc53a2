"""The sub-commands of `whaletrader`, one module each, imported only when they are called.

A module offers `app`, a `typer.Typer` with its command. To add one, write the module and add a row
to COMMANDS; nothing here may import more than the standard library, so `--help` stays fast.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CommandRow:
    """One sub-command: its name, where it lives, its line in the help, the extra it needs."""

    name: str
    module: str
    summary: str
    extra: str


COMMANDS: tuple[CommandRow, ...] = (
    CommandRow("demo", "whaletrader.commands.demo", "Real trades in time lapse.", "local"),
    CommandRow("up", "whaletrader.commands.up", "Start the stack on this machine.", "local"),
    CommandRow("down", "whaletrader.commands.down", "Stop the stack and wait.", "local"),
    CommandRow("status", "whaletrader.commands.status", "Show what runs, and how well.", "local"),
    CommandRow("why", "whaletrader.commands.why", "The chain of an order or decision.", "local"),
    CommandRow("whales", "whaletrader.commands.whales", "Who is worth copying, and why.", "local"),
    CommandRow("replay", "whaletrader.commands.replay", "Decide it all again; compare.", "local"),
    CommandRow("risk", "whaletrader.commands.risk", "Limits, state, what-if, policy.", "local"),
    CommandRow("quality", "whaletrader.commands.quality", "What execution cost.", "demo"),
    CommandRow("audit", "whaletrader.commands.audit", "Verify the event store.", "local"),
    CommandRow(
        "evidence", "whaletrader.commands.evidence", "Are these wallets worth copying?", "lab"
    ),
    CommandRow("halt", "whaletrader.commands.halt", "Let no new order leave.", "local"),
    CommandRow("resume", "whaletrader.commands.resume", "Trade again after a halt.", "local"),
    CommandRow("flatten", "whaletrader.commands.flatten", "Halt, and sell all.", "local"),
    CommandRow("scan", "whaletrader.lab.scan.command", "Collect wallets' histories.", "lab"),
    CommandRow(
        "exchange", "whaletrader.commands.exchange", "A Polymarket to test against.", "exchange"
    ),
    CommandRow(
        "doctor", "whaletrader.commands.doctor", "Check this machine; say what to do.", "local"
    ),
)
