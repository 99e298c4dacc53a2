"""Universes: prices are fair, skill is what was planted, and a seed says it all."""

from dataclasses import replace

import numpy as np
import pytest

from whaletrader.lab.universe.world import Universe, UniverseOptions, draw_universe

SMALL = UniverseOptions(wallets=400, events=800)


@pytest.fixture(scope="module")
def universe() -> Universe:
    return draw_universe(SMALL, 3)


def test_the_same_seed_draws_the_same_universe(universe: Universe) -> None:
    again = draw_universe(SMALL, 3)
    assert np.array_equal(universe.price, again.price)
    assert np.array_equal(universe.is_won, again.is_won)
    assert not np.array_equal(universe.price[:50], draw_universe(SMALL, 4).price[:50])


def test_wallets_without_skill_win_as_often_as_prices_say() -> None:
    # Over universes: within one, all trades hang on a few thousand markets.
    calibrated = replace(SMALL, skilled_share=0.0, maker_share=1.0)
    gaps = []
    for seed in range(12):
        drawn = draw_universe(calibrated, seed)
        gaps.append(np.mean(drawn.is_won - drawn.price))
    error = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    assert abs(np.mean(gaps)) < 3.5 * error
    assert error < 0.005


@pytest.mark.parametrize(("low", "high"), [(0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.98)])
def test_prices_are_fair_at_every_level(low: float, high: float) -> None:
    calibrated = replace(SMALL, skilled_share=0.0, maker_share=1.0)
    gaps = []
    for seed in range(12):
        drawn = draw_universe(calibrated, seed)
        level = (drawn.price >= low) & (drawn.price < high)
        gaps.append(np.mean((drawn.is_won - drawn.price)[level]))
    assert abs(np.mean(gaps)) < 3.5 * np.std(gaps, ddof=1) / np.sqrt(len(gaps))


def test_skilled_wallets_beat_the_price_by_what_was_planted() -> None:
    options = replace(SMALL, skilled_share=1.0, edge=0.1, maker_share=1.0)
    drawn = draw_universe(options, 5)
    near_half = np.abs(drawn.price - 0.5) < 0.1
    # Later trades in a market are made at prices that have moved towards the truth.
    assert 0.06 < np.mean((drawn.is_won - drawn.price)[near_half]) < 0.11


def test_skill_ends_on_its_day() -> None:
    options = replace(SMALL, skilled_share=1.0, edge=0.2, maker_share=1.0, edge_dies_day=90.0)
    drawn = draw_universe(options, 6)
    edge = drawn.is_won - drawn.price
    assert np.mean(edge[drawn.traded_day < 80]) > 0.08
    assert abs(np.mean(edge[drawn.traded_day > 130])) < 0.02


def test_markets_of_one_event_hang_together() -> None:
    def correlation(rho: float) -> float:
        drawn = draw_universe(replace(SMALL, correlation=rho, skilled_share=0.0), 9)
        markets, first = np.unique(drawn.market, return_index=True)
        won = np.where(drawn.bought_yes[first], drawn.is_won[first], ~drawn.is_won[first])
        event = drawn.event[first]
        same = event[1:] == event[:-1]
        assert len(markets) > 500
        return float(np.corrcoef(won[1:][same], won[:-1][same])[0, 1])

    assert correlation(0.8) > 0.2
    assert abs(correlation(0.0)) < 0.1


def test_takers_pay_the_fee_of_the_category_and_makers_none(universe: Universe) -> None:
    rates = universe.fee / (universe.price * (1 - universe.price))
    assert set(np.round(rates, 6)) == {0.0, 0.04, 0.05, 0.07}


def test_trades_come_by_wallet_and_time(universe: Universe) -> None:
    assert np.all(np.diff(universe.wallet) >= 0)
    same = np.diff(universe.wallet) == 0
    assert np.all(np.diff(universe.traded_day)[same] >= 0)
    assert np.all(universe.settled_day > universe.traded_day)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skilled_share": 1.5}, "shares, from 0 to 1"),
        ({"edge": 0.5}, "below 0.5"),
        ({"correlation": 1.0}, "below 1"),
        ({"wallets": 0}, "needs wallets"),
    ],
)
def test_a_universe_that_cannot_be_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)  # type: ignore[arg-type]
