"""Every state of the desk, how it is entered and how it is left."""

from collections.abc import Callable

import pytest

from tests.unit.services.risk.risk_room import (
    DAY,
    FLATTEN,
    HALT,
    MARKETS,
    RESUME,
    SELL,
    SHARE,
    USD,
    Room,
    S,
    alerts,
    closed,
    no,
    order_of,
    said,
    tight,
    yes,
)
from whaletrader.runtime.core import Step
from whaletrader.schemas import order_pb2, risk_pb2
from whaletrader.services.risk import states
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.policy_terms import RiskPolicy
from whaletrader.services.risk.rules import Rule
from whaletrader.services.risk.state import Stance, day_of, week_of

NORMAL, REDUCE, PAUSE = states.NORMAL, states.REDUCE, states.PAUSE
HALTED, DELEVERAGE, FLAT = states.HALT, states.DELEVERAGE, states.FLATTEN


def steps_of(**limits: object) -> RiskPolicy:
    """Drawdowns at 10, 15 and 20 %, measured at every message."""
    return tight(
        **{
            "trade_usd_max": 5_000,
            "position_usd_max": 5_000,
            "market_usd_max": 9_000,
            "leader_usd_max": 9_000,
            "reduce_drawdown_ratio": "0.1",
            "reduce_more_drawdown_ratio": "0.15",
            "halt_drawdown_ratio": "0.2",
            "measure_every_s": 1,
            **limits,
        }
    )


def state_of(room: Room) -> int:
    return room.state.stance.state


def held(room: Room, dollars: int = 5_000) -> None:
    """Hold shares for so many dollars at a half, and let the desk be measured."""
    room.buy(max_size_micro=dollars * 2 * SHARE - 100 * SHARE, fair_value_micro=999_999)
    mark(room, 500_000)


def mark(room: Room, price_micro: int) -> Step:
    room.now_ns += 2 * S
    room.print_price(MARKETS[0], yes(MARKETS[0]), price_micro)
    return room.steps[-1]


def lose(room: Room, market: int, dollars: int = 5) -> Step:
    condition = MARKETS[market]
    room.print_price(condition, yes(condition), 500_000)
    room.buy(condition_id=condition, token_id=yes(condition), max_size_micro=dollars * 2 * SHARE)
    return room.resolve(condition, no(condition))


@pytest.mark.parametrize(
    ("price", "state", "ratio"),
    [(401_100, NORMAL, 1_000_000), (395_000, REDUCE, 500_000), (345_000, REDUCE, 250_000)],
)
def test_sizes_are_cut_down_at_each_step_of_the_drawdown(
    price: int, state: int, ratio: int
) -> None:
    # 9,900 shares of a half: ten percent of ten thousand dollars are gone at 0.39899.
    room = Room(steps_of())
    held(room)
    step = mark(room, price)
    assert state_of(room) == state
    assert room.state.stance.size_micro_ratio == ratio
    if state == REDUCE:
        changed = said(step, risk_pb2.TradingStateChanged)[0]
        assert changed.exit_condition == states.EXITS[Alert.DRAWDOWN_REDUCE]
        assert not changed.halted
    approval = room.ask(room.elsewhere(max_size_micro=100 * SHARE))
    assert approval.size_micro == 100 * SHARE * ratio // 1_000_000
    assert room.restored() == room.state


def test_a_recovery_ends_the_reduction() -> None:
    room = Room(steps_of())
    held(room)
    mark(room, 345_000)
    mark(room, 395_000)
    assert room.state.stance.size_micro_ratio == 500_000
    step = mark(room, 450_000)
    assert state_of(room) == NORMAL
    assert Alert.DRAWDOWN_RECOVERED in alerts(step)


def deleveraged(room: Room) -> risk_pb2.ApprovedTrade:
    held(room)
    step = mark(room, 290_000)
    assert state_of(room) == DELEVERAGE
    assert Alert.DRAWDOWN_HALT in alerts(step)
    sale = said(step, risk_pb2.ApprovedTrade)[0]
    assert sale.size_micro == 4_950 * SHARE
    assert said(step, risk_pb2.DeriskOrdered)[0].reduce_micro_ratio == 500_000
    return sale


