"""What fills, reversals and resolutions do to profit, cash and positions."""

import pytest

from tests.unit.services.attribution.attribution_books import (
    DAY_NS,
    DOLLAR,
    HOUR_NS,
    SHARE,
    START_NS,
    STARTING_CASH,
    Books,
    bought,
    fill,
    now,
    printed,
    resolved,
    same_state,
    sold,
)
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.services.attribution.config import AttributionSettings

BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL


def test_a_matched_purchase_moves_cash_and_cost_at_once() -> None:
    books = Books()
    profit, value = books.tell(bought(price=400_000, size=10 * SHARE, fee=50_000))
    assert (profit.leader, profit.condition_id, profit.token_id) == ("whale", "market", "yes")
    assert (profit.approval_id, profit.order_id) == ("approval", f"order-{BUY}")
    assert profit.cash_delta_micro == -4_050_000
    assert profit.cost_delta_micro == 4 * DOLLAR
    assert profit.fee_delta_micro == 50_000
    assert profit.realized_delta_micro == 0
    assert profit.size_delta_micro == 10 * SHARE
    assert value.cash_micro == STARTING_CASH - 4_050_000
    assert value.open_positions == 1


def test_a_sale_realizes_profit_against_the_average_cost() -> None:
    books = Books()
    books.tell(bought("t1", price=400_000, size=10 * SHARE))
    books.tell(bought("t2", price=600_000, size=10 * SHARE))
    profit, _ = books.tell(sold(price=700_000, size=5 * SHARE, fee=10_000))
    assert profit.cost_delta_micro == -2_500_000
    assert profit.realized_delta_micro == 1 * DOLLAR
    assert profit.cash_delta_micro == 3_490_000


def test_purchases_round_up_and_sales_round_down_to_the_micro_dollar() -> None:
    books = Books()
    profit, _ = books.tell(bought(price=333_333, size=1))
    assert profit.cash_delta_micro == -1
    profit, _ = books.tell(sold(price=333_333, size=1))
    assert profit.cash_delta_micro == 0
    assert profit.realized_delta_micro == -1


@pytest.mark.parametrize(("winner", "realized"), [("yes", 6 * DOLLAR), ("no", -4 * DOLLAR)])
def test_a_resolution_pays_one_dollar_for_each_winning_share(winner: str, realized: int) -> None:
    books = Books()
    books.tell(bought())
    profit, value = books.tell(resolved(winner))
    assert profit.realized_delta_micro == realized
    assert profit.size_delta_micro == -10 * SHARE
    assert profit.cost_delta_micro == -4 * DOLLAR
    assert profit.order_id == ""
    assert value.cash_micro == STARTING_CASH + realized
    assert (value.open_positions, value.positions_value_micro) == (0, 0)


def test_a_confirmation_of_a_counted_match_says_nothing_more() -> None:
    books = Books()
    books.tell(bought())
    assert books.tell(now(order_pb2.OrderConfirmed, bought())) == []
    assert books.size("yes") == 10 * SHARE


def test_a_confirmation_without_a_match_is_counted() -> None:
    books = Books()
    assert books.tell(now(order_pb2.OrderConfirmed, bought()))
    assert books.tell(bought()) == []
    assert books.size("yes") == 10 * SHARE


@pytest.mark.parametrize("kind", [order_pb2.OrderMatched, order_pb2.OrderConfirmed])
def test_a_fill_that_is_told_twice_counts_once(kind: type) -> None:
    books = Books()
    books.tell(fill(kind, "t1"))
    assert books.tell(fill(kind, "t1")) == []
    assert books.size("yes") == 10 * SHARE


def test_the_same_trade_id_in_two_orders_is_two_fills() -> None:
    books = Books()
    books.tell(bought("t1", order_id="a"))
    books.tell(bought("t1", order_id="b"))
    assert books.size("yes") == 20 * SHARE


def test_a_reversal_undoes_the_fill_with_its_fee() -> None:
    books = Books()
    books.tell(bought(fee=70_000))
    profit, value = books.tell(now(order_pb2.OrderReversed, bought(fee=70_000)))
    assert profit.cash_delta_micro == 4_070_000
    assert profit.fee_delta_micro == -70_000
    assert profit.size_delta_micro == -10 * SHARE
    assert value.cash_micro == STARTING_CASH
    assert (value.fees_micro, value.realized_micro, value.open_positions) == (0, 0, 0)


