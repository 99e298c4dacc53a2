"""What one wallet made of one market."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.domain.money import MICRO, notional, taker_fee
from whaletrader.services.discovery.ledger import Holding, MarketTerms, buy, sell, settle, trade_fee

SHARE = 1_000_000
FREE = MarketTerms(0)
CRYPTO = MarketTerms(70_000)


def bought(holding: Holding, price: int, size: int, token: str = "y", terms=FREE) -> None:
    buy(holding, token, price, size, trade_fee(price, size, terms))


def test_a_winner_earns_a_dollar_a_share_less_its_price() -> None:
    holding = Holding()
    bought(holding, 400_000, 10 * SHARE)
    result = settle(holding, "y")
    assert result.profit_micro == 6 * SHARE
    assert result.edge_micro == 600_000
    assert settle(holding, "n").edge_micro == -400_000


def test_the_copier_pays_the_taker_fee_on_every_trade() -> None:
    holding = Holding()
    bought(holding, 500_000, 100 * SHARE, terms=CRYPTO)
    sell(holding, "y", 600_000, 40 * SHARE, CRYPTO)
    fees = taker_fee(500_000, 100 * SHARE, 70_000) + taker_fee(600_000, 40 * SHARE, 70_000)
    assert fees == 1_750_000 + 672_000
    result = settle(holding, "n")
    assert result.fees_micro == fees
    assert result.profit_micro == 24 * SHARE - 50 * SHARE - fees


def test_the_exponent_of_the_schedule_is_followed() -> None:
    assert trade_fee(500_000, 100 * SHARE, MarketTerms(1_000_000, 2)) == 6_250_000


def test_a_sale_of_what_was_never_bought_is_counted_and_earns_nothing() -> None:
    holding = Holding()
    sell(holding, "y", 900_000, 50 * SHARE, CRYPTO)
    assert (holding.unmatched_sells, holding.realized_micro, holding.fees_micro) == (1, 0, 0)
    assert settle(holding, "y") is None


def test_only_the_matched_part_of_a_sale_earns() -> None:
    holding = Holding()
    bought(holding, 400_000, 10 * SHARE)
    sell(holding, "y", 600_000, 25 * SHARE, FREE)
    assert holding.unmatched_sells == 1
    assert holding.lots["y"].held_micro == 0
    assert settle(holding, "y").profit_micro == 2 * SHARE


def test_favourites_that_all_won_still_show_what_they_risked() -> None:
    holding = Holding()
    bought(holding, 970_000, 100 * SHARE)
    assert settle(holding, "y").chance_variance == 970_000 * 30_000


def test_shares_of_both_outcomes_cancel_out_in_what_was_risked() -> None:
    holding = Holding()
    bought(holding, 500_000, 100 * SHARE, "y")
    bought(holding, 490_000, 100 * SHARE, "n")
    assert settle(holding, "y").chance_variance == 0
    bought(holding, 500_000, 100 * SHARE, "y")
    assert 0 < settle(holding, "y").chance_variance < 500_000**2 // 4


trades = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(("y", "n")),
        st.integers(1, 999_999),
        st.integers(1, 50_000_000),
    ),
    min_size=1,
    max_size=25,
)


@given(trades, st.sampled_from(("y", "n")), st.sampled_from((FREE, CRYPTO)))
def test_profit_is_money_out_less_money_in_whatever_the_order(trades, winner, terms) -> None:
    holding, cash, held = Holding(), 0, {"y": 0, "n": 0}
    for is_buy, token, price, size in trades:
        if is_buy:
            bought(holding, price, size, token, terms)
            cash -= notional(price, size, up=True) + trade_fee(price, size, terms)
            held[token] += size
        else:
            sell(holding, token, price, size, terms)
            matched = min(size, held[token])
            cash += notional(price, matched) - trade_fee(price, matched, terms)
            held[token] -= matched
    result = settle(holding, winner)
    assert {token: lots.held_micro for token, lots in holding.lots.items()} == {
        token: size for token, size in held.items() if token in holding.lots
    }
    if result is None:
        assert cash == 0
    else:
        assert result.profit_micro == cash + held[winner]
        assert 0 <= result.chance_variance <= MICRO**2 // 4


@pytest.mark.parametrize("size", [1, 7, 999_999])
def test_dust_settles_without_a_fault(size: int) -> None:
    holding = Holding()
    bought(holding, 999_999, size)
    assert settle(holding, "n").profit_micro == -size
