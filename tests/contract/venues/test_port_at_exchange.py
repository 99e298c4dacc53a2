"""What the venue port promises, held against a running exchange over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
)
from pydantic import SecretStr

from tests.contract.venues.faulty_line import Fault
from tests.contract.venues.port_rig import (
    ALICE,
    BOB,
    CONDITION,
    NO,
    SELL,
    YES,
    Site,
    order_of,
    place,
    proof_of,
    site,
)
from whaletrader.schemas import order_pb2
from whaletrader.venues.approval import ApprovalInvalid
from whaletrader.venues.errors import (
    AlreadyPlaced,
    OutcomeUnknown,
    Refusal,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.signer import LocalSigner
from whaletrader.venues.polymarket.venue import PolymarketVenue, WalletSettings
from whaletrader.venues.port import OrderState
from whaletrader.venues.terms import BookLevel

FAK, FOK = order_pb2.ORDER_TYPE_FAK, order_pb2.ORDER_TYPE_FOK
SHARE = 1_000_000
ADDRESS = LocalSigner(SecretStr(ALICE)).address
_DERIVATION = PRODUCTION_CONFIG.wallet_derivation


@pytest.fixture
async def here() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


async def test_a_book_has_the_best_price_first_on_both_sides(here: Site) -> None:
    alice, bob = await here.venue(), await here.venue(BOB)
    for price in (400_000, 420_000, 410_000):
        await place(alice, price, 10 * SHARE)
    for price in (430_000, 450_000):
        # A bid for NO at p is an ask for YES at 1 - p.
        await place(bob, 1_000_000 - price, 20 * SHARE, token=NO)
    book = await alice.book(YES)
    assert [level.price_micro for level in book.bids] == [420_000, 410_000, 400_000]
    assert book.asks == (BookLevel(430_000, 20 * SHARE), BookLevel(450_000, 20 * SHARE))
    assert (book.best_bid_micro, book.best_ask_micro) == (420_000, 430_000)
    assert (book.tick_micro, book.min_size_micro, book.neg_risk) == (10_000, 5 * SHARE, False)
    assert book.condition_id == CONDITION
    assert len(book.digest) == 40
    assert abs(book.at_ns - time.time_ns()) < 60 * 10**9


async def test_an_unknown_token_or_market_is_a_refusal_and_not_a_fault(here: Site) -> None:
    alice = await here.venue()
    with pytest.raises(VenueRefused) as raised:
        await alice.book("12345")
    assert raised.value.kind is Refusal.UNKNOWN_TOKEN
    with pytest.raises(VenueRefused):
        await alice.terms("0x" + "cd" * 32)


async def test_terms_hold_ticks_sizes_fees_and_both_tokens(here: Site) -> None:
    terms = await (await here.venue()).terms(CONDITION)
    assert terms.token_ids == (YES, NO)
    assert (terms.tick_micro, terms.min_size_micro) == (10_000, 5 * SHARE)
    assert terms.is_accepting_orders
    assert (terms.fees.rate_micro, terms.fees.exponent) == (50_000, 1)
    assert terms.fees.taker_fee_micro(520_000, 22_840_000) == 285_040


async def test_money_allowances_and_positions_are_exact(here: Site) -> None:
    alice, bob = await here.venue(), await here.venue(BOB)
    await place(bob, 600_000, 20 * SHARE, token=NO)
    await place(alice, 400_000, 12_340_000)
    collateral = await alice.collateral()
    fee = (await alice.terms(CONDITION)).fees.taker_fee_micro(400_000, 12_340_000)
    assert collateral.balance_micro == 1_000 * SHARE - 4_936_000 - fee
    assert collateral.allowance_micro(alice.contracts.standard) > collateral.balance_micro
    assert collateral.allowance_micro("0x" + "99" * 20) == 0
    assert await alice.positions() == {YES: 12_340_000}
    assert await bob.positions(also=(YES,)) == {NO: 12_340_000}


async def test_time_region_and_standing_are_told(here: Site) -> None:
    alice = await here.venue()
    assert abs(await alice.server_time_ns() - time.time_ns()) < 3 * 10**9
    region = await alice.region()
    assert (region.is_blocked, region.country) == (False, "CH")
    assert not await alice.is_closed_only()


async def test_a_blocked_region_is_told() -> None:
    async with site(geoblock_blocked=True, geoblock_country="US") as there:
        assert (await (await there.venue()).region()).is_blocked


# -- placing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wallet",
    [
        ("", 0),
        (derive_proxy_wallet_address(ADDRESS, _DERIVATION), 1),
        (derive_safe_wallet_address(ADDRESS, _DERIVATION), 2),
        (derive_beacon_deposit_wallet_address(ADDRESS, _DERIVATION), 3),
    ],
    ids=["key", "proxy", "safe", "deposit"],
)
async def test_every_kind_of_wallet_trades_reads_and_cancels(
    here: Site, wallet: tuple[str, int]
) -> None:
    alice = await here.venue(wallet=wallet)
    placed = await place(alice, 400_000, 10 * SHARE)
    found = await alice.order(placed.order_id)
    assert found is not None
    assert found.state is OrderState.OPEN
    await place(await here.venue(BOB), 600_000, 4 * SHARE + SHARE, token=NO)
    [fill] = await alice.fills()
    assert (fill.size_micro, fill.is_taker) == (5 * SHARE, False)
    assert await alice.positions() == {YES: 5 * SHARE}
    assert (await alice.cancel(placed.order_id)).is_gone
    assert await alice.collateral() != 0
    assert await alice.cash_micro() == 1_000 * SHARE - 2 * SHARE


@pytest.mark.parametrize(
    ("wallet", "needed"),
    [
        (("0x" + "77" * 20, 2), "does not belong"),
        ((derive_safe_wallet_address(ADDRESS, _DERIVATION), 1), "set the signature type to 2"),
    ],
)
async def test_a_wallet_that_the_key_does_not_own_as_configured_is_refused_at_the_start(
    here: Site, wallet: tuple[str, int], needed: str
) -> None:
    venue = await here.venue(wallet=wallet, is_connected=False)
    with pytest.raises(VenueStop, match=needed):
        await venue.connect()


async def test_a_post_only_order_that_would_take_is_refused_and_one_that_rests_is_not(
    here: Site,
) -> None:
    alice, bob = await here.venue(), await here.venue(BOB)
    await place(bob, 600_000, 10 * SHARE, token=NO)
    with pytest.raises(VenueRefused) as raised:
        await place(alice, 400_000, 10 * SHARE, post_only=True)
    assert raised.value.kind is Refusal.CROSSES
    assert not (await place(alice, 390_000, 10 * SHARE, post_only=True)).is_matched


async def test_fak_takes_what_is_there_and_leaves_nothing(here: Site) -> None:
    alice, bob = await here.venue(), await here.venue(BOB)
    await place(bob, 600_000, 10 * SHARE, token=NO)
    placed = await place(alice, 400_000, 25 * SHARE, kind=FAK)
    assert placed.is_matched
    assert await alice.positions() == {YES: 10 * SHARE}
    assert await alice.open_orders() == []


@pytest.mark.parametrize("kind", [FAK, FOK])
async def test_an_order_that_finds_nothing_to_take_says_so(here: Site, kind: int) -> None:
    alice = await here.venue()
    with pytest.raises(VenueRefused) as raised:
        await place(alice, 400_000, 25 * SHARE, kind=kind)
    assert raised.value.kind is Refusal.UNFILLED
    assert await alice.open_orders() == []


async def test_a_size_is_fitted_before_it_is_announced(here: Site) -> None:
    alice = await here.venue()
    bob = await here.venue(BOB)
    await place(bob, 530_000, 40 * SHARE, token=NO)
    order = order_of(alice, 470_000, 7 * SHARE)
    order.order.size_micro = 7_770_000
    order.order_type = FAK
    fitted = alice.fit_size(order)
    assert fitted == 7 * SHARE
    assert (await place(alice, 470_000, fitted, kind=FAK)).is_matched


@pytest.mark.parametrize(
    ("price", "size", "side", "kind"),
    [
        (405_000, 10 * SHARE, 1, Refusal.TICK),
        (400_000, 4 * SHARE, 1, Refusal.SIZE),
        (900_000, 5_000 * SHARE, 1, Refusal.BALANCE),
        (400_000, 10 * SHARE, SELL, Refusal.BALANCE),
        (400_000, 12_345, 1, Refusal.UNSENT),
    ],
)
async def test_a_refusal_says_what_it_is_about(
    here: Site, price: int, size: int, side: int, kind: Refusal
) -> None:
    alice = await here.venue()
    with pytest.raises(VenueRefused) as raised:
        await place(alice, price, size, side=side)
    assert raised.value.kind is kind
    assert await alice.open_orders() == []


async def test_the_same_order_twice_is_placed_once(here: Site) -> None:
    alice = await here.venue()
    order = order_of(alice, 400_000, 10 * SHARE)
    await alice.submit(proof_of(order), order)
    with pytest.raises(AlreadyPlaced):
        await alice.submit(proof_of(order), order)
    assert [found.order_id for found in await alice.open_orders()] == [order.order.order_id]


async def test_an_order_beyond_its_approval_is_not_sent(here: Site) -> None:
    alice = await here.venue()
    order = order_of(alice, 400_000, 10 * SHARE)
    proof = proof_of(order)
    larger = order_of(alice, 400_000, 11 * SHARE)
    with pytest.raises(ApprovalInvalid):
        await alice.submit(proof, larger)
    assert here.line.requests["POST /order"] == 0


async def test_an_order_announced_under_another_hash_is_not_sent(here: Site) -> None:
    alice = await here.venue()
    order = order_of(alice, 400_000, 10 * SHARE)
    order.salt += 1
    with pytest.raises(VenueRefused, match="announced as"):
        await alice.submit(proof_of(order), order)
    assert here.line.requests["POST /order"] == 0


async def test_what_is_said_right_before_the_send_holds_it_back(here: Site) -> None:
    alice = await here.venue()

    def halt() -> None:
        raise RuntimeError("halted while it was signed")

    with pytest.raises(RuntimeError, match="halted"):
        await place(alice, 400_000, 10 * SHARE, before_send=halt)
    assert here.line.requests["POST /order"] == 0


async def test_with_a_local_key_nothing_runs_between_the_call_and_the_request(here: Site) -> None:
    alice = await here.venue()
    others: list[str] = []
    asyncio.get_running_loop().call_soon(others.append, "somebody else ran")
    await place(alice, 400_000, 10 * SHARE, before_send=lambda: others.append("sent"))
    assert others[0] == "sent"


# -- cancelling and heartbeats ----------------------------------------------------------------


async def test_cancel_all_takes_everything_of_ours_and_nothing_of_others(here: Site) -> None:
    alice, bob = await here.venue(), await here.venue(BOB)
    placed = [await place(alice, cents * 10_000, 10 * SHARE) for cents in (20, 30, 40)]
    kept = await place(bob, 100_000, 10 * SHARE)
    gone = await alice.cancel_all()
    assert {one.order_id for one in gone} == {one.order_id for one in placed}
    assert all(one.is_gone for one in gone)
    assert await alice.open_orders() == []
    assert [found.order_id for found in await bob.open_orders()] == [kept.order_id]


async def test_cancel_market_can_be_told_one_token(here: Site) -> None:
    alice = await here.venue()
    await place(alice, 200_000, 10 * SHARE)
    kept = await place(alice, 200_000, 10 * SHARE, token=NO)
    assert len(await alice.cancel_market(CONDITION, YES)) == 1
    assert [found.order_id for found in await alice.open_orders()] == [kept.order_id]
    assert len(await alice.cancel_market(CONDITION)) == 1
    assert await alice.cancel_market(CONDITION) == []


async def test_a_cancel_of_an_order_that_is_gone_says_that_it_is(here: Site) -> None:
    alice = await here.venue()
    placed = await place(alice, 200_000, 10 * SHARE)
    assert (await alice.cancel(placed.order_id)).is_gone
    assert (await alice.cancel(placed.order_id)).is_gone
    assert (await alice.cancel("0x" + "12" * 32)).is_gone


async def test_silence_after_heartbeats_cancels_all_and_the_next_one_says_so() -> None:
    async with site(heartbeat_timeout_s=60) as there:
        alice = await there.venue()
        await place(alice, 200_000, 10 * SHARE)
        assert not (await alice.heartbeat()).has_lapsed
        for _ in range(3):
            there.hear_nothing_for(30)
            assert not (await alice.heartbeat()).has_lapsed
        assert len(await alice.open_orders()) == 1
        there.hear_nothing_for(61)
        assert not await alice.open_orders()
        assert (await alice.heartbeat()).has_lapsed
        assert not (await alice.heartbeat()).has_lapsed


async def test_a_heartbeat_whose_answer_was_lost_is_healed_by_the_next(here: Site) -> None:
    alice = await here.venue()
    await alice.heartbeat()
    here.line.arm("POST /v1/heartbeats", Fault.LOSE_ANSWER)
    with pytest.raises(OutcomeUnknown):
        await alice.heartbeat()
    assert not (await alice.heartbeat()).has_lapsed


# -- lost connections -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
async def test_a_connection_that_breaks_after_the_send_leaves_the_outcome_unknown(
    here: Site, fault: Fault
) -> None:
    alice = await here.venue()
    order = order_of(alice, 400_000, 10 * SHARE)
    here.line.arm("POST /order", fault)
    with pytest.raises(OutcomeUnknown):
        await alice.submit(proof_of(order), order)
    found = await alice.order(order.order.order_id)
    assert (found is not None) == (fault is Fault.LOSE_ANSWER)


async def test_without_a_connection_nothing_was_sent(here: Site) -> None:
    alice = await here.venue()
    await here.line.cut()
    # The connections that were kept are broken; a new one is refused.
    with pytest.raises((VenueUnavailable, OutcomeUnknown)):
        await place(alice, 400_000, 10 * SHARE)
    with pytest.raises(VenueUnavailable):
        await alice.server_time_ns()
    with pytest.raises(VenueUnavailable):
        await alice.collateral()


async def test_before_the_login_everything_says_so(here: Site) -> None:
    venue = PolymarketVenue(
        LocalSigner(SecretStr(ALICE)), WalletSettings(environment_at(here.line.url))
    )
    with pytest.raises(VenueUnavailable, match="not logged in"):
        await venue.collateral()
    with pytest.raises(VenueUnavailable, match="not logged in"):
        await anext(aiter(venue.events()))
    await venue.close()
