"""The batch says what its parts say, for every wallet at once."""

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap

from whaletrader.quant.edge import Bets, counted_once
from whaletrader.quant.ragged import Floats
from whaletrader.quant.rescoring import (
    RescoringOptions,
    common_block_length,
    rescore,
    sharpe_intervals,
)
from whaletrader.quant.skill import SkillOptions, skill_verdicts

OPTIONS = RescoringOptions(skill=SkillOptions(draws=199), draws=400)


def some_bets(wallets: int = 8, trades: int = 30) -> Bets:
    random = np.random.default_rng(1)
    count = wallets * trades
    codes = np.arange(count)
    cost = random.uniform(0.1, 0.9, count)
    won = (random.random(count) < cost).astype(float)
    return Bets(codes // trades, codes, codes, codes >= 0, cost, won, random.lognormal(0, 1, count))


def some_days(wallets: int = 8, days: int = 120) -> Floats:
    return np.random.default_rng(2).normal(0.1, 1, (days, wallets))


def test_the_verdicts_are_those_of_bets_counted_once() -> None:
    found = rescore(some_bets(), some_days(), OPTIONS, np.random.default_rng(5))
    alone = skill_verdicts(counted_once(some_bets()), 8, OPTIONS.skill, np.random.default_rng(5))
    assert (found.verdicts.p_value == alone.p_value).all()
    assert (found.verdicts.bootstrap_p == alone.bootstrap_p).all()
    assert found.best_of_all is not None
    assert 0 < found.best_of_all.consistent <= 1


def test_the_same_seed_gives_the_same_everything() -> None:
    first, second = (
        rescore(some_bets(), some_days(), OPTIONS, np.random.default_rng(7)) for _ in range(2)
    )
    assert (first.sharpe.lower == second.sharpe.lower).all()
    assert (first.verdicts.verdict == second.verdicts.verdict).all()
    assert first.best_of_all == second.best_of_all


def test_the_intervals_are_those_of_an_independent_bootstrap() -> None:
    days = some_days(wallets=2, days=200)
    options = RescoringOptions(draws=2_000)
    found = sharpe_intervals(days, 3.0, options, np.random.default_rng(3))
    for wallet in range(2):
        theirs = StationaryBootstrap(3, days[:, wallet], seed=4)
        drawn = theirs.apply(lambda x: x.mean() / x.std(ddof=1) * np.sqrt(365), 2_000)
        lower, upper = np.quantile(drawn, [0.05, 0.95])
        width = upper - lower
        assert found.lower[wallet] == pytest.approx(lower, abs=0.06 * width)
        assert found.upper[wallet] == pytest.approx(upper, abs=0.06 * width)


def test_a_wallet_that_did_nothing_has_no_ratio() -> None:
    days = some_days(wallets=3)
    days[:, 1] = 0.0
    found = sharpe_intervals(days, 2.0, OPTIONS, np.random.default_rng(0))
    assert np.isnan([found.sharpe[1], found.lower[1], found.upper[1]]).all()
    assert (found.lower < found.sharpe)[[0, 2]].all()
    assert (found.sharpe < found.upper)[[0, 2]].all()


def test_one_block_length_serves_all() -> None:
    assert common_block_length(np.zeros((50, 4))) == 1.0
    assert common_block_length(some_days(days=9)) == 1.0
    trending = np.cumsum(some_days(days=200), axis=0)
    assert common_block_length(trending) > 5


def test_with_nothing_to_compare_there_is_no_best() -> None:
    still = rescore(some_bets(), np.zeros((30, 8)), OPTIONS, np.random.default_rng(0))
    assert still.best_of_all is None
    short = rescore(some_bets(), some_days(days=5), OPTIONS, np.random.default_rng(0))
    assert short.best_of_all is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="daily_profit"):
        rescore(some_bets(), np.zeros((0, 8)), OPTIONS, np.random.default_rng(0))
    with pytest.raises(ValueError, match="codes"):
        rescore(some_bets(), some_days(wallets=3), OPTIONS, np.random.default_rng(0))
