"""When a whale's trade is proposed, and when not."""

import pytest

from tests.unit.services.orchestrator.orchestrator_floor import (
    ANN,
    BOB,
    BUY,
    EVE,
    HOUR_NS,
    NO,
    SELL,
    SETTINGS,
    YES,
    Floor,
    decisions,
    declined_by,
    proposal,
)
from whaletrader.domain.money import MICRO
from whaletrader.schemas import (
    control_pb2,
    market_pb2,
    whale_pb2,
)
from whaletrader.services.orchestrator.config import NS_PER_S, OrchestratorSettings
from whaletrader.services.orchestrator.rules import RULES, Rule


def test_a_whales_buy_is_proposed_with_every_reason() -> None:
    step = Floor().trade()
    asked = proposal(step)
    assert (asked.leader, asked.token_id, asked.side) == (ANN, YES, BUY)
    assert asked.limit_price_micro == 520_000
    assert asked.fair_value_micro == 530_000
    assert asked.leader_notional_micro > 0
    rules = {reason.rule for reason in decisions(step)[0].reasons}
    assert rules == set(Rule) - {Rule.HELD, Rule.EXIT_SHARE}


def test_the_proposal_belongs_to_the_trades_chain_and_has_a_deadline() -> None:
    floor = Floor()
    step = floor.trade(at_ns=HOUR_NS)
    asked = proposal(step)
    assert asked.meta.cause == decisions(step)[0].meta.id
    assert asked.meta.correlation == decisions(step)[0].meta.correlation
    assert asked.deadline_ns == HOUR_NS + 250_000_000
    assert asked.asked_ns == HOUR_NS


def test_a_wallet_that_nobody_follows_is_no_candidate() -> None:
    step = Floor().trade(wallet=EVE)
    assert decisions(step) == []


def test_a_pruned_whale_is_not_followed_any_more() -> None:
    floor = Floor()
    floor.tell(whale_pb2.WhalePruned(wallet=ANN))
    assert decisions(floor.trade()) == []


def test_an_unknown_market_is_declined() -> None:
    assert declined_by(Floor().trade(market="other")) == Rule.MARKET_KNOWN


def test_a_token_of_another_market_is_declined() -> None:
    assert declined_by(Floor().trade(token="strange")) == Rule.MARKET_KNOWN


def test_a_decided_market_is_declined() -> None:
    floor = Floor()
    floor.tell(market_pb2.MarketResolved(condition_id="m", winning_token_id=YES))
    assert declined_by(floor.trade()) == Rule.MARKET_OPEN


@pytest.mark.parametrize("price", [49_999, 950_001])
def test_a_price_just_outside_the_range_is_declined(price: int) -> None:
    assert declined_by(Floor().trade(price=price, size=100_000 * MICRO)) == Rule.PRICE_RANGE


@pytest.mark.parametrize("price", [50_000, 950_000])
def test_a_price_at_the_end_of_the_range_is_proposed(price: int) -> None:
    proposal(Floor().trade(price=price, size=100_000 * MICRO))


def test_conviction_counts_to_the_micro_dollar() -> None:
    assert declined_by(Floor().trade(size=200 * MICRO - 2)) == Rule.CONVICTION
    proposal(Floor().trade(size=200 * MICRO))


def test_small_buys_add_up_to_conviction() -> None:
    floor = Floor()
    assert declined_by(floor.trade(size=120 * MICRO)) == Rule.CONVICTION
    proposal(floor.trade(size=120 * MICRO))


def test_conviction_is_forgotten_after_the_window() -> None:
    floor = Floor()
    floor.trade(size=150 * MICRO, at_ns=HOUR_NS)
    late = HOUR_NS + 86_400 * NS_PER_S + 1
    assert declined_by(floor.trade(size=150 * MICRO, at_ns=late)) == Rule.CONVICTION


def test_a_sale_takes_conviction_away() -> None:
    floor = Floor()
    floor.trade(size=150 * MICRO)
    floor.trade(side=SELL, size=150 * MICRO)
    assert declined_by(floor.trade(size=150 * MICRO)) == Rule.CONVICTION


def test_opposite_whales_cancel_out() -> None:
    floor = Floor()
    proposal(floor.trade(wallet=BOB, token=NO))
    assert declined_by(floor.trade(wallet=ANN, token=YES)) == Rule.OPPOSITION


def test_a_much_smaller_opposite_whale_does_not() -> None:
    floor = Floor()
    floor.trade(wallet=BOB, token=NO, size=500 * MICRO)
    proposal(floor.trade(wallet=ANN, token=YES, size=1_000 * MICRO))


