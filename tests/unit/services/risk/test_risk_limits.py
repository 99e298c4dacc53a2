"""Each limit at it, just under and just over it. Limits are inclusive but where a name says so."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.unit.services.risk.risk_room import (
    DAY,
    GENEROUS,
    MARKETS,
    NOW,
    RESUME,
    SELL,
    SHARE,
    USD,
    WHALES,
    Room,
    S,
    fill_of,
    gap,
    listing,
    no,
    order_of,
    tight,
    yes,
)
from whaletrader.schemas import common_pb2, market_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.rooms import correlation_with
from whaletrader.services.risk.rules import Rule

# Fifty dollars are used before; the smallest order, five shares at a half, is 2.51 more.
SMALLEST = Decimal("2.51")
USED = 50 + SMALLEST
CENT_OF_CAPITAL = Decimal("0.000001")
Ask = Callable[[Room], risk_pb2.TradeProposal]


def same_token(room: Room) -> risk_pb2.TradeProposal:
    return room.proposal(fair_value_micro=999_999)


def same_market(room: Room) -> risk_pb2.TradeProposal:
    return room.proposal(token_id=no(MARKETS[0]), fair_value_micro=999_999)


def same_leader(room: Room) -> risk_pb2.TradeProposal:
    return room.elsewhere(leader=WHALES[0])


def other(room: Room) -> risk_pb2.TradeProposal:
    return room.elsewhere()


def dollars(name: str, *narrower: str) -> Callable[[Decimal], dict[str, object]]:
    """The limit in dollars, and narrower ones that it must not contradict."""
    return lambda spare: {
        **dict.fromkeys(narrower, Decimal("50.01")),
        name: USED + spare / USD,
    }


def ratio(name: str) -> Callable[[Decimal], dict[str, object]]:
    """The limit as a share of ten thousand dollars, which moves by a cent."""
    return lambda spare: {name: USED / 10_000 + spare * CENT_OF_CAPITAL}


AT_LIMIT: dict[Rule, tuple[Callable[[Decimal], dict[str, object]], Ask]] = {
    Rule.POSITION_LIMIT: (dollars("position_usd_max", "trade_usd_max"), same_token),
    Rule.MARKET_LIMIT: (
        dollars("market_usd_max", "position_usd_max", "trade_usd_max"),
        same_market,
    ),
    Rule.LEADER_LIMIT: (dollars("leader_usd_max"), same_leader),
    Rule.TOTAL_LIMIT: (
        dollars(
            "total_usd_max", "leader_usd_max", "market_usd_max", "position_usd_max", "trade_usd_max"
        ),
        other,
    ),
    Rule.STRATEGY_LIMIT: (ratio("strategy_ratio_max"), other),
    Rule.CATEGORY_LIMIT: (ratio("category_ratio_max"), other),
    Rule.TOPIC_LIMIT: (ratio("topic_ratio_max"), other),
    Rule.GROUP_LIMIT: (ratio("group_ratio_max"), other),
    Rule.WORST_CASE: (ratio("worst_case_ratio_max"), other),
    Rule.CAPITAL_PHASE: (
        lambda spare: {
            "phase_ratios": [USED / 10_000 + spare * CENT_OF_CAPITAL, 1],
            "phase_start": 1,
        },
        other,
    ),
}


@pytest.mark.parametrize("rule", AT_LIMIT)
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_each_money_limit_holds_at_just_under_and_just_over_it(rule: Rule, spare: int) -> None:
    limits, ask = AT_LIMIT[rule]
    room = Room(tight(**limits(Decimal(spare))))
    for market in MARKETS[:2]:
        room.tell(listing(market, event_slug="election", category="politics"))
    room.buy(max_size_micro=100 * SHARE)
    assert room.state.exposure_micro == 50 * USD
    proposal = ask(room)
    proposal.max_size_micro = 5 * SHARE
    if spare < 0:
        assert room.refusal(proposal) == rule
        return
    approval = room.ask(proposal)
    assert approval.size_micro == 5 * SHARE
    assert all(reason.value <= reason.limit for reason in approval.reasons if reason.rule == rule)


RATIO_TWINS = {
    "trade_ratio_max": Rule.TRADE_LIMIT,
    "position_ratio_max": Rule.POSITION_LIMIT,
    "market_ratio_max": Rule.MARKET_LIMIT,
    "total_ratio_max": Rule.TOTAL_LIMIT,
}


@pytest.mark.parametrize("name", RATIO_TWINS)
def test_the_smaller_of_dollars_and_share_holds(name: str) -> None:
    names = list(RATIO_TWINS)
    narrower = dict.fromkeys(names[: names.index(name) + 1], "0.0051")
    room = Room(tight(**narrower))
    approval = room.ask(room.proposal(fair_value_micro=999_999))
    limit = next(reason.limit for reason in approval.reasons if reason.rule == RATIO_TWINS[name])
    assert limit == 51 * USD
    assert approval.size_micro == 101_980_000


@pytest.mark.parametrize("spare_micro", [-1, 0, 1])
def test_one_trade_holds_its_limit_to_the_micro_dollar(spare_micro: int) -> None:
    room = Room(tight(trade_usd_max=SMALLEST + Decimal(spare_micro) / USD))
    proposal = room.proposal(fair_value_micro=999_999)
    if spare_micro < 0:
        assert room.refusal(proposal) == Rule.TRADE_LIMIT
    else:
        assert room.ask(proposal).size_micro == 5 * SHARE


@pytest.mark.parametrize("name", ["cvar_ratio_max", "mvar_ratio_max"])
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_tail_limits_are_to_stay_below(name: str, spare: int) -> None:
    # Five shares at a half in a market that ends within the day: 2.50 are lost, or won.
    share = Decimal("0.00025") + spare * CENT_OF_CAPITAL
    room = Room(tight(**{name: share, "mvar_ratio_warn": CENT_OF_CAPITAL}))
    room.tell(listing(MARKETS[0], ends_ns=NOW + 5 * 3_600 * S))
    proposal = room.proposal(max_size_micro=5 * SHARE, fair_value_micro=999_999)
    if spare > 0:
        assert room.ask(proposal).size_micro == 5 * SHARE
    else:
        rule = Rule.CVAR if name.startswith("cvar") else Rule.MODIFIED_VAR
        assert room.refusal(proposal) == rule


def test_a_buy_that_the_scenarios_refuse_is_halved_before_it_is_refused() -> None:
    room = Room(tight(cvar_ratio_max="0.001"))
    room.tell(listing(MARKETS[0], ends_ns=NOW + 5 * 3_600 * S))
    approval = room.ask(room.proposal(max_size_micro=20 * SHARE, fair_value_micro=999_999))
    # 20 shares would lose exactly the limit, 10 dollars.
    assert approval.size_micro == 10 * SHARE


@pytest.mark.parametrize(("most", "is_bought"), [(1, False), (2, True), (3, True)])
def test_so_many_positions_may_be_open_and_no_more(most: int, is_bought: bool) -> None:
    for name in ("open_positions_max", "topic_markets_max"):
        room = Room(tight(**{name: most}))
        for market in MARKETS[:2]:
            room.tell(listing(market, event_slug="election"))
        room.buy(max_size_micro=100 * SHARE)
        # More of the same is no further position.
        assert room.ask(room.proposal(max_size_micro=5 * SHARE))
        answer = room.answer(room.elsewhere())
        assert isinstance(answer, risk_pb2.ApprovedTrade) is is_bought


@pytest.mark.parametrize(("above", "is_near"), [(90_000, True), (100_000, True), (110_000, False)])
def test_a_limit_may_be_so_far_above_the_last_price_and_no_further(
    above: int, is_near: bool
) -> None:
    assert (gap(above) == "") is is_near


@pytest.mark.parametrize(("edge", "is_sane"), [(299_999, True), (300_000, True), (300_001, False)])
def test_an_edge_above_its_limit_is_an_error_in_the_data(edge: int, is_sane: bool) -> None:
    room = Room(tight(edge_usd_max="0.3"))
    answer = room.answer(room.proposal(fair_value_micro=500_000 + edge))
    assert isinstance(answer, risk_pb2.ApprovedTrade) is is_sane


@pytest.mark.parametrize(("low", "high"), [("0.5", "0.9"), ("0.1", "0.5")])
def test_the_ends_of_the_price_range_are_within_it(low: str, high: str) -> None:
    room = Room(tight(price_usd_min=low, price_usd_max=high))
    assert room.ask(room.proposal())
    beyond = 490_000 if low == "0.5" else 510_000
    assert room.refusal(room.proposal(limit_price_micro=beyond)) == Rule.PRICE_RANGE


@pytest.mark.parametrize(("skew_ns", "agrees"), [(-1, True), (0, True), (1, False)])
def test_clocks_may_differ_by_so_much_and_no_more(skew_ns: int, agrees: bool) -> None:
    late = 2 * S + skew_ns
    for changes in (
        {"asked_ns": NOW - late},
        {"asked_ns": NOW + late},
        {"meta": common_pb2.Meta(event_time_ns=NOW + late)},
    ):
        room = Room()
        answer = room.answer(room.proposal(**changes))
        assert isinstance(answer, risk_pb2.ApprovedTrade) is agrees


@pytest.mark.parametrize(("over_ns", "is_bought"), [(-1, True), (0, True), (1, False)])
def test_a_market_may_end_as_late_as_the_limit(over_ns: int, is_bought: bool) -> None:
    room = Room()
    room.tell(listing(MARKETS[0], ends_ns=NOW + 366 * DAY + over_ns))
    answer = room.answer(room.proposal())
    assert isinstance(answer, risk_pb2.ApprovedTrade) is is_bought


@pytest.mark.parametrize(("shares", "is_bought"), [(49, False), (50, True), (51, True)])
def test_no_more_is_bought_than_a_share_of_what_is_traded(shares: int, is_bought: bool) -> None:
    room = Room(tight(liquidity_ratio_max="0.1"))
    room.tell(listing("0xnew"))
    room.tell(
        market_pb2.TradePrinted(
            condition_id="0xnew",
            token_id=yes("0xnew"),
            price_micro=500_000,
            size_micro=shares * SHARE,
        )
    )
    proposal = room.proposal(condition_id="0xnew", token_id=yes("0xnew"))
    if not is_bought:
        assert room.refusal(proposal) == Rule.LIQUIDITY
        return
    assert room.ask(proposal).size_micro <= shares * SHARE // 10


def test_what_is_on_offer_up_to_the_limit_counts_as_liquid() -> None:
    room = Room(tight(liquidity_ratio_max="0.1"))
    room.tell(listing("0xnew"))
    token = yes("0xnew")
    room.tell(
        market_pb2.TradePrinted(
            condition_id="0xnew", token_id=token, price_micro=500_000, size_micro=SHARE
        )
    )
    asks = [(490_000, 300), (500_000, 200), (510_000, 9_000)]
    levels = [market_pb2.Level(price_micro=p, size_micro=n * SHARE) for p, n in asks]
    room.tell(market_pb2.BookSnapshotted(condition_id="0xnew", token_id=token, asks=levels))
    approval = room.ask(room.proposal(condition_id="0xnew", token_id=token))
    assert approval.size_micro == 50 * SHARE


@pytest.mark.parametrize("spare_micro", [-1, 0, 1])
def test_losses_of_a_week_and_of_a_leader_stop_buying_at_their_limits(spare_micro: int) -> None:
    limit = 50 + Decimal(spare_micro) / USD
    for name in ("week_loss_usd_max", "leader_loss_usd_max"):
        room = Room(tight(day_loss_usd_max=limit, **{name: limit}))
        room.buy(max_size_micro=100 * SHARE)
        room.resolve(MARKETS[0], no(MARKETS[0]))
        room.now_ns += DAY
        room.control(RESUME)
        room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
        answer = room.answer(room.elsewhere(leader=WHALES[0]))
        assert isinstance(answer, risk_pb2.ApprovedTrade) is (spare_micro > 0)


@pytest.mark.parametrize("spare_micro", [-1, 0, 1])
def test_cash_is_spent_to_the_micro_dollar_and_not_beyond(spare_micro: int) -> None:
    smallest = 2_500_000 + sizing.ROUNDING_SLACK_MICRO
    cash = Decimal(50 * USD + smallest + spare_micro) / USD
    room = Room(GENEROUS, cash_usd=cash)
    room.buy(max_size_micro=100 * SHARE, fair_value_micro=999_999)
    assert room.state.available_micro == smallest + spare_micro
    if spare_micro < 0:
        assert room.refusal(room.elsewhere()) == Rule.CASH
    else:
        assert room.ask(room.elsewhere()).size_micro == 5 * SHARE


@pytest.mark.parametrize("spare_micro", [-1, 0, 1])
def test_a_days_loss_stops_buying_at_its_limit(spare_micro: int) -> None:
    limit = Decimal(50 * USD + spare_micro) / USD
    room = Room(GENEROUS.model_copy(update={"day_loss_usd_max": limit}))
    room.buy(max_size_micro=100 * SHARE)
    room.resolve(MARKETS[0], no(MARKETS[0]))
    assert room.state.realized_micro == -50 * USD
    answer = room.answer(room.proposal(condition_id=MARKETS[1], token_id=yes(MARKETS[1])))
    assert isinstance(answer, risk_pb2.ApprovedTrade) is (spare_micro > 0)


@pytest.mark.parametrize("held_by", ["a reservation", "a sale that is not final"])
def test_money_that_is_set_aside_or_not_settled_is_not_spent(held_by: str) -> None:
    room = Room(GENEROUS, cash_usd=Decimal(60))
    if held_by == "a reservation":
        room.ask(room.proposal(max_size_micro=100 * SHARE, fair_value_micro=999_999))
    else:
        room.buy(max_size_micro=100 * SHARE, fair_value_micro=999_999)
        sale = order_of(room.ask(room.proposal(side=SELL)))
        room.tell(order_pb2.OrderAnnounced(order=sale))
        room.tell(order_pb2.OrderMatched(order=sale, fill=fill_of(sale)))
        assert room.state.cash_micro == 60 * USD
    approval = room.ask(room.elsewhere())
    assert approval.size_micro < 20 * SHARE
    cash = next(reason for reason in approval.reasons if reason.rule == Rule.CASH)
    assert cash.limit < 10 * USD + 1


def moving_together(opposite: bool, **limits: object) -> tuple[Room, int]:
    """A desk that holds fifty dollars in a market that moves with another, and how much it does."""
    room = Room(tight(group_ratio_max="0.006", price_age_s_max=3 * 86_400, **limits))
    for hour in range(30):
        room.now_ns += 3_600 * S
        price = 500_000 + 10_000 * (hour % 3)
        room.print_price(MARKETS[0], yes(MARKETS[0]), price)
        mirrored = 1_000_000 - price if opposite else price
        room.print_price(MARKETS[1], yes(MARKETS[1]), mirrored)
    room.now_ns += 3_600 * S
    room.buy(max_size_micro=100 * SHARE)
    desk = room.core.agent._desk  # type: ignore[attr-defined]
    market = desk.views.markets[MARKETS[1]]
    return room, correlation_with(desk, MARKETS[1], market)[MARKETS[0]]


@pytest.mark.parametrize("opposite", [False, True])
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_markets_that_move_together_or_against_each_other_are_one_group(
    opposite: bool, spare: int
) -> None:
    _, correlation = moving_together(opposite)
    assert 850_000 < correlation < 900_000
    threshold = Decimal(correlation + spare) / 1_000_000
    room, _ = moving_together(opposite, correlation_ratio_max=threshold)
    approval = room.ask(room.elsewhere(limit_price_micro=500_000))
    group = next(reason for reason in approval.reasons if reason.rule == Rule.GROUP_LIMIT)
    if spare > 0:
        assert group.value == room.state.by_market[MARKETS[1]]
    else:
        # Sixty dollars for both.
        assert approval.size_micro < 20 * SHARE
        assert group.value == room.state.exposure_micro <= group.limit == 60 * USD


def test_a_market_is_in_its_own_group_wherever_it_was_listed_before() -> None:
    room = Room(tight(group_ratio_max="0.006"))
    room.buy(max_size_micro=100 * SHARE)
    room.tell(listing(MARKETS[0], event_slug="another"))
    assert room.ask(room.proposal()).size_micro < 20 * SHARE


def test_adaptive_kelly_leaves_what_the_correlation_with_all_that_is_held_leaves() -> None:
    room, correlation = moving_together(False, method="adaptive-kelly", kelly_ratio="1")
    room.print_price(MARKETS[2], yes(MARKETS[2]), 500_000)
    third = {"condition_id": MARKETS[2], "token_id": yes(MARKETS[2])}
    room.buy(max_size_micro=50 * SHARE, **third)
    approval = room.ask(room.elsewhere(limit_price_micro=500_000, max_size_micro=5 * SHARE))
    told = next(one for one in approval.reasons if one.rule == Rule.CORRELATION_FACTOR)
    # A hundred shares of what moves with it and fifty of what never moved.
    assert told.value == 1_000_000 - correlation * 2 // 3


@pytest.mark.parametrize(("price", "dollars"), [(300_000, 8_000), (800_000, 10_000)])
def test_shares_of_the_capital_follow_a_fall_at_the_marks_and_no_rise(
    price: int, dollars: int
) -> None:
    roomy = ("trade_usd_max", "position_usd_max", "market_usd_max", "leader_usd_max")
    room = Room(tight(category_ratio_max="0.9", **dict.fromkeys(roomy, 9_000)))
    room.buy(max_size_micro=10_000 * SHARE, fair_value_micro=999_999)
    room.print_price(MARKETS[0], yes(MARKETS[0]), price)
    approval = room.ask(room.elsewhere(max_size_micro=5 * SHARE))
    category = next(one for one in approval.reasons if one.rule == Rule.CATEGORY_LIMIT)
    assert category.limit == dollars * USD * 9 // 10


@pytest.mark.parametrize(("shares", "goes_on"), [("99.98", True), ("100", False)])
def test_a_share_for_losses_is_of_what_there_was_before_them(shares: str, goes_on: bool) -> None:
    room = Room(tight(day_loss_ratio_max="0.005", week_loss_ratio_max="0.005"))
    room.buy(max_size_micro=int(Decimal(shares) * SHARE))
    room.resolve(MARKETS[0], no(MARKETS[0]))
    answer = room.answer(room.elsewhere())
    assert isinstance(answer, risk_pb2.ApprovedTrade) is goes_on


def test_all_markets_of_a_topic_share_its_limit() -> None:
    room = Room(tight(topic_ratio_max="0.011"))
    for market in MARKETS:
        room.tell(listing(market, event_slug="election"))
    room.buy(max_size_micro=100 * SHARE)
    room.buy(max_size_micro=100 * SHARE, condition_id=MARKETS[1], token_id=yes(MARKETS[1]))
    assert room.ask(room.elsewhere(market=2)).size_micro < 20 * SHARE
