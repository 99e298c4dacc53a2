"""Every state against every fact: what follows, what is ignored, what cannot be."""

import itertools

import pytest

from whaletrader.schemas import order_pb2
from whaletrader.services.execution.transitions import (
    FILL_STEPS,
    ORDER_STEPS,
    Fact,
    FillStage,
    Impossible,
    Phase,
    next_phase,
    next_stage,
)

ENDS = [phase for phase in Phase if phase.is_end]
MATCHED = order_pb2.TRADE_STATUS_MATCHED
CONFIRMED = order_pb2.TRADE_STATUS_CONFIRMED
FAILED = order_pb2.TRADE_STATUS_FAILED


def test_the_tables_have_a_cell_for_every_state_and_every_fact() -> None:
    assert set(ORDER_STEPS) == set(Phase)
    assert all(list(row) == list(Fact) for row in ORDER_STEPS.values())
    assert list(FILL_STEPS) == [None, *FillStage]
    statuses = set(order_pb2.TradeStatus.values()) - {order_pb2.TRADE_STATUS_UNSPECIFIED}
    assert all(set(row) == statuses for row in FILL_STEPS.values())


@pytest.mark.parametrize(("phase", "fact"), list(itertools.product(ENDS, Fact)))
def test_an_end_is_an_end_whatever_is_told_after_it(phase: Phase, fact: Fact) -> None:
    assert next_phase(phase, fact) is phase


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.is_end])
def test_from_every_open_state_an_end_can_be_reached(phase: Phase) -> None:
    seen, front = {phase}, [phase]
    while front:
        here = front.pop()
        for after in ORDER_STEPS[here].values():
            if after is not None and after not in seen:
                seen.add(after)
                front.append(after)
    assert set(ENDS) <= seen


@pytest.mark.parametrize(
    ("phase", "fact", "after"),
    [
        (Phase.ANNOUNCED, Fact.DELAYED, Phase.SUBMITTED),
        (Phase.ANNOUNCED, Fact.SILENT, Phase.UNKNOWN),
        (Phase.UNKNOWN, Fact.SILENT, Phase.UNKNOWN),
        (Phase.UNKNOWN, Fact.PLACED, Phase.LIVE),
        (Phase.SUBMITTED, Fact.PLACED, Phase.LIVE),
        (Phase.LIVE, Fact.SILENT, Phase.LIVE),
        (Phase.LIVE, Fact.WHOLE, Phase.MATCHED),
        (Phase.MATCHED, Fact.PLACED, Phase.MATCHED),
        (Phase.MATCHED, Fact.UNDONE, Phase.LIVE),
        (Phase.MATCHED, Fact.SETTLED, Phase.CONFIRMED),
        (Phase.LIVE, Fact.TAKEN_OFF, Phase.CANCELLED),
        (Phase.LIVE, Fact.RAN_OUT, Phase.EXPIRED),
        (Phase.UNKNOWN, Fact.GIVEN_UP, Phase.FAILED),
        (Phase.ANNOUNCED, Fact.REFUSED, Phase.REJECTED),
    ],
)
def test_the_steps_that_money_hangs_on(phase: Phase, fact: Fact, after: Phase) -> None:
    assert next_phase(phase, fact) is after


@pytest.mark.parametrize("phase", [Phase.ANNOUNCED, Phase.SUBMITTED, Phase.UNKNOWN])
def test_an_order_that_was_never_seen_cannot_be_settled(phase: Phase) -> None:
    with pytest.raises(Impossible):
        next_phase(phase, Fact.SETTLED)


@pytest.mark.parametrize(
    ("stage", "status", "after"),
    [
        (None, FAILED, FillStage.REVERSED),
        (FillStage.MATCHED, order_pb2.TRADE_STATUS_RETRYING, FillStage.MATCHED),
        (FillStage.MINED, MATCHED, FillStage.MINED),
        (FillStage.MINED, FAILED, FillStage.REVERSED),
        (FillStage.CONFIRMED, MATCHED, FillStage.CONFIRMED),
        (FillStage.REVERSED, MATCHED, FillStage.REVERSED),
    ],
)
def test_a_fill_goes_forward_only(stage: FillStage | None, status: int, after: FillStage) -> None:
    assert next_stage(stage, status) is after


@pytest.mark.parametrize(
    ("stage", "status"), [(FillStage.CONFIRMED, FAILED), (FillStage.REVERSED, CONFIRMED)]
)
def test_what_was_final_cannot_become_its_opposite(stage: FillStage, status: int) -> None:
    with pytest.raises(Impossible):
        next_stage(stage, status)


def test_a_status_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Impossible):
        next_stage(None, 99)
