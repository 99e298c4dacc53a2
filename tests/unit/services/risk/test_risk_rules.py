"""Every rule can refuse; each limit holds at, just under and just over it, and says so.

What stops a kind of trade altogether is in other files: states, watching, batches, mandates.
"""

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
    RESUME,
    SELL,
    SETTINGS,
    SHARE,
    WHALES,
    Room,
    S,
    gap,
    listing,
    mandate_of,
    no,
    said,
    tight,
    yes,
)
from whaletrader.schemas import common_pb2, risk_pb2, whale_pb2
from whaletrader.services.risk.alerts import ALERTS, Alert
from whaletrader.services.risk.rules import RULES, Rule

Scenario = Callable[[], str]


def refused(**changes: object) -> str:
    room = Room(GENEROUS)
    return room.refusal(room.proposal(**changes))


def refused_by(**limits: object) -> str:
    room = Room(tight(**limits))
    return room.refusal(room.proposal())


def after_buying(market: int = 1, leader: str = WHALES[1], **limits: object) -> str:
    """Hold fifty dollars in the first market, then ask for another."""
    room = Room(tight(**limits))
    room.buy(max_size_micro=100 * SHARE)
    return room.refusal(room.elsewhere(market, leader=leader))


def of_one_topic(**limits: object) -> str:
    room = Room(tight(**limits))
    for market in MARKETS[:2]:
        room.tell(listing(market, event_slug="election", category="politics"))
    room.buy(max_size_micro=100 * SHARE)
    return room.refusal(room.elsewhere())


def halted() -> str:
    room = Room()
    room.control(HALT)
    return room.refusal(room.proposal())


def listed(**terms: object) -> str:
    room = Room()
    room.tell(listing(MARKETS[0], **terms))
    return room.refusal(room.proposal())


def stale() -> str:
    room = Room()
    room.now_ns += 600 * S + 1
    return room.refusal(room.proposal())


def said_otherwise() -> str:
    room = Room()
    proposal = room.proposal()
    room.ask(proposal)
    proposal.limit_price_micro -= 10_000
    answer = room.answer(proposal)
    assert isinstance(answer, risk_pb2.RejectedTrade)
    return answer.rule


def without_policy() -> str:
    room = Room(None)
    return room.refusal(room.proposal())


def other_outcome() -> str:
    room = Room(tight(market_usd_max=200, position_usd_max=200))
    room.buy()
    return room.refusal(room.proposal(token_id=no(MARKETS[0])))


def after_loss(**limits: object) -> str:
    """Lose fifty dollars on the first whale, then ask for its next trade."""
    room = Room(tight(**limits))
    room.buy(max_size_micro=100 * SHARE)
    room.resolve(MARKETS[0], no(MARKETS[0]))
    room.control(RESUME)
    return room.refusal(room.elsewhere(leader=WHALES[0]))


def after_last_days_loss() -> str:
    room = Room(tight(day_loss_usd_max=50, week_loss_usd_max=50))
    room.buy(max_size_micro=100 * SHARE)
    room.resolve(MARKETS[0], no(MARKETS[0]))
    room.now_ns += DAY
    room.control(RESUME)
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    return room.refusal(room.elsewhere())


def after_pruning() -> str:
    room = Room()
    room.tell(whale_pb2.WhalePruned(wallet=WHALES[0]))
    return room.refusal(room.proposal())


def penniless() -> str:
    room = Room(GENEROUS, cash_usd=Decimal(52))
    room.buy(max_size_micro=100 * SHARE, fair_value_micro=999_999)
    return room.refusal(room.elsewhere())


def exhausted() -> str:
    room = Room(tight(flatten_attempts_max=1))
    room.buy()
    approval = said(room.control(FLATTEN), risk_pb2.ApprovedTrade)[0]
    ordered = said(room.fire(approval), risk_pb2.DeriskOrdered)[0]
    return next(reason.rule for reason in ordered.reasons if not reason.passed)


def batch_too_long() -> str:
    room = Room()
    legs = [room.proposal(meta=common_pb2.Meta(id=f"{n:032x}")) for n in range(1, 22)]
    batch = risk_pb2.BatchProposal(portfolio="main", legs=legs, deadline_ns=NOW + S)
    answer = room.answer(batch)
    assert isinstance(answer, risk_pb2.BatchVerdict)
    return answer.rule


