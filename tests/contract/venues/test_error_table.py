"""Every status and error text that the venue is known to answer an order with, and what we make
of it: sent over a real socket, read by the official client, translated by the adapter.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from tests.contract.venues.port_rig import ALICE, order_of, proof_of
from whaletrader.venues.errors import (
    AlreadyPlaced,
    CredentialsRefused,
    OutcomeUnknown,
    Refusal,
    Restriction,
    VenueError,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.signer import LocalSigner
from whaletrader.venues.polymarket.venue import PolymarketVenue, WalletSettings

LOGIN = {"apiKey": "5d1c266a-0000-4000-8000-000000000001", "secret": "c2Vj", "passphrase": "ab"}
REFUSED_LEG = {"orderID": "", "takingAmount": "", "makingAmount": "", "status": "", "success": True}

# (status, error text, what it is, refusal or restriction)
TABLE: list[tuple[int, str, type[VenueError], object]] = [
    (400, "Invalid order payload", VenueRefused, Refusal.OTHER),
    (400, "the order owner has to be the owner of the API KEY", VenueStop, None),
    (400, "the order signer address has to be the address of the API KEY", VenueStop, None),
    (400, "'0x12' address banned", VenueStop, None),
    (400, "'0x12' address in closed only mode", VenueStop, None),
    (
        400,
        "order 0x1 is invalid. Price (0.405) breaks minimum tick size rule: 0.01",
        VenueRefused,
        Refusal.TICK,
    ),
    (
        400,
        "order 0x1 is invalid. Size (4) lower than the minimum: 5",
        VenueRefused,
        Refusal.SIZE,
    ),
    (400, "order 0x1 is invalid. Duplicated.", AlreadyPlaced, Refusal.OTHER),
    (400, "order 0x1 crosses the book", VenueRefused, Refusal.CROSSES),
    (400, "invalid post-only order: order crosses book", VenueRefused, Refusal.CROSSES),
    (400, "not enough balance / allowance", VenueRefused, Refusal.BALANCE),
    (
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 1, order amount: 2",
        VenueRefused,
        Refusal.BALANCE,
    ),
    (400, "the allowance is not enough", VenueRefused, Refusal.BALANCE),
    (400, "invalid nonce", VenueRefused, Refusal.OTHER),
    (400, "invalid expiration", VenueRefused, Refusal.EXPIRATION),
    (400, "invalid signature", VenueStop, None),
    (400, "order_version_mismatch", VenueStop, None),
    (400, "invalid order version, please use the latest clob-client", VenueStop, None),
    (400, "order match delayed due to market conditions", OutcomeUnknown, None),
    (
        400,
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
        VenueRefused,
        Refusal.UNFILLED,
    ),
    (
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no "
        "match is found.",
        VenueRefused,
        Refusal.UNFILLED,
    ),
    (
        400,
        "the market is not yet ready to process new orders",
        VenueRefused,
        Refusal.MARKET_CLOSED,
    ),
    (
        400,
        "invalid amount for a marketable BUY order ($0.50), min size: $1",
        VenueRefused,
        Refusal.SIZE,
    ),
    (400, "Size 1.234 has 3 decimal places. Maximum lot size is 2", VenueRefused, Refusal.SIZE),
    (
        400,
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 "
        "decimals, taker amount a max of 5 decimals",
        VenueRefused,
        Refusal.SIZE,
    ),
    (400, "Invalid token id", VenueRefused, Refusal.UNKNOWN_TOKEN),
    (404, "No orderbook exists for the requested token id", VenueRefused, Refusal.UNKNOWN_TOKEN),
    (401, "Unauthorized/Invalid api key", CredentialsRefused, None),
    (401, "Invalid API key", CredentialsRefused, None),
    (403, "Trading restricted in your region", VenueStop, None),
    (408, "Request Timeout", OutcomeUnknown, None),
    (425, "Too Early", VenueUnavailable, Restriction.RESTARTING),
    (429, "Too Many Requests", VenueUnavailable, Restriction.RATE_LIMITED),
    (500, "could not insert order", OutcomeUnknown, None),
    (500, "there are no matching orders", OutcomeUnknown, None),
    (500, "the trade contains rounding issues", OutcomeUnknown, None),
    (502, "Bad Gateway", OutcomeUnknown, None),
    (503, "upstream connect error", OutcomeUnknown, None),
    (
        503,
        "Trading is currently disabled. Check polymarket.com for updates",
        VenueUnavailable,
        Restriction.DISABLED,
    ),
    (
        503,
        "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        VenueUnavailable,
        Restriction.CANCEL_ONLY,
    ),
    (504, "Gateway Timeout", OutcomeUnknown, None),
]


@dataclass
class Scripted:
    """A venue that logs everybody in and answers an order with what it was told."""

    url: str = ""
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    orders: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.lower().split("\r\n")
                lengths = [line[15:] for line in lines if line.startswith("content-length:")]
                await reader.readexactly(int(lengths[0]) if lengths else 0)
                status, body, headers = self._answer(head.split("\r\n")[0])
                raw = body.encode()
                headers = {
                    "content-type": "application/json",
                    **headers,
                    "content-length": str(len(raw)),
                }
                text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{text}\r\n".encode() + raw)
                await writer.drain()
        writer.close()

    def _answer(self, line: str) -> tuple[int, str, dict[str, str]]:
        if "/auth/api-keys" in line:
            return 200, json.dumps({"apiKeys": [LOGIN["apiKey"]]}), {}
        if "/auth/" in line:
            return 200, json.dumps(LOGIN), {}
        self.orders += 1
        return self.status, self.body, self.headers


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    made = Scripted()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    made.url = f"http://{host}:{port}"
    yield made
    server.close()


@contextlib.asynccontextmanager
async def connected(scripted: Scripted) -> AsyncIterator[PolymarketVenue]:
    venue = PolymarketVenue(
        LocalSigner(SecretStr(ALICE)), WalletSettings(environment_at(scripted.url))
    )
    try:
        await venue.connect()
        yield venue
    finally:
        await venue.close()


@pytest.fixture
async def venue(scripted: Scripted) -> AsyncIterator[PolymarketVenue]:
    async with connected(scripted) as made:
        yield made


async def answered(
    venue: PolymarketVenue, scripted: Scripted, status: int, body: Any, **headers: str
) -> VenueError:
    """Place an order; return what it raised."""
    scripted.status = status
    scripted.body = body if isinstance(body, str) else json.dumps(body)
    scripted.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    order = order_of(venue, 400_000, 10_000_000)
    with pytest.raises(VenueError) as raised:
        await venue.submit(proof_of(order), order)
    return raised.value


async def test_every_answer_means_what_the_table_says(
    scripted: Scripted, venue: PolymarketVenue
) -> None:
    wrong = []
    for status, text, meaning, detail in TABLE:
        sent = scripted.orders
        error = await answered(venue, scripted, status, {"error": text})
        found = getattr(error, "kind", getattr(error, "restriction", None))
        # A refused key is tried once more, with credentials read anew; nothing else is sent twice.
        sends = scripted.orders - sent
        if (type(error), found, sends) != (meaning, detail, 2 if status == 401 else 1):
            wrong.append(f"{status} {text}: {type(error).__name__} {found}, sent {sends} times")
    assert not wrong, "\n".join(wrong)


async def test_post_only_mode_says_what_still_goes_and_for_how_long(
    scripted: Scripted, venue: PolymarketVenue
) -> None:
    text = "post-only mode: only post-only orders and cancels are allowed"
    body = {"error": text, "code": "post_only_mode", "retry_after_seconds": 79}
    error = await answered(venue, scripted, 503, body)
    assert isinstance(error, VenueUnavailable)
    assert (error.restriction, error.retry_after_s) == (Restriction.POST_ONLY, 79.0)


@pytest.mark.parametrize("status", [425, 429])
async def test_what_the_venue_asks_to_wait_is_passed_on(
    scripted: Scripted, venue: PolymarketVenue, status: int
) -> None:
    error = await answered(venue, scripted, status, {"error": "later"}, retry_after="7")
    assert isinstance(error, VenueUnavailable)
    assert error.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("not enough balance / allowance", VenueRefused),
        ("order 0x1 is invalid. Duplicated.", AlreadyPlaced),
        ("", OutcomeUnknown),
        ("post-only mode: only post-only orders and cancels are allowed", VenueUnavailable),
    ],
)
async def test_a_success_that_says_no_is_read_by_its_words(
    scripted: Scripted, venue: PolymarketVenue, text: str, meaning: type[VenueError]
) -> None:
    error = await answered(venue, scripted, 200, REFUSED_LEG | {"errorMsg": text})
    assert type(error) is meaning


@pytest.mark.parametrize("body", ["", "null", "[]", "<html>", '{"success":true}', '{"orderID":7}'])
async def test_a_success_that_cannot_be_read_is_no_refusal(
    scripted: Scripted, venue: PolymarketVenue, body: str
) -> None:
    assert type(await answered(venue, scripted, 200, body)) is OutcomeUnknown


async def test_a_success_for_another_order_is_no_success_of_ours(
    scripted: Scripted, venue: PolymarketVenue
) -> None:
    body = REFUSED_LEG | {"errorMsg": "", "orderID": "0x" + "12" * 32, "status": "live"}
    assert type(await answered(venue, scripted, 200, body)) is OutcomeUnknown


async def test_html_from_a_gateway_is_no_refusal_whatever_its_status(
    scripted: Scripted, venue: PolymarketVenue
) -> None:
    for status in (500, 502, 503, 520):
        error = await answered(venue, scripted, status, "<html>no", content_type="text/html")
        assert type(error) is OutcomeUnknown
