"""The measures of the desk: what they say, how often, and where they are told."""

from decimal import Decimal

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.unit.services.risk.risk_room import (
    BUY,
    MARKETS,
    NOW,
    SHARE,
    USD,
    WHALES,
    Room,
    S,
    alerts,
    listing,
    no,
    order_of,
    said,
    tight,
    yes,
)
from whaletrader.quant.risk.backtest import christoffersen, kupiec
from whaletrader.schemas import order_pb2, risk_pb2
from whaletrader.services.risk import views
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.correlations import Correlations, changes
from whaletrader.services.risk.marks import Added, Marks
from whaletrader.services.risk.measures import historical_var
from whaletrader.services.risk.metrics import RiskGauges
from whaletrader.services.risk.rules import Rule
from whaletrader.services.risk.views import BARS_MAX, Bars

MINUTE = 60 * S


def measured(room: Room) -> risk_pb2.RiskMeasured:
    room.now_ns += MINUTE
    room.print_price(MARKETS[2], yes(MARKETS[2]), 500_000)
    (told,) = said(room.steps[-1], risk_pb2.RiskMeasured)
    return told


def desk(**limits: object) -> Room:
    return Room(tight(measure_every_s=60, price_age_s_max=30 * 86_400, **limits))


def test_the_desk_is_measured_at_a_bounded_rate() -> None:
    room = desk()
    measured(room)
    for _ in range(5):
        room.now_ns += 10 * S
        room.print_price(MARKETS[2], yes(MARKETS[2]), 500_000)
        assert not said(room.steps[-1], risk_pb2.RiskMeasured)
    room.now_ns += 10 * S
    room.print_price(MARKETS[2], yes(MARKETS[2]), 500_000)
    assert said(room.steps[-1], risk_pb2.RiskMeasured)
    assert room.restored() == room.state


