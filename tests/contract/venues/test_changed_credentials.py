"""API credentials change while we trade, and nothing is lost: files, secrets, revoked keys."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.contract.venues.port_rig import ALICE, BOB, NO, YES, Site, place, site, write_credentials
from whaletrader.venues.errors import CredentialsRefused
from whaletrader.venues.polymarket.credentials import (
    ApiCredentials,
    FileCredentials,
    GivenCredentials,
    SecretsManagerCredentials,
    secrets_client,
)
from whaletrader.venues.port import StreamOpened

SHARE = 1_000_000


@pytest.fixture
async def here() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-central-1")


def row(credentials: ApiCredentials) -> str:
    return json.dumps(
        {
            "apiKey": credentials.key.get_secret_value(),
            "secret": credentials.secret.get_secret_value(),
            "passphrase": credentials.passphrase.get_secret_value(),
        }
    )


async def test_a_new_file_is_taken_up_while_orders_flow_and_no_request_is_lost(
    here: Site, tmp_path: Path
) -> None:
    file = tmp_path / "api.json"
    old, new = await here.api_key(ALICE, 1), await here.api_key(ALICE, 2)
    write_credentials(file, old)
    alice = await here.venue(source=FileCredentials(file))
    stop, placed = asyncio.Event(), []

    async def trade() -> None:
        while not stop.is_set():
            placed.append(await place(alice, 200_000, 5 * SHARE))
            await alice.cash_micro()

    trading = [asyncio.create_task(trade()) for _ in range(3)]
    await asyncio.sleep(0.1)
    write_credentials(file, new)
    assert await alice.refresh_credentials()
    assert not await alice.refresh_credentials()
    await asyncio.sleep(0.1)
    before = len(placed)
    # Only the new key is left: whatever still used the old one would fail now.
    here.revoke(old)
    async with asyncio.timeout(60):
        while len(placed) < before + 10:  # noqa: ASYNC110 - the venue decides when
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*trading)
    resting = {order.order_id for order in await alice.open_orders()}
    assert resting == {one.order_id for one in placed}
    assert len(resting) == len(placed)


async def test_a_revoked_key_is_replaced_by_the_refused_call_itself(
    here: Site, tmp_path: Path
) -> None:
    file = tmp_path / "api.json"
    old, new = await here.api_key(ALICE, 1), await here.api_key(ALICE, 2)
    write_credentials(file, old)
    alice = await here.venue(source=FileCredentials(file))
    write_credentials(file, new)
    here.revoke(old)
    many = await asyncio.gather(*(place(alice, 200_000, 5 * SHARE) for _ in range(5)))
    assert len({one.order_id for one in many}) == 5
    assert len(await alice.open_orders()) == 5
    assert here.line.requests["GET /auth/api-keys"] == 2


async def test_a_revoked_key_without_a_successor_stops_and_says_where_to_put_one(
    here: Site, tmp_path: Path
) -> None:
    file = tmp_path / "api.json"
    only = await here.api_key(ALICE, 1)
    write_credentials(file, only)
    alice = await here.venue(source=FileCredentials(file))
    here.revoke(only)
    with pytest.raises(CredentialsRefused, match=r"api\.json: make new ones"):
        await place(alice, 200_000, 5 * SHARE)
    with pytest.raises(CredentialsRefused):
        await alice.heartbeat()
    # Put there at last, they are taken up without a restart.
    write_credentials(file, await here.api_key(ALICE, 2))
    await place(alice, 200_000, 5 * SHARE)


async def test_new_credentials_that_the_venue_refuses_change_nothing(
    here: Site, tmp_path: Path
) -> None:
    file = tmp_path / "api.json"
    write_credentials(file, await here.api_key(ALICE, 1))
    alice = await here.venue(source=FileCredentials(file))
    stranger = await here.api_key(BOB, 1)
    for bad in (row(stranger), "{}", "not json"):
        file.write_text(bad)
        with pytest.raises(CredentialsRefused):
            await alice.refresh_credentials()
        await place(alice, 200_000, 5 * SHARE)


async def test_the_stream_goes_on_under_the_new_key_and_says_that_it_was_reopened(
    here: Site, tmp_path: Path
) -> None:
    file = tmp_path / "api.json"
    old, new = await here.api_key(ALICE, 1), await here.api_key(ALICE, 2)
    write_credentials(file, old)
    alice = await here.venue(source=FileCredentials(file))
    bob = await here.venue(BOB)
    events: asyncio.Queue[Any] = asyncio.Queue()

    async def listen() -> None:
        async for event in alice.events():
            events.put_nowait(event)

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(60):
        assert isinstance(await events.get(), StreamOpened)
        write_credentials(file, new)
        assert await alice.refresh_credentials()
        while not isinstance(await events.get(), StreamOpened):
            pass
        here.revoke(old)
        await asyncio.sleep(0.3)
        placed = await place(alice, 400_000, 10 * SHARE)
        await place(bob, 600_000, 10 * SHARE, token=NO)
        while getattr(await events.get(), "order_id", "") != placed.order_id:
            pass
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_orders_under_the_old_key_survive_the_change_while_heartbeats_go_on(
    tmp_path: Path,
) -> None:
    async with site(heartbeat_timeout_s=60) as there:
        file = tmp_path / "api.json"
        write_credentials(file, await there.api_key(ALICE, 1))
        alice = await there.venue(source=FileCredentials(file))
        await alice.heartbeat()
        placed = await place(alice, 200_000, 5 * SHARE)
        write_credentials(file, await there.api_key(ALICE, 2))
        assert await alice.refresh_credentials()
        for _ in range(4):
            await alice.heartbeat()
            there.hear_nothing_for(30)
        assert [order.order_id for order in await alice.open_orders()] == [placed.order_id]


async def test_the_watch_takes_up_a_new_version_of_a_secret_by_itself(
    here: Site, manager: Any
) -> None:
    old, new = await here.api_key(ALICE, 1), await here.api_key(ALICE, 2)
    manager.create_secret(Name="venue/api", SecretString=row(old))
    source = SecretsManagerCredentials(secrets_client("eu-central-1"), "venue/api")
    alice = await here.venue(source=source, recheck_s=0.1)
    manager.put_secret_value(SecretId="venue/api", SecretString=row(new))
    async with asyncio.timeout(60):
        while here.line.requests["GET /auth/api-keys"] < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    here.revoke(old)
    await place(alice, 200_000, 5 * SHARE)
    assert here.line.requests["GET /auth/api-keys"] == 2


async def test_a_login_needs_no_keeping_and_finds_its_way_back_after_a_revocation(
    here: Site,
) -> None:
    alice = await here.venue()
    [key] = here.exchange.keys.of(alice.wallet)
    here.exchange.keys.delete(here.exchange.keys.find_by_id(key))
    await place(alice, 200_000, 5 * SHARE)
    assert (await alice.book(YES)).best_bid_micro == 200_000


async def test_given_credentials_of_somebody_else_are_refused_at_the_start(here: Site) -> None:
    source = GivenCredentials(await here.api_key(BOB, 1))
    alice = await here.venue(source=source, is_connected=False)
    with pytest.raises(CredentialsRefused, match="the environment"):
        await alice.connect()