def test_at_the_last_step_half_of_everything_is_sold_and_then_a_person_must_resume() -> None:
    room = Room(steps_of(drawdown_needs_resume=True))
    order = order_of(deleveraged(room))
    room.tell(order_pb2.OrderAnnounced(order=order))
    mark(room, 290_000)
    assert state_of(room) == DELEVERAGE
    fill = order_pb2.Fill(trade_id="t", price_micro=290_000, size_micro=order.size_micro)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    room.tell(order_pb2.OrderConfirmed(order=order, fill=fill))
    step = mark(room, 290_000)
    assert state_of(room) == HALTED
    assert Alert.DELEVERAGED in alerts(step)
    assert room.state.stance.needs_person
    room.now_ns += 3 * DAY
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    assert room.refusal(room.elsewhere()) == Rule.HALTED
    room.control(RESUME)
    # The drawdown that was looked at does not stop the desk again.
    mark(room, 290_000)
    assert state_of(room) == NORMAL
    assert room.restored() == room.state


def test_without_a_person_the_drawdowns_halt_ends_with_the_day() -> None:
    room = Room(steps_of(drawdown_needs_resume=False))
    room.work(deleveraged(room))
    mark(room, 290_000)
    assert state_of(room) == HALTED
    assert room.state.stance.exit_condition == states.BY_ITSELF
    room.now_ns += DAY
    mark(room, 290_000)
    assert state_of(room) == NORMAL


def test_what_comes_back_unsold_of_the_cut_is_put_up_again_and_then_somebody_is_paged() -> None:
    room = Room(steps_of(flatten_attempts_max=3))
    sale = deleveraged(room)
    order = order_of(sale)
    room.tell(order_pb2.OrderAnnounced(order=order))
    part = order_pb2.Fill(trade_id="t", price_micro=290_000, size_micro=1_950 * SHARE)
    room.tell(order_pb2.OrderMatched(order=order, fill=part))
    step = room.tell(closed(order, part.size_micro))
    (second,) = said(step, risk_pb2.ApprovedTrade)
    assert second.size_micro == 3_000 * SHARE
    (third,) = said(room.fire(second), risk_pb2.ApprovedTrade)
    assert third.size_micro == 3_000 * SHARE
    mark(room, 290_000)
    assert state_of(room) == DELEVERAGE
    step = room.tell(order_pb2.ApprovalRefused(approval_id=third.approval_id, portfolio="main"))
    assert not said(step, risk_pb2.ApprovedTrade)
    assert alerts(step) == [Alert.NOT_FLATTENED]
    mark(room, 290_000)
    assert state_of(room) == HALTED
    assert room.restored() == room.state


def test_in_every_state_that_a_rule_caused_holdings_may_be_sold_and_nothing_bought() -> None:
    room = Room(steps_of(day_loss_usd_max=5, losses_in_row_max=1))
    room.buy(max_size_micro=100 * SHARE)
    lose(room, 1)
    assert state_of(room) in (PAUSE, HALTED)
    assert room.refusal(room.proposal(token_id=no(MARKETS[0]))) == Rule.HALTED
    assert room.ask(room.proposal(side=SELL)).size_micro == 100 * SHARE


@pytest.mark.parametrize(("most", "is_paused"), [(2, True), (3, False)])
def test_so_many_losses_in_a_row_pause_the_desk(most: int, is_paused: bool) -> None:
    room = Room(tight(losses_in_row_max=most))
    lose(room, 0)
    assert state_of(room) == NORMAL
    step = lose(room, 1)
    assert (state_of(room) == PAUSE) is is_paused
    assert (Alert.LOSSES_IN_ROW in alerts(step)) is is_paused


def test_a_gain_ends_the_row() -> None:
    room = Room(tight(losses_in_row_max=2))
    lose(room, 0)
    room.buy(condition_id=MARKETS[1], token_id=yes(MARKETS[1]))
    room.resolve(MARKETS[1], yes(MARKETS[1]))
    lose(room, 2)
    assert room.state.history.losses_in_row == 1
    assert state_of(room) == NORMAL


@pytest.mark.parametrize("spare_ns", [-1, 0])
def test_a_pause_ends_after_its_time_and_the_row_with_it(spare_ns: int) -> None:
    room = Room(tight(losses_in_row_max=1, price_age_s_max=86_400))
    lose(room, 0)
    room.now_ns += 3_600 * S + spare_ns
    if spare_ns:
        assert room.refusal(room.elsewhere()) == Rule.HALTED
        return
    step = room.tell(room.elsewhere())
    assert alerts(step) == [Alert.PAUSE_OVER]
    assert isinstance(step.replies[0], risk_pb2.ApprovedTrade)
    assert room.state.history.losses_in_row == 0
    assert room.restored() == room.state


def test_a_days_loss_is_also_a_share_of_the_capital() -> None:
    room = Room(tight(day_loss_ratio_max="0.0005"))
    lose(room, 0, 4)
    assert state_of(room) == NORMAL
    lose(room, 1, 3)
    assert state_of(room) == HALTED
    assert room.state.stance.rule == Alert.DAY_LOSS


