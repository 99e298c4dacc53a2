"""What goes wrong, and how often: every draw comes from the world's one seeded generator.

Counts what was hit, so that a test can say that nothing was left out. Can be switched off: then
what is under way must come to rest.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final


class CrashPoint(StrEnum):
    """Where a process is thrown away. Each is a place between two things that may be durable."""

    BEFORE_STEP = "before the step"
    AFTER_STEP = "after the step, before the commit"
    AFTER_COMMIT = "after the commit, before replies and effects"
    BEFORE_SNAPSHOT = "after replies and effects, before the snapshot"
    BEFORE_EFFECT = "before an effect"
    IN_EFFECT_BEFORE = "in an effect, before the venue heard of it"
    IN_EFFECT_AFTER = "in an effect, after the venue did it"
    AFTER_EFFECT = "after an effect, before its outcome is queued"
    LOG_UNAVAILABLE = "the commit found no log"
    UNCERTAIN_LOST = "the commit's answer was lost, and so was the commit"
    UNCERTAIN_WRITTEN = "the commit's answer was lost, the commit stands"
    FENCED = "a twin had claimed the shard"


class Fate(StrEnum):
    """What becomes of a call to the venue."""

    FINE = "fine"
    UNAVAILABLE = "not taken"
    LOST = "the request was lost"
    ANSWER_LOST = "done, but the answer was lost"
    LATE = "done later, and the answer was lost"
    CRASH_BEFORE = "the caller dies before it is sent"
    CRASH_AFTER = "the caller dies after it was done"


class Crashed(BaseException):
    """The process that runs now is gone. No code of an agent can catch it."""

    def __init__(self, point: CrashPoint) -> None:
        super().__init__(point.value)
        self.point = point


@dataclass(frozen=True, slots=True)
class Rates:
    """Probabilities, by opportunity."""

    crash: Mapping[CrashPoint, float] = field(
        default_factory=lambda: {
            CrashPoint.BEFORE_STEP: 0.03,
            CrashPoint.AFTER_STEP: 0.05,
            CrashPoint.AFTER_COMMIT: 0.07,
            CrashPoint.BEFORE_SNAPSHOT: 0.1,
            CrashPoint.BEFORE_EFFECT: 0.06,
            CrashPoint.AFTER_EFFECT: 0.09,
            CrashPoint.LOG_UNAVAILABLE: 0.03,
            CrashPoint.UNCERTAIN_LOST: 0.035,
            CrashPoint.UNCERTAIN_WRITTEN: 0.05,
        }
    )
    submit: Mapping[Fate, float] = field(
        default_factory=lambda: {
            Fate.UNAVAILABLE: 0.05,
            Fate.LOST: 0.07,
            Fate.ANSWER_LOST: 0.1,
            Fate.LATE: 0.05,
            Fate.CRASH_BEFORE: 0.04,
            Fate.CRASH_AFTER: 0.07,
        }
    )
    cancel: Mapping[Fate, float] = field(
        default_factory=lambda: {
            Fate.UNAVAILABLE: 0.05,
            Fate.LOST: 0.05,
            Fate.ANSWER_LOST: 0.08,
            Fate.CRASH_BEFORE: 0.03,
            Fate.CRASH_AFTER: 0.05,
        }
    )
    read: Mapping[Fate, float] = field(default_factory=lambda: {Fate.UNAVAILABLE: 0.04})
    play: Mapping[Fate, float] = field(
        default_factory=lambda: {Fate.UNAVAILABLE: 0.05, Fate.ANSWER_LOST: 0.05}
    )
    # A request to risk that is lost, one that is only met later, and a reply that is lost.
    request_lost: float = 0.04
    request_late: float = 0.04
    reply_lost: float = 0.05
    # A snapshot that is written after a later one, of a successor even.
    snapshot_late: float = 0.2
    # An answer that comes after the effect's deadline for it.
    answer_late: float = 0.02
    # An event of the venue's stream that is lost (the connection goes with it), or told twice.
    stream_lost: float = 0.03
    stream_twice: float = 0.08


STORM: Final = Rates(
    submit={
        Fate.UNAVAILABLE: 0.25,
        Fate.LOST: 0.25,
        Fate.ANSWER_LOST: 0.15,
        Fate.LATE: 0.15,
        Fate.CRASH_BEFORE: 0.03,
        Fate.CRASH_AFTER: 0.05,
    },
    cancel={Fate.UNAVAILABLE: 0.3, Fate.LOST: 0.2, Fate.ANSWER_LOST: 0.2},
    read={Fate.UNAVAILABLE: 0.3},
    request_lost=0.3,
    reply_lost=0.2,
    stream_lost=0.15,
    stream_twice=0.3,
)


def rates_of(seed: int) -> Rates:
    """Every third run is one in which little gets through to the venue and to risk."""
    return STORM if seed % 3 == 0 else Rates()


class Faults:
    """Draws what goes wrong, and counts it."""

    def __init__(self, rng: Random, rates: Rates) -> None:
        self.rng = rng
        self.rates = rates
        self.is_on = True
        self.crashes: Counter[CrashPoint] = Counter()
        self.fates: Counter[str] = Counter()

    def chance(self, probability: float) -> bool:
        return self.is_on and self.rng.random() < probability

    def maybe_crash(self, point: CrashPoint) -> None:
        """Raise Crashed if the process dies here."""
        if self.chance(self.rates.crash[point]):
            raise Crashed(point)

    def crashed(self, point: CrashPoint) -> None:
        self.crashes[point] += 1

    def fate(self, call: str, rates: Mapping[Fate, float]) -> Fate:
        """Draw what becomes of a call."""
        drawn = Fate.FINE
        if self.is_on:
            mark = self.rng.random()
            for fate, probability in rates.items():
                if mark < probability:
                    drawn = fate
                    break
                mark -= probability
        self.fates[f"{call}: {drawn.value}"] += 1
        return drawn

    def happens(self, what: str, probability: float) -> bool:
        """Draw a fault that is counted by name."""
        hit = self.chance(probability)
        self.fates[what] += hit
        return hit
