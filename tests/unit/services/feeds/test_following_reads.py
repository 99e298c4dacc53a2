"""Reads of a wallet, of markets and of ends: whole seconds, and failures that are answers."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.unit.services.feeds.following_world import MARKET, WALLET, YES
from whaletrader.runtime.agent import Effect
from whaletrader.schemas import agent_pb2, follow_pb2
from whaletrader.services.feeds.following import reading
from whaletrader.services.feeds.following.reading import EndReader, MarketReader, WalletReader
from whaletrader.venues.polymarket.history.calls import Caller, CallOptions
from whaletrader.venues.polymarket.history.data_api import DataApi
from whaletrader.venues.polymarket.history.gamma import Gamma

Answer = Callable[[httpx.Request], httpx.Response]


def row(at_s: int, tx_hash: str = "0x7a", kind: str = "TRADE") -> dict[str, Any]:
    return {
        "proxy_wallet": WALLET,
        "timestamp": at_s,
        "condition_id": MARKET,
        "type": kind,
        "size": 10,
        "usdc_size": 4,
        "transaction_hash": tx_hash,
        "price": 0.4,
        "token_id": YES,
        "side": "BUY" if kind == "TRADE" else "",
        "outcome_index": 0,
        "slug": "rain",
        "event_slug": "weather",
    }


def caller(answer: Answer) -> Caller:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Caller(client, "http://test", CallOptions(requests_per_s=1e9, attempts_max=1))


def history(rows: list[dict[str, Any]]) -> Answer:
    """Serve a wallet's history by kind and start, as the venue does."""

    def answer(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        start_s = int(params.get("start", 0))
        told = [one for one in rows if one["type"] == params["type"]]
        told = [one for one in told if one["timestamp"] >= start_s]
        return httpx.Response(200, json={"data": sorted(told, key=lambda one: one["timestamp"])})

    return answer


async def read(answer: Answer, since_s: int = 0) -> follow_pb2.WalletRead:
    asked = Effect(follow_pb2.ReadWallet(wallet=WALLET, since_s=since_s))
    told = await WalletReader(DataApi(caller(answer)))(asked, again=False)
    assert isinstance(told, follow_pb2.WalletRead)
    return told


async def test_all_kinds_come_in_the_order_of_time() -> None:
    rows = [row(30, kind="REDEEM"), row(10), row(20, kind="SPLIT"), row(40)]
    told = await read(history(rows))
    assert [deed.WhichOneof("deed") for deed in told.deeds] == [
        "traded",
        "acted",
        "acted",
        "traded",
    ]
    assert (told.until_s, told.has_more, told.error) == (40, False, "")


async def test_nothing_new_reaches_no_further() -> None:
    told = await read(history([row(10)]), since_s=50)
    assert (list(told.deeds), told.until_s) == ([], 50)


async def test_a_long_history_ends_with_a_whole_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS_MAX", 3)
    rows = [row(at_s, f"0x{n}") for n, at_s in enumerate((10, 20, 30, 30, 30, 40, 50))]
    rows += [row(35, kind="REDEEM"), row(45, kind="REDEEM")]
    whole: list[str] = []
    since_s = 0
    for _ in range(10):
        told = await read(history(rows), since_s)
        whole += [
            f"{(deed.traded if deed.HasField('traded') else deed.acted).transaction_hash}"
            for deed in told.deeds
        ]
        if not told.has_more:
            break
        assert told.until_s >= since_s
        since_s = told.until_s + 1
    trades = [name for name in whole if name != "0x7a"]
    assert trades == [f"0x{n}" for n in range(7)]
    assert whole.count("0x7a") == 2


async def test_a_row_has_the_same_id_whatever_else_is_read_with_it() -> None:
    rows = [row(10), row(20), row(20), row(30)]
    alone, whole = await read(history(rows), 20), await read(history(rows))
    ids = [deed.traded.meta.id for deed in whole.deeds]
    assert len(set(ids)) == 4
    assert [deed.traded.meta.id for deed in alone.deeds] == ids[1:]


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(503, text="away"), "503"),
        (httpx.Response(400, text="bad user"), "bad user"),
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(200, json={"data": [{"type": "TRADE"}]}), "TRADE"),
        (httpx.Response(200, json=[]), "without data"),
    ],
)
async def test_a_failure_is_an_answer_that_says_why(response: httpx.Response, said: str) -> None:
    told = await read(lambda _: response)
    assert said in told.error
    assert not told.deeds


async def test_markets_that_are_not_found_are_named_as_asked() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        del request
        listed = {"conditionId": MARKET, "outcomes": '["Yes","No"]', "clobTokenIds": '["1","2"]'}
        return httpx.Response(200, json=[listed])

    asked = Effect(follow_pb2.LookUpMarkets(condition_ids=[MARKET, "0xnone"]))
    found: Any = await MarketReader(Gamma(caller(answer)))(asked, again=False)
    assert list(found.condition_ids) == [MARKET, "0xnone"]
    assert [one.condition_id for one in found.listed] == [MARKET]
    gone: Any = await MarketReader(Gamma(caller(lambda _: httpx.Response(500))))(asked, again=False)
    assert "500" in gone.error


async def test_ends_tell_what_each_side_paid() -> None:
    rows = [
        {"condition_id": MARKET, "status": "resolved", "payouts": [0, 1_000_000]},
        {"condition_id": "0xboth", "status": "resolved", "payouts": [500_000, 500_000]},
        {"condition_id": "0xopen", "status": "proposed", "payouts": []},
    ]
    text = json.dumps({"data": rows})
    asked = Effect(follow_pb2.LookUpEnds(condition_ids=[MARKET, "0xboth", "0xopen", "0xnone"]))
    api = DataApi(caller(lambda _: httpx.Response(200, text=text)))
    found: Any = await EndReader(api)(asked, again=False)
    assert {one.condition_id: list(one.payouts_micro) for one in found.ends} == {
        MARKET: [0, 1_000_000],
        "0xboth": [500_000, 500_000],
    }
    api = DataApi(caller(lambda _: httpx.Response(429)))
    gone: Any = await EndReader(api)(asked, again=False)
    assert "429" in gone.error


async def test_another_effect_is_a_defect() -> None:
    wrong = Effect(agent_pb2.SetTimer())
    api, gamma = DataApi(caller(lambda _: httpx.Response(500))), Gamma(caller(lambda _: None))  # type: ignore[arg-type,return-value]
    for reader in (WalletReader(api), MarketReader(gamma), EndReader(api)):
        with pytest.raises(TypeError, match="SetTimer"):
            await reader(wrong, again=False)
