"""A tactic as a list of legs: how long each lasts and what order it wants. Pure.

Orders of one approved trade follow one another: a leg's order must be off the book before the
next one is announced, so the sum of what may fill never exceeds the approval.
"""

from dataclasses import dataclass
from enum import StrEnum

from whaletrader.domain.money import MICRO
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.working.terms import TacticSettings


class Anchor(StrEnum):
    """What a leg's price is measured from."""

    # The approved limit itself: no book is needed.
    LIMIT = "limit"
    # The mid at this moment.
    MID = "mid"
    # The best price on our own side: rests there and never takes.
    NEAR = "near"
    # The best price that can be taken.
    FAR = "far"


@dataclass(frozen=True, slots=True)
class Leg:
    """One step of a plan. The size is a share of what is left to fill."""

    duration_ns: int
    anchor: Anchor
    offset_micro: int = 0
    size_micro_ratio: int = MICRO
    order_type: order_pb2.OrderType.ValueType = order_pb2.ORDER_TYPE_GTC
    post_only: bool = False
    # Show at most this share of the displayed depth at a time; 0 shows all.
    clip_micro_ratio: int = 0
    # What is not filled at once does not rest.
    takes_only: bool = False

    @property
    def needs_book(self) -> bool:
        return self.anchor is not Anchor.LIMIT


def plan_of(tactic: int, settings: TacticSettings, working_time_ns: int) -> tuple[Leg, ...]:
    """Return the legs of a tactic. `working_time_ns` is how long a single order is worked."""
    match tactic:
        case order_pb2.TACTIC_SINGLE:
            return (Leg(working_time_ns, Anchor.LIMIT),)
        case order_pb2.TACTIC_ADAPTIVE:
            return _phases(settings, 0)
        case order_pb2.TACTIC_ICEBERG:
            return _phases(settings, settings.iceberg_micro_ratio)
        case order_pb2.TACTIC_TWAP:
            return _parts(settings)
        case order_pb2.TACTIC_PASSIVE:
            leg = Leg(settings.passive_requote_ns, Anchor.NEAR, post_only=True)
            return (leg,) * settings.passive_requotes
        case order_pb2.TACTIC_AGGRESSIVE:
            leg = Leg(
                settings.aggressive_pause_ns,
                Anchor.FAR,
                offset_micro=settings.phases[-1].offset_micro,
                order_type=order_pb2.ORDER_TYPE_FAK,
                takes_only=True,
            )
            return (leg,) * settings.aggressive_attempts
    # Not chosen yet: the book comes first.
    return ()


def _phases(settings: TacticSettings, clip_micro_ratio: int) -> tuple[Leg, ...]:
    return tuple(
        Leg(
            phase.duration_ns,
            Anchor.MID,
            offset_micro=phase.offset_micro,
            size_micro_ratio=phase.size_micro_ratio,
            clip_micro_ratio=clip_micro_ratio,
        )
        for phase in settings.phases
    )


def _parts(settings: TacticSettings) -> tuple[Leg, ...]:
    # Of n equal parts the k-th takes 1/(n-k) of what is left: what was missed is made up for.
    count = settings.twap_parts
    return tuple(
        Leg(
            settings.twap_interval_ns,
            Anchor.FAR,
            size_micro_ratio=-(-MICRO // (count - part)),
        )
        for part in range(count)
    )
