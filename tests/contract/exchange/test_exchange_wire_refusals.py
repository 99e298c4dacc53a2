"""What the wire refuses, and how: logins, request signatures, bodies, cursors, sockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket._internal.hmac import build_hmac_signature
from polymarket._internal.l1_auth import sign_api_key_auth
from polymarket.errors import RequestRejectedError
from py_clob_client.client import ClobClient as RetiredClient
from py_clob_client.clob_types import OrderArgs
from py_clob_client.exceptions import PolyApiException

from tests.contract.exchange.exchange_rig import ALICE_KEY, BOB_KEY, CONDITION, NO, YES, Rig, rig
from whaletrader.services.exchange import server
from whaletrader.services.exchange.wire.subscribers import Close, MarketSubscriber

ALICE = Account.from_key(ALICE_KEY).address
POSITION_YES = str((1 << 248) | (0xABC << 120) | (1 << 104))
POSITION_NO = str(int(POSITION_YES) + 1)


@pytest.fixture
async def tape() -> AsyncIterator[Rig]:
    async with rig() as made:
        await made.fund(ALICE)
        await made.play(0)
        yield made


@pytest.fixture
async def alice(tape: Rig) -> AsyncIterator[AsyncSecureClient]:
    async with tape.client(ALICE_KEY, ALICE) as client:
        yield client


def login(key: str = ALICE_KEY, at: int | None = None, **changes: str) -> dict[str, str]:
    stamp = int(time.time()) if at is None else at
    signed = sign_api_key_auth(Account.from_key(key), chain_id=137, timestamp=stamp, nonce=0)
    headers = {
        "POLY_ADDRESS": str(signed.address),
        "POLY_NONCE": "0",
        "POLY_SIGNATURE": str(signed.signature),
        "POLY_TIMESTAMP": str(stamp),
    }
    return headers | changes


def request_headers(client: AsyncSecureClient, path: str, **changes: str) -> dict[str, str]:
    stamp = int(changes.pop("at", time.time()))
    method, body = changes.pop("method", "GET"), changes.pop("body", None)
    creds = client.credentials
    headers = {
        "POLY_ADDRESS": str(client.signer),
        "POLY_API_KEY": creds.key,
        "POLY_PASSPHRASE": creds.passphrase,
        "POLY_TIMESTAMP": str(stamp),
        "POLY_SIGNATURE": build_hmac_signature(
            secret=creds.secret, timestamp=stamp, method=method, path=path, body=body
        ),
    }
    return headers | changes


async def test_a_second_key_for_the_same_nonce_and_deriving_none_are_400(tape: Rig) -> None:
    none = await tape.http.get("/auth/derive-api-key", headers=login())
    assert (none.status_code, none.json()) == (400, {"error": "Could not derive api key!"})
    assert (await tape.http.post("/auth/api-key", headers=login())).status_code == 200
    twice = await tape.http.post("/auth/api-key", headers=login())
    assert (twice.status_code, twice.json()) == (400, {"error": "Could not create api key"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        login(POLY_NONCE="1"),
        login(POLY_ADDRESS=Account.from_key(BOB_KEY).address),
        login(POLY_SIGNATURE="0xnothex"),
        login(POLY_TIMESTAMP="soon"),
        login(at=1_700_000_000),
    ],
    ids=["none", "other nonce", "other address", "no signature", "no time", "old"],
)
async def test_a_login_that_is_not_the_wallets_is_401(tape: Rig, headers: dict[str, str]) -> None:
    answer = await tape.http.post("/auth/api-key", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid L1 Request headers"})


@pytest.mark.parametrize(
    "change",
    [
        {"POLY_SIGNATURE": "AAAA"},
        {"POLY_PASSPHRASE": "wrong"},
        {"POLY_API_KEY": "00000000-0000-0000-0000-000000000000"},
        {"POLY_ADDRESS": "0x" + "00" * 20},
        {"POLY_TIMESTAMP": "1"},
        {"at": "1700000000"},
    ],
    ids=lambda c: next(iter(c)),
)
async def test_a_request_that_is_not_the_keys_is_401(
    tape: Rig, alice: AsyncSecureClient, change: dict[str, str]
) -> None:
    good = request_headers(alice, "/data/orders")
    assert (await tape.http.get("/data/orders?market=x", headers=good)).status_code == 200
    bad = request_headers(alice, "/data/orders", **change)
    answer = await tape.http.get("/data/orders", headers=bad)
    assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized/Invalid api key")


async def test_a_signature_covers_the_path_and_the_body(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    stolen = request_headers(alice, "/data/orders")
    assert (await tape.http.get("/data/trades", headers=stolen)).status_code == 401
    answer = await tape.http.request("DELETE", "/cancel-all", headers=stolen)
    assert answer.status_code == 401


async def test_the_end_cursor_sent_back_is_400(tape: Rig, alice: AsyncSecureClient) -> None:
    headers = request_headers(alice, "/data/orders")
    answer = await tape.http.get("/data/orders?next_cursor=LTE=", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == "next item should be greater than or equal to 0"


async def test_pages_follow_one_another_to_the_end() -> None:
    async with rig(page_rows_max=2) as made:
        await made.fund(ALICE)
        async with made.client(ALICE_KEY, ALICE) as client:
            for _ in range(5):
                await client.place_limit_order(asset_id=YES, price="0.3", size=5, side="BUY")
            pages = [page async for page in client.list_open_orders()]
            assert [len(page.items) for page in pages] == [2, 2, 1]
            assert len({order.id for page in pages for order in page.items}) == 5


@pytest.mark.parametrize(
    ("token", "status", "text"),
    [
        ("123", 404, "No orderbook exists for the requested token id"),
        ("abc", 400, "Invalid token id"),
    ],
)
async def test_unknown_and_bad_tokens_are_told_apart(
    tape: Rig, token: str, status: int, text: str
) -> None:
    for path in ("book", "midpoint", "spread", "tick-size", "neg-risk", "fee-rate"):
        answer = await tape.http.get(f"/{path}", params={"token_id": token})
        assert (answer.status_code, answer.json()["error"]) == (status, text)


async def test_the_retired_client_learns_that_its_generation_is_over(tape: Rig) -> None:
    def trade() -> Any:
        client = RetiredClient(tape.url, chain_id=137, key=ALICE_KEY)
        client.set_api_creds(client.create_or_derive_api_creds())
        args = OrderArgs(token_id=YES, price=0.4, size=10, side="BUY", fee_rate_bps=1000)
        return client.post_order(client.create_order(args))

    with pytest.raises(PolyApiException) as refused:
        await asyncio.to_thread(trade)
    assert refused.value.status_code == 400
    assert "order_version_mismatch" in str(refused.value.error_msg)


@pytest.mark.parametrize("neg_risk", [False, True])
async def test_each_kind_of_market_takes_the_signature_of_its_own_contract(neg_risk: bool) -> None:
    async with rig(market={"neg_risk": neg_risk}) as made:
        await made.fund(ALICE)
        async with made.client(ALICE_KEY, ALICE) as client:
            placed = await client.place_limit_order(asset_id=YES, price="0.3", size=5, side="BUY")
            assert placed.ok
        made.venue.exchange.state.markets[CONDITION].neg_risk = not neg_risk
        async with made.client(ALICE_KEY, ALICE) as client:
            signed = await client.create_limit_order(asset_id=YES, price="0.3", size=5, side="BUY")
            made.venue.exchange.state.markets[CONDITION].neg_risk = neg_risk
            with pytest.raises(RequestRejectedError, match="invalid signature"):
                await client.post_order(signed)


async def test_a_market_of_the_newer_protocol_is_signed_under_domain_three() -> None:
    tokens = [
        {"token_id": POSITION_YES, "outcome": "Up"},
        {"token_id": POSITION_NO, "outcome": "Down"},
    ]
    async with rig(market={"tokens": tokens}) as made:
        await made.fund(ALICE)
        async with made.client(ALICE_KEY, ALICE) as client:
            placed = await client.place_limit_order(
                asset_id=POSITION_YES, price="0.3", size=5, side="BUY"
            )
            assert placed.ok
            book = (await made.http.get(f"/book?token_id={POSITION_YES}")).json()
            assert list(book)[-1] == "version"


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "00000000-0000-0000-0000-000000000000"},
        {"orderType": "IOC"},
        {"order": {}},
        {"orderType": "FOK", "postOnly": True},
    ],
)
async def test_envelopes_that_do_not_fit_are_400(
    tape: Rig, alice: AsyncSecureClient, changes: dict[str, Any]
) -> None:
    signed = await alice.create_limit_order(asset_id=YES, price="0.3", size=5, side="BUY")
    body = {
        "order": {
            "salt": signed.salt,
            "maker": signed.maker,
            "signer": signed.signer,
            "tokenId": signed.token_id,
            "makerAmount": str(signed.maker_amount),
            "takerAmount": str(signed.taker_amount),
            "side": signed.side,
            "expiration": "0",
            "signatureType": signed.signature_type,
            "timestamp": str(signed.timestamp),
            "metadata": signed.metadata,
            "builder": signed.builder,
            "signature": signed.signature,
        },
        "owner": alice.credentials.key,
        "orderType": "GTC",
    }
    with pytest.raises(RequestRejectedError) as refused:
        await alice._ctx.secure_clob.post_json("/order", json=body | changes)
    assert refused.value.status == 400
    assert (await alice._ctx.secure_clob.post_json("/order", json=body))["success"] is True


async def test_a_user_stream_with_a_wrong_secret_is_closed(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    url = tape.url.replace("http", "ws") + "/ws/user"
    creds = alice.credentials
    async with websockets.connect(url) as socket:
        auth = {"apiKey": creds.key, "secret": "AAAA", "passphrase": creds.passphrase}
        await socket.send(json.dumps({"type": "user", "auth": auth}))
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 30)
    assert not tape.venue.hub.user_subscribers


async def test_streams_answer_ping_and_unknown_tokens_with_nothing(tape: Rig) -> None:
    url = tape.url.replace("http", "ws") + "/ws/market"
    async with websockets.connect(url) as socket:
        await socket.send("PING")
        assert await asyncio.wait_for(socket.recv(), 30) == "PONG"
        await socket.send(json.dumps({"type": "market", "assets_ids": ["404"]}))
        assert json.loads(await asyncio.wait_for(socket.recv(), 30)) == []
        await socket.send(json.dumps({"operation": "subscribe", "assets_ids": [YES]}))
        (book,) = json.loads(await asyncio.wait_for(socket.recv(), 30))
        assert (book["event_type"], book["asset_id"]) == ("book", YES)
        for odd in ("not json", "[" * 50_000, b"\xff\x00", '{"assets_ids":5}', "5"):
            await socket.send(odd)
        await socket.send(b"PING")
        assert await asyncio.wait_for(socket.recv(), 30) == "PONG"
        await socket.send("ping")
        assert await asyncio.wait_for(socket.recv(), 30) == "PONG"


async def test_one_who_never_answers_a_ping_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PING_S", 0.05)
    async with rig() as made:
        host, port = made.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"GET /rtds HTTP/1.1\r\nHost: local\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        # The empty frame that greets, and then pings: the second would not follow an unheard first.
        greeting = await asyncio.wait_for(reader.readexactly(2), 30)
        assert greeting == b"\x81\x00"
        for _ in range(3):
            assert (await asyncio.wait_for(reader.readexactly(6), 30))[:2] == b"\x89\x04"
        writer.close()
        await writer.wait_closed()


async def test_news_of_markets_goes_only_to_those_who_asked(tape: Rig) -> None:
    url = tape.url.replace("http", "ws") + "/ws/market"
    async with websockets.connect(url) as plain, websockets.connect(url) as curious:
        for socket, wants in ((plain, False), (curious, True)):
            await socket.send(
                json.dumps({"type": "market", "assets_ids": [NO], "custom_feature_enabled": wants})
            )
            await asyncio.wait_for(socket.recv(), 30)
        won = {"condition_id": CONDITION, "winning_index": 1, "ts_ns": 1_700_000_005 * 10**9}
        await tape.play(10, resolutions=[won])
        told = json.loads(await asyncio.wait_for(curious.recv(), 30))
        assert (told["event_type"], told["winning_asset_id"]) == ("market_resolved", NO)
        await plain.send("PING")
        assert await asyncio.wait_for(plain.recv(), 30) == "PONG"


async def test_one_who_does_not_read_is_cut_off_rather_than_fed_with_gaps() -> None:
    slow = MarketSubscriber(2)
    for number in range(5):
        slow.send({"n": number})
    frames = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
    assert frames == [b'{"n":0}', b'{"n":1}', Close(1013, "too slow")]


LONG = "9" * 5_000


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("POST", "/books", b"[" * 50_000, "Invalid payload"),
        ("POST", "/admin/accounts", b'{"a":' * 50_000, "unknown field"),
        ("POST", "/gamma/markets/information", b"[" * 50_000, "Invalid payload"),
        ("GET", f"/data-api/v2/trades?limit={LONG}", b"", "Invalid limit"),
        ("GET", f"/gamma/markets/keyset?after_cursor={LONG}", b"", "invalid after_cursor"),
        ("GET", "/data-api/v2/trades?filter_amount=nan", b"", "invalid filter_amount"),
        ("GET", "/data-api/v2/trades?filter_amount=1e999", b"", "invalid filter_amount"),
        ("GET", f"/admin/weather/log?after={LONG}", b"", "Invalid after"),
    ],
)
async def test_what_breaks_parsers_is_a_400(
    tape: Rig, method: str, path: str, body: bytes, text: str
) -> None:
    answer = await tape.http.request(method, path, content=body)
    assert (answer.status_code, text in answer.json()["error"]) == (400, True)


async def test_signed_requests_that_break_parsers_are_refused_too(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    for method, path in (("POST", "/order"), ("POST", "/orders"), ("DELETE", "/orders")):
        body = b"[" * 50_000
        headers = request_headers(alice, path, method=method, body=body.decode())
        answer = await tape.http.request(method, path, content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"] in ("Invalid order payload", "Invalid payload")
    headers = request_headers(alice, "/data/orders", POLY_TIMESTAMP=LONG)
    assert (await tape.http.get("/data/orders", headers=headers)).status_code == 401


async def test_a_path_with_a_slash_too_many_is_no_redirect(tape: Rig) -> None:
    answer = await tape.http.get("/markets/")
    assert (answer.status_code, answer.json()) == (404, {"error": "not found"})


async def test_geoblock_says_what_it_was_told_to_say(tape: Rig) -> None:
    assert (await tape.http.get("/api/geoblock")).json()["blocked"] is False
    async with rig(geoblock_blocked=True, geoblock_country="US") as blocked:
        answer = (await blocked.http.get("/api/geoblock")).json()
        assert (answer["blocked"], answer["country"]) == (True, "US")


async def test_unknown_paths_answer_json(tape: Rig) -> None:
    missing = await tape.http.get("/nowhere")
    assert (missing.status_code, missing.json()) == (404, {"error": "not found"})