def test_equity_is_marked_to_the_last_prices_and_remembers_its_highest() -> None:
    room = desk()
    room.buy(max_size_micro=100 * SHARE)
    room.print_price(MARKETS[0], yes(MARKETS[0]), 700_000)
    told = measured(room)
    assert told.equity_micro == told.high_water_micro == 10_020 * USD
    assert (told.positions_cost_micro, told.positions_value_micro) == (50 * USD, 70 * USD)
    # The other outcome's price says the same of this one's.
    room.now_ns += S
    room.print_price(MARKETS[0], no(MARKETS[0]), 800_000)
    told = measured(room)
    assert told.equity_micro == 9_970 * USD
    assert told.high_water_micro == 10_020 * USD
    assert told.drawdown_micro_ratio == -(-50 * 1_000_000 // 10_020)


def test_every_limit_has_its_utilisation() -> None:
    room = desk()
    room.buy(max_size_micro=100 * SHARE)
    used = {limit.rule: limit for limit in measured(room).limits}
    position = used[Rule.POSITION_LIMIT]
    assert (position.key, position.value, position.limit) == (
        yes(MARKETS[0]),
        50 * USD,
        500 * USD,
    )
    assert position.used_micro_ratio == 100_000
    assert used[Rule.LEADER_LIMIT].key == WHALES[0]
    assert used[Rule.OPEN_POSITIONS].value == 1
    assert {Rule.CVAR, Rule.MODIFIED_VAR, Rule.WORST_CASE, Rule.CAPITAL_PHASE} <= set(used)


def test_the_worst_case_knows_that_yes_and_no_cannot_both_lose() -> None:
    room = desk()
    room.buy(max_size_micro=100 * SHARE)
    assert measured(room).worst_case_micro == 50 * USD
    room.buy(token_id=no(MARKETS[0]), max_size_micro=60 * SHARE)
    assert measured(room).worst_case_micro == 80 * USD - 60 * USD


def test_what_is_set_aside_counts_in_the_scenarios_and_hedges_nothing() -> None:
    room = desk()
    room.tell(listing(MARKETS[0], ends_ns=NOW + 5 * 3_600 * S))
    room.ask(room.proposal(max_size_micro=100 * SHARE))
    told = measured(room)
    assert told.worst_case_micro == room.state.exposure_micro > 50 * USD
    assert told.cvar_975_micro == pytest.approx(50 * USD, rel=0.001)


def test_independent_markets_diversify_and_one_topic_does_not() -> None:
    for topics, score in ((["t", "t"], 0), (["t", "u"], 292_893)):
        room = desk()
        for market, topic in zip(MARKETS, topics, strict=False):
            room.tell(listing(market, event_slug=topic))
        room.buy(max_size_micro=100 * SHARE)
        room.work(room.ask(room.elsewhere(max_size_micro=100 * SHARE)))
        told = measured(room)
        # One minus the root of a half for two equal bets that have nothing to do with each other.
        assert told.diversification_micro_ratio == score
        assert told.correlation_micro_ratio == (0 if score else 1_000_000)


def test_scenarios_know_that_markets_of_one_topic_fall_together() -> None:
    ahead = []
    for topics in (["t", "t", "t"], ["t", "u", "v"]):
        room = Room(tight())
        for market, topic in zip(MARKETS, topics, strict=True):
            room.tell(listing(market, event_slug=topic, ends_ns=NOW + 5 * 3_600 * S))
        for market in MARKETS:
            room.buy(
                condition_id=market,
                token_id=yes(market),
                limit_price_micro=500_000,
                max_size_micro=100 * SHARE,
            )
        marks = Marks()
        views = room.core.agent.views
        marks.refresh(room.state, views, room.now_ns, 3_600 * S)
        ahead.append(marks.day_ahead(room.state, views))
    # 150 dollars may all go either way; how often decides the quantiles.
    assert ahead[0].cvar_975_micro == ahead[1].cvar_975_micro == 150 * USD
    assert ahead[0].var_99_micro == 150 * USD


def test_what_if_of_the_scenarios_is_what_holding_it_would_be() -> None:
    room = Room(tight())
    room.buy(max_size_micro=100 * SHARE)
    running = room.core.agent
    desk_now = running._desk  # type: ignore[attr-defined]
    added = Added(MARKETS[1], yes(MARKETS[1]), 100 * SHARE, 50 * USD)
    told = desk_now.marks.day_ahead(room.state, running.views, added)
    worst = desk_now.marks.worst_with(room.state, running.views, added)
    room.work(room.ask(room.elsewhere(max_size_micro=100 * SHARE)))
    desk_then = running._desk  # type: ignore[attr-defined]
    assert desk_then.marks.day_ahead(room.state, running.views) == told
    assert desk_then.marks.worst_micro == worst == 100 * USD


def test_correlation_is_of_changes_and_shrunk() -> None:
    numbers = list(range(100, 130))
    up = Bars(numbers, [400_000 + 10_000 * (n % 3) for n in numbers])
    down = Bars(numbers, [600_000 - 10_000 * (n % 3) for n in numbers])
    flat = Bars(numbers, [500_000] * 30)
    known = Correlations()
    known.restart(130)
    found = known.with_each("up", ["up", "down", "flat"], {"up": up, "down": down, "flat": flat})
    # 29 changes weigh against four that never were.
    assert found["up"] == pytest.approx(1_000_000 * 29 / 33, abs=2)
    assert found["down"] == pytest.approx(-1_000_000 * 29 / 33, abs=2)
    assert "flat" not in found
    assert not known.with_each("flat", ["up"], {"up": up, "flat": flat})


def test_changes_lie_on_one_grid_and_the_bar_under_way_is_left_out() -> None:
    row = changes(Bars([1, 2, 3, *range(10, 20)], [*range(0, 130_000, 10_000)]), 19)
    assert row is not None
    assert row.size == BARS_MAX
    assert np.count_nonzero(row) == 11
    assert row[-1] == 10_000
    assert changes(Bars([1, 2], [1, 2]), 5) is None


def test_many_markets_are_dropped_and_met_again_with_the_same_result() -> None:
    bars = {
        f"m{n}": Bars(list(range(20)), [500_000 + 7_919 * (i * (n + 3) % 11) for i in range(20)])
        for n in range(150)
    }
    running = Correlations()
    running.restart(20)
    for turn in range(400):
        running.with_each(f"m{turn % 150}", bars, bars)
        running.forget(f"m{turn * 7 % 150}")
    fresh = Correlations()
    fresh.restart(20)
    assert running.with_each("m1", bars, bars) == fresh.with_each("m1", bars, bars)


def test_a_decision_is_news_to_the_scenarios_of_what_is_still_set_aside() -> None:
    room = Room(tight())
    room.print_price(MARKETS[0], yes(MARKETS[0]), 400_000)
    room.ask(room.proposal(limit_price_micro=400_000, max_size_micro=100 * SHARE))
    running = room.core.agent
    before = running._desk.marks.day_ahead(room.state, running.views)  # type: ignore[attr-defined]
    room.resolve(MARKETS[0], no(MARKETS[0]))
    desk_now = running._desk  # type: ignore[attr-defined]
    fresh = Marks()
    fresh.refresh(room.state, running.views, room.now_ns, desk_now.limits.bar_ns)
    after = fresh.day_ahead(room.state, running.views)
    assert desk_now.marks.day_ahead(room.state, running.views) == after != before


def test_the_historical_var_needs_enough_days() -> None:
    days = [10_000 * USD + USD * (n % 5) for n in range(31)]
    assert historical_var(days[:30]) == 0
    assert historical_var(days) == 4 * USD


def test_the_modified_var_warns_once_when_it_comes_near() -> None:
    room = desk(mvar_ratio_warn="0.004")
    room.tell(listing(MARKETS[0], ends_ns=NOW + 5 * 3_600 * S))
    room.buy(max_size_micro=100 * SHARE)
    measured(room)
    assert Alert.MODIFIED_VAR_NEAR in alerts(room.steps[-1])
    measured(room)
    assert Alert.MODIFIED_VAR_NEAR not in alerts(room.steps[-1])


def test_days_that_lost_more_than_was_told_are_counted() -> None:
    room = desk(stop_loss_ratio=0)
    room.buy(max_size_micro=300 * SHARE)
    for price in (500_000, 500_000, 100_000, 100_000):
        room.now_ns += 86_400 * S
        room.print_price(MARKETS[0], yes(MARKETS[0]), price)
        measured(room)
    exceeded = room.state.history.var_exceeded
    assert len(exceeded) >= 2
    assert sum(exceeded) == 1


def test_the_gauges_tell_what_was_measured_last() -> None:
    room = desk()
    room.buy(max_size_micro=100 * SHARE)
    gauges = RiskGauges()
    registry = CollectorRegistry()
    registry.register(gauges)
    assert b"whaletrader_risk" not in generate_latest(registry)
    measured(room)
    gauges.committed(room.core, room.steps[-1])
    text = generate_latest(registry).decode()
    assert 'whaletrader_risk_equity_usd{portfolio="main"} 10000.0' in text
    assert 'whaletrader_risk_limit_used_ratio{portfolio="main",rule="position-limit"} 0.1' in text
    assert 'whaletrader_risk_desk_state{portfolio="main"} 1.0' in text


@pytest.mark.parametrize(
    ("method", "dollars"),
    [("full-kelly", 2_000), ("fractional-kelly", 500), ("capped", 77), ("fixed", 50)],
)
def test_each_method_puts_in_what_it_says(method: str, dollars: int) -> None:
    # (0.6 - 0.5) / 0.5 of ten thousand dollars is two thousand.
    roomy = dict.fromkeys(
        ("trade_usd_max", "position_usd_max", "market_usd_max", "leader_usd_max"), 9_000
    )
    room = Room(tight(method=method, kelly_ratio="0.25", capped_usd=77, fixed_usd=50, **roomy))
    approval = room.ask(room.proposal(max_size_micro=10_000 * SHARE))
    assert dollars * USD - 20_000 < approval.size_micro // 2 <= dollars * USD


def test_a_copy_puts_in_its_share_of_what_the_wallet_did() -> None:
    room = Room(tight(method="copy-ratio", copy_ratio="0.1"))
    approval = room.ask(room.proposal(leader_notional_micro=500 * USD))
    assert approval.size_micro == 99_980_000
    # The share is of the holding: asked again, nothing is left of it.
    again = room.proposal(leader_notional_micro=500 * USD)
    assert room.refusal(again) == Rule.COPY_SIZE
    more = room.ask(room.proposal(leader_notional_micro=700 * USD))
    assert 39 * SHARE < more.size_micro < 40 * SHARE


def test_adaptive_kelly_tells_each_factor_and_multiplies_them() -> None:
    room = Room(tight(method="adaptive-kelly", kelly_ratio="0.1", volatility_target_ratio="0.05"))
    approval = room.ask(room.proposal(confidence_micro_ratio=500_000))
    factors = {r.rule: r.value for r in approval.reasons if r.rule.endswith("-factor")}
    # Five cents a day on a price of a half is a tenth: twice what is aimed at.
    assert factors == {
        Rule.CONFIDENCE_FACTOR: 500_000,
        Rule.VOLATILITY_FACTOR: 500_000,
        Rule.CORRELATION_FACTOR: 1_000_000,
        Rule.DRAWDOWN_FACTOR: 1_000_000,
        Rule.STATE_FACTOR: 1_000_000,
    }
    kelly = next(r for r in approval.reasons if r.rule == Rule.KELLY)
    assert kelly.limit == 50 * USD


def test_a_drawdown_shrinks_adaptive_stakes_in_proportion() -> None:
    room = Room(
        tight(
            method="adaptive-kelly",
            measure_every_s=60,
            price_age_s_max=86_400,
            reduce_drawdown_ratio="0.3",
            reduce_more_drawdown_ratio="0.35",
            halt_drawdown_ratio=Decimal("0.4"),
            trade_usd_max=5_000,
            position_usd_max=5_000,
            market_usd_max=9_000,
            leader_usd_max=9_000,
        )
    )
    approval = room.ask(
        room.proposal(side=BUY, max_size_micro=9_800 * SHARE, fair_value_micro=999_999)
    )
    order = order_of(approval)
    fill = order_pb2.Fill(trade_id="t", price_micro=500_000, size_micro=order.size_micro)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    measured(room)
    room.now_ns += S
    room.print_price(MARKETS[0], yes(MARKETS[0]), 300_000)
    answer = room.ask(room.elsewhere(max_size_micro=10 * SHARE))
    told = next(r for r in answer.reasons if r.rule == Rule.DRAWDOWN_FACTOR)
    fall = order.size_micro * 200_000 // 10_000_000_000
    assert told.value == pytest.approx(1_000_000 - fall * 1_000_000 // 400_000, abs=10)


def test_a_snapshot_stays_small_whatever_is_listed_and_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(views, "FOLLOWED_MAX", 5)
    room = Room(tight())
    for n in range(30):
        room.tell(listing(f"0xm{n}"))
        room.print_price(f"0xm{n}", yes(f"0xm{n}"), 500_000)
    seen = room.core.agent.views
    assert list(seen.bars) == [f"0xm{n}" for n in range(25, 30)]
    assert len(seen.traded) == len(seen.bars) * 2
    # What is traded again is the newest again.
    room.print_price("0xm25", yes("0xm25"), 510_000)
    assert list(seen.bars)[-1] == "0xm25"
    # A price is not forgotten: without one nothing is bought.
    assert len(seen.prices) == 30 + 2 * len(MARKETS)


def test_dropping_the_bars_of_what_is_held_is_news_to_the_scenarios(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = Room(tight(price_age_s_max=86_400 * 7))
    for hour in range(15):
        room.now_ns += 3_600 * S
        room.print_price(MARKETS[0], yes(MARKETS[0]), 500_000 + 30_000 * (hour % 2))
    room.buy(max_size_micro=100 * SHARE)
    desk_of = room.core.agent._desk  # type: ignore[attr-defined]
    before = desk_of.marks.day_ahead(room.state, desk_of.views)
    monkeypatch.setattr(views, "FOLLOWED_MAX", 1)
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    assert MARKETS[0] not in desk_of.views.bars
    now = room.core.agent._desk  # type: ignore[attr-defined]
    fresh = Marks()
    fresh.refresh(now.state, now.views, now.now_ns, now.limits.bar_ns)
    assert now.marks.day_ahead(now.state, now.views) == fresh.day_ahead(now.state, now.views)
    assert before.cvar_975_micro > 0


def test_whether_the_var_held_is_told_when_there_are_enough_days() -> None:
    room = desk()
    history = room.state.history
    # Two days in a row of forty, where one in a hundred was told.
    history.var_exceeded = [number in (20, 21) for number in range(40)]
    told = measured(room)
    assert (told.var_exceptions, told.var_days) == (2, 40)
    coverage = kupiec(2, 40, 0.01).p_value
    independence = christoffersen(history.var_exceeded).p_value
    assert told.var_coverage_p_micro_ratio == round(coverage * 1_000_000) > 0
    assert told.var_independence_p_micro_ratio == round(independence * 1_000_000) > 0
    gauges = RiskGauges()
    gauges.committed(room.core, room.steps[-1])
    registry = CollectorRegistry()
    registry.register(gauges)
    text = generate_latest(registry).decode()
    assert 'whaletrader_risk_var_exceptions{portfolio="main"} 2.0' in text
    assert f'whaletrader_risk_var_coverage_p_ratio{{portfolio="main"}} {coverage:.4f}' in text
    history.var_exceeded = history.var_exceeded[:30]
    assert measured(room).var_coverage_p_micro_ratio == 0
