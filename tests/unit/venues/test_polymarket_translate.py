"""What a trade of the venue means for our orders."""

from decimal import Decimal
from typing import Any

import pytest
from polymarket.models.clob.account import ClobTrade, OpenOrder
from polymarket.models.clob.user_events import parse_user_event

from whaletrader.venues.polymarket.translate import (
    events_of,
    fills_of_row,
    micro,
    order_of,
    state_of,
)
from whaletrader.venues.port import (
    FillState,
    OrderPlaced,
    OrderState,
    TradeChanged,
    VenueFill,
    VenueOrder,
)

WALLET = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
OWNER = "0000-ours"
CONDITION = "0x" + "ab" * 32
OURS, THEIRS = "0x" + "0a" * 32, "0x" + "0b" * 32
YES, NO = "111", "222"


def leg(order_id: str, price: str, size: str, **changes: Any) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "owner": "0000-theirs",
        "maker_address": "0x" + "9" * 40,
        "matched_amount": size,
        "price": price,
        "fee_rate_bps": "",
        "asset_id": YES,
        "outcome": "Yes",
        "side": "SELL",
    } | changes


def row(legs: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {
        "id": "t1",
        "taker_order_id": OURS,
        "market": CONDITION,
        "asset_id": YES,
        "side": "BUY",
        "size": "10",
        "fee_rate_bps": "0",
        "price": "0.5",
        "status": "MATCHED",
        "match_time": "1700000000",
        "last_update": "1700000060",
        "outcome": "Yes",
        "bucket_index": 0,
        "owner": OWNER,
        "maker_address": WALLET,
        "transaction_hash": "",
        "trader_side": "TAKER",
        "maker_orders": legs,
    } | changes


def fills(wire: dict[str, Any]) -> list[VenueFill]:
    return fills_of_row(ClobTrade.model_validate(wire), WALLET, OWNER)


def stream(wire: dict[str, Any]) -> list[Any]:
    return events_of(parse_user_event(wire), WALLET, OWNER)


def test_a_taker_of_one_maker_has_one_fill() -> None:
    [fill] = fills(row([leg(THEIRS, "0.5", "10")]))
    assert (fill.order_id, fill.fill_id, fill.is_taker) == (OURS, "t1", True)
    assert (fill.price_micro, fill.size_micro) == (500_000, 10_000_000)
    assert fill.matched_ns == 1_700_000_000_000_000_000
    assert fill.updated_ns == 1_700_000_060_000_000_000


def test_a_taker_of_several_prices_has_a_fill_at_each_and_not_their_mean() -> None:
    legs = [
        leg(THEIRS, "0.5", "7"),
        leg("0x" + "0c" * 32, "0.48", "3", asset_id=NO, side="BUY"),
    ]
    found = fills(row(legs, price="0.506"))
    # The second leg buys the other outcome at 0.48: we pay the rest of the dollar.
    assert [(f.price_micro, f.size_micro) for f in found] == [
        (500_000, 7_000_000),
        (520_000, 3_000_000),
    ]
    assert len({f.fill_id for f in found}) == 2
    assert {f.trade_id for f in found} == {"t1"}


def test_a_maker_reads_its_own_entry_and_not_the_takers_side() -> None:
    legs = [
        leg(THEIRS, "0.5", "4"),
        leg(OURS, "0.4", "6", owner=OWNER, asset_id=NO, side="BUY"),
    ]
    wire = row(legs, taker_order_id=THEIRS, trader_side="MAKER", owner="x", maker_address="0x1")
    [fill] = fills(wire)
    assert (fill.order_id, fill.price_micro, fill.size_micro) == (OURS, 400_000, 6_000_000)
    assert fill.is_taker is False


def test_a_trade_may_fill_several_of_our_orders() -> None:
    other = "0x" + "0d" * 32
    legs = [leg(OURS, "0.5", "4", owner=OWNER), leg(other, "0.5", "6", maker_address=WALLET)]
    found = fills(row(legs, taker_order_id=THEIRS, trader_side="MAKER"))
    assert [fill.order_id for fill in found] == [OURS, other]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("MATCHED", FillState.PROVISIONAL),
        ("TRADE_STATUS_MATCHED_NOT_BROADCASTED", FillState.PROVISIONAL),
        ("MINED", FillState.MINED),
        ("TRADE_STATUS_RETRYING", FillState.RETRYING),
        ("CONFIRMED", FillState.CONFIRMED),
        ("TRADE_STATUS_FAILED", FillState.FAILED),
    ],
)
def test_only_confirmed_and_failed_are_final(word: str, state: FillState) -> None:
    [fill] = fills(row([leg(THEIRS, "0.5", "10")], status=word))
    assert fill.state is state
    assert fill.state.is_final == (state in (FillState.CONFIRMED, FillState.FAILED))


