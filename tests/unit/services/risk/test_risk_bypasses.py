"""What somebody would try to get a trade past risk, or to make it forget: each try is refused."""

from decimal import Decimal

import pytest

from tests.unit.services.risk.risk_room import (
    DAY,
    FLATTEN,
    GENEROUS,
    MARKETS,
    NOW,
    RESUME,
    SHARE,
    USD,
    WHALES,
    Room,
    S,
    alerts,
    closed,
    fill_of,
    listing,
    mandate_of,
    no,
    order_of,
    said,
    tight,
    yes,
)
from whaletrader.domain.ids import derived_id
from whaletrader.schemas import common_pb2, market_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import folding
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.rules import Rule
from whaletrader.services.risk.state import Stance, booked_as


@pytest.mark.parametrize(("age_s", "is_fresh"), [(599, True), (600, True), (601, False)])
def test_an_old_event_does_not_make_an_old_price_fresh(age_s: int, is_fresh: bool) -> None:
    room = Room()
    room.now_ns += age_s * S
    proposal = room.proposal(meta=common_pb2.Meta(event_time_ns=NOW))
    if is_fresh:
        assert room.ask(proposal)
    else:
        assert room.refusal(proposal) == Rule.PRICE_FRESH


def test_a_proposer_who_does_not_tell_the_time_is_refused() -> None:
    room = Room()
    assert room.refusal(room.proposal(asked_ns=0)) == Rule.CLOCK_SKEW
    for asked_ns in (0, NOW - 2 * S - 1, NOW + 2 * S + 1):
        answer = room.answer(mandate_of(room, asked_ns=asked_ns))
        assert isinstance(answer, risk_pb2.RejectedTrade)
        assert answer.rule == Rule.CLOCK_SKEW


@pytest.mark.parametrize("ahead_s", [2, 3])
def test_a_price_from_the_future_is_no_price(ahead_s: int) -> None:
    room = Room()
    token = yes(MARKETS[0])
    later = common_pb2.Meta(event_time_ns=NOW + ahead_s * S)
    terms = {"condition_id": MARKETS[0], "token_id": token}
    room.tell(market_pb2.TradePrinted(meta=later, price_micro=510_000, size_micro=SHARE, **terms))
    level = market_pb2.Level(price_micro=510_000, size_micro=SHARE)
    room.tell(market_pb2.BookSnapshotted(meta=later, asks=[level], **terms))
    views = room.core.agent.views
    is_seen = ahead_s == 2
    assert (views.prices[token].price_micro == 510_000) is is_seen
    assert (token in views.books) is is_seen
    # A real one is seen at once, whatever was told of the future.
    room.now_ns += ahead_s * S
    room.print_price(MARKETS[0], token, 520_000)
    assert views.prices[token].price_micro == 520_000


@pytest.mark.parametrize("is_open", [True, False])
def test_an_id_whose_answer_is_forgotten_is_not_approved_again(
    is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "VERDICTS_MAX", 1)
    room = Room()
    proposal = room.proposal(max_size_micro=100 * SHARE)
    approval = room.ask(proposal)
    if not is_open:
        room.fire(approval)
    room.refusal(room.proposal(max_size_micro=SHARE))
    assert proposal.meta.id not in room.state.verdicts
    reserved = room.state.reserved_micro
    proposal.deadline_ns = proposal.asked_ns = room.now_ns
    step = room.tell(proposal)
    answer = step.replies[0]
    assert isinstance(answer, risk_pb2.RejectedTrade)
    assert answer.rule == Rule.SAME_PROPOSAL
    assert alerts(step) == [Alert.DUPLICATE_PROPOSAL]
    batch = risk_pb2.BatchProposal(portfolio="main", legs=[proposal], deadline_ns=room.now_ns)
    verdict = room.answer(batch)
    assert isinstance(verdict, risk_pb2.BatchVerdict)
    assert not verdict.approved
    assert room.state.reserved_micro == reserved
    assert reserved == sum(one.reserved_micro for one in room.state.approvals.values())
    assert room.restored() == room.state


def test_an_id_of_a_mandate_that_is_forgotten_is_not_given_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folding, "VERDICTS_MAX", 1)
    room = Room(GENEROUS)
    asked = mandate_of(room)
    assert isinstance(room.answer(asked), risk_pb2.QuoteMandate)
    room.refusal(room.proposal(max_size_micro=SHARE))
    answer = room.answer(asked)
    assert isinstance(answer, risk_pb2.RejectedTrade)
    assert answer.rule == Rule.SAME_PROPOSAL


