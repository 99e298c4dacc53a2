"""A file of recorded trades, played without an operator."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tests.contract.exchange.exchange_rig import ALICE_KEY, CONDITION, MARKET, NO, T0, YES, rig
from whaletrader.services.exchange.__main__ import main
from whaletrader.services.exchange.wire import player

ALICE = Account.from_key(ALICE_KEY).address
WON = {"condition_id": CONDITION, "winning_index": 0, "timestamp": T0 + 20}


def trade(at_s: int, price: float, size: float, **names: Any) -> dict[str, Any]:
    """Return a trade as the Data API answers it, with fields that the tape does not need."""
    row = {"side": "SELL", "price": price, "size": size, "timestamp": T0 + at_s, "title": "Rain?"}
    return row | (names or {"asset": YES})


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "tape.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


async def test_recorded_trades_set_the_clock_fill_orders_and_resolve(tmp_path: Path) -> None:
    # Newest first, as the Data API answers: the tape sorts.
    rows = (WON, trade(10, 0.4, 200), trade(0, 0.45, 10), trade(0, 0.55, 7, token_id=NO))
    path = write(tmp_path, {"markets": [MARKET]}, *rows)
    # The first second is played at once; at this speed the next one is hours away.
    async with rig(tape=path, tape_speed=0.001) as made:
        for _ in range(3_000):
            if (await made.http.get("/admin/state")).json()["now_ns"]:
                break
            await asyncio.sleep(0.01)
        assert (await made.http.get("/admin/state")).json()["now_ns"] == T0 * 10**9
        await made.fund(ALICE)
        async with made.client(ALICE_KEY, ALICE) as alice:
            placed = await alice.place_limit_order(asset_id=YES, price="0.40", size=50, side="BUY")
            assert placed.ok
            # The rest of the file, without its pauses: what was played is not played again.
            await player.play(made.venue, path, 0)
            assert (await alice.get_market(slug="will-it-rain")).state.closed
            (filled,) = [t async for page in alice.list_account_trades() for t in page.items]
            assert (filled.price, filled.size) == (Decimal("0.4"), 20)
            money = await alice.get_balance_allowance(asset_type="COLLATERAL")
            assert money.balance == 1_000_000_000 - 8_000_000 + 20_000_000


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([trade(0, 0.4, 5)], 'has no line {"markets"'),
        ([{"markets": [MARKET]}, trade(0, 65, 5)], ":2: price must be from 0 to 1"),
        ([{"markets": [MARKET]}, trade(0, 0.4, 5, asset="404")], ":2: no market above has the"),
        ([{"markets": [MARKET]}, {"price": 0.4}], ":2: Object missing required field"),
        ([{"markets": [MARKET]}, 5], ":2: Expected `object`"),
        ([{"markets": [MARKET]}, WON | {"winning_index": 2}], ":2: winning_index must be 0 or 1"),
        ([{"markets": [MARKET | {"tick_size_micro": 7}]}], ":1: "),
    ],
)
def test_a_line_that_cannot_be_played_is_named(
    tmp_path: Path, rows: list[Any], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--tape", str(write(tmp_path, *rows))]) == 2
    said = capsys.readouterr().err
    assert said.startswith("--tape: ")
    assert text in said


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--tape", "no-such-file"], "cannot read no-such-file: No such file"),
        (["--tape", "x", "--mode", "agents"], "is played in --mode tape, not in --mode agents"),
        (["--tape-speed", "nan"], "--tape-speed: "),
    ],
)
def test_a_tape_that_is_not_there_is_told(
    options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 2
    assert text in capsys.readouterr().err
