"""The life of a wallet worth copying: emerging, proven, decaying, dead, perhaps revived.

Owns the rules by which statistics move a wallet from one stage to the next, as a pure function;
computes none of them. Only what is told counts, so the same evidence in the same order gives the
same life. Called by discovery.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite


class Stage(StrEnum):
    """Where a wallet stands. Only PROVEN may be copied at full weight."""

    EMERGING = "emerging"
    PROVEN = "proven"
    DECAYING = "decaying"
    DEAD = "dead"
    REVIVED = "revived"


class Cause(StrEnum):
    """Why a stage was kept or left."""

    NOTHING_NEW = "nothing new"
    EDGE_SHOWN = "lower bound of the edge above zero on enough trades"
    EDGE_DRIFTED = "a change detector says that the edge fell"
    EDGE_GONE = "upper bound of the recent edge below zero"
    EDGE_BACK = "lower bound of the recent edge above zero"
    IDLE = "no settled trade for too long"
    DECAY_LASTS = "did not recover in time"


@dataclass(frozen=True, slots=True)
class LifeRules:
    """Counts in settled trades, times in days."""

    proof_trades_min: int = 50
    recent_trades_min: int = 20
    idle_days_max: float = 30.0
    decay_days_max: float = 14.0

    def __post_init__(self) -> None:
        if min(self.proof_trades_min, self.recent_trades_min) < 1:
            raise ValueError("a stage needs at least one trade as its evidence")
        if not self.idle_days_max > 0 or not self.decay_days_max > 0:
            raise ValueError("idle_days_max and decay_days_max must be above 0")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a wallet now.

    `trades` settled in all, `stage_trades` and `stage_days` since it entered its stage;
    `edge_lower` is the lower bound of its edge over its life, `recent_lower` and `recent_upper`
    bound that of its last trades, in any one unit. `has_drifted`: a detector that watches for a
    fall has alarmed and was not reset since.
    """

    trades: int
    stage_trades: int
    stage_days: float
    edge_lower: float
    recent_lower: float
    recent_upper: float
    has_drifted: bool
    idle_days: float

    def __post_init__(self) -> None:
        if not 0 <= self.stage_trades <= self.trades:
            raise ValueError(f"{self.stage_trades} of {self.trades} trades since the last stage")
        if not all(isfinite(it) and it >= 0 for it in (self.stage_days, self.idle_days)):
            raise ValueError("days must be finite and not negative")
        if not self.recent_lower <= self.recent_upper:
            raise ValueError("the recent edge's bounds are the wrong way round")


@dataclass(frozen=True, slots=True)
class Turn:
    """The stage that follows, and why."""

    stage: Stage
    cause: Cause


def next_stage(stage: Stage, evidence: Evidence, rules: LifeRules | None = None) -> Turn:
    """Return the stage after the one given; the same with NOTHING_NEW where none follows."""
    limits = rules or LifeRules()
    if stage is not Stage.DEAD and evidence.idle_days > limits.idle_days_max:
        return Turn(Stage.DEAD, Cause.IDLE)
    follow = {
        Stage.EMERGING: _after_emerging,
        Stage.PROVEN: _after_proven,
        Stage.DECAYING: _after_decaying,
        Stage.DEAD: _after_dead,
        Stage.REVIVED: _after_revived,
    }
    return follow[stage](evidence, limits) or Turn(stage, Cause.NOTHING_NEW)


def _after_emerging(now: Evidence, rules: LifeRules) -> Turn | None:
    if now.trades < rules.proof_trades_min:
        return None
    if now.recent_upper < 0:
        return Turn(Stage.DEAD, Cause.EDGE_GONE)
    if now.edge_lower > 0 and not now.has_drifted:
        return Turn(Stage.PROVEN, Cause.EDGE_SHOWN)
    return None


def _after_proven(now: Evidence, rules: LifeRules) -> Turn | None:
    # A fall is believed at once: waiting costs money, a false alarm only some profit.
    if now.has_drifted:
        return Turn(Stage.DECAYING, Cause.EDGE_DRIFTED)
    if now.stage_trades >= rules.recent_trades_min and now.recent_upper < 0:
        return Turn(Stage.DECAYING, Cause.EDGE_GONE)
    return None


def _after_decaying(now: Evidence, rules: LifeRules) -> Turn | None:
    if now.stage_trades >= rules.recent_trades_min:
        if now.recent_upper < 0:
            return Turn(Stage.DEAD, Cause.EDGE_GONE)
        if now.recent_lower > 0:
            return Turn(Stage.PROVEN, Cause.EDGE_BACK)
    if now.stage_days > rules.decay_days_max:
        return Turn(Stage.DEAD, Cause.DECAY_LASTS)
    return None


def _after_dead(now: Evidence, rules: LifeRules) -> Turn | None:
    is_active = now.idle_days <= rules.idle_days_max
    if is_active and now.stage_trades >= rules.recent_trades_min and now.recent_lower > 0:
        return Turn(Stage.REVIVED, Cause.EDGE_BACK)
    return None


def _after_revived(now: Evidence, rules: LifeRules) -> Turn | None:
    # A second chance is a shorter one: no time to decay in.
    if now.has_drifted:
        return Turn(Stage.DEAD, Cause.EDGE_DRIFTED)
    if now.stage_trades >= rules.recent_trades_min and now.recent_upper < 0:
        return Turn(Stage.DEAD, Cause.EDGE_GONE)
    if now.stage_trades >= rules.proof_trades_min and now.edge_lower > 0:
        return Turn(Stage.PROVEN, Cause.EDGE_SHOWN)
    return None