def test_a_reversal_that_comes_twice_is_undone_once() -> None:
    books = Books()
    books.tell(bought())
    books.tell(now(order_pb2.OrderReversed, bought()))
    assert books.tell(now(order_pb2.OrderReversed, bought())) == []
    assert books.valuations()[-1].cash_micro == STARTING_CASH


def test_a_match_that_comes_after_its_reversal_is_ignored() -> None:
    books = Books()
    assert books.tell(now(order_pb2.OrderReversed, bought())) == []
    assert books.tell(bought()) == []
    assert books.size("yes") == 0


def test_a_purchase_reversed_after_its_sale_leaves_a_short_position_that_pays() -> None:
    books = Books()
    books.tell(bought(price=400_000))
    books.tell(sold(price=500_000))
    books.tell(now(order_pb2.OrderReversed, bought(price=400_000)))
    assert books.size("yes") == -10 * SHARE
    last = books.valuations()[-1]
    assert (last.realized_micro, last.positions_cost_micro) == (0, -5 * DOLLAR)
    books.tell(resolved("yes"))
    last = books.valuations()[-1]
    assert last.realized_micro == -5 * DOLLAR
    assert last.cash_micro == STARTING_CASH - 5 * DOLLAR


def test_a_purchase_that_turns_a_short_position_around_realizes_only_what_it_closed() -> None:
    books = Books()
    books.tell(sold(price=500_000, size=10 * SHARE))
    profit, _ = books.tell(bought(price=300_000, size=25 * SHARE))
    assert profit.realized_delta_micro == 2 * DOLLAR
    assert books.valuations()[-1].positions_cost_micro == 4_500_000
    assert books.size("yes") == 15 * SHARE


def test_a_fill_reversed_after_the_resolution_takes_its_profit_back() -> None:
    books = Books()
    books.tell(bought())
    books.tell(resolved("yes"))
    profit, value = books.tell(now(order_pb2.OrderReversed, bought()))
    assert profit.realized_delta_micro == -6 * DOLLAR
    assert value.cash_micro == STARTING_CASH


def test_a_fill_told_after_the_resolution_is_paid_at_once() -> None:
    books = Books()
    books.tell(resolved("yes"))
    profit, value = books.tell(bought())
    assert profit.realized_delta_micro == 6 * DOLLAR
    assert (profit.size_delta_micro, value.open_positions) == (0, 0)


def test_a_resolution_told_twice_pays_once() -> None:
    books = Books()
    books.tell(bought())
    books.tell(resolved("yes"))
    assert books.tell(resolved("yes")) == []
    assert books.valuations()[-1].cash_micro == STARTING_CASH + 6 * DOLLAR


def test_a_second_winner_goes_to_a_person_and_pays_nothing() -> None:
    books = Books()
    books.tell(bought())
    books.tell(resolved("yes"))
    books.tell(resolved("no"))
    assert "ResolutionContradiction" in books.letters()[0].error
    assert books.valuations()[-1].cash_micro == STARTING_CASH + 6 * DOLLAR


def test_a_resolution_without_a_winner_goes_to_a_person() -> None:
    books = Books()
    books.tell(bought())
    books.tell(resolved(""))
    assert len(books.letters()) == 1
    assert books.size("yes") == 10 * SHARE


@pytest.mark.parametrize("changes", [{"price": 410_000}, {"size": 11 * SHARE}, {"fee": 1}])
def test_a_fill_told_with_other_amounts_goes_to_a_person(changes: dict[str, int]) -> None:
    books = Books()
    books.tell(bought())
    books.tell(now(order_pb2.OrderConfirmed, bought(**changes)))
    assert "FillContradiction" in books.letters()[0].error
    assert books.valuations()[-1].cash_micro == STARTING_CASH - 4 * DOLLAR


def test_a_final_fill_cannot_be_reversed_nor_a_reversed_one_confirmed() -> None:
    books = Books()
    books.tell(now(order_pb2.OrderConfirmed, bought("t1")))
    books.tell(now(order_pb2.OrderReversed, bought("t1")))
    books.tell(bought("t2"))
    books.tell(now(order_pb2.OrderReversed, bought("t2")))
    books.tell(now(order_pb2.OrderConfirmed, bought("t2")))
    assert ["FillContradiction" in letter.error for letter in books.letters()] == [True, True]
    assert books.size("yes") == 10 * SHARE


