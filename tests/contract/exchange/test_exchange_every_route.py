"""The table of what is served is complete, and what no client calls answers in the right shape."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

import whaletrader.services.exchange as package
from tests.contract.exchange.exchange_rig import CONDITION, YES, rig
from whaletrader.services.exchange.wire import routes

HERE = Path(__file__).parent
README = Path(package.__file__).parent / "README.md"
USER = "0x" + "aa" * 20


def test_the_readme_lists_every_route_with_a_test_that_is_there() -> None:
    rows = re.findall(
        r"^\| `([A-Z]+ /\S*|/\S+)` \| (\S+\.py) \|$", README.read_text(), re.MULTILINE
    )
    listed = [path for path, _ in rows]
    served = [row for row, _ in routes.TABLE] + [path for path, _ in routes.STREAMS]
    assert sorted(listed) == sorted(served)
    missing = {test for _, test in rows if not (HERE / test).exists()}
    assert not missing


def test_the_readme_explains_every_effect_and_its_parameters() -> None:
    from whaletrader.services.exchange.weather.rules import _PARAMETERS

    text = README.read_text()
    table = text[text.index("| effect |") : text.index("Each rule may have")]
    for effect, parameters in _PARAMETERS.items():
        assert f"`{effect.value}`" in table
        for name in parameters:
            assert f"`{name}`" in table, f"{effect}: {name}"


# What no official client of the tests calls: path, and a part of the answer.
READS: list[tuple[str, int, Any]] = [
    ("/livez", 200, "OK"),
    ("/books", 400, {"error": "Invalid payload"}),
    ("/midpoints", 400, {"error": "Invalid payload"}),
    ("/prices", 400, {"error": "Invalid payload"}),
    ("/spreads", 400, {"error": "Invalid payload"}),
    ("/last-trades-prices", 400, {"error": "Invalid payload"}),
    (f"/tick-size/{YES}", 200, {"minimum_tick_size": 0.01}),
    (f"/neg-risk/{YES}", 200, {"neg_risk": False}),
    (f"/fee-rate/{YES}", 200, {"base_fee": 1000}),
    ("/gamma/series/1", 404, {"error": "not found"}),
    ("/gamma/sports/market-types", 200, {"marketTypes": []}),
    ("/gamma/comments?parent_entity_type=Event&parent_entity_id=1", 200, []),
    ("/gamma/comments/keyset?parent_entity_type=Event&parent_entity_id=1", 200, {"comments": []}),
    ("/gamma/status", 200, "OK"),
    (f"/gamma/comments/user_address/{USER}", 200, []),
    ("/gamma/comments/1", 200, []),
    ("/gamma/market-clarifications", 200, []),
    ("/gamma/tags/slug/weather/related-tags", 200, []),
    ("/gamma/tags/slug/rain/related-tags", 404, {"error": "tag not found"}),
    ("/data-api/", 200, {"data": "OK"}),
    ("/data-api/v1/builders/volume", 200, []),
    (f"/data-api/closed-positions?user={USER}", 200, []),
    (f"/data-api/positions?user={USER}", 200, []),
    (f"/data-api/activity?user={USER}", 200, []),
    (f"/data-api/trades?user={USER}", 200, []),
    (f"/data-api/value?user={USER}", 200, [{"user": USER, "value": 0.0}]),
    (f"/data-api/traded?user={USER}", 200, {"user": USER, "traded": 0}),
    (f"/data-api/oi?market={CONDITION}", 200, [{"market": CONDITION, "value": 0.0}]),
    (f"/relayer/nonce?address={USER}&type=SAFE", 200, {"nonce": "0"}),
    ("/nothing", 404, {"error": "not found"}),
]
REFUSED: list[tuple[str, int, str]] = [
    ("/gamma/comments", 422, "parent_entity_type"),
    ("/gamma/markets?order=colour", 422, "order fields"),
    ("/gamma/markets?offset=5000", 422, "keyset"),
    ("/gamma/public-search", 422, "q is required"),
    ("/data-api/v2/positions", 400, "user or exactly one condition"),
    ("/data-api/v2/activity", 400, "'user' not provided"),
    ("/data-api/v2/trades?offset=5", 400, "use cursor"),
    ("/data-api/v2/leaderboard?time_period=year", 400, "invalid time_period"),
    ("/data-api/v2/resolutions", 400, "exactly one"),
    ("/data-api/v2/holders", 400, "condition is required"),
    ("/data-api/positions?user=0x1", 400, "invalid user"),
    ("/data-api/v1/accounting/snapshot", 400, "'user' not provided"),
    ("/data-api/v1/market-positions", 400, "'market' not provided"),
    (f"/data-api/v1/market-positions?market={CONDITION}&status=HALF", 400, "invalid status"),
    (f"/prices-history?market={YES}", 400, "interval"),
    (f"/prices-history?market={YES}&interval=2d", 400, "invalid interval"),
    (f"/prices-history?market={YES}&interval=1m&fidelity=1", 400, "minimum 'fidelity'"),
    ("/rebates/current?date=today&maker_address=0x1", 400, "YYYY-MM-DD"),
    ("/builder/trades?builder_code=0x00", 400, "32 bytes"),
    ("/relayer/nonce?address=me", 400, "40 hex digits"),
    (f"/relayer/relay-payload?address={USER}&type=EOA", 400, "PROXY, SAFE or WALLET"),
    ("/relayer/transaction?id=x", 404, "not found"),
]


async def test_what_no_client_calls_answers_in_its_shape() -> None:
    async with rig() as made:
        for path, status, expected in READS:
            answer = await made.http.get(path)
            assert (path, answer.status_code, answer.json()) == (path, status, expected)
        for name in ("/data-api/v2/builders/leaderboard", "/data-api/v2/positions/combos"):
            assert (await made.http.get(name)).json()["data"] == []
        status = (await made.http.get("/data-api/v2/status")).json()["data"]
        assert status["status"] == "ok"
        block = (await made.http.get("/api/geoblock")).json()
        assert (block["blocked"], block["country"]) == (False, "CH")
        payload = await made.http.get(f"/relayer/relay-payload?address={USER}&type=PROXY")
        assert payload.json()["nonce"] == "0"
        asked = [{"token_id": YES}]
        by_get = await made.http.request("GET", "/last-trades-prices", json=asked)
        assert by_get.json()[0]["token_id"] == YES
        batch = {"markets": [YES], "interval": "1d"}
        history = (await made.http.post("/batch-prices-history", json=batch)).json()
        assert history == {"history": {YES: []}}
        named = {"clob_token_ids": [YES]}
        (market,) = (await made.http.post("/gamma/markets/information", json=named)).json()
        assert market["slug"] == "will-it-rain"
        assert isinstance(market["marketMakerAddress"], str)
        holders = (await made.http.get(f"/data-api/holders?market={CONDITION}")).json()
        assert [row["holders"] for row in holders] == [[], []]


async def test_the_newer_data_api_names_its_errors() -> None:
    async with rig() as made:
        answer = (await made.http.get("/data-api/v2/trades?offset=5")).json()
        assert (answer["code"], answer["retryable"]) == ("INVALID_PARAMETER", False)
        assert len(answer["trace_id"]) == 32


async def test_a_market_was_listed_when_it_was() -> None:
    async with rig(mode="agents") as made:
        (market,) = (await made.http.get("/gamma/markets")).json()
        assert market["startDate"] > "2024"


async def test_bad_questions_are_refused_with_what_is_wrong() -> None:
    async with rig() as made:
        for path, status, text in REFUSED:
            answer = await made.http.get(path)
            assert (path, answer.status_code) == (path, status)
            assert text in answer.json()["error"], path


async def test_errors_are_json_whatever_went_wrong() -> None:
    async with rig() as made:
        for method, path in (("PUT", "/order"), ("POST", "/nothing"), ("GET", "/data/orders")):
            answer = await made.http.request(method, path)
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["error"]


async def test_the_relayer_refuses_what_it_cannot_do() -> None:
    async with rig() as made:

        async def submit(**body: Any) -> httpx.Response:
            return await made.http.post("/relayer/submit", json=body)

        wallet = {"depositWallet": USER, "calls": []}
        for body, text in (
            ({"type": "GIFT"}, "type must be"),
            ({"type": "WALLET", "from": "me"}, "from must be"),
            ({"type": "WALLET", "from": USER, "nonce": "3"}, "does not match on-chain nonce 0"),
            (
                {"type": "WALLET", "from": USER, "nonce": "0", "depositWalletParams": wallet},
                "does not belong",
            ),
        ):
            answer = await submit(**body)
            assert answer.status_code == 400
            assert text in answer.json()["error"]
        made_wallet = await submit(type="WALLET-CREATE", **{"from": USER})
        name = made_wallet.json()["transactionID"]
        (row,) = (await made.http.get(f"/relayer/transaction?id={name}")).json()
        assert row["state"] == "STATE_CONFIRMED"


async def test_the_node_reads_and_refuses_to_be_written_to() -> None:
    async with rig() as made:

        async def call(method: str, *params: Any) -> Any:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
            return (await made.http.post("/rpc", json=body)).json()

        assert (await call("eth_chainId"))["result"] == "0x89"
        assert (await call("eth_sendRawTransaction", "0x00"))["error"]["code"] == -32601
        assert (
            "reverted"
            in (await call("eth_call", {"to": USER, "data": "0x12345678"}))["error"]["message"]
        )


async def test_legacy_heartbeats_without_a_body_and_the_silent_sports_stream() -> None:
    async with rig() as made:
        assert (await made.http.post("/heartbeats")).status_code == 401
        url = made.url.replace("http", "ws", 1)
        async with websockets.connect(f"{url}/sports") as socket:
            await socket.ping()


async def test_rtds_tells_activity_and_one_unknown_topic_silences_all() -> None:
    async with rig() as made, websockets.connect(made.url.replace("http", "ws", 1) + "/rtds") as s:
        assert await s.recv() == ""
        asked = [{"topic": "activity", "type": "*"}, {"topic": "gossip", "type": "*"}]
        await s.send(json.dumps({"action": "subscribe", "subscriptions": asked}))
        answer = json.loads(await s.recv())
        assert (answer["statusCode"], answer["body"]["message"]) == (401, "gossip not found")
        filters = json.dumps({"symbol": "btcusdt"})
        asked = [{"topic": "crypto_prices", "type": "*", "filters": filters}]
        await s.send(json.dumps({"action": "subscribe", "subscriptions": asked}))
        snapshot = json.loads(await s.recv())
        assert (snapshot["type"], len(snapshot["payload"]["data"])) == ("subscribe", 120)


@pytest.mark.parametrize("symbol", ["btc/usd", "ethusdt", "solusd"])
def test_spot_prices_are_the_same_for_the_same_seed_and_second(symbol: str) -> None:
    from whaletrader.services.exchange.wire.spot import BASE_USD, Spot, coin_of

    coin = coin_of(symbol)
    assert coin is not None
    prices = [Spot(5).price(coin, second) for second in range(1_000, 1_200)]
    assert prices == [Spot(5).price(coin, second) for second in range(1_000, 1_200)]
    assert prices != [Spot(6).price(coin, second) for second in range(1_000, 1_200)]
    steps = [abs(b / a - 1) for a, b in itertools.pairwise(prices)]
    assert max(steps) < 0.001
    assert abs(prices[0] / BASE_USD[coin] - 1) < 0.1