REFUSALS: dict[Rule, Scenario] = {
    Rule.WELL_FORMED: lambda: refused(limit_price_micro=1_000_000),
    Rule.PORTFOLIO: lambda: refused(portfolio="other"),
    Rule.POLICY: without_policy,
    Rule.SAME_PROPOSAL: said_otherwise,
    Rule.DEADLINE: lambda: refused(deadline_ns=NOW - 1),
    Rule.CLOCK_SKEW: lambda: refused(asked_ns=NOW - 2 * S - 1),
    Rule.HALTED: halted,
    Rule.MARKET_KNOWN: lambda: refused(condition_id="0xunknown"),
    Rule.MARKET_OPEN: lambda: listed(opens_ns=NOW + 1),
    Rule.TIME_TO_END: lambda: listed(ends_ns=NOW + 3_600 * S - 1),
    Rule.TIME_LOCKED: lambda: listed(ends_ns=NOW + 366 * DAY + 1),
    Rule.PRICE_ON_TICK: lambda: refused(limit_price_micro=9_999),
    Rule.PRICE_FRESH: stale,
    Rule.PRICE_RANGE: lambda: refused_by(price_usd_max="0.49"),
    Rule.PRICE_GAP: lambda: gap(110_000),
    Rule.DAY_LOSS: lambda: after_loss(day_loss_usd_max=50),
    Rule.WEEK_LOSS: after_last_days_loss,
    Rule.LEADER_LOSS: lambda: after_loss(leader_loss_usd_max=50),
    Rule.LEADER_BARRED: after_pruning,
    Rule.EDGE: lambda: refused(fair_value_micro=500_000),
    Rule.EDGE_SANITY: lambda: refused_by(edge_usd_max="0.09"),
    Rule.OPEN_POSITIONS: lambda: after_buying(open_positions_max=1),
    Rule.TOPIC_MARKETS: lambda: of_one_topic(topic_markets_max=1),
    Rule.KELLY: lambda: refused(fair_value_micro=500_001),
    Rule.COPY_SIZE: lambda: refused_by(method="copy-ratio"),
    Rule.FIXED_SIZE: lambda: refused_by(method="fixed", fixed_usd=1),
    Rule.CAPPED_SIZE: lambda: refused_by(method="capped", capped_usd=1),
    Rule.TRADE_LIMIT: lambda: refused_by(trade_usd_max=2),
    Rule.POSITION_LIMIT: lambda: after_buying(0, trade_usd_max=51, position_usd_max=51),
    Rule.MARKET_LIMIT: other_outcome,
    Rule.LEADER_LIMIT: lambda: after_buying(leader=WHALES[0], leader_usd_max=51),
    Rule.STRATEGY_LIMIT: lambda: after_buying(strategy_ratio_max="0.0051"),
    Rule.CATEGORY_LIMIT: lambda: of_one_topic(category_ratio_max="0.0051"),
    Rule.TOPIC_LIMIT: lambda: of_one_topic(topic_ratio_max="0.0051"),
    Rule.GROUP_LIMIT: lambda: of_one_topic(group_ratio_max="0.0051"),
    Rule.TOTAL_LIMIT: lambda: after_buying(**TOTAL_51),
    Rule.CAPITAL_PHASE: lambda: after_buying(phase_ratios=["0.0051", "1"], phase_start=1),
    Rule.CASH: penniless,
    Rule.LIQUIDITY: lambda: refused_by(liquidity_ratio_max="0.000004"),
    Rule.MINIMUM_SIZE: lambda: refused(max_size_micro=5 * SHARE - 1),
    Rule.WORST_CASE: lambda: refused_by(worst_case_ratio_max="0.0001"),
    Rule.CVAR: lambda: refused_by(cvar_ratio_max="0.000001"),
    Rule.MODIFIED_VAR: lambda: refused_by(mvar_ratio_warn="0.000001", mvar_ratio_max="0.000001"),
    Rule.HELD: lambda: refused(side=SELL),
    Rule.FLATTEN_ATTEMPTS: exhausted,
    Rule.BATCH: batch_too_long,
    Rule.MANDATE_TIME: lambda: mandate_refusal(duration_ns=3_600 * S + 1),
    Rule.MANDATE_PRICES: lambda: mandate_refusal(ask_micro_min=450_000),
}
# They tell what is left of a size; what is too small is refused by `minimum-size`.
INFORM = {rule for rule in Rule if rule.endswith("-factor")}
TOTAL_51 = dict.fromkeys(
    ("trade_usd_max", "position_usd_max", "market_usd_max", "leader_usd_max", "total_usd_max"), 51
)


def mandate_refusal(**changes: object) -> str:
    room = Room()
    answer = room.answer(mandate_of(room, **changes))
    return answer.rule if isinstance(answer, risk_pb2.RejectedTrade) else ""


def test_every_rule_and_every_alert_is_in_its_table_with_one_line_and_every_rule_is_tried() -> None:
    assert set(RULES) == set(Rule) == set(REFUSALS) | INFORM
    assert set(ALERTS) == set(Alert)
    for line in [*RULES.values(), *(line for _, line in ALERTS.values())]:
        assert line.endswith(".")
        assert "\n" not in line


@pytest.mark.parametrize("rule", list(REFUSALS))
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
    not_for_buys = {Rule.HELD, Rule.FLATTEN_ATTEMPTS, Rule.SAME_PROPOSAL, Rule.BATCH}
    not_for_buys |= {Rule.MANDATE_TIME, Rule.MANDATE_PRICES}
    other_methods = {Rule.COPY_SIZE, Rule.FIXED_SIZE, Rule.CAPPED_SIZE}
    adaptive = INFORM - {Rule.STATE_FACTOR}
    assert set(rules) == set(Rule) - not_for_buys - other_methods - adaptive
    assert len(rules) == len(set(rules))
    assert all(reason.passed and reason.unit for reason in approval.reasons)


def test_a_refusal_lists_the_limits_that_would_have_held_too() -> None:
    room = Room(GENEROUS.model_copy(update={"trade_usd_max": Decimal(2)}))
    answer = room.answer(room.proposal())
    assert isinstance(answer, risk_pb2.RejectedTrade)
    by_rule = {reason.rule: reason for reason in answer.reasons}
    assert by_rule[Rule.TOTAL_LIMIT].passed
    assert not by_rule[Rule.TRADE_LIMIT].passed