def test_opposition_by_a_wallet_that_nobody_follows_does_not_count() -> None:
    floor = Floor()
    floor.trade(wallet=EVE, token=NO, size=100_000 * MICRO)
    proposal(floor.trade())


def test_a_burst_of_fills_is_one_signal() -> None:
    floor = Floor()
    proposal(floor.trade(at_ns=HOUR_NS))
    assert declined_by(floor.trade(at_ns=2 * HOUR_NS - 1)) == Rule.COOLDOWN
    proposal(floor.trade(at_ns=2 * HOUR_NS))


def test_another_whale_in_the_same_token_is_another_signal() -> None:
    floor = Floor()
    proposal(floor.trade(wallet=ANN))
    proposal(floor.trade(wallet=BOB))


def control(action: control_pb2.ControlAction.ValueType) -> control_pb2.ControlOrdered:
    return control_pb2.ControlOrdered(portfolio="main", action=action, operator="ann")


@pytest.mark.parametrize(
    "action", [control_pb2.CONTROL_ACTION_HALT, control_pb2.CONTROL_ACTION_FLATTEN]
)
def test_nothing_is_proposed_while_an_operator_has_halted(
    action: control_pb2.ControlAction.ValueType,
) -> None:
    floor = Floor()
    floor.fill(ANN, 7 * MICRO)
    floor.tell(control(action))
    assert declined_by(floor.trade()) == Rule.HALTED
    assert declined_by(floor.trade(side=SELL)) == Rule.HALTED
    floor.tell(control(control_pb2.CONTROL_ACTION_RESUME))
    proposal(floor.trade(side=SELL))


def test_a_halt_of_another_portfolio_is_none_of_our_business() -> None:
    floor = Floor()
    floor.tell(
        control_pb2.ControlOrdered(portfolio="other", action=control_pb2.CONTROL_ACTION_HALT)
    )
    proposal(floor.trade())


@pytest.mark.parametrize(("late_ns", "is_signal"), [(0, True), (1, False)])
def test_a_trade_that_we_learn_of_late_is_history(late_ns: int, is_signal: bool) -> None:
    floor = Floor(SETTINGS.model_copy(update={"signal_age_s_max": 600}))
    floor.lag_ns = 600 * NS_PER_S + late_ns
    step = floor.trade(at_ns=HOUR_NS)
    if is_signal:
        proposal(step)
    else:
        assert declined_by(step) == Rule.SIGNAL_AGE


@pytest.mark.parametrize(("spare_ns", "is_entered"), [(1, True), (0, True), (-1, False)])
def test_a_market_may_end_at_the_limit_but_not_sooner(spare_ns: int, is_entered: bool) -> None:
    floor = Floor()
    floor.tell(floor.listing(ends_ns=2 * HOUR_NS + spare_ns))
    step = floor.trade(at_ns=HOUR_NS)
    if is_entered:
        proposal(step)
    else:
        assert declined_by(step) == Rule.TIME_TO_END


def test_a_market_that_has_not_opened_is_declined() -> None:
    floor = Floor()
    floor.tell(floor.listing(opens_ns=HOUR_NS + 1))
    assert declined_by(floor.trade(at_ns=HOUR_NS)) == Rule.MARKET_OPEN


def test_a_market_without_a_tick_stays_unknown() -> None:
    floor = Floor()
    floor.tell(floor.listing(condition_id="new", tick_size_micro=0))
    assert declined_by(floor.trade(market="new")) == Rule.MARKET_KNOWN


def printed(price: int, at_ns: int) -> market_pb2.TradePrinted:
    event = market_pb2.TradePrinted(condition_id="m", token_id=YES, price_micro=price)
    event.meta.event_time_ns = at_ns
    return event


@pytest.mark.parametrize(("price", "is_copied"), [(520_000, True), (520_001, False)])
def test_a_price_that_has_run_away_is_not_chased(price: int, is_copied: bool) -> None:
    floor = Floor()
    floor.tell(printed(price, HOUR_NS + 1))
    step = floor.trade(at_ns=HOUR_NS)
    if is_copied:
        proposal(step)
    else:
        assert declined_by(step) == Rule.PRICE_DRIFT


def test_a_higher_price_before_the_whales_trade_says_nothing() -> None:
    floor = Floor()
    floor.tell(printed(900_000, HOUR_NS - 1))
    proposal(floor.trade(at_ns=HOUR_NS))


def test_an_older_print_does_not_replace_a_newer_one() -> None:
    floor = Floor()
    floor.tell(printed(900_000, HOUR_NS + 2))
    floor.tell(printed(500_000, HOUR_NS + 1))
    assert declined_by(floor.trade(at_ns=HOUR_NS)) == Rule.PRICE_DRIFT


