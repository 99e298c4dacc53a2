"""What the verdict finds where the truth is planted."""

from dataclasses import replace

import numpy as np
import pytest

from whaletrader.lab.universe.census import (
    LEADERS,
    TRADE_BINS,
    Census,
    called_skilled,
    take_census,
    tally,
)
from whaletrader.lab.universe.world import UniverseOptions, draw_universe

KIND = UniverseOptions(wallets=250, events=1_500, trades_median=600, edge=0.14)


@pytest.fixture(scope="module")
def census() -> Census:
    return take_census(KIND, universes=2, seed=5)


def test_the_false_discovery_rate_stays_under_its_limit(census: Census) -> None:
    assert census.false_discovery_rate < 0.10


def test_the_skilled_are_found_the_more_they_trade(census: Census) -> None:
    power = census.power[~np.isnan(census.power)]
    assert power[-1] > 0.8
    assert power[-1] > power[0]


def test_the_lucky_who_lead_the_board_are_refused(census: Census) -> None:
    lucky, called = census.lucky
    assert lucky > LEADERS
    assert called <= 0.02 * lucky


def test_where_nobody_is_skilled_hardly_anybody_is_found() -> None:
    # Every discovery is false here, so the rate is the share of universes with one.
    nobody = replace(KIND, skilled_share=0.0, maker_share=1.0, wallets=120)
    found = take_census(nobody, universes=6, seed=2)
    assert sum(one.discoveries for one in found.tallies) <= 2


def test_dearer_fees_are_no_skill() -> None:
    # Judged before fees the same wallets look better than they are.
    universe = draw_universe(replace(KIND, maker_share=0.0), 3)
    called = called_skilled(universe, 1)
    free = called_skilled(replace(universe, fee=np.zeros_like(universe.fee)), 1)
    assert np.sum(free) >= np.sum(called)


def test_a_tally_counts_each_wallet_once() -> None:
    universe = draw_universe(KIND, 4)
    everybody = np.ones(KIND.wallets, np.bool_)
    counted = tally(universe, everybody)
    assert counted.discoveries == KIND.wallets
    assert counted.false == KIND.wallets - universe.is_skilled.sum()
    assert counted.skilled.sum() == counted.found.sum() == universe.is_skilled.sum()
    assert len(counted.skilled) == len(TRADE_BINS)
    assert counted.lucky == counted.lucky_called
