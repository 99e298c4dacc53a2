"""The catalogue's rows, shaped as recorded, and what becomes of those that are not."""

import json
from typing import Any

import httpx
import pytest

from whaletrader.venues.polymarket.history.calls import Caller, CallOptions
from whaletrader.venues.polymarket.history.gamma import Gamma, listing
from whaletrader.venues.polymarket.history.rows import UnreadableRow

MARKET = "0x" + "c" * 64
ROW: dict[str, Any] = {
    "conditionId": MARKET,
    "question": "Bitcoin Up or Down",
    "slug": "btc-updown-15m-1791241200",
    "outcomes": '["Up", "Down"]',
    "clobTokenIds": '["11", "22"]',
    "startDate": "2026-10-04T23:08:46.486981Z",
    "endDate": "2026-10-05T23:15:00Z",
    "orderPriceMinTickSize": 0.0025,
    "orderMinSize": 5,
    "negRisk": False,
    "feeType": "crypto_fees_v2",
    "feeSchedule": {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2},
    "events": [{"slug": "btc-updown"}],
}


def test_a_market_is_read_to_the_micro_unit_and_the_microsecond() -> None:
    read = listing(ROW)
    assert (read.condition_id, read.event_slug, read.category) == (MARKET, "btc-updown", "crypto")
    assert read.token_ids == ("11", "22")
    assert read.outcomes == ("Up", "Down")
    assert (read.tick_micro, read.min_size_micro, read.fee_rate_micro) == (2_500, 5_000_000, 70_000)
    assert read.opens_ns == 1_791_155_326_486_981_000
    assert read.ends_ns == 1_791_242_100_000_000_000


def test_a_market_of_the_newer_protocol_names_positions() -> None:
    assert listing({**ROW, "positionIds": ["33", "44"]}).token_ids == ("33", "44")


def test_what_is_not_told_is_zero_or_empty() -> None:
    bare = {key: ROW[key] for key in ("conditionId", "outcomes", "clobTokenIds")}
    read = listing(bare)
    assert (read.opens_ns, read.ends_ns, read.fee_rate_micro, read.tick_micro) == (0, 0, 0, 0)
    assert (read.slug, read.event_slug, read.category) == ("", "", "")


@pytest.mark.parametrize(
    "change",
    [
        {"outcomes": '["Only"]'},
        {"clobTokenIds": "no list"},
        {"clobTokenIds": None},
        {"endDate": "2026-10-05T23:15:00"},
        {"endDate": "soon"},
        {"feeSchedule": {"rate": 7}},
        {"orderMinSize": "many"},
        {"conditionId": None, "outcomes": "{"},
    ],
)
def test_a_row_that_says_something_else_is_refused_and_shown(change: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRow, match="conditionId"):
        listing({**ROW, **change})


async def test_closed_markets_are_asked_for_beside_open_ones_and_only_if_missing() -> None:
    asked: list[tuple[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        wanted = params.get_list("condition_ids")
        asked.append((params["closed"], wanted))
        told = ["0x1"] if params["closed"] == "false" else ["0x2", "0xother"]
        return httpx.Response(200, json=[{**ROW, "conditionId": one} for one in told])

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    gamma = Gamma(Caller(client, "http://gamma.test", CallOptions(requests_per_s=1e9)))
    found = await gamma.listings(["0x1", "0x2", "0x3"])
    assert sorted(found) == ["0x1", "0x2"]
    assert asked == [("false", ["0x1", "0x2", "0x3"]), ("true", ["0x2", "0x3"])]


async def test_an_answer_that_is_no_list_is_refused() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=json.dumps({"data": []})))
    caller = Caller(httpx.AsyncClient(transport=transport), "http://g.test", CallOptions())
    with pytest.raises(UnreadableRow, match="answers no list"):
        await Gamma(caller).listings(["0x1"])