def test_a_reversal_in_another_position_goes_to_a_person() -> None:
    books = Books()
    books.tell(bought())
    books.tell(now(order_pb2.OrderReversed, bought(leader="other")))
    assert "FillContradiction" in books.letters()[0].error
    assert books.size("yes") == 10 * SHARE


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 0},
        {"price": 1_000_000},
        {"price": 65_000_000},
        {"size": 0},
        {"size": -SHARE},
        {"fee": -1},
        {"order_id": ""},
        {"portfolio": ""},
        {"condition_id": ""},
        {"token_id": ""},
        {"outcome_index": 2},
    ],
)
def test_a_fill_out_of_range_is_refused_and_changes_nothing(changes: dict[str, int]) -> None:
    books = Books()
    before = Books()
    books.tell(bought(**changes))
    assert "InvalidFill" in books.letters()[0].error
    assert same_state(books.core, before.core)


def test_a_fill_without_a_side_is_refused() -> None:
    books = Books()
    books.tell(fill(order_pb2.OrderMatched, "t1", common_pb2.SIDE_UNSPECIFIED))
    assert "InvalidFill" in books.letters()[0].error


def test_leaders_and_portfolios_are_kept_apart() -> None:
    books = Books()
    books.tell(bought("t1", leader="a", size=10 * SHARE))
    books.tell(bought("t2", leader="b", size=20 * SHARE))
    books.tell(bought("t3", leader="a", size=40 * SHARE, portfolio="other"))
    assert books.size("yes", "a") == 10 * SHARE
    assert books.size("yes", "b") == 20 * SHARE
    assert books.size("yes", "a", "other") == 40 * SHARE
    heard = books.tell(resolved("yes"))
    earned = {(p.portfolio, p.leader): p.realized_delta_micro for p in heard if hasattr(p, "day")}
    assert earned == {
        ("main", "a"): 6 * DOLLAR,
        ("main", "b"): 12 * DOLLAR,
        ("other", "a"): 24 * DOLLAR,
    }
    cash = {v.portfolio: v.cash_micro for v in books.valuations()}
    assert cash == {"main": STARTING_CASH + 18 * DOLLAR, "other": STARTING_CASH + 24 * DOLLAR}


def test_profit_belongs_to_the_utc_day_of_its_event() -> None:
    books = Books()
    profit, _ = books.tell(bought(), after_ns=DAY_NS - 1)
    assert profit.day == START_NS // DAY_NS
    profit, _ = books.tell(resolved("yes"), after_ns=1)
    assert profit.day == START_NS // DAY_NS + 1


def test_open_positions_are_marked_at_the_last_trade_of_either_outcome() -> None:
    books = Books()
    books.tell(bought())
    assert books.valuations()[-1].positions_value_micro == 4 * DOLLAR
    books.tell(printed(550_000), after_ns=HOUR_NS)
    assert books.valuations()[-1].positions_value_micro == 5_500_000
    books.tell(printed(300_000, outcome_index=1), after_ns=HOUR_NS)
    assert books.valuations()[-1].positions_value_micro == 7 * DOLLAR
    assert books.valuations()[-1].positions_cost_micro == 4 * DOLLAR


def test_prints_value_a_portfolio_at_most_once_an_interval() -> None:
    books = Books()
    books.tell(bought())
    heard = [books.tell(printed(500_000 + n), after_ns=HOUR_NS // 4) for n in range(12)]
    assert [len(events) for events in heard] == [0, 0, 0, 1] * 3


def test_prints_say_nothing_while_nothing_is_held() -> None:
    books = Books()
    assert books.tell(printed(500_000)) == []
    books.tell(bought())
    books.tell(sold())
    assert books.tell(printed(500_000), after_ns=9 * HOUR_NS) == []


def test_a_print_out_of_range_marks_nothing() -> None:
    books = Books()
    books.tell(printed(1_000_000))
    books.tell(bought())
    assert books.valuations()[-1].positions_value_micro == 4 * DOLLAR


def test_a_settled_market_leaves_only_its_fills_and_its_winner_behind() -> None:
    books = Books()
    books.tell(bought())
    books.tell(resolved("yes"))
    assert books.state.positions
    books.tell(now(order_pb2.OrderConfirmed, bought()))
    assert not books.state.positions
    assert books.tell(bought()) == []
    assert books.state.accounts["main"].cash_micro == STARTING_CASH + 6 * DOLLAR


def test_settings_refuse_a_negative_deposit_and_unknown_names() -> None:
    with pytest.raises(ValueError, match="starting_cash_micro"):
        AttributionSettings(starting_cash_micro=-1)
    with pytest.raises(ValueError, match="extra"):
        AttributionSettings(starting_cash=1)
