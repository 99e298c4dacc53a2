"""Every rule can refuse, each limit holds at, just under and just over it, and says so."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.unit.services.risk.risk_room import (
    DAY,
    FLATTEN,
    GENEROUS,
    HALT,
    MARKETS,
    NOW,
    SELL,
    SETTINGS,
    SHARE,
    USD,
    WHALES,
    Room,
    S,
    listing,
    no,
    said,
    yes,
)
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.rules import ALERTS, RULES, Alert, Rule

Scenario = Callable[[], str]


def refused(**changes: object) -> str:
    room = Room(GENEROUS)
    return room.refusal(room.proposal(**changes))


def halted() -> str:
    room = Room()
    room.control(HALT)
    return room.refusal(room.proposal())


def unopened() -> str:
    room = Room()
    room.tell(listing(MARKETS[0], opens_ns=NOW + 1))
    return room.refusal(room.proposal())


def ending() -> str:
    room = Room()
    room.tell(listing(MARKETS[0], ends_ns=NOW + 3_600 * S - 1))
    return room.refusal(room.proposal())


def stale() -> str:
    room = Room()
    room.now_ns += 600 * S + 1
    return room.refusal(room.proposal())


def filled_up(**limits: int) -> str:
    """Buy for the limit, then ask for more of the same token."""
    room = Room(GENEROUS.model_copy(update={k: Decimal(v) for k, v in limits.items()}))
    for _ in range(6):
        room.answer(room.proposal())
    return room.refusal(room.proposal())


def second_market(leader: str, **limits: int) -> str:
    """Spend in one market, then ask for another."""
    room = Room(GENEROUS.model_copy(update={k: Decimal(v) for k, v in limits.items()}))
    room.buy()
    return room.refusal(
        room.proposal(leader=leader, condition_id=MARKETS[1], token_id=yes(MARKETS[1]))
    )


def other_outcome() -> str:
    room = Room(GENEROUS.model_copy(update={"market_usd_max": Decimal(200)}))
    room.buy()
    return room.refusal(room.proposal(token_id=no(MARKETS[0])))


def after_loss() -> str:
    room = Room(GENEROUS.model_copy(update={"day_loss_usd_max": Decimal(100)}))
    room.buy()
    room.resolve(MARKETS[0], no(MARKETS[0]))
    room.control(2)  # type: ignore[arg-type]
    return room.refusal(room.proposal(condition_id=MARKETS[1], token_id=yes(MARKETS[1])))


def penniless() -> str:
    room = Room(GENEROUS.model_copy(update={"starting_cash_usd": Decimal(52)}))
    room.buy(max_size_micro=100 * SHARE, fair_value_micro=999_999)
    return room.refusal(elsewhere(room))


def elsewhere(room: Room) -> risk_pb2.TradeProposal:
    """A proposal that only the total and cash connect with what is held in the first market."""
    return room.proposal(
        leader=WHALES[1],
        condition_id=MARKETS[1],
        token_id=yes(MARKETS[1]),
        fair_value_micro=999_999,
    )


def exhausted() -> str:
    room = Room(SETTINGS.model_copy(update={"flatten_attempts_max": 1}))
    room.buy()
    approval = said(room.control(FLATTEN), risk_pb2.ApprovedTrade)[0]
    ordered = said(room.fire(approval), risk_pb2.DeriskOrdered)[0]
    return next(reason.rule for reason in ordered.reasons if not reason.passed)


REFUSALS: dict[Rule, Scenario] = {
    Rule.WELL_FORMED: lambda: refused(limit_price_micro=1_000_000),
    Rule.PORTFOLIO: lambda: refused(portfolio="other"),
    Rule.DEADLINE: lambda: refused(deadline_ns=NOW - 1),
    Rule.HALTED: halted,
    Rule.MARKET_KNOWN: lambda: refused(condition_id="0xunknown"),
    Rule.MARKET_OPEN: unopened,
    Rule.TIME_TO_END: ending,
    Rule.PRICE_ON_TICK: lambda: refused(limit_price_micro=9_999),
    Rule.PRICE_FRESH: stale,
    Rule.DAY_LOSS: after_loss,
    Rule.EDGE: lambda: refused(fair_value_micro=500_000),
    Rule.KELLY: lambda: refused(fair_value_micro=500_001),
    Rule.TRADE_LIMIT: lambda: filled_up(trade_usd_max=2),
    Rule.POSITION_LIMIT: lambda: filled_up(position_usd_max=300),
    Rule.MARKET_LIMIT: other_outcome,
    Rule.LEADER_LIMIT: lambda: second_market(WHALES[0], leader_usd_max=200),
    Rule.TOTAL_LIMIT: lambda: second_market(WHALES[1], total_usd_max=200),
    Rule.CASH: penniless,
    Rule.MINIMUM_SIZE: lambda: refused(max_size_micro=5 * SHARE - 1),
    Rule.HELD: lambda: refused(side=SELL),
    Rule.FLATTEN_ATTEMPTS: exhausted,
}


def test_every_rule_and_every_alert_is_in_its_table_with_one_line_and_every_rule_is_tried() -> None:
    assert set(RULES) == set(Rule) == set(REFUSALS)
    assert set(ALERTS) == set(Alert)
    for line in [*RULES.values(), *ALERTS.values()]:
        assert line.endswith(".")
        assert "\n" not in line


@pytest.mark.parametrize("rule", list(Rule))
def test_each_rule_refuses_what_it_is_there_for(rule: Rule) -> None:
    assert REFUSALS[rule]() == rule


@pytest.mark.parametrize(
    "changes",
    [
        {"side": 0},
        {"condition_id": ""},
        {"token_id": ""},
        {"limit_price_micro": 0},
        {"limit_price_micro": 65_000_000},
        {"limit_price_micro": -1},
        {"max_size_micro": 0},
        {"max_size_micro": -5 * SHARE},
        {"fair_value_micro": 0},
        {"fair_value_micro": 1_000_000},
    ],
)
def test_a_malformed_proposal_is_refused_and_names_the_field(changes: dict[str, int]) -> None:
    room = Room()
    answer = room.answer(room.proposal(**changes))
    assert isinstance(answer, risk_pb2.RejectedTrade)
    assert answer.rule == Rule.WELL_FORMED
    assert answer.reasons[0].detail == next(iter(changes))


def test_a_token_of_another_market_is_not_known() -> None:
    assert refused(token_id=yes(MARKETS[1])) == Rule.MARKET_KNOWN


def test_a_market_without_a_tick_stays_unknown() -> None:
    room = Room()
    room.tell(listing("0xnew", tick_size_micro=0))
    proposal = room.proposal(condition_id="0xnew", token_id=yes("0xnew"))
    assert room.refusal(proposal) == Rule.MARKET_KNOWN


def test_a_market_whose_end_nobody_knows_is_not_bought() -> None:
    room = Room()
    room.tell(listing(MARKETS[0], ends_ns=0))
    assert room.refusal(room.proposal()) == Rule.TIME_TO_END


def test_where_ends_are_not_told_an_unknown_end_can_be_allowed() -> None:
    room = Room(SETTINGS.model_copy(update={"end_must_be_known": False}))
    room.tell(listing(MARKETS[0], ends_ns=0))
    room.buy()
    room.tell(listing(MARKETS[0], ends_ns=NOW + 1))
    assert room.refusal(room.proposal()) == Rule.TIME_TO_END


def test_a_token_without_any_trade_has_no_price() -> None:
    room = Room()
    room.tell(listing("0xnew"))
    proposal = room.proposal(condition_id="0xnew", token_id=yes("0xnew"))
    assert room.refusal(proposal) == Rule.PRICE_FRESH


@pytest.mark.parametrize("winner", [yes(MARKETS[0]), no(MARKETS[0])])
def test_a_decided_market_is_neither_bought_nor_sold(winner: str) -> None:
    room = Room()
    room.resolve(MARKETS[0], winner)
    assert room.refusal(room.proposal()) == Rule.MARKET_OPEN
    assert room.refusal(room.proposal(side=SELL)) == Rule.MARKET_OPEN


@pytest.mark.parametrize(("late_ns", "is_answered"), [(-1, True), (0, True), (1, False)])
def test_the_deadline_itself_is_still_in_time(late_ns: int, is_answered: bool) -> None:
    room = Room()
    answer = room.answer(room.proposal(deadline_ns=NOW - late_ns))
    assert isinstance(answer, risk_pb2.ApprovedTrade) is is_answered


@pytest.mark.parametrize(("age_ns", "is_fresh"), [(-1, True), (0, True), (1, False)])
def test_a_price_is_fresh_up_to_its_limit_in_event_time(age_ns: int, is_fresh: bool) -> None:
    room = Room()
    room.now_ns += 600 * S + age_ns
    answer = room.answer(room.proposal())
    assert isinstance(answer, risk_pb2.ApprovedTrade) is is_fresh


@pytest.mark.parametrize(("spare_ns", "is_bought"), [(1, True), (0, True), (-1, False)])
def test_a_market_may_end_at_the_limit_but_not_sooner(spare_ns: int, is_bought: bool) -> None:
    room = Room()
    room.tell(listing(MARKETS[0], ends_ns=NOW + 3_600 * S + spare_ns))
    answer = room.answer(room.proposal())
    assert isinstance(answer, risk_pb2.ApprovedTrade) is is_bought


MONEY_LIMITS = {
    Rule.TRADE_LIMIT: "trade_usd_max",
    Rule.POSITION_LIMIT: "position_usd_max",
    Rule.MARKET_LIMIT: "market_usd_max",
    Rule.LEADER_LIMIT: "leader_usd_max",
    Rule.TOTAL_LIMIT: "total_usd_max",
}


@pytest.mark.parametrize("rule", MONEY_LIMITS)
@pytest.mark.parametrize("spare_micro", [-1, 0, 1])
def test_each_money_limit_holds_to_the_micro_dollar(rule: Rule, spare_micro: int) -> None:
    # The smallest order, five shares at a half: at the limit it fits, one micro-dollar below not.
    smallest = 2_500_000 + sizing.ROUNDING_SLACK_MICRO
    limit = Decimal(smallest + spare_micro) / USD
    roomy = {
        "trade_usd_max": Decimal(1_000),
        "position_usd_max": Decimal(1_000),
        "market_usd_max": Decimal(1_000),
    }
    room = Room(GENEROUS.model_copy(update={**roomy, MONEY_LIMITS[rule]: limit}))
    proposal = room.proposal(fair_value_micro=999_999)
    if spare_micro < 0:
        assert room.refusal(proposal) == rule
        return
    approval = room.ask(proposal)
    assert approval.size_micro == 5 * SHARE
    reason = next(reason for reason in approval.reasons if reason.rule == rule)
    assert (reason.value, reason.limit) == (smallest, smallest + spare_micro)


@pytest.mark.parametrize("spare_micro", [-1, 0, 1])
def test_cash_is_spent_to_the_micro_dollar_and_not_beyond(spare_micro: int) -> None:
    smallest = 2_500_000 + sizing.ROUNDING_SLACK_MICRO
    cash = Decimal(50 * USD + smallest + spare_micro) / USD
    room = Room(GENEROUS.model_copy(update={"starting_cash_usd": cash}))
    room.buy(max_size_micro=100 * SHARE, fair_value_micro=999_999)
    assert room.state.available_micro == smallest + spare_micro
    if spare_micro < 0:
        assert room.refusal(elsewhere(room)) == Rule.CASH
    else:
        assert room.ask(elsewhere(room)).size_micro == 5 * SHARE


@pytest.mark.parametrize("spare_micro", [-1, 0, 1])
def test_a_days_loss_stops_buying_at_its_limit(spare_micro: int) -> None:
    limit = Decimal(50 * USD + spare_micro) / USD
    room = Room(GENEROUS.model_copy(update={"day_loss_usd_max": limit}))
    room.buy(max_size_micro=100 * SHARE)
    room.resolve(MARKETS[0], no(MARKETS[0]))
    assert room.state.realized_micro == -50 * USD
    answer = room.answer(room.proposal(condition_id=MARKETS[1], token_id=yes(MARKETS[1])))
    assert isinstance(answer, risk_pb2.ApprovedTrade) is (spare_micro > 0)


def test_a_days_loss_does_not_count_on_the_next_day() -> None:
    room = Room(GENEROUS.model_copy(update={"day_loss_usd_max": Decimal(100)}))
    room.buy()
    room.resolve(MARKETS[0], no(MARKETS[0]))
    room.now_ns += DAY
    room.control(2)  # type: ignore[arg-type]
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    room.ask(room.proposal(condition_id=MARKETS[1], token_id=yes(MARKETS[1])))


def test_an_approval_lists_every_rule_with_its_value_and_limit() -> None:
    room = Room()
    approval = room.ask(room.proposal())
    rules = [reason.rule for reason in approval.reasons]
    not_for_buys = {Rule.HELD, Rule.FLATTEN_ATTEMPTS}
    assert set(rules) == set(Rule) - not_for_buys
    assert len(rules) == len(set(rules))
    assert all(reason.passed and reason.unit for reason in approval.reasons)


def test_a_refusal_lists_the_limits_that_would_have_held_too() -> None:
    room = Room(GENEROUS.model_copy(update={"trade_usd_max": Decimal(2)}))
    answer = room.answer(room.proposal())
    assert isinstance(answer, risk_pb2.RejectedTrade)
    by_rule = {reason.rule: reason for reason in answer.reasons}
    assert by_rule[Rule.TOTAL_LIMIT].passed
    assert not by_rule[Rule.TRADE_LIMIT].passed