def test_a_bid_that_may_never_fill_hedges_nothing_in_the_scenarios() -> None:
    # The market ends within the day: a share held of either side may be worth nothing.
    room = Room(tight(cvar_ratio_max="0.01"))
    room.tell(listing(MARKETS[0], ends_ns=NOW + 5 * 3_600 * S))
    room.buy(max_size_micro=190 * SHARE, fair_value_micro=999_999)
    other_side = room.proposal(
        token_id=no(MARKETS[0]), max_size_micro=190 * SHARE, fair_value_micro=999_999
    )
    bid = room.ask(other_side)
    more = {"max_size_micro": 100 * SHARE, "fair_value_micro": 999_999}
    # 95 dollars are at risk of a hundred: twenty shares would be too many.
    assert room.refusal(room.proposal(**{**more, "max_size_micro": 80 * SHARE})) == Rule.CVAR
    room.work(bid)
    # It has filled, and now it is one.
    assert room.ask(room.proposal(**more)).size_micro == 100 * SHARE


def reduced(room: Room) -> Room:
    room.state.stance = Stance(number=risk_pb2.DESK_STATE_REDUCE, size_micro_ratio=500_000)
    return room


def test_a_batch_is_cut_down_once_where_sizes_are() -> None:
    room = reduced(Room(GENEROUS))
    legs = [
        room.proposal(
            meta=common_pb2.Meta(id=derived_id(token), event_time_ns=NOW),
            token_id=token,
            limit_price_micro=450_000,
            max_size_micro=100 * SHARE,
            leader="",
        )
        for token in (yes(MARKETS[0]), no(MARKETS[0]))
    ]
    verdict = room.answer(
        risk_pb2.BatchProposal(portfolio="main", legs=legs, deadline_ns=room.now_ns)
    )
    assert isinstance(verdict, risk_pb2.BatchVerdict)
    assert verdict.approved, verdict
    assert [leg.size_micro for leg in verdict.approvals] == [50 * SHARE] * 2
    assert verdict.scale_micro_ratio == 500_000


def test_a_mandate_is_cut_down_where_sizes_are() -> None:
    room = reduced(Room(GENEROUS))
    given = room.answer(mandate_of(room))
    assert isinstance(given, risk_pb2.QuoteMandate)
    assert (given.inventory_micro_max, given.size_micro_max) == (50 * SHARE, 10 * SHARE)
    assert room.state.reserved_micro < 25 * USD
    told = {reason.rule: reason.value for reason in given.reasons}
    assert told[Rule.STATE_FACTOR] == 500_000


MIDNIGHT = NOW // DAY * DAY + DAY


@pytest.mark.parametrize("back_s", [1, 3_600])
def test_a_clock_set_back_past_midnight_forgets_no_loss(back_s: int) -> None:
    room = Room(tight(day_loss_usd_max=60, week_loss_usd_max=60, price_age_s_max=2 * 86_400))
    room.now_ns = MIDNIGHT + S
    room.buy(max_size_micro=100 * SHARE)
    room.resolve(MARKETS[0], no(MARKETS[0]))
    room.now_ns -= back_s * S
    for market in MARKETS[1:]:
        room.print_price(market, yes(market), 500_000)
    lost = room.elsewhere(max_size_micro=22 * SHARE, leader=WHALES[0])
    room.work(room.ask(lost))
    room.resolve(MARKETS[1], no(MARKETS[1]))
    assert room.state.stance.rule == Alert.DAY_LOSS
    room.now_ns = MIDNIGHT + 2 * S
    history = room.state.history
    assert history.day_realized_micro == history.week_realized_micro == -61 * USD
    assert history.leader_realized_micro == {WHALES[0]: -61 * USD}
    assert room.refusal(room.elsewhere(market=2)) == Rule.HALTED
    room.control(RESUME)
    assert room.refusal(room.elsewhere(market=2)) == Rule.DAY_LOSS


@pytest.mark.parametrize(("number", "as_number"), [(8, 8), (9, 10), (10, 10), (11, 11)])
def test_only_a_step_back_over_one_border_is_no_new_day(number: int, as_number: int) -> None:
    # Further back is another clock: what was lost on days that never came must not stop this one.
    assert booked_as(number, 10) == as_number


