"""What we hold by our own fills, against what the venue says: a difference is found and halts."""

from typing import Any

from tests.unit.services.execution.execution_bench import (
    CONDITION,
    NO,
    T0,
    YES,
    Bench,
    S,
    approval,
    control,
    placement,
    trade,
)
from whaletrader.schemas import agent_pb2, common_pb2, control_pb2, market_pb2, order_pb2
from whaletrader.services.execution.state import Stop

MATCHED = order_pb2.TRADE_STATUS_MATCHED
CONFIRMED = order_pb2.TRADE_STATUS_CONFIRMED
FAILED = order_pb2.TRADE_STATUS_FAILED
CASH = 1_000_000_000


def look(bench: Bench, cash: int = CASH, resting: tuple[str, ...] = (), **shares: int) -> None:
    """Show the agent the wallet as the venue has it."""
    bench.now_ns += S
    tokens = {"yes": YES, "no": NO}
    seen = order_pb2.HoldingsSeen(
        cash_micro=cash,
        holdings=[
            order_pb2.Holding(token_id=tokens[name], size_micro=size)
            for name, size in shares.items()
        ],
        open_order_ids=resting,
        look=bench.now_ns // S,
        began_ns=bench.now_ns,
    )
    bench.tell(seen)


def opened(**shares: int) -> Bench:
    bench = Bench()
    look(bench, **shares)
    return bench


def failures(bench: Bench) -> list[Any]:
    return bench.said(order_pb2.ReconciliationFailed)


def test_the_first_look_is_what_the_books_start_from() -> None:
    bench = opened(no=7_000_000)
    [event] = bench.said(order_pb2.PositionsReconciled)
    assert (event.opening, event.cash_micro, event.holdings) == (True, CASH, 1)
    look(bench, no=7_000_000)
    assert len(bench.said(order_pb2.PositionsReconciled)) == 2
    assert not failures(bench)


def test_books_do_not_begin_with_a_look_during_which_a_fill_was_told() -> None:
    bench = Bench()
    order_id = bench.live()
    began_ns = bench.now_ns + S
    bench.now_ns = began_ns
    bench.tell(trade(order_id, "t1", CONFIRMED, 4_000_000))
    # The cash was read before the fill, the shares after it.
    torn = order_pb2.HoldingsSeen(
        cash_micro=CASH,
        holdings=[order_pb2.Holding(token_id=YES, size_micro=4_000_000)],
        began_ns=began_ns,
    )
    bench.tell(torn)
    assert not bench.said(order_pb2.PositionsReconciled)
    look(bench, CASH - 2_000_000, yes=4_000_000)
    assert bench.said(order_pb2.PositionsReconciled)[-1].opening
    look(bench, CASH - 2_000_000, yes=4_000_000)
    assert not failures(bench)


def test_a_settled_fill_must_be_in_the_venues_figures_to_the_micro_unit() -> None:
    bench = opened()
    bench.tell(trade(bench.live(), "t1", CONFIRMED, 4_000_000))
    look(bench, CASH - 2_000_000, yes=4_000_000)
    assert not failures(bench)
    look(bench, CASH - 2_000_000, yes=3_999_999)
    [event] = failures(bench)
    [difference] = event.differences
    assert (difference.token_id, difference.ours_micro, difference.venue_micro) == (
        YES,
        4_000_000,
        3_999_999,
    )
    assert event.condition_id == CONDITION


def test_a_provisional_fill_may_or_may_not_be_in_them() -> None:
    bench = opened()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", MATCHED, 4_000_000))
    look(bench)
    look(bench, CASH - 2_000_000, yes=4_000_000)
    assert not failures(bench)
    look(bench, yes=4_000_001)
    assert [d.order_ids for d in failures(bench)[0].differences] == [[order_id]]


def test_a_reversed_fill_leaves_the_books_as_they_were() -> None:
    bench = opened()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", MATCHED, 4_000_000))
    bench.tell(trade(order_id, "t1", FAILED, 4_000_000))
    look(bench)
    assert not failures(bench)
    position = bench.state.balance.positions[YES]
    assert (position.size_micro, position.bought_provisional_micro) == (0, 0)
    assert bench.state.balance.cash_micro == CASH


