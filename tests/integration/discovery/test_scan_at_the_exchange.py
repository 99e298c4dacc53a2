"""`whaletrader scan` against a running exchange's Data API: cut off, gone on with, then studied."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from eth_account import Account
from fastapi import FastAPI, Request, Response
from pyarrow import parquet

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    BOB_KEY,
    CONDITION,
    NO,
    YES,
    Rig,
    rig,
)
from tests.unit.lab.scan.test_scan import Quiet
from whaletrader.lab.scan.checkpoint import Checkpoint, Plan
from whaletrader.lab.scan.filling import filled, known_tokens
from whaletrader.lab.scan.scanner import Subgraph, scan
from whaletrader.venues.polymarket.history.calls import Caller, CallOptions

ALICE = Account.from_key(ALICE_KEY).address.lower()
BOB = Account.from_key(BOB_KEY).address.lower()
START_S_MAX = 30.0


@pytest.fixture
async def traded() -> AsyncIterator[Rig]:
    """Two wallets traded YES and NO against each other in one market, which then resolved."""
    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        async with made.client(ALICE_KEY, ALICE) as alice, made.client(BOB_KEY, BOB) as bob:
            for price in ("0.60", "0.55"):
                other = f"{1 - float(price):.2f}"
                await alice.place_limit_order(asset_id=YES, price=price, size=20, side="BUY")
                await bob.place_limit_order(asset_id=NO, price=other, size=20, side="BUY")
        await made.admin("resolve", {"condition_id": CONDITION, "winning_index": 0})
        yield made


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "whaletrader", *arguments]


async def finished(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, output.decode()


async def test_a_killed_scan_goes_on_and_evidence_reads_the_folder(
    traded: Rig, tmp_path: Path
) -> None:
    out = tmp_path / "scan"
    asked = [
        "scan", "--out", str(out), "--wallet", ALICE, "--wallet", BOB,
        "--base-url", f"{traded.url}/data-api",
    ]  # fmt: skip
    # One question in two seconds: there is time to kill it between the wallets.
    slow = await asyncio.create_subprocess_exec(
        *command(*asked, "--rate", "2"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    first = out / ".scan" / f"wallet-{ALICE}.json"
    async with asyncio.timeout(START_S_MAX):
        while not first.exists():
            assert slow.returncode is None, "the scan ended before it could be killed"
            await asyncio.sleep(0.02)
    os.kill(slow.pid, signal.SIGKILL)
    await slow.wait()
    assert not (out / "activity.parquet").exists()
    before = first.stat().st_mtime_ns
    code, output = await finished(*asked, "--rate", "20")
    assert code == 0, output
    assert "2 wallets (0 cut)" in output
    assert "1 resolved markets" in output
    assert first.stat().st_mtime_ns == before
    rows = parquet.read_table(out / "activity.parquet").to_pylist()
    trades = [row for row in rows if row["type"] == "TRADE"]
    assert {(row["proxyWallet"], row["asset"]) for row in trades} == {(ALICE, YES), (BOB, NO)}
    assert sum(row["size"] for row in trades) == pytest.approx(80)
    ends = parquet.read_table(out / "resolutions.parquet").to_pylist()
    assert [(one["winning_outcome_index"], one["basis"]) for one in ends] == [(0, "published")]
    study = tmp_path / "study"
    code, output = await finished(
        "evidence", "--data", str(out), "--out", str(study), "--draws", "100"
    )
    assert code == 0, output
    evidence = json.loads((study / "evidence.json").read_text())
    profit = {one["wallet"]: one["computed_profit"] for one in evidence["wallets"]}
    # Forty shares of YES at 0.60 and 0.55 paid a dollar each: what one won the other lost.
    assert profit[ALICE] > 16
    assert profit[BOB] < -16


async def test_whoever_trades_next_on_the_stream_is_scanned(tmp_path: Path) -> None:
    out = tmp_path / "scan"
    async with rig(mode="agents", markets="none") as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        stream = made.url.replace("http", "ws", 1) + "/rtds"
        scanning = asyncio.create_task(
            finished(
                "scan", "--out", str(out), "--listen", "2", "--stream", stream,
                "--base-url", f"{made.url}/data-api", "--rate", "20",
            )
        )  # fmt: skip
        async with made.client(ALICE_KEY, ALICE) as alice, made.client(BOB_KEY, BOB) as bob:
            # What was traded before it listened is not heard, so they go on until it has.
            while not (out / ".scan" / "plan.json").exists():
                assert not scanning.done(), scanning.result()
                await alice.place_limit_order(asset_id=YES, price="0.60", size=5, side="BUY")
                await bob.place_limit_order(asset_id=NO, price="0.40", size=5, side="BUY")
                await asyncio.sleep(0.1)
        code, output = await scanning
        assert code == 0, output
        again = await finished(
            "scan", "--out", str(out), "--listen", "2", "--stream", "ws://127.0.0.1:9/rtds",
            "--base-url", f"{made.url}/data-api", "--rate", "20",
        )  # fmt: skip
    assert "2 wallets (0 cut)" in output
    wallets = parquet.read_table(out / "wallets.parquet").to_pylist()
    assert {row["proxyWallet"] for row in wallets} == {ALICE, BOB}
    # A scan that goes on keeps to whom it heard, and needs no stream.
    assert again[0] == 0, again[1]


@contextlib.asynccontextmanager
async def subgraph(events: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Serve fills by GraphQL on a free port, page by page."""
    app = FastAPI()

    @app.post("/graph")
    async def answer(request: Request) -> Response:
        asked = (await request.json())["variables"]
        mine = [one for one in events if one["maker"] == asked["wallet"]]
        page = [one for one in mine if one["id"] > asked["after"]][: asked["first"]]
        return Response(json.dumps({"data": {"orderFilledEvents": page}}), 200)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(START_S_MAX):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


