"""What each kind of row does to a wallet's book."""

import pytest

from tests.unit.domain.ledger.rows import (
    CENT,
    EVENT,
    SHARE,
    book_of,
    buy,
    convert,
    redeem,
    row,
    sell,
)
from whaletrader.domain.ledger import (
    HALF_EACH,
    ActivityRow,
    EventRoster,
    Kind,
    LedgerError,
    Mark,
    Resolution,
    ResolutionTracker,
    Terms,
    WalletBook,
    payouts_of_winner,
    statement,
)

NOW = Terms(at_ns=1_000)


def known(market: str, winner: int) -> ResolutionTracker:
    results = ResolutionTracker()
    results.record(Resolution(market, payouts_of_winner(winner), 1, "published"))
    return results


def test_a_sale_realises_by_average_and_by_fifo_apart() -> None:
    book = book_of(buy(10, 200), buy(10, 600), sell(10, 500))
    market = book.markets["rain"]
    assert market.realized_micro == 100 * CENT
    assert market.realized_fifo_micro == 300 * CENT
    assert market.cost_micro == 400 * CENT


def test_both_methods_agree_once_nothing_is_held() -> None:
    book = book_of(buy(10, 200), buy(7, 601), sell(3, 100), sell(14, 999))
    market = book.markets["rain"]
    assert market.realized_micro == market.realized_fifo_micro == (1099 - 801) * CENT
    assert market.cost_micro == 0


def test_a_split_that_is_sold_and_merged_realises_what_the_sale_brought_over_half() -> None:
    book = book_of(row(Kind.SPLIT, 10, 1000), sell(4, 300, outcome=1), row(Kind.MERGE, 6, 600))
    assert book.cash_micro == -100 * CENT
    yes, no = book.markets["rain"].positions
    assert (yes.held_micro, no.held_micro) == (4 * SHARE, 0)
    assert (yes.cost_micro, no.realized_micro) == (200 * CENT, 100 * CENT)


def test_shares_sold_before_they_arrive_in_the_same_second_leave_no_trace() -> None:
    after = book_of(sell(5, 300, outcome=1), row(Kind.SPLIT, 5, 500))
    before = book_of(row(Kind.SPLIT, 5, 500), sell(5, 300, outcome=1))
    assert after.realized_micro == before.realized_micro == 50 * CENT
    assert after.markets["rain"].is_whole


def test_shares_never_seen_bought_mark_the_market_as_cut() -> None:
    book = book_of(buy(5, 250), sell(6, 300))
    assert not book.markets["rain"].is_whole


def test_one_no_converts_into_yes_of_the_others_for_no_cash() -> None:
    book = book_of(buy(10, 900, "ann", 1), convert(10))
    assert book.cash_micro == -900 * CENT
    assert book.realized_micro == 0
    assert book.markets["ann"].positions[1].held_micro == 0
    assert [book.markets[m].positions[0].held_micro for m in ("ben", "cid")] == [10 * SHARE] * 2
    assert [book.markets[m].cost_micro for m in ("ben", "cid")] == [450 * CENT] * 2


def test_two_no_converted_together_pay_a_dollar_a_share() -> None:
    book = book_of(buy(10, 700, "ann", 1), buy(10, 600, "ben", 1), convert(10))
    assert book.cash_micro == -300 * CENT
    assert book.markets["cid"].positions[0].held_micro == 10 * SHARE
    assert book.markets["cid"].cost_micro == 300 * CENT
    assert book.ambiguous_conversions == 1


def test_the_holding_that_fits_a_conversion_exactly_is_taken() -> None:
    book = book_of(buy(30, 2700, "ann", 1), buy(10, 900, "ben", 1), convert(10))
    assert book.markets["ann"].positions[1].held_micro == 30 * SHARE
    assert book.markets["ben"].positions[1].held_micro == 0


def test_a_market_named_after_the_conversion_gets_its_shares() -> None:
    book, roster, results = WalletBook(), EventRoster({EVENT: ("ann", "ben")}), ResolutionTracker()
    for each in (buy(10, 900, "ann", 1), convert(10), sell(10, 200, "cid")):
        book.apply(each, roster, results)
        book.check_cash()
    assert book.markets["cid"].is_whole
    assert book.markets["cid"].realized_micro == 200 * CENT


def test_a_conversion_without_a_holding_is_counted_and_changes_nothing() -> None:
    book = book_of(buy(3, 270, "ann", 1), convert(10))
    assert book.unexplained_conversions == 1
    assert book.markets["ann"].positions[1].held_micro == 3 * SHARE


def test_conversion_to_the_end_earns_the_same_as_holding() -> None:
    held = book_of(buy(10, 900, "ann", 1), results=known("ann", 1))
    converted = book_of(buy(10, 900, "ann", 1), convert(10))
    results = known("ann", 1)
    results.record(Resolution("ben", payouts_of_winner(0), 1, "published"))
    results.record(Resolution("cid", payouts_of_winner(1), 1, "published"))
    profits = {statement(book, results, {}, NOW).trading_profit_micro for book in (held, converted)}
    assert profits == {100 * CENT}


