"""Track records: which day a profit falls on, what it is a share of, and what the ratios are."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.lab.evidence.folder import START_S, Folder
from whaletrader.lab.evidence.books import build_books
from whaletrader.lab.evidence.description import TrackRecord
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.markets import market_table, trade_table
from whaletrader.lab.evidence.options import StudyOptions
from whaletrader.lab.evidence.pairs import pair_table
from whaletrader.lab.evidence.record import Calendar, calendar_of, records_of

DAY_S = 86_400


def window_slug(day: int, number: int = 0) -> str:
    """A market whose name says that it ends at noon of a day after the start."""
    end_s = START_S + day * DAY_S + DAY_S // 2
    return f"coin{number}-updown-15m-{end_s - 900}"


def build(folder: Folder, path: Path) -> tuple[Calendar, dict[str, TrackRecord]]:
    inputs = read_inputs(folder.write(path))
    wallets = sorted(inputs.wallets["proxyWallet"])
    markets = market_table(inputs)
    trades = trade_table(inputs, markets, wallets)
    pairs = pair_table(build_books(inputs, 30, lambda _done, _of: None), markets, wallets)
    calendar = calendar_of(trades, markets, pairs, len(wallets))
    found = records_of(calendar, markets, StudyOptions())
    names = {row["proxyWallet"]: str(row["pseudonym"]) for row in folder.wallets.values()}
    return calendar, {names[wallets[code]]: record for code, record in found.items()}


def bettor(folder: Folder, name: str, won: list[bool], number: int = 0) -> str:
    """A wallet that buys 100 shares at even odds a day, each day's market ending at noon."""
    wallet = folder.wallet(name)
    for day, is_won in enumerate(won):
        condition = folder.market(window_slug(day, number), 0 if is_won else 1)
        folder.trade(wallet, condition, day * DAY_S + 3_600, 0.5)
    return wallet


WON = [True, True, False, True, False, True, True, False, True, True, False, True]


def test_a_day_of_profit_is_a_share_of_the_most_at_stake(tmp_path: Path) -> None:
    folder = Folder()
    bettor(folder, "ann", WON)
    calendar, found = build(folder, tmp_path)
    # One market at a time: 50 dollars at stake, won or lost whole.
    assert calendar.capital == pytest.approx([50.0])
    assert calendar.profit[:, 0] == pytest.approx([1.0 if won else -1.0 for won in WON])
    record = found["ann"]
    returns = calendar.profit[:, 0]
    assert record.days == len(WON)
    assert record.profit == pytest.approx(50.0 * 4)
    yearly = np.sqrt(365)
    assert record.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * yearly)
    downside = np.sqrt((np.minimum(returns, 0) ** 2).mean())
    assert record.sortino == pytest.approx(returns.mean() / downside * yearly)
    assert record.profit_factor == pytest.approx(8 / 4)
    assert record.deepest_fall == pytest.approx(50.0)
    assert record.longest_fall_days == 2
    assert record.effective_events == pytest.approx(len(WON))
    assert record.sharpe_lower is not None
    assert record.sharpe_lower < record.sharpe < (record.sharpe_upper or 0.0)


def test_bets_that_are_open_together_need_more_capital(tmp_path: Path) -> None:
    folder = Folder()
    wallet = folder.wallet("ann")
    for day in range(12):
        condition = folder.market(window_slug(day), 0)
        folder.trade(wallet, condition, 60 + day, 0.5)
    # Somebody's row after the last result: the record reaches so far.
    folder.trade(folder.wallet("bob"), folder.market("later", None), 12 * DAY_S, 0.5)
    calendar, _ = build(folder, tmp_path)
    assert calendar.capital == pytest.approx([12 * 50.0])


def test_the_win_rate_leans_on_its_category_and_the_benchmark_on_the_favourite(
    tmp_path: Path,
) -> None:
    folder = Folder()
    bettor(folder, "ann", WON)
    _, found = build(folder, tmp_path)
    # Alone in its category: the prior's twenty bets win as often as its own.
    rate = found["ann"].win_rate
    assert rate.value == pytest.approx(8 / 12)
    assert rate.lower < rate.value < rate.upper
    # At even prices outcome 0 is the favourite, which is what was bought: nothing is left over.
    assert found["ann"].information_ratio is None


def test_days_without_a_result_count_as_nothing_and_dates_to_come_do_not(tmp_path: Path) -> None:
    folder = Folder()
    wallet = folder.wallet("ann")
    for day in (0, 20):
        condition = folder.market(window_slug(day), 0)
        folder.trade(wallet, condition, day * DAY_S + 60, 0.5)
    late = folder.market("will-it-rain-by-2031-01-01", 1)
    folder.trade(wallet, late, 90, 0.5)
    calendar, found = build(folder, tmp_path)
    assert found["ann"].days == 21
    assert calendar.profit[1:20].any() == np.False_
    # The result of the market named for 2031 was known: it counts on the last day, not in 2031.
    assert calendar.profit[20, 0] == pytest.approx(0.0)


def test_short_cut_and_unsettled_records_have_no_ratios(tmp_path: Path) -> None:
    folder = Folder()
    bettor(folder, "brief", [True, False, True])
    seller = folder.wallet("seller")
    opened = folder.wallet("open")
    for day in range(12):
        sold = folder.market(window_slug(day, 1), 1)
        folder.trade(seller, sold, day * DAY_S + 60, 0.5, side="SELL")
        held = folder.market(f"some-day-{day}", None)
        folder.trade(opened, held, day * DAY_S + 60, 0.5)
    calendar, found = build(folder, tmp_path)
    assert found == {}
    assert calendar.profit.shape == (0, 0)
