"""Luck at the prices paid: against enumeration, Monte Carlo and the binomial."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from whaletrader.quant.edge import Bets
from whaletrader.quant.fair_price import fair_price_monte_carlo, fair_price_p


def independent(costs: object, won: object, weights: object | None = None) -> Bets:
    cost, payoff = np.asarray(costs, float), np.asarray(won, float)
    codes = np.arange(len(cost))
    weight = np.ones(len(cost)) if weights is None else np.asarray(weights, float)
    return Bets(codes * 0, codes, codes, codes >= 0, cost, payoff, weight)


def random_wallet(seed: int, trades: int, markets: int, sigma: float = 1.0) -> Bets:
    random = np.random.default_rng(seed)
    market = random.integers(0, markets, trades)
    is_yes = random.random(trades) < 0.7
    resolved = random.random(markets) < 0.6
    payoff = np.where(is_yes, resolved[market], ~resolved[market]).astype(float)
    cost = random.beta(1, 1.5, trades).clip(0.02, 0.98)
    weight = random.lognormal(0, sigma, trades)
    return Bets(market * 0, market // 2, market, is_yes, cost, payoff, weight)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.02, 0.98), st.booleans(), st.floats(0.1, 9)), min_size=1, max_size=8
    )
)
def test_few_bets_are_enumerated(rows: list[tuple[float, bool, float]]) -> None:
    costs, won, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = fair_price_p(independent(costs, won, weights), 1)
    observed = float(weights @ (won - costs))
    above = below = 0.0
    for outcome in itertools.product([0, 1], repeat=len(rows)):
        chance = float(np.prod(np.where(outcome, costs, 1 - costs)))
        profit = float(weights @ (np.array(outcome) - costs))
        above += chance * (profit >= observed - 1e-8)
        below += chance * (profit <= observed + 1e-8)
    assert found.p_value[0] == pytest.approx(above, abs=1e-9)
    assert found.p_value_below[0] == pytest.approx(below, abs=1e-9)


@pytest.mark.parametrize(("count", "price"), [(40, 0.03), (60, 0.5), (200, 0.97), (300, 0.2)])
def test_equal_bets_follow_the_binomial_and_never_fall_below_it(count: int, price: float) -> None:
    deviation = np.sqrt(count * price * (1 - price))
    for wins in range(int(count * price) + 1, min(count, int(count * price + 5 * deviation)) + 1):
        found = fair_price_p(independent(np.full(count, price), np.arange(count) < wins), 1)
        exact = stats.binom.sf(wins - 1, count, price)
        assert exact * 0.99 <= found.p_value[0] <= exact * 1.35


@pytest.mark.parametrize("seed", range(6))
def test_correlated_unequal_bets_agree_with_monte_carlo(seed: int) -> None:
    wallet = random_wallet(seed, 150, 60)
    found = fair_price_p(wallet, 1)
    drawn = fair_price_monte_carlo(wallet, 1, 20_000, np.random.default_rng(seed))[0]
    error = np.sqrt(drawn * (1 - drawn) / 20_000)
    assert drawn - 4 * error <= found.p_value[0] <= 1.4 * drawn + 4 * error


@pytest.mark.parametrize("seed", range(12))
def test_a_few_stakes_that_dominate_make_no_p_value_too_small(seed: int) -> None:
    wallet = random_wallet(seed, 120, 80, sigma=3.0)
    found = fair_price_p(wallet, 1)
    drawn = fair_price_monte_carlo(wallet, 1, 8_000, np.random.default_rng(seed))[0]
    error = np.sqrt(drawn * (1 - drawn) / 8_000)
    assert drawn - 4 * error <= found.p_value[0] <= 1.0
    assert found.p_value[0] + found.p_value_below[0] >= 1 - 1e-9


def test_many_equal_bets_and_a_few_that_matter_are_taken_together() -> None:
    # 1,200 bets of one span, but nearly all of the variance in ten of them.
    price = np.where(np.arange(1_200) < 10, 0.5, 1e-5)
    wallet = independent(price, np.arange(1_200) < 9)
    found = fair_price_p(wallet, 1).p_value[0]
    assert stats.binom.sf(8, 10, 0.5) <= found <= 2 * stats.binom.sf(8, 10, 0.5)


def test_wallets_are_tested_one_by_one_in_one_call() -> None:
    parts = [random_wallet(seed, 40 + 10 * seed, 20) for seed in range(4)]
    together = Bets(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("wallet", "event", "market", "is_yes", "cost", "payoff", "weight")
        )
    )
    owner = np.repeat(np.arange(4), [len(part) for part in parts])
    order = np.random.default_rng(0).permutation(len(owner))
    shuffled = Bets(owner, *(getattr(together, n) for n in list(Bets.__slots__)[1:])).rows(order)
    found = fair_price_p(shuffled, 6)
    alone = [fair_price_p(part, 1).p_value[0] for part in parts]
    assert found.p_value[:4] == pytest.approx(alone, rel=1e-6)
    assert np.isnan(found.p_value[4:]).all()


def test_under_the_null_a_small_p_value_is_as_rare_as_it_says() -> None:
    random = np.random.default_rng(7)
    wallets, count = 300, 40
    for low, high in ((0.02, 0.06), (0.3, 0.7), (0.94, 0.98)):
        cost = random.uniform(low, high, wallets * count)
        codes = np.arange(wallets * count)
        columns = (codes // count, codes, codes, codes >= 0, cost, random.random(len(cost)) < cost)
        found = fair_price_p(Bets(*columns, random.lognormal(0, 1, len(cost))), wallets)
        for level in (0.01, 0.1):
            allowed = level + 3 * np.sqrt(level / wallets)
            assert (found.p_value <= level).mean() <= allowed
            assert (found.p_value_below <= level).mean() <= allowed


def test_one_event_is_one_piece_of_luck() -> None:
    won, costs = np.ones(10), np.full(10, 0.4)
    apart = independent(costs, won)
    codes = np.arange(10)
    together = Bets(codes * 0, codes * 0, codes, codes >= 0, costs, won, won)
    one_market = Bets(codes * 0, codes * 0, codes * 0, codes >= 0, costs, won, won)
    assert fair_price_p(apart, 1).p_value[0] == pytest.approx(0.4**10)
    assert fair_price_p(together, 1).p_value[0] == pytest.approx(0.4)
    assert fair_price_p(one_market, 1).p_value[0] == pytest.approx(0.4)


def test_a_hedge_does_not_win_on_both_sides() -> None:
    # YES at 0.4 and NO at 0.5 of one market. One draw U decides both: below 0.4 YES wins, from 0.5
    # on NO does, and in between neither, so that each side alone is fair.
    hedge = Bets([0, 0], [0, 0], [0, 0], [True, False], [0.4, 0.5], [1.0, 0.0], [1.0, 1.0])
    found = fair_price_p(hedge, 1)
    assert found.p_value[0] == pytest.approx(0.9)
    assert found.profit[0] == pytest.approx(0.1)


def test_the_fee_is_part_of_what_has_to_be_beaten() -> None:
    won = np.arange(100) < 60
    free = fair_price_p(independent(np.full(100, 0.5), won), 1).p_value[0]
    charged = fair_price_p(independent(np.full(100, 0.5175), won), 1).p_value[0]
    assert free < 0.03 < charged


def test_the_ends_of_what_is_possible() -> None:
    count = 30
    all_won = fair_price_p(independent(np.full(count, 0.5), np.ones(count)), 1)
    assert all_won.p_value[0] == pytest.approx(0.5**count)
    assert all_won.p_value_below[0] == pytest.approx(1.0)
    certain = fair_price_p(independent(np.full(count, 1.0), np.ones(count)), 1)
    assert certain.p_value[0] == 1.0
    too_dear = fair_price_p(independent(np.full(count, 1.02), np.ones(count)), 1)
    assert too_dear.p_value[0] == 1.0
    halves = fair_price_p(independent(np.full(count, 0.5), np.full(count, 0.5)), 1)
    assert 0.4 < halves.p_value[0] < 0.65


def test_a_bet_of_no_weight_is_no_bet() -> None:
    nothing = fair_price_p(independent([0.5, 0.4], [1, 0], [0.0, 0.0]), 1)
    assert np.isnan(nothing.p_value[0])
    one = fair_price_p(independent([0.5, 0.4], [1, 0], [1.0, 0.0]), 1)
    assert one.p_value[0] == pytest.approx(0.5)


def test_a_wallet_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="codes"):
        fair_price_p(independent([0.5], [1]), 0)


def test_what_was_free_and_won_is_no_proof() -> None:
    one = fair_price_p(independent([0.0], [1.0]), 1)
    assert one.p_value[0] == pytest.approx(1e-4)
    lost = fair_price_p(independent([0.0], [0.0]), 1)
    assert lost.p_value[0] == 1.0
    # Beside honest bets it adds one part in ten thousand, and no certainty.
    beside = fair_price_p(independent([0.0, 0.5, 0.5], [1.0, 0.0, 0.0]), 1)
    assert 0 < beside.p_value[0] <= 1.0
