"""Every way from one stage of a wallet's life to another, and what does not move it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.change.lifecycle import (
    Cause,
    Evidence,
    LifeRules,
    Stage,
    next_stage,
)

# Enough trades, an edge that may or may not be there, active.
UNSURE = Evidence(100, 60, 5.0, -0.01, -0.02, 0.02, has_drifted=False, idle_days=1.0)
GOOD = replace(UNSURE, edge_lower=0.01, recent_lower=0.01)
BAD = replace(UNSURE, recent_lower=-0.05, recent_upper=-0.01)
DRIFTED = replace(GOOD, has_drifted=True)
IDLE = replace(GOOD, idle_days=30.1)
FEW = {"trades": 49, "stage_trades": 19}


@pytest.mark.parametrize(
    ("before", "evidence", "after", "cause"),
    [
        (Stage.EMERGING, GOOD, Stage.PROVEN, Cause.EDGE_SHOWN),
        (Stage.EMERGING, replace(GOOD, trades=50, stage_trades=0), Stage.PROVEN, Cause.EDGE_SHOWN),
        (Stage.EMERGING, BAD, Stage.DEAD, Cause.EDGE_GONE),
        (Stage.EMERGING, IDLE, Stage.DEAD, Cause.IDLE),
        (Stage.PROVEN, DRIFTED, Stage.DECAYING, Cause.EDGE_DRIFTED),
        (Stage.PROVEN, replace(DRIFTED, stage_trades=0), Stage.DECAYING, Cause.EDGE_DRIFTED),
        (Stage.PROVEN, BAD, Stage.DECAYING, Cause.EDGE_GONE),
        (Stage.PROVEN, IDLE, Stage.DEAD, Cause.IDLE),
        (Stage.DECAYING, GOOD, Stage.PROVEN, Cause.EDGE_BACK),
        (Stage.DECAYING, BAD, Stage.DEAD, Cause.EDGE_GONE),
        (Stage.DECAYING, replace(UNSURE, stage_days=14.1), Stage.DEAD, Cause.DECAY_LASTS),
        (Stage.DECAYING, IDLE, Stage.DEAD, Cause.IDLE),
        (Stage.DEAD, GOOD, Stage.REVIVED, Cause.EDGE_BACK),
        (Stage.REVIVED, GOOD, Stage.PROVEN, Cause.EDGE_SHOWN),
        (Stage.REVIVED, DRIFTED, Stage.DEAD, Cause.EDGE_DRIFTED),
        (Stage.REVIVED, BAD, Stage.DEAD, Cause.EDGE_GONE),
        (Stage.REVIVED, IDLE, Stage.DEAD, Cause.IDLE),
    ],
)
def test_each_turn(before: Stage, evidence: Evidence, after: Stage, cause: Cause) -> None:
    turn = next_stage(before, evidence)
    assert (turn.stage, turn.cause) == (after, cause)


@pytest.mark.parametrize(
    ("stage", "evidence"),
    [
        (Stage.EMERGING, UNSURE),
        (Stage.EMERGING, replace(GOOD, **FEW)),
        (Stage.EMERGING, replace(BAD, **FEW)),
        (Stage.EMERGING, DRIFTED),
        (Stage.PROVEN, UNSURE),
        (Stage.PROVEN, GOOD),
        (Stage.PROVEN, replace(BAD, **FEW)),
        (Stage.PROVEN, replace(GOOD, idle_days=30.0)),
        (Stage.DECAYING, replace(UNSURE, stage_days=14.0)),
        (Stage.DECAYING, replace(GOOD, **FEW)),
        (Stage.DEAD, UNSURE),
        (Stage.DEAD, BAD),
        (Stage.DEAD, IDLE),
        (Stage.DEAD, replace(GOOD, **FEW)),
        (Stage.REVIVED, UNSURE),
        (Stage.REVIVED, replace(GOOD, stage_trades=49)),
        (Stage.REVIVED, replace(BAD, **FEW)),
    ],
)
def test_what_is_not_enough_changes_nothing(stage: Stage, evidence: Evidence) -> None:
    turn = next_stage(stage, evidence)
    assert (turn.stage, turn.cause) == (stage, Cause.NOTHING_NEW)


@given(
    st.sampled_from(Stage),
    st.integers(0, 200),
    st.floats(0, 100),
    st.floats(-1, 1),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted),
    st.booleans(),
)
def test_nobody_is_proven_without_a_lower_bound_above_zero(
    stage: Stage,
    trades: int,
    days: float,
    edge: float,
    recent: list[float],
    drifted: bool,
) -> None:
    evidence = Evidence(trades, trades, days, edge, recent[0], recent[1], drifted, days)
    turn = next_stage(stage, evidence)
    if turn.stage is Stage.PROVEN and stage is not Stage.PROVEN:
        assert max(edge, recent[0]) > 0
    assert (turn.cause is Cause.NOTHING_NEW) == (turn.stage is stage)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: replace(UNSURE, stage_trades=101), "101 of 100"),
        (lambda: replace(UNSURE, stage_trades=-1), "-1 of 100"),
        (lambda: replace(UNSURE, idle_days=-1.0), "days"),
        (lambda: replace(UNSURE, stage_days=float("nan")), "days"),
        (lambda: replace(UNSURE, recent_lower=1.0), "wrong way"),
        (lambda: LifeRules(proof_trades_min=0), "evidence"),
        (lambda: LifeRules(idle_days_max=0), "above 0"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