def test_a_weeks_loss_halts() -> None:
    room = Room(tight(day_loss_usd_max=8, week_loss_usd_max=8, price_age_s_max=7 * 86_400))
    lose(room, 0)
    room.now_ns += DAY
    step = lose(room, 1)
    assert alerts(step) == [Alert.WEEK_LOSS]


def test_an_operators_halt_is_not_put_down_by_rules_but_by_persons() -> None:
    room = Room(steps_of())
    held(room)
    room.control(HALT)
    mark(room, 200_000)
    assert state_of(room) == HALTED
    assert room.state.stance.rule == Alert.HALT
    room.control(FLATTEN)
    assert state_of(room) == FLAT
    room.control(RESUME)
    mark(room, 200_000)
    # Resumed, the drawdown since then is what counts.
    assert state_of(room) == NORMAL


@pytest.mark.parametrize("cause", list(states.TABLE))
def test_the_table_names_states_and_every_cause_has_an_exit(cause: Alert) -> None:
    sources, target = states.TABLE[cause]
    assert set(sources) <= set(states.EVERY)
    if target != NORMAL:
        assert states.EXITS[cause]


def test_states_survive_a_restart() -> None:
    room = Room(tight(losses_in_row_max=1))
    lose(room, 0)
    restored = room.restored()
    assert restored.stance == room.state.stance
    assert restored.stance.exit_condition == states.EXITS[Alert.LOSSES_IN_ROW]


CAUSED: dict[Alert, Callable[[Desk], states.Change | None]] = {
    Alert.HALT: lambda desk: states.by_order(desk, Alert.HALT),
    Alert.FLATTEN: lambda desk: states.by_order(desk, Alert.FLATTEN),
    Alert.RESUME: lambda desk: states.by_order(desk, Alert.RESUME),
    Alert.DRAWDOWN_HALT: states.by_drawdown,
    Alert.DRAWDOWN_REDUCE: states.by_drawdown,
    Alert.DRAWDOWN_RECOVERED: states.by_drawdown,
    Alert.DELEVERAGED: states.by_deleveraging,
    Alert.DAY_LOSS: states.by_losses,
    Alert.WEEK_LOSS: states.by_losses,
    Alert.LOSSES_IN_ROW: states.by_losses,
    Alert.DAY_OVER: states.by_time,
    Alert.PAUSE_OVER: states.by_time,
}
# What makes the cause true: the history that goes with it.
HISTORIES: dict[Alert, dict[str, int]] = {
    Alert.DRAWDOWN_HALT: {"review_high_micro": 12_500 * USD},
    Alert.DRAWDOWN_REDUCE: {"review_high_micro": 11_112 * USD},
    Alert.DAY_LOSS: {"day_realized_micro": -500 * USD},
    Alert.WEEK_LOSS: {"week_realized_micro": -1_500 * USD},
    Alert.LOSSES_IN_ROW: {"losses_in_row": 5},
}
TIMED = (Alert.DAY_OVER, Alert.PAUSE_OVER)


def in_state(number: int, cause: Alert) -> Desk:
    """A desk in that state, stopped by a day's loss if it is stopped, where the cause holds."""
    room = Room(steps_of(day_loss_usd_max=500, week_loss_usd_max=1_500, losses_in_row_max=5))
    history = room.state.history
    history.day, history.week = day_of(room.now_ns), week_of(room.now_ns)
    for name, value in HISTORIES.get(cause, {}).items():
        setattr(history, name, value)
    is_reduced = number == REDUCE and cause != Alert.DRAWDOWN_REDUCE
    room.state.stance = Stance(
        number=number,
        rule=Alert.DAY_LOSS,
        until_ns=room.now_ns if cause in TIMED else 0,
        size_micro_ratio=500_000 if is_reduced else 1_000_000,
    )
    running = room.core.agent
    assert isinstance(running, RiskAgent)
    return running._desk


@pytest.mark.parametrize("cause", list(states.TABLE))
@pytest.mark.parametrize("state", states.EVERY)
def test_a_cause_moves_the_desk_from_the_states_of_its_row_and_from_no_other(
    cause: Alert, state: int
) -> None:
    sources, target = states.TABLE[cause]
    change = CAUSED[cause](in_state(state, cause))
    if state in sources:
        assert change is not None
        assert (change.cause, change.state) == (cause, target)
        assert target == NORMAL or change.exit_condition
    else:
        assert change is None or change.cause != cause


def test_every_cause_of_the_table_is_tried() -> None:
    assert set(CAUSED) == set(states.TABLE)
