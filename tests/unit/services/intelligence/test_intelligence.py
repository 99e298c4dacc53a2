"""One burst, one alert; active and quiet; nothing before a market is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.intelligence.market_prints import (
    DOLLAR,
    HOUR_NS,
    MINUTE_NS,
    SETTINGS,
    START_NS,
    Prints,
    printed,
    state_bytes,
)
from whaletrader.domain.ids import derived_id
from whaletrader.quant.ewma import Ewma, updated
from whaletrader.runtime.core import Core, Inline
from whaletrader.schemas import agent_pb2, anomaly_pb2, market_pb2
from whaletrader.services.intelligence.agent import IntelligenceAgent
from whaletrader.services.intelligence.config import IntelligenceSettings

ACTIVE, QUIET = anomaly_pb2.REGIME_ACTIVE, anomaly_pb2.REGIME_QUIET


def test_a_burst_raises_an_alert_with_its_rules_values_and_limits() -> None:
    prints = Prints()
    at_ns = prints.steady(30)
    prints.print(400, at_ns)
    [alert] = prints.alerts()
    assert (alert.condition_id, alert.kind) == ("m", anomaly_pb2.ANOMALY_KIND_VOLUME)
    reasons = {reason.rule.removeprefix("intelligence."): reason for reason in alert.reasons}
    assert all(reason.passed for reason in alert.reasons)
    assert reasons["warm_up"].value == 30
    assert reasons["volume_min"].value == 400 * DOLLAR
    expected = Ewma()
    for minute in range(30):
        expected = updated(expected, (10 + minute % 3) * DOLLAR, SETTINGS.slow_decay)
    deviation = max(expected.variance**0.5, SETTINGS.deviation_min_micro)
    z = (400 * DOLLAR - expected.mean) / deviation
    assert reasons["z_min"].value == pytest.approx(z * 1e6, abs=2)
    assert reasons["z_min"].limit == 4_000_000


def test_the_volume_of_one_bucket_adds_up_to_a_burst() -> None:
    prints = Prints()
    at_ns = prints.steady(30)
    heard = [prints.print(15, at_ns + second * 10**9) for second in range(10)]
    assert [len(one) for one in heard].index(1) == 3
    assert len(prints.alerts()) == 1


def test_a_burst_over_several_buckets_is_one_alert() -> None:
    prints = Prints()
    at_ns = prints.steady(30)
    for minute in range(8):
        prints.print(400 * 2**minute, at_ns + minute * MINUTE_NS)
        prints.print(400 * 2**minute, at_ns + minute * MINUTE_NS + 10**9)
    assert len(prints.alerts()) == 1


def test_a_new_burst_after_the_cool_down_is_a_new_alert() -> None:
    prints = Prints()
    at_ns = prints.steady(60)
    prints.print(400, at_ns)
    prints.now_ns = at_ns + MINUTE_NS
    at_ns = prints.steady(60)
    prints.print(4_000, at_ns)
    assert len(prints.alerts()) == 2


def test_nothing_is_unusual_before_the_market_is_known() -> None:
    prints = Prints()
    at_ns = prints.steady(SETTINGS.warm_up_buckets - 1)
    prints.print(100_000, at_ns)
    assert prints.said == []


def test_a_silent_hour_counts_as_empty_buckets() -> None:
    prints = Prints()
    prints.print(10, START_NS)
    prints.print(400, START_NS + HOUR_NS)
    [alert] = prints.alerts()
    assert alert.reasons[0].value == 60


def test_a_multiple_of_nearly_nothing_is_no_anomaly() -> None:
    prints = Prints()
    at_ns = prints.steady(30, dollars=1)
    prints.print(45, at_ns)
    assert prints.alerts() == []


def test_markets_are_measured_apart() -> None:
    prints = Prints()
    prints.steady(30, market="busy", dollars=1_000)
    at_ns = prints.steady(30, market="calm")
    prints.print(900, at_ns, "busy")
    assert prints.alerts() == []
    prints.print(900, at_ns, "calm")
    assert [alert.condition_id for alert in prints.alerts()] == ["calm"]


def test_a_print_from_a_closed_bucket_changes_nothing() -> None:
    prints = Prints()
    at_ns = prints.steady(30)
    before = state_bytes(prints.core)
    assert prints.print(100_000, at_ns - 20 * MINUTE_NS) == []
    assert state_bytes(prints.core) == before


def test_a_market_turns_active_and_quiet_again() -> None:
    prints = Prints()
    at_ns = prints.steady(30)
    for minute in range(5):
        prints.print(100, at_ns + minute * MINUTE_NS)
    assert prints.regimes() == [ACTIVE]
    assert "m" in prints.state.active
    prints.now_ns = at_ns + 5 * MINUTE_NS
    prints.steady(30, dollars=5)
    assert prints.regimes() == [ACTIVE, QUIET]
    assert prints.state.active == {}
    change = prints.said[-1]
    assert change.reasons[0].rule == "intelligence.quiet_ratio"
    assert change.reasons[0].value <= change.reasons[0].limit


def active_market() -> Prints:
    prints = Prints()
    at_ns = prints.steady(30)
    for minute in range(5):
        prints.print(100, at_ns + minute * MINUTE_NS)
    assert prints.regimes() == [ACTIVE]
    return prints


def test_an_active_market_that_stops_trading_turns_quiet_by_the_sweep() -> None:
    prints = active_market()
    assert prints.timer is not None
    prints.fire_until(prints.now_ns + 6 * HOUR_NS)
    assert prints.regimes() == [ACTIVE, QUIET]
    assert prints.timer is None
    assert prints.state.sweep_due_ns == 0


def test_the_sweep_starts_again_with_the_next_active_market() -> None:
    prints = active_market()
    prints.fire_until(prints.now_ns + 6 * HOUR_NS)
    at_ns = prints.steady(30)
    for minute in range(5):
        prints.print(1_000, at_ns + minute * MINUTE_NS)
    assert prints.regimes() == [ACTIVE, QUIET, ACTIVE]
    assert prints.timer is not None


def test_a_resolved_market_is_quiet_and_forgotten() -> None:
    prints = active_market()
    gone = market_pb2.MarketResolved(condition_id="m", winning_token_id="y")
    [change] = prints.tell(gone, prints.now_ns)
    assert (change.regime, change.reasons[0].rule) == (QUIET, "intelligence.resolved")
    assert prints.core.agent.views.volumes == {}
    again = market_pb2.MarketResolved(condition_id="m", winning_token_id="y")
    assert prints.tell(again, prints.now_ns + 1) == []


def test_an_active_market_whose_volumes_are_lost_turns_quiet_at_the_sweep() -> None:
    prints = active_market()
    prints.core.agent.views.volumes.clear()
    prints.fire_until(prints.now_ns + HOUR_NS)
    assert prints.regimes() == [ACTIVE, QUIET]
    assert prints.said[-1].reasons[0].rule == "intelligence.remembered"


def test_a_lost_timer_is_set_again() -> None:
    prints = active_market()
    failed = agent_pb2.EffectFailed(
        effect_id=prints.timer.id, type="whaletrader.agent.v1.SetTimer", error="gone"
    )
    failed.meta.id = derived_id("failed")
    step = prints.core.step([Inline(failed, prints.timer.id)], prints.now_ns)
    assert step.effects[0].message.due_ns > prints.now_ns


def test_the_market_that_traded_longest_ago_is_forgotten_first() -> None:
    prints = Prints(IntelligenceSettings(markets_max=2))
    for number, market in enumerate(("a", "b", "a", "c")):
        prints.print(10, START_NS + number, market)
    assert list(prints.core.agent.views.volumes) == ["a", "c"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("price_micro", 0), ("price_micro", 1_000_000), ("size_micro", 0), ("condition_id", "")],
)
def test_a_print_out_of_range_becomes_a_dead_letter_and_is_not_counted(
    field: str, value: int | str
) -> None:
    prints = Prints()
    message = printed(10)
    setattr(message, field, value)
    [letter] = prints.tell(message, START_NS)
    assert "InvalidPrint" in letter.error
    assert prints.core.agent.views.volumes == {}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"quiet_ratio": 2.0, "active_ratio": 2.0}, "flaps"),
        ({"fast_decay": 0.97, "slow_decay": 0.97}, "fast_decay"),
        ({"slow_decay": 1.0}, "slow_decay"),
        ({"bucket_s": 0}, "bucket_s"),
        ({"z_min": 0}, "z_min"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        IntelligenceSettings(**setting)


lives = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("ab"), st.integers(1, 5_000), st.integers(0, 20)),
        st.tuples(st.just("end"), st.sampled_from("ab"), st.integers(0, 90)),
    ),
    max_size=60,
)


@given(lives)
@settings(max_examples=80, deadline=None)
def test_following_the_journal_gives_the_same_state_and_views(life: list) -> None:
    prints = Prints(SETTINGS.model_copy(update={"warm_up_buckets": 2}))
    for what, detail, minutes in life:
        at_ns = prints.now_ns + minutes * MINUTE_NS
        if what == "end":
            gone = market_pb2.MarketResolved(condition_id=detail, winning_token_id="y")
            prints.tell(gone, at_ns)
        else:
            prints.print(detail, at_ns, what)
    assert state_bytes(prints.restored()) == state_bytes(prints.core)
    snapshot = agent_pb2.AgentSnapshot.FromString(prints.core.snapshot(0).value)
    restarted = Core(IntelligenceAgent(prints.settings))
    assert restarted.load(snapshot)
    assert state_bytes(restarted) == state_bytes(prints.core)