@pytest.mark.parametrize("legs", [[], [leg(THEIRS, "0.5", "3")]])
def test_a_frame_without_all_its_legs_is_asked_for(legs: list[dict[str, Any]]) -> None:
    frame = row(legs) | {"event_type": "trade", "type": "TRADE", "timestamp": "1700000000000"}
    assert stream(frame) == [TradeChanged("t1")]


def order_frame(**changes: Any) -> dict[str, Any]:
    return {
        "event_type": "order",
        "id": OURS,
        "owner": OWNER,
        "order_owner": OWNER,
        "market": CONDITION,
        "asset_id": YES,
        "side": "BUY",
        "original_size": "10",
        "size_matched": "2.5",
        "price": "0.57",
        "associate_trades": None,
        "outcome": "Yes",
        "type": "CANCELLATION",
        "created_at": "1672290687",
        "expiration": "0",
        "order_type": "GTC",
        "status": "CANCELED",
        "maker_address": WALLET,
        "timestamp": "1672290687000",
    } | changes


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("CANCELED", OrderState.CANCELLED),
        ("CANCELED_MARKET_RESOLVED", OrderState.CANCELLED),
        ("CANCELED_some words of the day", OrderState.CANCELLED),
        ("CANCELED_EXPIRED_ORDER", OrderState.EXPIRED),
        # Off the book with a status that was not updated.
        ("LIVE", OrderState.CANCELLED),
        # Part of it was filled before: that is no rejection.
        ("INVALID", OrderState.CANCELLED),
    ],
)
def test_a_cancellation_closes_whatever_its_word(status: str, state: OrderState) -> None:
    [closed] = stream(order_frame(status=status))
    assert closed == VenueOrder(
        OURS, CONDITION, state, 2_500_000, status, 1_672_290_687_000_000_000
    )


def test_a_placement_says_that_the_order_is_there_and_an_update_says_nothing() -> None:
    assert stream(order_frame(type="PLACEMENT", status="LIVE")) == [
        OrderPlaced(OURS, 1_672_290_687_000_000_000)
    ]
    assert stream(order_frame(type="UPDATE", status="MATCHED")) == []


def test_an_invalid_order_without_fills_is_rejected() -> None:
    assert state_of("INVALID", Decimal(0)) is OrderState.REJECTED
    assert state_of("INVALID", Decimal(1)) is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("LIVE", OrderState.OPEN),
        ("ORDER_STATUS_LIVE", OrderState.OPEN),
        ("DELAYED", OrderState.OPEN),
        ("UNMATCHED", OrderState.OPEN),
        ("ORDER_STATUS_CANCELED_MARKET_RESOLVED", OrderState.CANCELLED),
        ("ORDER_STATUS_MATCHED", OrderState.FILLED),
        # Of tomorrow: whoever takes it for an end buys twice.
        ("PAUSED", OrderState.OPEN),
        ("ORDER_STATUS_HELD_FOR_REVIEW", OrderState.OPEN),
    ],
)
def test_a_word_that_nobody_knows_ends_no_order(word: str, state: OrderState) -> None:
    assert state_of(word, Decimal(0)) is state


def test_an_order_of_the_rest_reads() -> None:
    order = OpenOrder.model_validate(
        {
            "id": OURS,
            "status": "LIVE",
            "owner": OWNER,
            "maker_address": WALLET,
            "market": CONDITION,
            "asset_id": YES,
            "side": "BUY",
            "original_size": "100",
            "size_matched": "25",
            "price": "0.5",
            "outcome": "Yes",
            "expiration": "0",
            "order_type": "GTC",
            "associate_trades": [],
            "created_at": 1_703_875_200,
        }
    )
    assert order_of(order) == VenueOrder(OURS, CONDITION, OrderState.OPEN, 25_000_000, "LIVE")


@pytest.mark.parametrize(("text", "value"), [("0.0000005", 0), ("0.0000015", 2), ("1e-6", 1)])
def test_decimals_are_rounded_half_to_even_below_a_micro_unit(text: str, value: int) -> None:
    assert micro(Decimal(text)) == value
