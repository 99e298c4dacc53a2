"""The policy: what a file may say, how it gets into force, and that the journal holds it."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.services.risk.risk_room import (
    GENEROUS,
    NOW,
    SETTINGS,
    USD,
    Room,
    S,
    agent,
    alerts,
    opening,
    said,
    tight,
)
from whaletrader.runtime.core import Core
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.charter import tightened
from whaletrader.services.risk.config import DemoRiskSettings, RiskSettings
from whaletrader.services.risk.policy_file import DEFAULT, DEMO, PolicyFile, load_policy
from whaletrader.services.risk.policy_file import opening as told_by
from whaletrader.services.risk.policy_terms import (
    PolicyRefused,
    RiskPolicy,
    read_policy,
    tighter_way,
)

PROPOSE = risk_pb2.POLICY_ACTION_PROPOSE
CONFIRM = risk_pb2.POLICY_ACTION_CONFIRM
WITHDRAW = risk_pb2.POLICY_ACTION_WITHDRAW
SHOW = risk_pb2.POLICY_ACTION_SHOW


def order(
    room: Room, action: risk_pb2.PolicyAction.ValueType, **terms: str
) -> risk_pb2.PolicyAnswered:
    given = {"portfolio": "main", "operator": "ann", **terms}
    command = risk_pb2.PolicyCommand(action=action, **given)  # type: ignore[arg-type]
    answer = room.tell(command).replies[0]
    assert isinstance(answer, risk_pb2.PolicyAnswered)
    return answer


def in_force(room: Room) -> RiskPolicy:
    return read_policy(room.state.charter.document)


def test_the_shipped_files_are_policies_and_the_defaults_are_the_shipped_ones() -> None:
    assert load_policy(DEFAULT) == RiskPolicy()
    demo = load_policy(DEMO)
    assert demo.phase_start == len(demo.phase_ratios)
    assert not demo.day_loss_needs_resume
    assert RiskSettings().shipped == DEFAULT.name
    assert DemoRiskSettings().shipped == DEMO.name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trade_usd_maximum = 5", "trade_usd_maximum"),
        ("trade_usd_max = -5", "trade_usd_max"),
        ("trade_usd_max = 6000", "trade_usd_max is above position_usd_max"),
        ("reduce_drawdown_ratio = 0.5", "reduce_drawdown_ratio is above"),
        ("phase_ratios = [0.5, 0.1]", "must rise"),
        ("phase_start = 5", "there are 4 phases"),
        ("phase_ratios = [0.5, 1.5]", "more than all capital"),
        ("method = 'guess'", "method"),
        ("kelly_ratio = nan", "kelly_ratio"),
        ("trade_usd_max = 0.0000001", "trade_usd_max"),
        ("trade_usd_max = ", "no TOML"),
    ],
)
def test_a_file_with_a_flaw_is_refused_and_the_flaw_is_named(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(PolicyRefused, match=words) as refused:
        load_policy(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_stops_the_process_before_anything_is_traded(tmp_path: Path) -> None:
    settings = RiskSettings(policy_file=str(tmp_path / "none.toml"))
    with pytest.raises(PolicyRefused, match=r"none\.toml"):
        PolicyFile(settings)


def test_every_limit_says_which_way_is_tighter_and_has_its_integer() -> None:
    ways = {name: tighter_way(name) for name in RiskPolicy.model_fields}
    assert set(ways.values()) <= {"lower", "higher", "true", "false", "neither"}
    assert ways["trade_usd_max"] == "lower"
    assert ways["notional_usd_min"] == "higher"
    limits = RiskPolicy().limits()
    assert limits.trade_micro_max == 1_000 * USD
    assert limits.clock_skew_ns_max == 2 * S
    assert limits.phase_micro_ratios == (10_000, 100_000, 500_000, 1_000_000)


# What the shipped policy promises; a change of any of these is a decision, not a slip.
SHIPPED = {
    "trade_ratio_max": "0.02",
    "trade_usd_max": "1000",
    "market_usd_max": "5000",
    "market_ratio_max": "0.2",
    "leader_usd_max": "10000",
    "category_ratio_max": "0.3",
    "topic_ratio_max": "0.3",
    "topic_markets_max": "3",
    "correlation_ratio_max": "0.7",
    "total_ratio_max": "0.95",
    "open_positions_max": "50",
    "edge_usd_max": "0.3",
    "cvar_ratio_max": "0.05",
    "mvar_ratio_warn": "0.06",
    "mvar_ratio_max": "0.08",
    "losses_in_row_max": "5",
    "pause_s": "3600",
    "day_loss_ratio_max": "0.05",
    "day_loss_usd_max": "500",
    "reduce_drawdown_ratio": "0.1",
    "reduce_more_drawdown_ratio": "0.15",
    "reduce_size_ratio": "0.5",
    "halt_drawdown_ratio": "0.2",
    "deleverage_ratio": "0.5",
    "kelly_ratio": "0.25",
    "notional_usd_min": "10",
    "clock_skew_ms_max": "2000",
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_limits_are_the_promised_ones(name: str) -> None:
    assert getattr(RiskPolicy(), name) == Decimal(SHIPPED[name])


def test_the_first_file_opens_the_portfolio_and_the_journal_holds_it() -> None:
    room = Room(SETTINGS)
    assert in_force(room) == SETTINGS
    assert room.state.cash_micro == room.state.charter.starting_cash_micro == 10_000 * USD
    assert room.restored() == room.state


def test_a_restart_with_the_same_file_says_nothing() -> None:
    room = Room()
    assert not room.tell(opening(SETTINGS)).events


def test_another_starting_cash_is_told_and_changes_nothing() -> None:
    room = Room()
    step = room.tell(opening(SETTINGS, Decimal(99)))
    assert alerts(step) == [Alert.STARTING_CASH_DIFFERS]
    assert room.state.cash_micro == 10_000 * USD
    assert room.restored() == room.state


def test_a_restart_with_another_file_tightens_at_once_and_proposes_the_rest_once() -> None:
    room = Room()
    other = tight(trade_usd_max=100, leader_usd_max=3_000)
    step = room.tell(opening(other))
    assert alerts(step) == [Alert.POLICY_CHANGED, Alert.POLICY_WAITS]
    assert in_force(room).trade_usd_max == 100
    assert in_force(room).leader_usd_max == SETTINGS.leader_usd_max
    assert room.state.charter.pending_digest == other.digest
    # The next restart with it proposes nothing anew: it was told before.
    room.now_ns += 10_000 * S
    assert not room.tell(opening(other)).events
    assert room.restored() == room.state


def test_a_broken_file_at_a_restart_is_told_and_the_policy_stays() -> None:
    room = Room()
    broken = opening(SETTINGS)
    broken.document = '{"trade_usd_max": 0}'
    assert alerts(room.tell(broken)) == [Alert.POLICY_FILE_REFUSED]
    assert in_force(room) == SETTINGS


def test_a_tightening_is_in_force_at_once_and_recorded_with_who_ordered_it() -> None:
    room = Room()
    answer = order(room, PROPOSE, document=tight(trade_usd_max=2, kelly_ratio="0.25").document())
    assert answer.accepted
    assert not answer.pending_digest
    assert room.refusal(room.proposal()) == "trade-limit"
    changed = [e for s in room.steps for _, _, e in s.events if isinstance(e, PolicyChanged)]
    assert changed[-1].operator == "ann"
    assert [d.name for d in changed[-1].differences] == ["trade_usd_max"]
    assert room.restored() == room.state


PolicyChanged = risk_pb2.PolicyChanged


def test_a_loosening_waits_for_a_second_command_that_names_it() -> None:
    room = Room(tight(trade_usd_max=2))
    wider = tight(trade_usd_max=100)
    answer = order(room, PROPOSE, document=wider.document())
    assert answer.pending_digest == wider.digest
    assert room.refusal(room.proposal(fair_value_micro=900_000)) == "trade-limit"
    assert not order(room, CONFIRM, digest="another").accepted
    room.now_ns += 900 * S
    done = order(room, CONFIRM, digest=wider.digest, operator="bob")
    assert done.accepted
    assert done.digest == wider.digest
    assert room.state.charter.pending_digest == ""
    last = [e for s in room.steps for _, _, e in s.events if isinstance(e, PolicyChanged)][-1]
    assert last.operator == "ann, confirmed by bob"
    assert room.restored() == room.state


def test_a_loosening_that_waited_too_long_is_proposed_again() -> None:
    room = Room()
    wider = tight(leader_usd_max=3_000)
    order(room, PROPOSE, document=wider.document())
    room.now_ns += 900 * S + 1
    answer = order(room, CONFIRM, digest=wider.digest)
    assert not answer.accepted
    assert "too long" in answer.detail
    assert in_force(room) == SETTINGS


def test_what_waits_can_be_withdrawn() -> None:
    room = Room()
    wider = tight(leader_usd_max=3_000)
    order(room, PROPOSE, document=wider.document())
    assert order(room, WITHDRAW, digest=wider.digest).accepted
    assert not order(room, CONFIRM, digest=wider.digest).accepted
    assert room.restored() == room.state


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"document": '{"unheard_of": 1}'}, "unheard_of"),
        ({"document": "nonsense"}, "JSON"),
        ({"document": SETTINGS.document(), "operator": ""}, "operator"),
    ],
)
def test_a_command_with_a_flaw_changes_nothing_and_says_why(
    terms: dict[str, str], words: str
) -> None:
    room = Room()
    answer = order(room, PROPOSE, **terms)
    assert not answer.accepted
    assert words in answer.detail
    assert in_force(room) == SETTINGS


def test_show_tells_the_policy_in_force_and_a_stranger_nothing() -> None:
    room = Room()
    assert order(room, SHOW, operator="").document == SETTINGS.document()
    assert not order(room, SHOW, portfolio="other").accepted
    unopened = Room(None)
    assert "no policy is in force" in order(unopened, SHOW).detail


def test_tightening_takes_each_limit_from_the_tighter_side() -> None:
    one = tight(trade_usd_max=100, notional_usd_min=5, end_must_be_known=False)
    other = tight(trade_usd_max=50, notional_usd_min=1, end_must_be_known=True, method="fixed")
    now = tightened(one, other)
    assert now.trade_usd_max == 50
    assert now.notional_usd_min == 5
    assert now.end_must_be_known
    # A change that is neither tighter nor looser waits, too.
    assert now.method == one.method


def test_what_a_starting_process_tells_has_the_same_id_every_time() -> None:
    first, again = told_by(RiskSettings()), told_by(RiskSettings())
    assert first.meta.id == again.meta.id
    assert first.from_file
    assert first.starting_cash_micro == 10_000 * USD


def test_the_policy_of_the_journal_counts_and_not_the_processs_settings() -> None:
    room = Room(GENEROUS)
    core = Core(agent())
    for entry in room.entries:
        core.follow(entry, {})
    assert core.agent.state.charter.digest == GENEROUS.digest
    assert core.agent.now_ns == NOW


@pytest.mark.parametrize("from_file", [False, True])
def test_what_cannot_be_tightened_before_the_rest_is_loosened_is_refused_whole(
    from_file: bool,
) -> None:
    # From 2 to 30 cents, to 60 to 90: at once it could only be from 60 to 30.
    room = Room(tight(price_usd_min="0.02", price_usd_max="0.3"))
    before = in_force(room)
    other = tight(price_usd_min="0.6", price_usd_max="0.9", trade_usd_max=1)
    if from_file:
        step = room.tell(opening(other))
        assert alerts(step) == [Alert.POLICY_FILE_REFUSED]
        (alert,) = said(step, risk_pb2.RiskAlerted)
        assert "propose one first" in alert.reasons[0].detail
    else:
        answer = order(room, PROPOSE, document=other.document())
        assert not answer.accepted
        assert "price_usd_min is above price_usd_max" in answer.detail
    assert in_force(room) == before
    assert room.state.charter.pending_digest == ""
    assert room.restored() == room.state


def test_a_crash_between_the_two_commands_loses_neither() -> None:
    room = Room()
    wider = tight(leader_usd_max=3_000, trade_usd_max=100)
    order(room, PROPOSE, document=wider.document())
    fresh = Core(agent())
    for entry in room.entries:
        fresh.follow(entry, {})
    room.core = fresh
    # What it tightens held at once and still does; the rest waits for its command.
    assert in_force(room).trade_usd_max == 100
    assert in_force(room).leader_usd_max == SETTINGS.leader_usd_max
    assert order(room, CONFIRM, digest=wider.digest, operator="bob").accepted
    assert in_force(room) == wider
    assert room.restored() == room.state


def test_a_later_proposal_takes_the_place_of_the_one_that_waits() -> None:
    room = Room()
    wider, tighter = tight(leader_usd_max=3_000), tight(trade_usd_max=100)
    order(room, PROPOSE, document=wider.document())
    order(room, PROPOSE, document=tighter.document())
    assert not order(room, CONFIRM, digest=wider.digest).accepted
    assert in_force(room).trade_usd_max == 100
    assert in_force(room).leader_usd_max == SETTINGS.leader_usd_max