def fill_of(number: int, at_s: int, token: str) -> dict[str, Any]:
    return {
        "id": f"{number:04}",
        "transactionHash": f"0x{number:064x}",
        "timestamp": str(at_s),
        "maker": ALICE,
        "makerAssetId": "0",
        "takerAssetId": token,
        "makerAmountFilled": "3000000",
        "takerAmountFilled": "5000000",
        "fee": "0",
    }


async def test_a_cut_history_is_filled_from_the_subgraph_once(traded: Rig, tmp_path: Path) -> None:
    """The exchange's Data API is asked for one row of each kind, so Alice's history is cut."""
    events = [fill_of(1, 1_000, YES), fill_of(2, 1_001, "12345"), fill_of(3, 4_000_000_000, YES)]
    plan = Plan(f"{traded.url}/data-api", 2, (ALICE,), 1)
    async with subgraph(events) as url, httpx.AsyncClient() as client:
        caller = Caller(client, plan.base_url, CallOptions(requests_per_s=100))
        other = Subgraph(Caller(client, url, CallOptions(requests_per_s=100)), "/graph")
        wide = Plan(plan.base_url, 2, (ALICE,), 10)
        found = await scan(caller, Checkpoint(tmp_path / "cut"), plan, Quiet(), other)
        [one] = found.wallets
        assert one.is_cut
        assert (found.fills.added, found.fills.unplaced) == (1, 1)
        whole = await scan(caller, Checkpoint(tmp_path / "whole"), wide, Quiet(), other)
        assert (whole.fills.added, whole.wallets[0].is_cut) == (0, False)
        again = await filled(other.caller, "/graph", one, known_tokens([one]), 10)
        both = await filled(other.caller, "/graph", again.scanned, known_tokens([one]), 10)
    added = [deed for deed in again.scanned.deeds if deed.at_s in (1_000, 4_000_000_000)]
    assert [(deed.condition_id, deed.outcome_index, deed.side) for deed in added] == [
        (CONDITION, 0, "BUY"),
        (CONDITION, 0, "BUY"),
    ]
    assert added[0].price_micro == 600_000
    assert both.added == 0
