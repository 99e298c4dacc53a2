"""When and at what price a copier gets in, and that nothing later decides it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.lab.evidence.folder import Folder
from whaletrader.lab.evidence import copying
from whaletrader.lab.evidence.copying import Copier, Copies, Way
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.markets import KNOWN, MARKED, market_table, trade_table
from whaletrader.lab.evidence.signals import signals_of

WAY = Way(delay_s=30, slippage=0.0, patience_s=3_600)


class Stage:
    """A whale, a stranger and one market that outcome 0 won."""

    def __init__(self, path: Path, **market: object) -> None:
        self.path = path
        self.folder = Folder()
        self.whale = self.folder.wallet("whale")
        self.other = self.folder.wallet("other")
        self.market = self.folder.market("rain", **market)

    def copy(self, way: Way = WAY) -> Copies:
        inputs = read_inputs(self.folder.write(self.path))
        wallets = sorted(self.folder.wallets)
        markets = market_table(inputs)
        trades = trade_table(inputs, markets, wallets)
        signals = signals_of(trades, is_buy=True)
        whale = signals.only(signals.wallet == wallets.index(self.whale))
        return Copier(trades, markets).copy(whale.only(whale.is_first), way)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_the_copier_pays_the_first_print_after_his_delay(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 29, 0.42)
    stage.folder.trade(stage.other, stage.market, 30, 0.50)
    stage.folder.trade(stage.other, stage.market, 31, 0.60)
    copies = stage.copy()
    assert copies.price == pytest.approx([0.50])
    assert copies.gain == pytest.approx([1.0])


def test_prints_of_the_other_outcome_are_not_his_price(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.55, outcomeIndex=1)
    assert not stage.copy().is_filled[0]


def test_the_whales_own_next_fill_counts_or_is_passed_over(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.whale, stage.market, 50, 0.45)
    stage.folder.trade(stage.whale, stage.market, 60, 0.46)
    stage.folder.trade(stage.other, stage.market, 70, 0.48)
    own = stage.copy()
    assert (own.price[0], own.is_own_print[0]) == (pytest.approx(0.45), True)
    others = stage.copy(replace(WAY, prints=copying.OTHERS))
    assert (others.price[0], others.is_own_print[0]) == (pytest.approx(0.48), False)


def test_without_a_print_in_time_there_is_no_copy(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 3_700, 0.50)
    copies = stage.copy()
    assert not copies.is_filled[0]
    assert np.isnan(copies.gain[0])


def test_fills_of_one_second_are_one_signal(stage: Stage) -> None:
    for _ in range(3):
        stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.50)
    assert len(stage.copy().gain) == 1


def test_slippage_and_fee_are_paid(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.50)
    copies = stage.copy(replace(WAY, slippage=0.02, fees=copying.TODAY))
    # The category of this slug is `other`: rate 0.05.
    cost = 0.52 + 0.05 * 0.52 * 0.48
    assert copies.gain == pytest.approx([1 / cost - 1])


def test_a_loser_costs_the_whole_dollar_and_the_other_side_wins(tmp_path: Path) -> None:
    stage = Stage(tmp_path, winner=1)
    stage.folder.trade(stage.whale, stage.market, 0, 0.30)
    stage.folder.trade(stage.other, stage.market, 40, 0.25)
    copies = stage.copy()
    assert copies.gain == pytest.approx([-1.0])
    assert copies.favourite_gain == pytest.approx([1 / 0.75 - 1])
    assert copies.coin_gain == pytest.approx([(1 / 0.75 - 2) / 2])


def test_following_the_exit_sells_at_the_print_after_the_whales_sale(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.50)
    stage.folder.trade(stage.whale, stage.market, 500, 0.70, side="SELL")
    stage.folder.trade(stage.other, stage.market, 540, 0.60)
    copies = stage.copy(replace(WAY, exits=copying.FOLLOW))
    assert copies.gain == pytest.approx([0.60 / 0.50 - 1])


def test_where_nobody_ever_sold_following_the_exit_is_holding(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.50)
    held = stage.copy()
    assert stage.copy(replace(WAY, exits=copying.FOLLOW)).gain == pytest.approx(held.gain)


def test_prices_outside_the_wanted_are_left_alone(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.97)
    assert stage.copy().is_filled[0]
    assert not stage.copy(replace(WAY, price_most=0.95)).is_filled[0]


def test_an_unpublished_result_is_offered_only_where_it_counts(tmp_path: Path) -> None:
    stage = Stage(tmp_path, basis="inferred_redeem")
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.50)
    assert not stage.copy().is_offered[0]
    assert stage.copy(replace(WAY, results=KNOWN)).gain == pytest.approx([1.0])
    assert stage.copy(replace(WAY, results=MARKED)).gain == pytest.approx([0.0])


def test_what_happens_after_the_entry_changes_neither_price_nor_time(stage: Stage) -> None:
    stage.folder.trade(stage.whale, stage.market, 0, 0.40)
    stage.folder.trade(stage.other, stage.market, 40, 0.50)
    before = stage.copy()
    stage.folder.trade(stage.other, stage.market, 41, 0.10)
    stage.folder.trade(stage.whale, stage.market, 45, 0.90)
    stage.folder.markets[stage.market]["winning_outcome_index"] = 1
    after = stage.copy()
    assert after.price[0] == before.price[0]
    assert after.entry_s[0] == before.entry_s[0]
    assert after.gain[0] == pytest.approx(-1.0)
