"""Rows of the public services, shaped as recorded, and what becomes of those that are not."""

from typing import Any

import pytest

from whaletrader.venues.polymarket.history.rows import (
    OUTCOME_UNKNOWN,
    Kind,
    UnreadableRow,
    deed_v1,
    deed_v2,
    market_end,
    micro,
    standing,
)

WALLET = "0x" + "Ab" * 20
TRADE: dict[str, Any] = {
    "proxy_wallet": WALLET,
    "timestamp": 1_789_380_859,
    "condition_id": "0xc0",
    "type": "TRADE",
    "size": 7.44,
    "usdc_size": 6.72948,
    "transaction_hash": "0x7a",
    "price": 0.9,
    "token_id": "1108",
    "side": "BUY",
    "outcome_index": 1,
    "title": "Will it rain?",
    "slug": "rain",
    "event_slug": "weather",
    "outcome": "No",
}


def test_a_trade_of_version_2_keeps_every_micro_unit() -> None:
    deed = deed_v2(TRADE)
    assert deed.wallet == WALLET.lower()
    assert (deed.size_micro, deed.price_micro, deed.usdc_micro) == (7_440_000, 900_000, 6_729_480)
    assert (deed.kind, deed.side, deed.outcome_index) == (Kind.TRADE, "BUY", 1)


def test_a_trade_without_its_dollars_is_worth_size_times_price() -> None:
    row = {key: value for key, value in TRADE.items() if key not in ("usdc_size", "type")}
    assert deed_v2(row, Kind.TRADE).usdc_micro == 6_696_000


def test_a_trade_of_version_1_reads_as_the_same_deed() -> None:
    row = dict(TRADE)
    for new, old in (
        ("proxy_wallet", "proxyWallet"),
        ("token_id", "asset"),
        ("condition_id", "conditionId"),
        ("outcome_index", "outcomeIndex"),
        ("usdc_size", "usdcSize"),
        ("transaction_hash", "transactionHash"),
        ("event_slug", "eventSlug"),
    ):
        row[old] = row.pop(new)
    assert deed_v1(row) == deed_v2(TRADE)


def test_a_redemption_has_neither_side_nor_token() -> None:
    row = {**TRADE, "type": "REDEEM", "side": "", "token_id": None, "outcome_index": None}
    deed = deed_v2(row)
    assert (deed.side, deed.token_id, deed.outcome_index) == ("", "", OUTCOME_UNKNOWN)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "DANCE"},
        {"side": ""},
        {"side": "HOLD"},
        {"token_id": None},
        {"size": None},
        {"size": "many"},
        {"size": float("nan")},
        {"timestamp": "soon"},
    ],
)
def test_a_row_that_is_not_as_documented_is_refused_and_shown(change: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRow, match="Will it rain"):
        deed_v2({**TRADE, **change})


def test_a_row_without_its_wallet_is_refused() -> None:
    with pytest.raises(UnreadableRow, match="proxy_wallet"):
        deed_v2({key: value for key, value in TRADE.items() if key != "proxy_wallet"})


def test_a_resolved_market_names_its_winner() -> None:
    end = market_end({"condition_id": "0xc0", "status": "resolved", "payouts": [0, 1_000_000]})
    assert end.winner == 1


def test_a_market_that_paid_half_to_each_has_no_winner() -> None:
    end = market_end({"condition_id": "0xc0", "status": "resolved", "payouts": [500_000, 500_000]})
    assert end.winner is None
    assert end.payouts_micro == (500_000, 500_000)


@pytest.mark.parametrize("status", ["active", "proposed", "disputed"])
def test_a_market_that_is_not_resolved_pays_nobody(status: str) -> None:
    row = {"condition_id": "0xc0", "status": status, "payouts": [1_000_000, 0]}
    assert market_end(row).payouts_micro == ()


def test_a_standing_tells_what_is_published_and_what_is_not() -> None:
    told = standing({"user_id": WALLET, "pnl": 12.5, "volume": None, "name": "someone"})
    assert (told.wallet, told.profit_micro, told.volume_micro) == (WALLET.lower(), 12_500_000, None)


def test_amounts_do_not_pass_through_binary_fractions() -> None:
    assert micro(0.1) + micro(0.2) == micro(0.3)
    assert micro("1e-7") == 0