def test_a_difference_halts_at_the_second_look_and_says_which_orders_explain_it() -> None:
    bench = opened()
    resting = bench.live()
    look(bench, yes=5_000_000, resting=("0xstranger",))
    assert [f.halted for f in failures(bench)] == [False]
    assert bench.announce(approval_id="a2"), "one look proves nothing yet"
    look(bench, yes=5_000_000, resting=("0xstranger",))
    assert [f.halted for f in failures(bench)] == [False, True]
    assert "0xstranger" in failures(bench)[1].differences[0].order_ids
    assert [c.order.order_id for c in bench.asked(order_pb2.CancelOrder)] == [resting]
    [letter] = bench.said(agent_pb2.DeadLettered)
    assert "0xstranger" in letter.error
    bench.tell(approval(approval_id="a3"))
    [refusal] = bench.said(order_pb2.ApprovalRefused)
    [failed] = [r for r in refusal.reasons if not r.passed]
    assert (failed.rule, failed.detail) == ("trading.running", Stop.DIFFERENCE)


def test_a_difference_that_goes_away_or_changes_does_not_halt() -> None:
    bench = opened()
    look(bench, yes=5_000_000)
    look(bench)
    look(bench, yes=5_000_000)
    look(bench, yes=6_000_000)
    assert not any(f.halted for f in failures(bench))
    assert not bench.state.wallet_stop


def test_a_look_during_which_our_books_moved_proves_nothing() -> None:
    bench = opened()
    order_id = bench.live()
    bench.now_ns += 10 * S
    bench.tell(trade(order_id, "t1", CONFIRMED, 4_000_000))
    stale = order_pb2.HoldingsSeen(cash_micro=CASH, began_ns=bench.now_ns - 1, look=99)
    bench.tell(stale)
    assert not failures(bench)
    assert len(bench.said(order_pb2.PositionsReconciled)) == 1


def test_money_that_came_in_is_ours_and_money_that_is_missing_is_a_difference() -> None:
    bench = opened()
    look(bench, CASH + 50_000_000)
    [reason] = bench.said(order_pb2.PositionsReconciled)[-1].reasons
    assert (reason.value, reason.limit) == (CASH + 50_000_000, CASH)
    look(bench, CASH)
    look(bench, CASH)
    assert [f.halted for f in failures(bench)] == [False, True]
    assert failures(bench)[0].reasons[0].unit == common_pb2.UNIT_MICRO_USD


def test_shares_of_a_decided_market_are_nobodys_difference() -> None:
    bench = opened(yes=5_000_000)
    bench.tell(market_pb2.MarketResolved(condition_id=CONDITION, winning_index=0))
    look(bench, CASH + 5_000_000)
    assert not failures(bench)


def test_a_person_who_resumes_takes_the_wallet_as_it_is() -> None:
    bench = opened()
    look(bench, yes=5_000_000)
    look(bench, yes=5_000_000)
    assert bench.state.wallet_stop
    bench.tell(control(control_pb2.CONTROL_ACTION_RESUME))
    assert not bench.state.wallet_stop
    look(bench, yes=5_000_000)
    assert bench.said(order_pb2.PositionsReconciled)[-1].opening
    look(bench, yes=5_000_000)
    assert bench.announce(approval_id="a9")
    core = bench.fresh()
    for step in bench.steps:
        core.follow(step.entry, {})
    assert core.agent.state == bench.state


def test_a_sale_gives_back_shares_and_brings_money() -> None:
    bench = opened(yes=10_000_000)
    bench.tell(approval(side=common_pb2.SIDE_SELL))
    order_id = bench.newest
    bench.tell(placement(order_id, order_pb2.PLACEMENT_STATUS_LIVE, "live"))
    bench.tell(trade(order_id, "t1", MATCHED, 4_000_000))
    look(bench, yes=10_000_000)
    look(bench, CASH + 2_000_000, yes=6_000_000)
    assert not failures(bench)
    assert bench.now_ns > T0
