"""A wallet whose key is in KMS logs in, passes the pre-flight and trades like any other."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from moto.kms.models import kms_backends
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import derive_beacon_deposit_wallet_address

from tests.contract.venues.kms_play import playing_kms
from tests.contract.venues.port_rig import BOB, NO, YES, Site, place, site
from whaletrader.runtime.settings import Mode
from whaletrader.venues.errors import SignerFailed
from whaletrader.venues.polymarket.access import VenueAccess
from whaletrader.venues.polymarket.kms_signer import KmsSigner
from whaletrader.venues.preflight import PreflightOptions, preflight

SHARE = 1_000_000


@pytest.fixture
async def here() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


def access_to(here: Site, key_id: str, **more: Any) -> VenueAccess:
    return VenueAccess(
        mode=Mode.LIVE,
        exchange_url=here.line.url,
        kms_key_id=key_id,
        kms_region="eu-central-1",
        **more,
    )


@pytest.mark.parametrize("is_deposit_wallet", [False, True])
async def test_a_key_in_kms_passes_the_pre_flight_and_trades(
    here: Site, is_deposit_wallet: bool
) -> None:
    with playing_kms() as kms:
        key_id = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
        access = access_to(here, key_id["KeyMetadata"]["KeyId"])
        if is_deposit_wallet:
            derivation = PRODUCTION_CONFIG.wallet_derivation
            wallet = derive_beacon_deposit_wallet_address(access.signer().address, derivation)
            access = access.model_copy(update={"funder": wallet, "signature_type": 3})
        signer = access.signer()
        assert isinstance(signer, KmsSigner)
        venue = access.venue(signer)
        here.open_venues.append(venue)
        await here.fund(venue.wallet)
        report = await preflight(venue, signer, PreflightOptions(time.time_ns))
        assert report.has_passed, [str(check) for check in report.failures]
        await place(await here.venue(BOB), 600_000, 10 * SHARE, token=NO)
        placed = await place(venue, 400_000, 10 * SHARE)
        assert placed.is_matched
        assert await venue.positions() == {YES: 10 * SHARE}


async def test_while_kms_signs_others_run_and_a_halt_in_between_holds_the_order_back(
    here: Site,
) -> None:
    with playing_kms() as kms:
        key_id = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
        venue = access_to(here, key_id["KeyMetadata"]["KeyId"]).venue()
        here.open_venues.append(venue)
        await here.fund(venue.wallet)
        await venue.connect()
        halted: list[bool] = []
        asyncio.get_running_loop().call_soon(halted.append, True)

        def last_look() -> None:
            if halted:
                raise RuntimeError("halted while KMS was signing")

        with pytest.raises(RuntimeError, match="halted"):
            await place(venue, 400_000, 10 * SHARE, before_send=last_look)
        assert here.line.requests["POST /order"] == 0


async def test_a_key_that_is_gone_under_way_sends_nothing_more(here: Site) -> None:
    with playing_kms() as kms:
        key_id = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"][
            "KeyId"
        ]
        venue = access_to(here, key_id).venue()
        here.open_venues.append(venue)
        await here.fund(venue.wallet)
        await venue.connect()
        placed = await place(venue, 400_000, 10 * SHARE)
        # moto goes on signing with a disabled key; one that is gone is what it refuses.
        kms_backends["123456789012"]["eu-central-1"].keys.pop(key_id)
        with pytest.raises(SignerFailed, match="NotFoundException"):
            await place(venue, 300_000, 10 * SHARE)
        # What needs no signature still goes.
        assert (await venue.cancel(placed.order_id)).is_gone
        assert here.line.requests["POST /order"] == 1
