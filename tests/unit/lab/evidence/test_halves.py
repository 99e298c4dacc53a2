"""The cut in two, and that the first half knows nothing of what came after it."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.lab.evidence.folder import HOUR_S, START_S, Folder
from whaletrader.lab.evidence.books import build_books
from whaletrader.lab.evidence.halves import Halves, calendar_cut, own_cut, split
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.markets import NEVER_S, PUBLISHED, market_table, trade_table
from whaletrader.lab.evidence.pairs import pair_table


def halves_of(path: Path, folder: Folder, markets_min: int = 2) -> Halves:
    inputs = read_inputs(folder.write(path))
    wallets = sorted(folder.wallets)
    markets = market_table(inputs)
    trades = trade_table(inputs, markets, wallets)
    books = build_books(inputs, 30, lambda done, of: None)
    pairs = pair_table(books, markets, wallets)
    is_counted = np.isfinite(markets.values(PUBLISHED))
    cut = own_cut(pairs, is_counted, len(wallets), markets_min)
    return split(trades, pairs, markets, cut, PUBLISHED)


def four_markets(winners: tuple[int, ...] = (0, 0, 0, 1)) -> Folder:
    """One wallet, four markets an hour apart; all are redeemed on the last day."""
    folder = Folder()
    wallet = folder.wallet("ann")
    for place, winner in enumerate(winners):
        market = folder.market(f"m{place}", winner)
        folder.trade(wallet, market, place * HOUR_S, 0.4)
        paid = 100.0 if winner == 0 else 0.0
        folder.row(wallet, market, "REDEEM", 50 * HOUR_S, size=paid, usdcSize=paid)
    return folder


def test_the_second_half_is_what_the_ledger_says_it_earned(tmp_path: Path) -> None:
    halves = halves_of(tmp_path, four_markets())
    assert halves.second_profit == pytest.approx([60.0 - 40.0])
    assert halves.second_paid == pytest.approx([80.0])
    assert halves.per_dollar == pytest.approx([0.25])


def test_results_that_come_after_the_cut_do_not_count_in_the_first_half(tmp_path: Path) -> None:
    lucky = halves_of(tmp_path / "lucky", four_markets((0, 0, 0, 0)))
    unlucky = halves_of(tmp_path / "unlucky", four_markets((1, 1, 0, 0)))
    # Nothing was known at the cut but the prices paid: no edge, whatever came of it.
    assert lucky.first_edge == pytest.approx([0.0])
    assert unlucky.first_edge == pytest.approx([0.0])


def test_results_known_at_the_cut_count(tmp_path: Path) -> None:
    folder = four_markets()
    for row in folder.activity:
        if row["type"] == "REDEEM" and row["slug"] in ("m0", "m1"):
            row["timestamp"] = START_S + HOUR_S + 60
    assert halves_of(tmp_path, folder).first_edge == pytest.approx([0.6])


def test_a_short_record_is_not_cut(tmp_path: Path) -> None:
    assert len(halves_of(tmp_path, four_markets(), markets_min=3).wallet) == 0


def test_markets_with_missing_purchases_do_not_count_in_the_second_half(tmp_path: Path) -> None:
    folder = four_markets()
    wallet = next(iter(folder.wallets))
    market = next(m for m, row in folder.markets.items() if row["slug"] == "m2")
    folder.trade(wallet, market, 2 * HOUR_S + 5, 0.9, side="SELL", size=500.0)
    halves = halves_of(tmp_path, folder)
    assert halves.second_profit == pytest.approx([-40.0])


def test_a_cut_on_one_day_needs_both_sides(tmp_path: Path) -> None:
    inputs = read_inputs(four_markets().write(tmp_path))
    markets = market_table(inputs)
    books = build_books(inputs, 30, lambda done, of: None)
    pairs = pair_table(books, markets, sorted(inputs.wallets["proxyWallet"]))
    counted = np.ones(len(markets.slug), dtype=np.bool_)
    middle = START_S + 2 * HOUR_S
    assert calendar_cut(pairs, counted, middle, (1, 2)).at_s.tolist() == [middle]
    assert calendar_cut(pairs, counted, START_S, (1, 2)).at_s.tolist() == [NEVER_S]
