"""The states of an order and of a fill, and the one table of what follows from what.

Owns the tables and nothing else. lifecycle.py finds out which fact a message states; the agent's
state moves by these tables only, so what they do not allow cannot happen.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from whaletrader.schemas import order_pb2


class Phase(StrEnum):
    """How far an order is, as far as we know. The last five are its ends."""

    ANNOUNCED = "announced"
    # The venue has the request and holds it back: neither resting nor traded.
    SUBMITTED = "submitted"
    LIVE = "live"
    # Matched to the end (but for dust); its settlement is provisional.
    MATCHED = "matched"
    # Sent, perhaps; nothing is known.
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows any more."""
        return self in _ENDS


_ENDS: Final = frozenset(
    (Phase.CONFIRMED, Phase.CANCELLED, Phase.EXPIRED, Phase.REJECTED, Phase.FAILED)
)


class Fact(StrEnum):
    """What can become known of an order."""

    # The venue took it and delays it.
    DELAYED = "delayed"
    # The venue has it, or had it.
    PLACED = "placed"
    # The request's outcome was lost.
    SILENT = "silent"
    # A fill that leaves something to fill; one that leaves dust at most.
    PART = "part"
    WHOLE = "whole"
    # A fill failed to settle: something is open again, here or at the venue.
    UNDONE = "undone"
    # The ends: each is stated by OrderClosed once every fill is final.
    SETTLED = "settled"
    TAKEN_OFF = "taken off"
    RAN_OUT = "ran out"
    REFUSED = "refused"
    GIVEN_UP = "given up"


# One row a phase; the columns are the facts. A dot: the fact changes nothing, being old news or
# no news; a dash: the fact cannot be, and is refused before it gets here.
_ORDERS: Final = """
          delayed   placed silent  part whole   undone settled   taken-off ran-out refused  given-up
announced submitted live   unknown live matched live   -         cancelled expired rejected failed
submitted .         live   .       live matched live   -         cancelled expired rejected failed
unknown   submitted live   .       live matched live   -         cancelled expired rejected failed
live      .         .      .       .    matched .      confirmed cancelled expired rejected failed
matched   .         .      .       .    .       live   confirmed cancelled expired rejected failed
confirmed .         .      .       .    .       .      .         .         .       .        .
cancelled .         .      .       .    .       .      .         .         .       .        .
expired   .         .      .       .    .       .      .         .         .       .        .
rejected  .         .      .       .    .       .      .         .         .       .        .
failed    .         .      .       .    .       .      .         .         .       .        .
"""


class FillStage(StrEnum):
    """How far a fill is. Only what is not reversed stands."""

    MATCHED = "matched"
    MINED = "mined"
    CONFIRMED = "confirmed"
    REVERSED = "reversed"

    @property
    def is_final(self) -> bool:
        return self in (FillStage.CONFIRMED, FillStage.REVERSED)


# One row a stage ("new": not heard of yet); the columns are what the venue says. A dot changes
# nothing: statuses come late and again, MATCHED after CONFIRMED too. A dash contradicts.
_FILLS: Final = """
            matched    retrying   mined      confirmed  failed
new         matched    matched    mined      confirmed  reversed
matched     .          .          mined      confirmed  reversed
mined       .          .          .          confirmed  reversed
confirmed   .          .          .          .          -
reversed    .          .          .          -          .
"""

_STATUSES: Final = {
    "matched": order_pb2.TRADE_STATUS_MATCHED,
    "retrying": order_pb2.TRADE_STATUS_RETRYING,
    "mined": order_pb2.TRADE_STATUS_MINED,
    "confirmed": order_pb2.TRADE_STATUS_CONFIRMED,
    "failed": order_pb2.TRADE_STATUS_FAILED,
}


class Impossible(Exception):
    """The table has no such step: two statements of which only one can be true."""


def _read(table: str) -> dict[str, dict[str, str]]:
    header, *rows = (line.split() for line in table.strip().splitlines())
    return {row[0]: dict(zip(header, row[1:], strict=True)) for row in rows}


def _order_steps() -> dict[Phase, dict[Fact, Phase | None]]:
    return {
        Phase(phase): {
            Fact(fact.replace("-", " ")): None
            if cell == "-"
            else Phase(phase if cell == "." else cell)
            for fact, cell in row.items()
        }
        for phase, row in _read(_ORDERS).items()
    }


def _fill_steps() -> dict[FillStage | None, dict[int, FillStage | None]]:
    return {
        None if stage == "new" else FillStage(stage): {
            int(_STATUSES[status]): None
            if cell == "-"
            else FillStage(stage if cell == "." else cell)
            for status, cell in row.items()
        }
        for stage, row in _read(_FILLS).items()
    }


ORDER_STEPS: Final[Mapping[Phase, Mapping[Fact, Phase | None]]] = _order_steps()
FILL_STEPS: Final[Mapping[FillStage | None, Mapping[int, FillStage | None]]] = _fill_steps()


def next_phase(phase: Phase, fact: Fact) -> Phase:
    """Return the phase after a fact; the same one if it is no news. Raises Impossible."""
    after = ORDER_STEPS[phase][fact]
    if after is None:
        raise Impossible(f"an order that is {phase} cannot be {fact}")
    return after


def next_stage(stage: FillStage | None, status: int) -> FillStage:
    """Return a fill's stage after a status of the venue's. Raises Impossible."""
    row = FILL_STEPS[stage]
    if status not in row:
        raise Impossible(f"a trade has the unknown status {status}")
    after = row[status]
    if after is None:
        raise Impossible(f"a fill that was {stage} is now told with status {status}")
    return after
