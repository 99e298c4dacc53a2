"""The sample that ships keeps what its documentation promises."""

import time
from collections import Counter, defaultdict

import pytest

from whaletrader.services.feeds.tape import SAMPLE_FOLDER, Tape, load_tape

DAY_NS = 86_400 * 1_000_000_000
BYTES_MAX = 3 * 1024 * 1024
# Ids are part of every recorded chain of causes: a change here breaks old recordings.
FIRST_AND_LAST_ID = (
    "0623ed2923732da5b69662ef4eab34d5",
    "01e18f62675777d6075643672bf2f8dd",
)


@pytest.fixture(scope="module")
def tape() -> Tape:
    return load_tape()


def test_it_holds_forty_wallets_twenty_thousand_trades_and_sixty_days(tape: Tape) -> None:
    assert len({trade.wallet for trade in tape.trades}) >= 40
    assert len(tape.wallets) == len({trade.wallet for trade in tape.trades})
    assert len(tape.trades) >= 20_000
    assert tape.trades[-1].at_ns - tape.trades[0].at_ns >= 60 * DAY_NS


def test_it_is_small_enough_to_live_in_the_repository() -> None:
    assert sum(path.stat().st_size for path in SAMPLE_FOLDER.iterdir()) <= BYTES_MAX


def test_each_market_resolves_after_its_last_trade(tape: Tape) -> None:
    last = {trade.condition_id: trade.at_ns for trade in tape.trades}
    ends = {ended.condition_id: ended.at_ns for ended in tape.resolutions}
    assert last.keys() == ends.keys() == {market.condition_id for market in tape.markets}
    assert all(last[condition] < ends[condition] for condition in last)


def test_every_trade_has_an_id_of_its_own(tape: Tape) -> None:
    assert len({trade.id for trade in tape.trades}) == len(tape.trades)


def test_ids_are_the_same_in_every_release(tape: Tape) -> None:
    first, last = tape.trades[0], tape.trades[-1]
    assert (first.id, last.id) == FIRST_AND_LAST_ID


def test_no_wallet_ends_with_fewer_shares_than_none(tape: Tape) -> None:
    held: Counter[tuple[str, str]] = Counter()
    for trade in tape.trades:
        signed = trade.size_micro if trade.side == "BUY" else -trade.size_micro
        held[trade.wallet, trade.token_id] += signed
    assert min(held.values()) >= -1_000


def test_wallets_have_a_track_record_and_not_all_of_them_a_good_one(tape: Tape) -> None:
    winners = {ended.winning_token_id for ended in tape.resolutions}
    profit: Counter[str] = Counter()
    markets: dict[str, set[str]] = defaultdict(set)
    for trade in tape.trades:
        worth = 1_000_000 if trade.token_id in winners else 0
        sign = 1 if trade.side == "BUY" else -1
        profit[trade.wallet] += sign * trade.size_micro * (worth - trade.price_micro)
        markets[trade.wallet].add(trade.condition_id)
    assert sum(len(ids) >= 10 for ids in markets.values()) >= 40
    assert sum(value > 0 for value in profit.values()) >= 10
    assert sum(value < 0 for value in profit.values()) >= 10


def test_the_licence_travels_with_the_data() -> None:
    text = (SAMPLE_FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "jadesullie/polymarket-shadow-tracker" in text
    assert "9a6f66d" in text
    assert "Permission is hereby granted, free of charge" in text
    assert 'THE SOFTWARE IS PROVIDED "AS IS"' in text


def test_the_attribution_counts_what_the_files_hold(tape: Tape) -> None:
    text = (SAMPLE_FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert (
        f"{len(tape.trades):,} trades of {len(tape.wallets)} wallets in "
        f"{len(tape.markets):,} whole markets"
    ) in " ".join(text.split())


def test_it_loads_within_a_second_of_processor_time() -> None:
    # Measured at 0.25 s; processor time, so that a busy machine does not fail it.
    begun = time.process_time()
    load_tape()
    assert time.process_time() - begun < 1.0


def test_windows_of_an_hour_hold_the_whole_sample(tape: Tape) -> None:
    windows = list(tape.windows(3600))
    assert sum(len(window.trades) for window in windows) == len(tape.trades)
    assert sum(len(window.markets) for window in windows) == len(tape.markets)
    assert sum(len(window.resolutions) for window in windows) == len(tape.resolutions)
