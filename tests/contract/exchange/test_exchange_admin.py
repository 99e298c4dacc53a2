"""The operator's calls: repeatable after a crash, refused when they contradict what happened."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from eth_account import Account

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    CONDITION,
    MARKET,
    NO,
    NS,
    T0,
    YES,
    Rig,
    rig,
)

ALICE = Account.from_key(ALICE_KEY).address


@pytest.fixture
async def tape() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


def window(number: int, at_s: int, **extra: Any) -> dict[str, Any]:
    return {"window": number, "now_ns": (T0 + at_s) * NS, **extra}


async def test_funding_twice_counts_once_and_another_deposit_counts_again(tape: Rig) -> None:
    first = await tape.fund(ALICE, "12.5")
    assert first == {"address": ALICE, "credited": True, "cash_micro": 12_500_000}
    assert (await tape.fund(ALICE.lower(), "12.5"))["credited"] is False
    more = {"address": ALICE, "collateral": "1", "deposit_id": "second"}
    assert (await tape.admin("accounts", more))["cash_micro"] == 13_500_000


async def test_an_account_without_an_address_comes_with_its_key(tape: Rig) -> None:
    made = await tape.admin("accounts", {"collateral": "1000"})
    assert Account.from_key(made["private_key"]).address == made["address"]
    assert made["cash_micro"] == 1_000_000_000
    async with tape.client(made["private_key"], made["address"]) as client:
        placed = await client.place_limit_order(asset_id=YES, price="0.4", size=5, side="BUY")
        assert placed.ok


@pytest.mark.parametrize(
    "body",
    [
        {"address": "0x12"},
        {"address": ALICE, "collateral": "-1"},
        {"address": ALICE, "collateral": "0.0000001"},
        {"address": ALICE, "collateral": "much"},
        {"address": ALICE, "collateral": "NaN"},
        {"address": ALICE, "amount": "1"},
    ],
)
async def test_bad_funding_is_refused(tape: Rig, body: dict[str, str]) -> None:
    assert (await tape.http.post("/admin/accounts", json=body)).status_code == 400
    assert (await tape.http.get("/admin/state")).json()["accounts"] == {}


async def test_markets_are_upserts_and_their_tokens_are_final(tape: Rig) -> None:
    again = await tape.admin("markets", {"markets": [MARKET | {"question": "Will it snow?"}]})
    assert again == {"markets": 1, "added": 0}
    listed = (await tape.http.get(f"/markets/{CONDITION}")).json()
    assert listed["question"] == "Will it snow?"
    swapped = MARKET | {"tokens": MARKET["tokens"][::-1]}
    answer = await tape.http.post("/admin/markets", json={"markets": [swapped]})
    assert answer.status_code == 409
    assert "cannot change" in answer.json()["error"]


async def test_a_repeated_window_answers_the_same_and_changes_nothing(tape: Rig) -> None:
    await tape.fund(ALICE)
    await tape.play(0)
    async with tape.client(ALICE_KEY, ALICE) as alice:
        await alice.place_limit_order(asset_id=YES, price="0.4", size=50, side="BUY")
    prints = [
        {
            "id": "p1",
            "token_id": YES,
            "price_micro": 400_000,
            "size_micro": 100_000_000,
            "side": "SELL",
            "ts_ns": (T0 + 5) * NS,
        }
    ]
    body = window(2, 10, prints=prints)
    first = await tape.admin("tape", body)
    state = (await tape.http.get("/admin/state")).json()
    assert await tape.admin("tape", body) == first == {"window": 2, "facts": {ALICE.lower(): 1}}
    assert (await tape.http.get("/admin/state")).json() == state
    row = state["accounts"][ALICE.lower()]
    assert (row["cash_micro"], row["reserved_micro"]) == (996_000_000, 16_000_000)
    assert (row["positions"], row["open_orders"]) == ({YES: 10_000_000}, 1)
    assert state["conserved"] is True


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (window(3, 10), "expected 2"),
        (window(0, 10), "cannot follow window 1"),
        (window(2, -1), "before the clock"),
        (
            window(
                2, 10, resolutions=[{"condition_id": "0x0", "winning_index": 0, "ts_ns": T0 * NS}]
            ),
            "unknown market",
        ),
        (
            window(
                2,
                10,
                prints=[
                    {
                        "id": "p",
                        "token_id": "1",
                        "price_micro": 1,
                        "size_micro": 1,
                        "side": "BUY",
                        "ts_ns": T0 * NS,
                    }
                ],
            ),
            "unknown token",
        ),
    ],
)
async def test_windows_that_cannot_follow_are_a_conflict(
    tape: Rig, body: dict[str, Any], text: str
) -> None:
    await tape.play(0)
    before = (await tape.http.get("/admin/state")).json()
    answer = await tape.http.post("/admin/tape", json=body)
    assert answer.status_code == 409
    assert text in answer.json()["error"]
    assert (await tape.http.get("/admin/state")).json() == before


async def test_a_tape_has_no_place_where_accounts_trade_with_each_other() -> None:
    async with rig(mode="agents") as made:
        answer = await made.http.post("/admin/tape", json=window(1, 10))
        assert answer.status_code == 409


async def test_equal_histories_have_equal_fingerprints_and_a_restart_shows() -> None:
    seen = []
    for _ in range(2):
        async with rig() as made:
            await made.fund(ALICE)
            await made.play(0)
            await made.play(10, (YES, 40, 100))
            seen.append((await made.http.get("/admin/state")).json())
    assert seen[0]["digest"] == seen[1]["digest"]
    assert seen[0]["boot_id"] != seen[1]["boot_id"]


async def test_a_wallet_bound_to_an_owner_stays_bound(tape: Rig) -> None:
    wallet = "0x" + "77" * 20
    await tape.admin("accounts", {"address": wallet, "owner": ALICE})
    other = {"address": wallet, "owner": "0x" + "88" * 20}
    assert (await tape.http.post("/admin/accounts", json=other)).status_code == 409


async def test_a_body_beyond_the_limit_is_refused_unread() -> None:
    async with rig(body_bytes_max=4_000) as made:
        answer = await made.http.post("/admin/tape", content=b"x" * 5_000)
        assert answer.status_code == 413


async def test_the_program_prints_its_address_first_and_serves_there() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "whaletrader.services.exchange",
        "--port",
        "0",
        "--copy-latency-ms",
        "250",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        settings = (await process.stdout.readline()).decode()
        assert '"copy_latency_ms":250' in settings
        assert "local-exchange" not in settings
        async with httpx.AsyncClient(base_url=url) as http:
            for _ in range(600):
                try:
                    assert (await http.get("/readyz")).json()["status"] == "ready"
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            assert (await http.get("/livez")).status_code == 200
            assert (await http.get(f"/book?token_id={NO}")).status_code == 404
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


async def test_an_unknown_setting_stops_the_program() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "whaletrader.services.exchange",
        "--mode",
        "wishful",
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert b"mode" in errors


async def test_money_that_does_not_add_up_is_an_error_and_not_a_report(tape: Rig) -> None:
    await tape.fund(ALICE)
    assert (await tape.http.get("/admin/state")).status_code == 200
    tape.venue.exchange.state.ledger.account(ALICE.lower()).cash_micro += 1
    assert (await tape.http.get("/admin/state")).status_code == 500
