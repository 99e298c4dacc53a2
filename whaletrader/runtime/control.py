"""Halt, resume, flatten: how a person's order gets onto the log.

The log is the only way: what is on it survives every restart and is obeyed by every agent that
reads it. Called by the command line and by the gateway.
"""

from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Record
from whaletrader.schemas import control_pb2

CONTROL: Final = "control"
ACTIONS: Final = {
    "halt": control_pb2.CONTROL_ACTION_HALT,
    "resume": control_pb2.CONTROL_ACTION_RESUME,
    "flatten": control_pb2.CONTROL_ACTION_FLATTEN,
}


class UnknownAction(ValueError):
    """Only halt, resume and flatten can be ordered."""


def control_event(
    action: str, portfolio: str, operator: str, note: str, now_ns: int
) -> control_pb2.ControlOrdered:
    """Return the order as an event. Raises UnknownAction."""
    if action not in ACTIONS:
        raise UnknownAction(f"{action!r} is none of {', '.join(ACTIONS)}")
    event = control_pb2.ControlOrdered(
        portfolio=portfolio, action=ACTIONS[action], operator=operator, note=note
    )
    event.meta.id = derived_id(CONTROL, portfolio, action, operator, now_ns)
    event.meta.correlation = event.meta.id
    event.meta.event_time_ns = now_ns
    event.meta.receive_time_ns = now_ns
    event.meta.source = "operator"
    return event


def control_record(event: control_pb2.ControlOrdered) -> Record:
    """Return the record to append."""
    return to_record(Envelope(CONTROL, event.portfolio, event))