def test_a_winning_redemption_says_who_won() -> None:
    results = ResolutionTracker()
    book = book_of(buy(10, 400), buy(4, 200, outcome=1), redeem(1000), results=results)
    assert book.cash_micro == 400 * CENT
    assert book.realized_micro == 400 * CENT
    resolution = results.of("rain")
    assert resolution is not None
    assert (resolution.winner, resolution.basis) == (0, "inferred_redeem")


def test_a_losing_redemption_writes_the_position_off() -> None:
    results = ResolutionTracker()
    book = book_of(buy(10, 400), redeem(0), results=results)
    assert book.realized_micro == -400 * CENT
    assert book.markets["rain"].positions[0].held_micro == 0
    found = results.of("rain")
    assert found is not None
    assert found.winner == 1


def test_a_market_settled_half_and_half_pays_both() -> None:
    results = ResolutionTracker()
    book = book_of(buy(10, 400), buy(4, 300, outcome=1), redeem(700), results=results)
    found = results.of("rain")
    assert found is not None
    assert found.payouts == HALF_EACH
    assert book.realized_micro == 0
    assert all(position.held_micro == 0 for position in book.markets["rain"].positions)


def test_a_redemption_that_fits_no_holding_is_counted_and_its_cash_kept() -> None:
    book = book_of(buy(10, 400), redeem(2500))
    assert book.unmatched_redemptions == 1
    assert book.cash_micro == 2100 * CENT
    assert not book.markets["rain"].is_whole


def test_equal_holdings_of_both_do_not_say_who_won() -> None:
    results = ResolutionTracker()
    book_of(row(Kind.SPLIT, 10, 1000), redeem(1000), results=results)
    assert results.of("rain") is None


def test_rewards_stay_apart_from_trading() -> None:
    reward = ActivityRow(Kind.REWARD, 1, 5 * SHARE, 500 * CENT)
    book = book_of(buy(10, 400), reward, sell(10, 500))
    assert book.realized_micro == 100 * CENT
    assert book.income_micro == {Kind.REWARD: 500 * CENT}
    stated = statement(book, ResolutionTracker(), {}, NOW)
    assert (stated.trading_profit_micro, stated.income_micro) == (100 * CENT, 500 * CENT)


def test_an_unredeemed_winner_is_worth_its_payout_and_an_open_position_its_mark() -> None:
    book = book_of(buy(10, 400), buy(10, 500, "snow", 1))
    marks = {"snow": Mark(300_000, at_ns=900)}
    stated = statement(book, known("rain", 0), marks, NOW)
    assert stated.unredeemed_micro == 600 * CENT
    assert stated.unrealized_micro == 200 * CENT
    assert {position.basis for position in stated.open} == {"payout", "mark"}


def test_a_stale_mark_goes_to_the_outcome_it_favours() -> None:
    book = book_of(buy(10, 400), buy(10, 500, "snow", 1))
    marks = {"rain": Mark(300_000, at_ns=1), "snow": Mark(300_000, at_ns=1)}
    stated = statement(book, ResolutionTracker(), marks, Terms(1_000, stale_after_ns=500))
    assert [position.value_micro for position in stated.open] == [0, 1000 * CENT]


def test_what_has_no_price_is_worth_what_it_cost() -> None:
    stated = statement(book_of(buy(10, 400)), ResolutionTracker(), {}, NOW)
    assert stated.trading_profit_micro == 0
    assert stated.open[0].basis == "none"


def test_fees_are_counted_inside_the_cash() -> None:
    book = book_of(row(Kind.BUY, 10, 410, outcome=0, fee_micro=10 * CENT))
    assert book.markets["rain"].fees_micro == 10 * CENT
    assert book.cash_micro == -410 * CENT


@pytest.mark.parametrize(
    "wrong",
    [
        ActivityRow(Kind.BUY, 1, -1, 0, "rain", "", 0),
        ActivityRow(Kind.BUY, 1, 1, -1, "rain", "", 0),
        ActivityRow(Kind.BUY, 1, 0, 1, "rain", "", 0),
        ActivityRow(Kind.SELL, 1, 1, 1, "rain", "", 2),
        ActivityRow(Kind.SELL, 1, 1, 1, "rain"),
        ActivityRow(Kind.BUY, 1, 1, 1, "", "", 0),
        ActivityRow(Kind.REDEEM, 1, 1, 1),
        ActivityRow(Kind.CONVERSION, 1, 1, 1, "neg-risk-id"),
        ActivityRow(Kind.REWARD, 1, 1, 1, fee_micro=-1),
    ],
)
def test_a_row_that_no_wallet_can_have_is_refused_and_changes_nothing(wrong: ActivityRow) -> None:
    book = WalletBook()
    with pytest.raises(LedgerError):
        book.apply(wrong, EventRoster(), ResolutionTracker())
    assert book == WalletBook()