def test_a_whale_that_sells_the_same_token_is_on_the_other_side() -> None:
    floor = Floor()
    floor.trade(wallet=BOB, side=SELL, size=600 * MICRO)
    assert declined_by(floor.trade(wallet=ANN)) == Rule.OPPOSITION


@pytest.mark.parametrize(("size", "is_copied"), [(500 * MICRO, True), (500 * MICRO + 2, False)])
def test_opposition_counts_to_its_share(size: int, is_copied: bool) -> None:
    floor = Floor()
    floor.trade(wallet=BOB, token=NO, size=size)
    step = floor.trade(wallet=ANN)
    if is_copied:
        proposal(step)
    else:
        assert declined_by(step) == Rule.OPPOSITION


def test_a_whale_that_buys_both_sides_has_no_conviction() -> None:
    floor = Floor()
    floor.trade(wallet=ANN, token=NO, size=950 * MICRO)
    assert declined_by(floor.trade(wallet=ANN)) == Rule.CONVICTION


def test_a_copy_is_at_most_what_the_whale_has_built_up_less_what_is_held() -> None:
    floor = Floor()
    floor.trade(size=120 * MICRO)
    assert proposal(floor.trade(size=300 * MICRO)).max_size_micro == 420 * MICRO
    floor.fill(ANN, 400 * MICRO)
    late = 2 * HOUR_NS
    assert proposal(floor.trade(size=100 * MICRO, at_ns=late)).max_size_micro == 120 * MICRO


@pytest.mark.parametrize("held", [1_000 * MICRO, 1_001 * MICRO])
def test_at_or_over_its_target_nothing_more_is_copied(held: int) -> None:
    floor = Floor()
    floor.fill(ANN, held)
    assert declined_by(floor.trade(size=1_000 * MICRO)) == Rule.COPY_TARGET


def test_a_copy_can_be_a_share_of_the_whales_size() -> None:
    floor = Floor(OrchestratorSettings(copy_ratio="0.1"))  # type: ignore[arg-type]
    assert proposal(floor.trade(size=1_000 * MICRO)).max_size_micro == 100 * MICRO


def test_a_new_score_of_a_whale_moves_what_a_copy_is_worth() -> None:
    floor = Floor()
    floor.tell(whale_pb2.WhaleScored(wallet=ANN, score=whale_pb2.Score(edge_micro=90_000)))
    floor.tell(whale_pb2.WhaleScored(wallet=EVE, score=whale_pb2.Score(edge_micro=90_000)))
    assert proposal(floor.trade()).fair_value_micro == 590_000
    assert decisions(floor.trade(wallet=EVE)) == []


def test_what_a_copy_is_worth_stays_below_a_dollar() -> None:
    floor = Floor()
    floor.tell(whale_pb2.WhaleScored(wallet=ANN, score=whale_pb2.Score(edge_micro=900_000)))
    assert proposal(floor.trade(price=900_000)).fair_value_micro == MICRO - 1


def test_a_decided_market_is_forgotten() -> None:
    floor = Floor()
    floor.trade()
    floor.fill(ANN, 7 * MICRO)
    floor.tell(printed(500_000, HOUR_NS))
    floor.tell(market_pb2.MarketResolved(condition_id="m", winning_token_id=YES))
    floor.fill(ANN, 7 * MICRO)
    floor.trade()
    views = floor.core.agent.views
    seen = [views.convictions, views.stances, views.held, views.prices]
    assert not any(seen)


@pytest.mark.parametrize("changes", [{"side": 0}, {"size": 0}, {"price": 0}, {"price": MICRO}])
def test_a_trade_that_makes_no_sense_is_kept_as_a_dead_letter(changes: dict[str, int]) -> None:
    step = Floor().trade(**changes)  # type: ignore[arg-type]
    assert [topic for _, topic, _ in step.events] == ["dead.letter"]


def test_every_rule_is_explained_in_one_line() -> None:
    assert set(RULES) == set(Rule)
    assert all(line.endswith(".") and "\n" not in line for line in RULES.values())


def test_settings_that_make_no_sense_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for changes in ({"no_such": 1}, {"cooldown_s": -1}, {"copy_ratio": 2}, {"portfolio": ""}):
        with pytest.raises(ValueError, match=next(iter(changes))):
            OrchestratorSettings(**changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nothing would be copied"):
        OrchestratorSettings(price_usd_min="0.9", price_usd_max="0.1")  # type: ignore[arg-type]
    monkeypatch.setenv("WHALETRADER_MODE", "live")
    assert OrchestratorSettings().thresholds().signal_age_ns_max == 600 * NS_PER_S
