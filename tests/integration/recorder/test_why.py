"""`whaletrader why` tells a chain from the wallet's trade to the profit, by any id in it."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.recorder.chain_events import Chain, listed, trade
from tests.integration.recorder.recorder_process import opened, record_all
from whaletrader.commands.why import app
from whaletrader.store.schema import install

ONE = Chain("one")
TWO = Chain("two", at_ns=1_700_000_100_000_000_000)


@pytest.fixture
async def dsn(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two chains, one of them refused, and trades that nobody followed."""
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", postgres_dsn)
    async with opened(postgres_dsn) as (log, connection):
        await install(connection)
        refused = [*TWO.records()[:2], TWO.rejected()]
        await log.append([listed(), *ONE.records(), *refused, *map(trade, range(50))])
        await record_all(log, connection)
    return postgres_dsn


async def _why(*arguments: str) -> tuple[int, str]:
    # The command has a loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    return result.exit_code, result.output


def _types(step: dict[str, Any], depth: int = 0) -> list[tuple[int, str]]:
    found = [(depth, step["type"].rpartition(".")[2])]
    for effect in step["effects"]:
        found += _types(effect, depth + 1)
    return found


WHOLE = [
    (0, "WalletTraded"),
    (1, "DecisionMade"),
    (2, "ApprovedTrade"),
    (3, "OrderAnnounced"),
    (4, "VenueTradeSeen"),
    (5, "OrderMatched"),
    (6, "ProfitAttributed"),
    (3, "OrderPlacement"),
    (4, "OrderAccepted"),
]


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (ONE.order_id, "order"),
        (ONE.order_id[:10], "order"),
        (ONE.order_id.upper().replace("0X", "0x"), "order"),
        (ONE.decision, "decision"),
        (ONE.approval_id[:12], "approval"),
        (ONE.proposal, "proposal"),
        (ONE.trade_id, "fill"),
        (ONE.matched, "event"),
        (ONE.root, "event"),
    ],
)
async def test_every_id_of_a_chain_leads_to_the_whole_of_it(
    dsn: str, wanted: str, kind: str
) -> None:
    code, output = await _why(wanted, "--json")
    assert code == 0, output
    found = json.loads(output)
    assert found["kind"] == kind
    assert len(found["chain"]) == 1
    assert sorted(_types(found["chain"][0])) == sorted(WHOLE)


async def test_each_step_has_its_agent_time_and_every_rule(dsn: str) -> None:
    code, output = await _why(ONE.order_id)
    assert code == 0
    lines = output.splitlines()
    assert "feeds WalletTraded" in lines[0]
    assert "500 shares at $0.41 a share, $205.00" in lines[0]
    assert "2023-11-14 22:13:20.000" in lines[0]
    text = "\n".join(lines)
    assert "position_notional_max: $4.20, limit $250.00: passed" in text
    assert "kelly_size: $4.20, limit $60.00: passed" in text
    assert "leader_edge: $0.04, limit $0.01: passed" in text
    assert "execution OrderMatched 10 shares at $0.415 a share, $4.15, fee $0.001" in text
    assert "attribution ProfitAttributed" in text


async def test_a_rejection_shows_the_rule_that_failed(dsn: str) -> None:
    rejected = await _why(TWO.decision)
    assert rejected[0] == 0
    assert "risk RejectedTrade by day_loss_max" in rejected[1]
    assert "✗ day_loss_max: $510.00, limit $500.00: failed" in rejected[1]
    assert "OrderAnnounced" not in rejected[1]


@pytest.mark.parametrize("wanted", ["ffffffffffffffff", "0xnothing", "abc", "%%%%"])
async def test_an_id_that_nothing_has_is_said_in_one_line(dsn: str, wanted: str) -> None:
    code, output = await _why(wanted)
    assert code == 2
    assert output.count("\n") == 1
    assert wanted in output


async def test_a_prefix_of_several_ids_names_them(dsn: str) -> None:
    # Some two of the recorded ids begin with the same four digits, or we make it so.
    ids = sorted([ONE.order_id, TWO.order_id])
    assert ids[0][:2] == ids[1][:2] == "0x"
    async with opened(dsn) as (_, connection):
        await connection.execute(
            "INSERT INTO read.order_events (order_id, event_id) VALUES ($1, 'x')",
            ONE.order_id[:8] + "zz",
        )
    code, output = await _why(ONE.order_id[:8])
    assert code == 2
    assert ONE.order_id in output
    assert ONE.order_id[:8] + "zz" in output


async def test_without_a_store_it_says_so(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", postgres_dsn)
    code, output = await _why("abcdef")
    assert code == 2
    assert "nothing was ever recorded" in output
