"""The pre-flight against a running exchange: what is wrong is found, and nothing else."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

import whaletrader.venues.preflight
from tests.contract.venues.port_rig import ALICE, BOB, CONDITION, Site, place, site
from whaletrader.venues.errors import SignerFailed
from whaletrader.venues.polymarket.credentials import GivenCredentials
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner
from whaletrader.venues.polymarket.venue import PolymarketVenue
from whaletrader.venues.port import StreamOpened
from whaletrader.venues.preflight import PreflightOptions, preflight
from whaletrader.venues.report import Report

SIGNER = LocalSigner(SecretStr(ALICE))
SHARE = 1_000_000


@pytest.fixture
async def here() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


async def examined(venue: PolymarketVenue, signer: Any = SIGNER, **options: Any) -> Report:
    return await preflight(venue, signer, PreflightOptions(time.time_ns, **options))


def failed(report: Report) -> list[str]:
    return [check.name for check in report.failures]


async def test_a_ready_wallet_passes_every_check_and_nothing_is_placed(here: Site) -> None:
    alice = await here.venue(is_connected=False)
    report = await examined(alice)
    assert report.has_passed, [str(check) for check in report.failures]
    assert [check.name for check in report.checks] == [
        "region",
        "clock",
        "signing key",
        "wallet",
        "API credentials",
        "account",
        "collateral",
        "order generation",
        "market terms",
        "order book",
        "share allowances",
        "dry order",
        "heartbeat",
        "user stream",
    ]
    assert here.line.requests["POST /order"] == 0
    assert await alice.open_orders() == []


async def test_a_blocked_region_fails_and_the_rest_is_still_told() -> None:
    async with site(geoblock_blocked=True, geoblock_country="US") as there:
        report = await examined(await there.venue(is_connected=False))
        assert failed(report) == ["region"]
        assert "may not be used from here" in str(report.failures[0])


@pytest.mark.parametrize("skew_s", [-30, 30])
async def test_a_clock_that_is_off_fails(here: Site, skew_s: int) -> None:
    alice = await here.venue()
    options = PreflightOptions(lambda: time.time_ns() + skew_s * 10**9)
    report = await preflight(alice, SIGNER, options)
    assert failed(report) == ["clock"]


async def test_no_money_fails_and_says_where_to_put_it(here: Site) -> None:
    alice = await here.venue()
    report = await examined(alice, collateral_min_micro=2_000 * SHARE)
    assert failed(report) == ["collateral"]
    assert alice.wallet in report.failures[0].to_do


async def test_a_signer_that_fails_or_signs_as_somebody_else_is_found(here: Site) -> None:
    class Broken:
        address = SIGNER.address

        async def sign(self, digest: bytes) -> bytes:
            raise SignerFailed("KMS Sign: AccessDeniedException")

    class Stranger(Broken):
        async def sign(self, digest: bytes) -> bytes:
            return LocalSigner(SecretStr(BOB)).sign_now(digest)

    alice = await here.venue()
    for signer in (Broken(), Stranger()):
        report = await examined(alice, signer)
        assert failed(report) == ["signing key"]
        assert "kms:Sign" in report.failures[0].to_do


async def test_refused_credentials_fail_what_needs_them_and_nothing_else(here: Site) -> None:
    source = GivenCredentials(await here.api_key(BOB, 1))
    report = await examined(await here.venue(source=source, is_connected=False))
    assert failed(report) == [
        "API credentials",
        "account",
        "collateral",
        "order book",
        "share allowances",
        "heartbeat",
        "user stream",
    ]


async def test_heartbeats_are_not_begun_where_silence_would_cancel_what_rests() -> None:
    async with site() as there:
        alice = await there.venue()
        await place(alice, 200_000, 10 * SHARE)
        report = await examined(alice)
        assert report.has_passed
        assert there.line.requests["POST /v1/heartbeats"] == 0
        there.hear_nothing_for(3_600)
        assert len(await alice.open_orders()) == 1
        assert (await examined(alice, goes_on_beating=True)).has_passed
        assert there.line.requests["POST /v1/heartbeats"] == 1


async def test_an_unknown_market_fails_what_is_read_from_it(here: Site) -> None:
    report = await examined(await here.venue(), condition_id="0x" + "cd" * 32)
    assert failed(report) == ["market terms", "order book", "share allowances", "dry order"]
    assert "check the condition id" in report.failures[0].to_do


@pytest.mark.parametrize(
    ("wallet", "found"),
    [(("0x" + "1" * 40, 2), "does not belong to key"), (("", 2), "set the signature type to 0")],
)
async def test_a_wallet_that_is_not_the_keys_own_is_found_and_nothing_is_asked_with_it(
    here: Site, wallet: tuple[str, int], found: str
) -> None:
    report = await examined(await here.venue(wallet=wallet, is_connected=False))
    assert failed(report)[:2] == ["wallet", "API credentials"]
    assert found in report.failures[0].found
    assert "SIGNATURE_TYPE and FUNDER" in report.failures[1].to_do
    assert here.line.requests["POST /auth/api-key"] == 0


async def test_an_exchange_that_is_away_fails_everything_but_the_plain_key(here: Site) -> None:
    alice = await here.venue(is_connected=False)
    await here.line.cut()
    report = await examined(alice)
    assert [check.name for check in report.checks if check.is_ok] == [
        "signing key",
        "wallet",
    ]


@pytest.mark.parametrize(
    ("config", "names", "found", "to_do"),
    [
        ({"closed_only": True}, ["account"], "may only close", "ask the venue why"),
        (
            {"allowances_unlimited": False},
            ["collateral", "share allowances"],
            "no allowance for",
            "approve the collateral",
        ),
        ({"generation": 1}, ["order generation"], "takes generation 1", "must be adapted"),
    ],
)
async def test_what_the_venue_keeps_from_the_account_fails_and_says_what_to_do(
    config: dict[str, Any], names: list[str], found: str, to_do: str
) -> None:
    async with site(**config) as there:
        report = await examined(await there.venue(is_connected=False))
        assert failed(report) == names
        assert found in report.failures[0].found
        assert to_do in report.failures[0].to_do


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("GET /api/geoblock", "region"),
        ("GET /time", "clock"),
        ("GET /auth/ban-status/closed-only", "account"),
        ("GET /version", "order generation"),
        ("GET /book", "order book"),
        ("POST /v1/heartbeats", "heartbeat"),
    ],
)
async def test_what_cannot_be_asked_has_failed(here: Site, endpoint: str, name: str) -> None:
    rule = {"effect": "error", "status": 500, "endpoints": [endpoint]}
    (await here.http.put("/admin/weather", json={"rules": [rule]})).raise_for_status()
    report = await examined(await here.venue(is_connected=False))
    assert failed(report) == [name]
    assert "connection to the venue" in report.failures[0].to_do


async def test_a_hash_that_is_not_the_official_clients_fails(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whaletrader.venues.preflight, "official_digest", lambda *_: bytes(32))
    report = await examined(await here.venue(is_connected=False))
    assert failed(report) == ["dry order"]
    assert "do not trade" in report.failures[0].to_do


async def test_a_user_stream_that_does_not_open_fails(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> AsyncIterator[StreamOpened]:
        await asyncio.Event().wait()
        yield StreamOpened()

    monkeypatch.setattr(PolymarketVenue, "events", silent)
    monkeypatch.setattr(whaletrader.venues.preflight, "CHECK_TIMEOUT_S", 2.0)
    report = await examined(await here.venue(is_connected=False))
    assert failed(report) == ["user stream"]


# -- the command ------------------------------------------------------------------------------


async def doctor(url: str, *arguments: str, **environment: str) -> tuple[int, str]:
    kept = {name: text for name, text in os.environ.items() if "WHALETRADER" not in name}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "whaletrader",
        "doctor",
        "--live",
        "--venue-url",
        url,
        *arguments,
        env=kept | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_command_prints_a_line_a_check_and_its_exit_code_says_whether_all_passed(
    here: Site,
) -> None:
    code, text = await doctor(here.url, "--market", CONDITION)
    assert code == 1, text
    assert "failed collateral: $0.00" in text
    await here.fund(LocalSigner(SecretStr(DEVELOPMENT_KEY)).address)
    code, text = await doctor(here.url, "--market", CONDITION, "--json")
    report = json.loads(text)
    assert (code, report["passed"], len(report["checks"])) == (0, True, 14)
    assert DEVELOPMENT_KEY not in text
