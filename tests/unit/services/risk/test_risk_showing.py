"""What risk answers whoever asks how the desk stands: all of it, bounded; nothing changes."""

import msgspec

from tests.unit.services.risk.risk_room import (
    HALT,
    MARKETS,
    SHARE,
    USD,
    WHALES,
    Room,
    order_of,
    tight,
    yes,
)
from whaletrader.schemas import order_pb2, risk_pb2
from whaletrader.services.risk import showing


def ask(room: Room, verdicts_max: int = 10) -> risk_pb2.RiskShown:
    answer = room.tell(risk_pb2.RiskQuery(portfolio="main", verdicts_max=verdicts_max)).replies[0]
    assert isinstance(answer, risk_pb2.RiskShown)
    return answer


def by(shown: risk_pb2.RiskShown, rule: str) -> dict[str, int]:
    return {one.key: one.value for one in shown.exposures if one.rule == rule}


# What is set aside for forty shares: the venue may round a match up by a cent.
ASIDE = 20 * USD + 10_000


def test_what_is_held_and_what_is_set_aside_is_shown_by_market_whale_and_topic() -> None:
    room = Room(tight())
    room.buy(max_size_micro=100 * SHARE)
    room.ask(room.elsewhere(max_size_micro=40 * SHARE))
    shown = ask(room)
    assert by(shown, "market-limit") == {MARKETS[0]: 50 * USD, MARKETS[1]: ASIDE}
    assert by(shown, "leader-limit") == {WHALES[0]: 50 * USD, WHALES[1]: ASIDE}
    assert by(shown, "topic-limit") == {MARKETS[0]: 50 * USD, MARKETS[1]: ASIDE}
    # The largest first, each held against its own limit.
    assert [one.value for one in shown.exposures if one.rule == "market-limit"] == [
        50 * USD,
        ASIDE,
    ]
    first = next(one for one in shown.exposures if one.rule == "market-limit")
    assert first.limit == 750 * USD
    assert first.used_micro_ratio == 66_666
    assert shown.measured.reserved_micro == ASIDE
    assert shown.measured.exposure_micro == 50 * USD + ASIDE


def test_the_last_verdicts_come_latest_first_with_their_reasons() -> None:
    room = Room(tight())
    approval = room.ask(room.proposal())
    room.refusal(room.elsewhere(fair_value_micro=100_000))
    shown = ask(room)
    assert [one.WhichOneof("verdict") for one in shown.verdicts] == ["rejected", "approved"]
    assert shown.verdicts[0].rejected.rule == "edge"
    assert not next(one for one in shown.verdicts[0].rejected.reasons if one.rule == "edge").passed
    assert shown.verdicts[1].approved == approval
    assert len(ask(room, 1).verdicts) == 1
    assert len(ask(room, 0).verdicts) == 0
    assert len(ask(room, -5).verdicts) == 0


def test_a_stop_is_shown_with_its_cause_and_how_it_ends() -> None:
    room = Room()
    room.control(HALT)
    halted_ns = room.now_ns
    room.now_ns += 60
    shown = ask(room)
    assert shown.measured.state == risk_pb2.DESK_STATE_HALT
    assert shown.measured.state_rule == "operator-halt"
    assert shown.measured.exit_condition == "a person resumes"
    assert shown.measured.needs_person
    assert shown.state_since_ns == halted_ns
    assert shown.now_ns == room.now_ns
    assert shown.is_open


def test_without_a_policy_it_says_so() -> None:
    shown = ask(Room(None))
    assert not shown.is_open
    assert not shown.measured.policy_digest


def test_asking_changes_nothing() -> None:
    room = Room(tight())
    approval = room.ask(room.proposal())
    room.tell(order_pb2.OrderAnnounced(order=order_of(approval)))
    before = msgspec.msgpack.encode(room.state)
    step = room.tell(risk_pb2.RiskQuery(portfolio="main", verdicts_max=10))
    assert step.events == []
    assert step.effects == []
    assert msgspec.msgpack.encode(room.state) == before == msgspec.msgpack.encode(room.restored())


def test_an_answer_is_bounded_and_says_what_it_leaves_out() -> None:
    room = Room(tight())
    room.state.by_market.update(
        {f"0x{number:064x}": (1_000 + number) * USD for number in range(showing.EXPOSURES_MAX + 7)}
    )
    for _ in range(showing.VERDICTS_MAX + 5):
        room.answer(room.proposal(token_id="elsewhere"))
    shown = ask(room, 10_000)
    markets = by(shown, "market-limit")
    assert len(markets) == showing.EXPOSURES_MAX
    assert shown.exposures_left_out == 7
    # What is left out is the least.
    assert min(markets.values()) == 1_007 * USD
    assert len(shown.verdicts) == showing.VERDICTS_MAX
    assert yes(MARKETS[0]) not in markets
    # NATS carries a megabyte.
    assert shown.ByteSize() < 500_000
