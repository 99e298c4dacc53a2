"""The operator's smaller calls: events, ticks, approvals, restrictions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_account import Account
from polymarket.errors import RequestRejectedError

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    CONDITION,
    MARKET,
    YES,
    Rig,
    rig,
)
from whaletrader.services.exchange.signing.contracts import EXCHANGE_V2

ALICE = Account.from_key(ALICE_KEY).address


@pytest.fixture
async def venue() -> AsyncIterator[Rig]:
    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        yield made


async def bid(venue: Rig, price: str = "0.40", **extra: Any) -> Any:
    async with venue.client(ALICE_KEY, ALICE) as client:
        return await client.place_limit_order(
            asset_id=YES, price=price, size=5, side="BUY", **extra
        )


def tokens(yes: str, no: str) -> list[dict[str, str]]:
    return [
        {"token_id": digit * 70, "outcome": outcome}
        for digit, outcome in ((yes, "Yes"), (no, "No"))
    ]


async def test_a_tick_changes_under_resting_orders(venue: Rig) -> None:
    assert (await bid(venue)).ok
    await venue.admin("tick", {"condition_id": CONDITION, "tick_size_micro": 1_000})
    assert (await venue.http.get(f"/tick-size/{YES}")).json() == {"minimum_tick_size": 0.001}
    assert (await bid(venue, "0.405")).ok
    bad = await venue.http.post(
        "/admin/tick", json={"condition_id": CONDITION, "tick_size_micro": 7}
    )
    assert bad.status_code == 409


async def test_a_banned_address_and_one_that_may_only_close(venue: Rig) -> None:
    for word, text in (("banned", "address banned"), ("closed_only", "closed only mode")):
        await venue.admin("restrictions", {"address": ALICE, "restriction": word})
        with pytest.raises(RequestRejectedError, match=text):
            await bid(venue)
    await venue.admin("restrictions", {"address": ALICE, "restriction": "none"})
    assert (await bid(venue)).ok


async def test_approvals_are_asked_for_where_the_operator_says_so() -> None:
    async with rig(mode="agents", allowances_unlimited=False) as venue:
        await venue.fund(ALICE)
        async with venue.client(ALICE_KEY, ALICE) as client:
            signed = await client.create_limit_order(asset_id=YES, price="0.4", size=5, side="BUY")
            with pytest.raises(RequestRejectedError, match="allowance is not enough"):
                await client.post_order(signed)
        given = {"address": ALICE, "spender": EXCHANGE_V2, "collateral_micro": 2_000_000}
        answer = await venue.admin("allowances", given)
        assert answer == {"collateral_micro": "2000000", "conditional": False}
        assert (await bid(venue)).ok
        async with venue.client(ALICE_KEY, ALICE) as client:
            state = await client.get_balance_allowance(asset_type="COLLATERAL")
            assert 2_000_000 in state.allowances.values()


async def test_events_bind_markets_that_exclude_each_other(venue: Rig) -> None:
    second = {
        "condition_id": "0x" + "cd" * 32,
        "tokens": [
            {"token_id": "7" * 70, "outcome": "Yes"},
            {"token_id": "8" * 70, "outcome": "No"},
        ],
        "neg_risk": True,
    }
    third = {
        "condition_id": "0x" + "ef" * 32,
        "tokens": [
            {"token_id": "5" * 70, "outcome": "Yes"},
            {"token_id": "6" * 70, "outcome": "No"},
        ],
        "neg_risk": True,
    }
    await venue.admin("markets", {"markets": [MARKET | second, MARKET | third]})
    members = [second["condition_id"], third["condition_id"]]
    body = {"event_id": "0x" + "12" * 32, "condition_ids": members}
    assert (await venue.admin("events", body))["added"] is True
    assert (await venue.admin("events", body))["added"] is False
    row = (await venue.http.get(f"/clob-markets/{members[0]}")).json()
    assert row["nr"] is True
    unknown = {"event_id": "0x" + "34" * 32, "condition_ids": ["0x00"]}
    assert (await venue.http.post("/admin/events", json=unknown)).status_code == 409


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("resolve", {"condition_id": CONDITION, "winning_index": 2}),
        ("resolve", {"condition_id": CONDITION}),
        ("tick", {"condition_id": CONDITION, "tick_size_micro": "fine"}),
        ("allowances", {"address": "me", "spender": EXCHANGE_V2}),
        ("restrictions", {"address": ALICE, "restriction": "GONE"}),
        ("restrictions", {"address": "me", "restriction": "none"}),
        ("events", {"event_id": "x"}),
    ],
)
async def test_bad_instructions_are_refused(venue: Rig, call: str, body: dict[str, Any]) -> None:
    answer = await venue.http.post(f"/admin/{call}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
