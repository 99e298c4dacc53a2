"""What a share earned against what was paid for it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from whaletrader.quant.edge import (
    Bets,
    copied,
    counted_once,
    fee_per_share,
    sides_and_costs,
    trade_edges,
    wallet_edges,
)

prices = st.floats(0.01, 0.99)


def bets(**columns: object) -> Bets:
    count = len(next(iter(columns.values())))  # type: ignore[arg-type]
    ones = {"is_yes": np.ones(count, dtype=bool), "weight": np.ones(count)}
    zeros = {"wallet": np.zeros(count, dtype=int)}
    numbers = {"event": np.arange(count), "market": np.arange(count)}
    return Bets(**{**ones, **zeros, **numbers, **columns})  # type: ignore[arg-type]


def test_buyer_and_seller_earn_what_the_other_loses() -> None:
    earned = trade_edges([True, False], 0.3, 1.0, [0.01, 0.0])
    assert earned == pytest.approx([0.69, -0.7])


@given(st.booleans(), st.booleans(), prices, st.sampled_from([0.0, 1.0]), st.floats(0, 0.02))
def test_a_sale_is_a_bet_on_the_other_side(
    is_buy: bool, is_yes: bool, price: float, yes_pays: float, fee: float
) -> None:
    payout = yes_pays if is_yes else 1 - yes_pays
    side, cost = sides_and_costs(is_buy, is_yes, price, fee)
    side_pays = yes_pays if side else 1 - yes_pays
    assert side_pays - cost == pytest.approx(trade_edges(is_buy, price, payout, fee))


def test_the_fee_follows_the_schedule_of_its_time() -> None:
    # One schedule with exponent 1, an older one with exponent 2, and a maker.
    fees = fee_per_share([0.5, 0.5, 0.5], [0.07, 0.25, 0.0], [1, 2, 1])
    assert fees == pytest.approx([0.0175, 0.015625, 0.0])
    with pytest.raises(ValueError, match="price"):
        fee_per_share(50, 0.07)
    with pytest.raises(ValueError, match="rate"):
        fee_per_share(0.5, -0.07)


def test_a_win_rate_of_ninety_percent_can_be_a_loss() -> None:
    won = np.arange(100) < 90
    found = wallet_edges(bets(cost=np.full(100, 0.95), payoff=won * 1.0), 1)
    assert found.edge[0] == pytest.approx(-0.05)
    assert found.upper[0] > 0 > found.lower[0]


def test_an_edge_is_the_mean_over_clustered_events_with_students_interval() -> None:
    payoff = np.array([1.0, 0, 1, 1, 0, 1, 1, 0])
    cost = np.full(8, 0.4)
    found = wallet_edges(bets(cost=cost, payoff=payoff), 2, confidence=0.9)
    error = np.std(payoff, ddof=1) / np.sqrt(8)
    assert found.edge[0] == pytest.approx(payoff.mean() - 0.4)
    assert found.error[0] == pytest.approx(error)
    reach = stats.t.ppf(0.95, 7) * error
    assert found.lower[0] == pytest.approx(found.edge[0] - reach)
    assert (found.events[0], found.markets[0], found.trades[0]) == (8, 8, 8)
    assert found.effective_events[0] == pytest.approx(8)
    assert np.isnan(found.edge[1])
    assert (found.events[1], found.trades[1]) == (0, 0)


def test_ten_lost_longshots_do_not_make_a_small_error() -> None:
    found = wallet_edges(bets(cost=np.full(10, 0.03), payoff=np.zeros(10)), 1)
    # The sample has no variance; the prices have.
    assert found.error[0] == pytest.approx(np.sqrt(0.03 * 0.97 / 10))


def test_a_hundred_trades_in_one_market_are_one_bet() -> None:
    many = bets(cost=np.full(100, 0.4), payoff=np.ones(100), market=np.zeros(100, dtype=int))
    found = wallet_edges(replace(many, event=np.zeros(100, dtype=int)), 1)
    assert found.events[0] == found.markets[0] == 1
    assert found.error[0] == pytest.approx(np.sqrt(0.4 * 0.6))


def test_counting_markets_once_takes_size_out() -> None:
    some = bets(
        cost=np.full(6, 0.5),
        payoff=[1.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        market=np.array([0, 0, 1, 2, 2, 2]),
        weight=[900.0, 100.0, 10.0, 4.0, 3.0, 5.0],
    )
    # First stakes are 900, 10 and 4, so 10 is usual: all that a market counts for.
    assert counted_once(some).weight == pytest.approx([1.0, 0.0, 1.0, 0.4, 0.3, 0.3])
    other = replace(some, wallet=np.array([0, 0, 0, 5, 5, 5]))
    # The usual stake is each wallet's own: 455 of the first, 4 of the second.
    expected = [1.0, 0.0, 10 / 455, 1.0, 0.0, 0.0]
    assert counted_once(other).weight == pytest.approx(expected)


def test_what_a_trade_counts_is_known_when_it_is_made() -> None:
    random = np.random.default_rng(1)
    market = random.integers(0, 6, 40)
    stake = random.lognormal(0, 1, 40)
    whole = bets(cost=np.full(40, 0.5), payoff=np.ones(40), market=market, weight=stake)
    weight = counted_once(whole).weight
    # Whatever is staked later in a market, here ten times more, the first 30 count the same as
    # long as no market's first stake changes.
    later = np.where(np.arange(40) >= 30, 10.0, 1.0)
    again = counted_once(replace(whole, weight=stake * later)).weight
    assert set(market[30:]) <= set(market[:30])
    assert again[:30] == pytest.approx(weight[:30])


def test_bets_without_weight_count_nothing() -> None:
    none = bets(cost=[0.5, 0.5], payoff=[1.0, 0.0], weight=[0.0, 0.0])
    assert counted_once(none).weight.tolist() == [0.0, 0.0]
    assert len(counted_once(none.rows(np.zeros(2, dtype=bool)))) == 0


def test_a_copier_pays_his_own_price_or_gets_nothing() -> None:
    theirs = bets(cost=[0.4, 0.4, 0.4], payoff=[1.0, 1.0, 0.0])
    ours = copied(theirs, [0.45, np.nan, 0.42], [0.01, 0.01, 0.01])
    assert len(ours) == 2
    assert ours.edge == pytest.approx([0.54, -0.43])
    with pytest.raises(ValueError, match="entry price"):
        copied(theirs, [0.4], 0.0)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("cost", 40.0, "cents"),
        ("cost", -0.1, "outside"),
        ("cost", np.nan, "not resolved"),
        ("payoff", 1.1, "payoff"),
        ("payoff", np.nan, "not resolved"),
        ("weight", -1.0, "weight"),
        ("weight", np.inf, "weight"),
        ("market", 0.5, "integer codes"),
    ],
)
def test_what_cannot_be_a_bet_is_refused(column: str, value: float, message: str) -> None:
    columns: dict[str, object] = {"cost": [0.4], "payoff": [1.0], column: [value]}
    with pytest.raises(ValueError, match=message):
        bets(**columns)


def test_columns_of_other_lengths_and_codes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="as long as"):
        bets(cost=[0.4, 0.4], payoff=[1.0])
    with pytest.raises(ValueError, match="codes"):
        wallet_edges(bets(cost=[0.4], payoff=[1.0], wallet=[3]), 2)
    with pytest.raises(ValueError, match="confidence"):
        wallet_edges(bets(cost=[0.4], payoff=[1.0]), 1, confidence=1.0)