def test_at_midnight_a_new_day_of_losses_begins_and_the_week_goes_on() -> None:
    limits = {"day_loss_usd_max": 60, "week_loss_usd_max": 90, "price_age_s_max": 2 * 86_400}
    room = Room(tight(**limits))
    for market, at_ns in ((0, MIDNIGHT - 1), (1, MIDNIGHT)):
        room.now_ns = at_ns
        condition = MARKETS[market]
        room.print_price(condition, yes(condition), 500_000)
        room.buy(condition_id=condition, token_id=yes(condition), max_size_micro=100 * SHARE)
        room.resolve(condition, no(condition))
        assert room.state.history.day_realized_micro == -50 * USD
    assert room.state.stance.rule == Alert.WEEK_LOSS


def test_a_holding_without_a_price_is_sold_when_one_comes_while_flattening() -> None:
    room = Room()
    room.buy(max_size_micro=100 * SHARE)
    views = room.core.agent.views
    for token in (yes(MARKETS[0]), no(MARKETS[0])):
        del views.prices[token]
    step = room.control(FLATTEN)
    assert Alert.NOT_FLATTENED in alerts(step)
    assert not said(step, risk_pb2.ApprovedTrade)
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    assert not said(room.steps[-1], risk_pb2.ApprovedTrade)
    room.print_price(MARKETS[0], no(MARKETS[0]), 600_000)
    (sale,) = said(room.steps[-1], risk_pb2.ApprovedTrade)
    assert (sale.size_micro, sale.limit_price_micro) == (100 * SHARE, 350_000)
    room.print_price(MARKETS[0], no(MARKETS[0]), 610_000)
    assert not room.steps[-1].events


@pytest.mark.parametrize(
    "changes",
    [
        {"asked_ns": 2**63 - 1},
        {"asked_ns": -(2**63)},
        {"meta": common_pb2.Meta(event_time_ns=2**63 - 1)},
        {"leader": "0xW1"},
        {"leader_notional_micro": 2**63 - 1},
        {"fair_value_micro": 2**63 - 1},
        {"fair_value_micro": 1_000_000},
        {"limit_price_micro": 1_000_000},
        {"max_size_micro": -(2**63)},
    ],
)
def test_what_is_no_time_size_price_or_wallet_is_refused_by_name(
    changes: dict[str, object],
) -> None:
    room = Room()
    answer = room.answer(room.proposal(**changes))
    assert isinstance(answer, risk_pb2.RejectedTrade)
    assert answer.rule == Rule.WELL_FORMED
    (name,) = changes
    detail = next(reason.detail for reason in answer.reasons if not reason.passed)
    assert detail == ("event_time_ns" if name == "meta" else name)


def test_both_sides_of_a_market_count_twice_and_a_reversal_after_its_end_pays_back() -> None:
    room = Room(tight(market_usd_max=100, position_usd_max=60, trade_usd_max=60))
    first = room.ask(room.proposal(max_size_micro=100 * SHARE))
    order = order_of(first)
    fill = fill_of(order)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    opposite = room.proposal(token_id=no(MARKETS[0]), max_size_micro=110 * SHARE)
    # Fifty dollars are left whatever the other side hedges.
    assert room.ask(opposite).size_micro < 100 * SHARE
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    assert room.state.cash_micro == 10_050 * USD
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    room.tell(closed(order, 0))
    assert room.state.cash_micro == 10_000 * USD
    assert room.state.realized_micro == room.state.cost_micro == 0
    assert room.restored() == room.state


def test_a_listing_that_changes_under_a_holding_moves_nothing_out_of_its_limit() -> None:
    limits = {"topic_ratio_max": "0.01", "category_ratio_max": "0.01"}
    room = Room(tight(**limits))
    for market in MARKETS:
        room.tell(listing(market, event_slug="election", category="politics"))
    room.buy(max_size_micro=150 * SHARE)
    # The held market is moved elsewhere: what was paid stays where it was counted.
    room.tell(listing(MARKETS[0], event_slug="weather", category="climate"))
    approval = room.ask(room.elsewhere())
    told = {reason.rule: reason for reason in approval.reasons}
    for rule in (Rule.TOPIC_LIMIT, Rule.CATEGORY_LIMIT):
        assert 99 * USD < told[rule].value <= told[rule].limit == 100 * USD
    # A listing without terms takes none away.
    room.tell(listing(MARKETS[0], tick_size_micro=0))
    assert room.core.agent.views.markets[MARKETS[0]].tick_micro == 10_000


def test_an_order_that_rests_beyond_its_approvals_end_keeps_its_money_set_aside() -> None:
    room = Room(tight(market_usd_max=60, position_usd_max=60, trade_usd_max=60))
    approval = room.ask(room.proposal(max_size_micro=100 * SHARE))
    order = order_of(approval)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.fire(approval)
    room.print_price(MARKETS[0], yes(MARKETS[0]), 500_000)
    assert room.state.exposure_micro > 50 * USD
    assert room.ask(room.proposal()).size_micro < 20 * SHARE


