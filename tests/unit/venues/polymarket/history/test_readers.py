"""Pages followed to their end, cut histories told, stream frames and subgraph fills."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.unit.venues.polymarket.history.test_rows import TRADE, WALLET
from whaletrader.venues.polymarket.history import data_api_v1, rtds, subgraph
from whaletrader.venues.polymarket.history.calls import Caller, CallOptions, HistoryUnavailable
from whaletrader.venues.polymarket.history.data_api import DataApi
from whaletrader.venues.polymarket.history.rows import Kind, UnreadableRow

V1 = {
    "proxyWallet": WALLET,
    "timestamp": 5,
    "conditionId": "0xc0",
    "type": "TRADE",
    "size": 1,
    "price": 0.5,
    "asset": "11",
    "side": "SELL",
}


def caller(handle: Callable[[httpx.Request], httpx.Response]) -> Caller:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return Caller(client, "http://data.test", CallOptions(requests_per_s=1e9, attempts_max=1))


def page(rows: list[Any] | dict[str, Any] | None, cursor: str = "") -> httpx.Response:
    pagination = {"limit": 2, "offset": 0, "has_more": bool(cursor), "next_cursor": cursor}
    return httpx.Response(200, json={"data": rows, "pagination": pagination})


async def test_pages_are_followed_by_cursor_with_the_question_repeated() -> None:
    asked: list[dict[str, str]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return page([TRADE, TRADE], "next") if len(asked) == 1 else page([TRADE])

    api = DataApi(caller(handle))
    deeds = [deed async for deed in api.activity(WALLET, Kind.TRADE, start_s=9)]
    assert len(deeds) == 3
    assert asked[0] == {
        "user": WALLET,
        "type": "TRADE",
        "limit": "1000",
        "sort_direction": "ASC",
        "start": "9",
    }
    assert asked[1] == {**asked[0], "cursor": "next"}


async def test_a_cursor_that_repeats_itself_is_an_error_and_no_endless_loop() -> None:
    api = DataApi(caller(lambda _: page([TRADE], "same")))
    with pytest.raises(HistoryUnavailable, match="repeats its cursor"):
        [deed async for deed in api.activity(WALLET, Kind.TRADE)]


async def test_a_miss_is_empty() -> None:
    api = DataApi(caller(lambda _: page(None)))
    assert [deed async for deed in api.activity(WALLET, Kind.SPLIT)] == []
    assert await api.standing(WALLET) is None


async def test_an_answer_without_data_is_refused() -> None:
    api = DataApi(caller(lambda _: httpx.Response(200, json=[TRADE])))
    with pytest.raises(UnreadableRow, match="without data"):
        await api.standing(WALLET)


async def test_ends_are_asked_for_twenty_at_a_time_and_open_markets_are_missing() -> None:
    sizes: list[int] = []

    def handle(request: httpx.Request) -> httpx.Response:
        some = request.url.params["condition"].split(",")
        sizes.append(len(some))
        return page(
            [
                {
                    "condition_id": one,
                    "status": "active" if one == "c0" else "resolved",
                    "payouts": [1_000_000, 0],
                }
                for one in some
            ]
        )

    ends = await DataApi(caller(handle)).ends([f"c{number}" for number in range(45)])
    assert sizes == [20, 20, 5]
    assert len(ends) == 44
    assert "c0" not in ends


async def test_leaders_stop_at_the_number_that_was_asked_for() -> None:
    rows = [{"user_id": f"0x{number}", "pnl": number} for number in range(5)]
    leaders = await DataApi(caller(lambda _: page(rows, "more"))).leaders("month", 3)
    assert [one.wallet for one in leaders] == ["0x0", "0x1", "0x2"]


async def test_version_1_comes_oldest_first_and_whole_if_it_ends() -> None:
    rows = [{**V1, "timestamp": time} for time in (9, 8, 7)]
    history = await data_api_v1.history_v1(caller(lambda _: httpx.Response(200, json=rows)), WALLET)
    assert [deed.at_s for deed in history.deeds] == [7, 8, 9]
    assert not history.is_cut


async def test_version_1_says_that_it_cuts_a_long_history() -> None:
    rows = [V1] * data_api_v1.ROWS_MAX

    def handle(request: httpx.Request) -> httpx.Response:
        if int(request.url.params["offset"]) > 1_000:
            return httpx.Response(400, json={"error": "max historical activity offset exceeded"})
        return httpx.Response(200, json=rows)

    history = await data_api_v1.history_v1(caller(handle), WALLET)
    assert len(history.deeds) == 1_500
    assert history.is_cut


def test_trades_of_the_stream_are_read_and_other_frames_passed_over() -> None:
    payload = {key: value for key, value in V1.items() if key != "type"}
    frame = {"topic": "activity", "type": "trades", "timestamp": 1, "payload": payload}
    assert [deed.side for deed in rtds.trades_in(json.dumps(frame))] == ["SELL"]
    assert rtds.trades_in("") == []
    assert rtds.trades_in("pong") == []
    assert rtds.trades_in(json.dumps({"topic": "comments", "type": "x", "payload": {}})) == []


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[1]",
        json.dumps({"body": {"message": "nosuch not found"}, "statusCode": 401}),
        json.dumps({"topic": "activity", "type": "trades", "payload": None}),
    ],
)
def test_a_frame_that_is_not_as_documented_is_refused(frame: str) -> None:
    with pytest.raises(UnreadableRow):
        rtds.trades_in(frame)


def test_a_filter_is_a_string_without_a_space() -> None:
    frame = json.loads(rtds.subscribe("rain-today"))
    assert frame["subscriptions"][0]["filters"] == '{"event_slug":"rain-today"}'
    assert "filters" not in json.loads(rtds.subscribe())["subscriptions"][0]


FILL = {
    "id": "a1",
    "transactionHash": "0x7a",
    "timestamp": "1700000000",
    "maker": WALLET,
    "makerAssetId": "0",
    "takerAssetId": "77",
    "makerAmountFilled": "5000000",
    "takerAmountFilled": "10000000",
    "fee": "0",
}


def test_a_fill_that_gave_collateral_is_a_purchase() -> None:
    deed = subgraph.fill(FILL)
    assert (deed.side, deed.token_id, deed.price_micro) == ("BUY", "77", 500_000)
    assert (deed.size_micro, deed.usdc_micro) == (10_000_000, 5_000_000)


def test_a_fill_that_gave_shares_is_a_sale() -> None:
    turned = {**FILL, "makerAssetId": "77", "takerAssetId": "0"}
    deed = subgraph.fill({**turned, "makerAmountFilled": "10000000", "takerAmountFilled": "4"})
    assert (deed.side, deed.token_id, deed.usdc_micro) == ("SELL", "77", 4)


async def test_fills_are_paged_by_id() -> None:
    after: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        after.append(json.loads(request.content)["variables"]["after"])
        rows = [FILL] * subgraph.ROWS_MAX if len(after) == 1 else [FILL]
        return httpx.Response(200, json={"data": {"orderFilledEvents": rows}})

    found = [deed async for deed in subgraph.fills(caller(handle), WALLET)]
    assert len(found) == subgraph.ROWS_MAX + 1
    assert after == ["", "a1"]


@pytest.mark.parametrize(
    "answer", [{"errors": [{"message": "indexing stopped"}]}, {"data": {}}, {"data": None}, []]
)
async def test_a_subgraph_that_has_nothing_to_say_is_an_error(answer: Any) -> None:
    asking = subgraph.fills(caller(lambda _: httpx.Response(200, json=answer)), WALLET)
    with pytest.raises(UnreadableRow):
        [deed async for deed in asking]
