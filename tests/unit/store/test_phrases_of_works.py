"""Works, reconciliations and states of the desk in one line each."""

from whaletrader.schemas import common_pb2, market_pb2, order_pb2, risk_pb2
from whaletrader.store.phrases import phrase


def test_a_work_whose_book_no_rule_answered_says_so() -> None:
    started = order_pb2.WorkStarted(
        tactic=order_pb2.TACTIC_ADAPTIVE,
        side=common_pb2.SIDE_SELL,
        size_micro=5_000_000,
        limit_price_micro=300_000,
        arrival_ask_micro=310_000,
        reasons=[common_pb2.Reason(rule="tactic.haste", passed=False)],
    )
    assert phrase(started) == (
        "adaptive: sell 5 shares at $0.30 a share or better, as no rule asked for another tactic, "
        "book empty / $0.31 a share"
    )


def test_a_finish_without_a_book_does_not_claim_a_slippage() -> None:
    finished = order_pb2.WorkFinished(
        result=order_pb2.WORK_RESULT_FILLED,
        tactic=order_pb2.TACTIC_SINGLE,
        size_micro=5_000_000,
        filled_size_micro=5_000_000,
        fill_rate_micro_ratio=1_000_000,
        orders=1,
        average_price_micro=300_000,
        time_to_full_fill_ns=1_500_000_000,
    )
    said = phrase(finished)
    assert "filled: 5 shares of 5 shares (100 %) in 1 order of single" in said
    assert "slippage unknown (no book was read)" in said
    assert "full after 1.5 s" in said


def test_a_better_price_than_the_mid_is_said_to_be_better_on_either_side() -> None:
    for side, average in ((common_pb2.SIDE_BUY, 390_000), (common_pb2.SIDE_SELL, 410_000)):
        finished = order_pb2.WorkFinished(
            side=side,
            arrival_mid_micro=400_000,
            average_price_micro=average,
            slippage_micro_ratio=-25_000,
        )
        assert "slippage $0.01 a share (2.5 %) better than the mid" in phrase(finished)


def test_a_finish_that_filled_nothing_names_no_price() -> None:
    said = phrase(order_pb2.WorkFinished(result=order_pb2.WORK_RESULT_SKIPPED, size_micro=10**6))
    assert said.startswith("skipped: 0 shares of 1 shares (0 %)")
    assert "slippage" not in said


def test_a_single_order_is_not_counted() -> None:
    order = order_pb2.OrderAnnounced(tactic=order_pb2.TACTIC_SINGLE)
    assert "phase" not in phrase(order)


def test_differences_are_cash_in_dollars_and_tokens_in_shares_and_not_all_are_listed() -> None:
    cash = order_pb2.HoldingDifference(ours_micro=2_000_000, venue_micro=1_000_000)
    token = order_pb2.HoldingDifference(token_id="7" * 30, ours_micro=2_000_000)
    failed = order_pb2.ReconciliationFailed(
        halted=True, looks=2, differences=[cash, token, token, token, token]
    )
    assert phrase(failed) == (
        "cash $1.00 at the venue, ours $2.00; "
        "token 777777777777 0 shares at the venue, ours 2 shares; "
        "token 777777777777 0 shares at the venue, ours 2 shares; and 2 more: halted"
    )


def test_a_change_of_state_says_how_it_ends() -> None:
    changed = risk_pb2.TradingStateChanged(
        state=risk_pb2.DESK_STATE_HALT,
        previous=risk_pb2.DESK_STATE_NORMAL,
        rule="day-loss",
        exit_condition="a person resumes",
    )
    assert phrase(changed) == "normal to halt by day-loss; ends when a person resumes"


def test_measures_name_the_limit_that_is_used_most() -> None:
    measured = risk_pb2.RiskMeasured(
        state=risk_pb2.DESK_STATE_NORMAL,
        equity_micro=1_000_000,
        limits=[
            risk_pb2.LimitUtilisation(rule="market-limit", used_micro_ratio=400_000),
            risk_pb2.LimitUtilisation(rule="day-loss", used_micro_ratio=900_000),
        ],
    )
    assert phrase(measured).endswith("most used: day-loss 90 %")


def test_an_empty_side_of_a_book_is_said() -> None:
    bids = [market_pb2.Level(price_micro=400_000, size_micro=1)]
    assert phrase(order_pb2.BookRead(bids=bids)) == "$0.40 a share / no ask"