@pytest.mark.parametrize("cash", ["1", "0.01"])
def test_a_desk_too_small_for_the_smallest_order_buys_nothing(cash: str) -> None:
    room = Room(GENEROUS, cash_usd=Decimal(cash))
    room.refusal(room.proposal())
    assert room.state.reserved_micro == 0


@pytest.mark.parametrize("by", ["strategy", "topic", "category"])
def test_another_name_for_the_same_token_gets_nothing_past_its_limit(by: str) -> None:
    """What is set aside is counted under the name that it was held against."""
    room = Room(tight(**{f"{by}_ratio_max": "0.006", "trade_usd_max": 40}))
    for market in MARKETS:
        room.tell(listing(market, event_slug="election", category="politics"))
    names = {"strategy": {"strategy": "copy"}, "topic": {}, "category": {}}[by]
    room.buy(max_size_micro=20 * SHARE, **names)
    if by == "strategy":
        names = {"strategy": "quotes"}
    else:
        room.tell(listing(MARKETS[0], event_slug="weather", category="climate"))
    terms = {"max_size_micro": 70 * SHARE, "fair_value_micro": 999_999, **names}
    second = room.ask(room.proposal(**terms))
    assert second.size_micro == 70 * SHARE
    # Sixty dollars are the limit, of which 35 are set aside under the second name, not the first.
    third = room.ask(room.proposal(**terms))
    assert 48 * SHARE < third.size_micro < 50 * SHARE
    state = room.state
    used = {
        "strategy": state.by_strategy,
        "category": state.by_category,
        "topic": {topic: sum(markets.values()) for topic, markets in state.by_topic.items()},
    }[by]
    assert sorted(value // USD for value in used.values()) == [10, 60]
    # Whatever ends takes from its own name.
    room.fire(third)
    room.work(second)
    room.resolve(MARKETS[0], no(MARKETS[0]))
    assert not state.by_strategy
    assert not state.by_category
    assert not state.by_topic
    assert not state.tags
    assert room.restored() == state


@pytest.mark.parametrize("winner", ["", "0xa-maybe", yes(MARKETS[1])])
def test_a_result_that_is_no_outcome_pays_nothing_and_somebody_is_paged(winner: str) -> None:
    room = Room()
    room.buy(max_size_micro=100 * SHARE)
    step = room.resolve(MARKETS[0], winner)
    assert alerts(step) == [Alert.RESULT_CONTRADICTED]
    assert room.state.cost_micro == 50 * USD
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    assert room.state.cash_micro == 10_050 * USD


def test_a_second_result_changes_nothing_and_somebody_is_paged() -> None:
    room = Room()
    room.buy(max_size_micro=100 * SHARE)
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    assert not alerts(room.resolve(MARKETS[0], yes(MARKETS[0])))
    assert alerts(room.resolve(MARKETS[0], no(MARKETS[0]))) == [Alert.RESULT_CONTRADICTED]
    assert room.state.cash_micro == 10_050 * USD
    assert room.restored() == room.state


@pytest.mark.parametrize(
    "terms",
    [
        {"tick_size_micro": 1_000_000},
        {"fee_rate_micro": -1},
        {"fee_rate_micro": 1_000_000},
        {"fee_exponent": -1},
        {"fee_exponent": 9},
        {"min_size_micro": -1},
        {"tokens": [market_pb2.OutcomeToken(token_id="0xnew-yes", outcome=o) for o in "YN"]},
        {"tokens": []},
    ],
)
def test_a_market_whose_terms_are_none_is_not_traded(terms: dict[str, object]) -> None:
    room = Room()
    room.tell(listing("0xnew", **terms))
    room.print_price("0xnew", yes("0xnew"), 500_000)
    proposal = room.proposal(condition_id="0xnew", token_id=yes("0xnew"))
    assert room.refusal(proposal) == Rule.MARKET_KNOWN


def test_what_ends_unused_is_taken_from_its_own_strategy_and_not_from_the_oldest() -> None:
    room = Room(GENEROUS)
    terms = {"max_size_micro": 20 * SHARE, "fair_value_micro": 999_999}
    room.ask(room.proposal(**terms, strategy="copy"))
    quotes = room.ask(room.proposal(**terms, strategy="quotes"))
    before = dict(room.state.by_strategy)
    room.fire(quotes)
    assert room.state.by_strategy == {"copy": before["copy"]}
