"""The life of an order: what a venue's word makes of it, as events. Pure; called by the agent.

Which state follows from which fact is in transitions.py; here is which fact a message states.
An event's id is derived from the fact that it states, so a fact that is told twice, or in two
ways, is the same event. News may come in any order and more than once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.services.execution.state import (
    LOT_MICRO,
    OrderRecord,
    StandingFill,
    note_look,
    note_venue_closed,
)
from whaletrader.services.execution.transitions import (
    Fact,
    FillStage,
    Impossible,
    Phase,
    next_phase,
    next_stage,
)

# What a performer says of an order that it did not send, and that was never sent before.
WITHHELD: Final = "withheld: trading is stopped"
# What it says of one that was to take at once and found nothing.
KILLED: Final = "killed"
EXPIRED_UNSENT: Final = "not sent: the approval has expired"

_END_FACTS: Final = {
    order_pb2.CLOSE_STATUS_FILLED: Fact.SETTLED,
    order_pb2.CLOSE_STATUS_CANCELLED: Fact.TAKEN_OFF,
    order_pb2.CLOSE_STATUS_EXPIRED: Fact.RAN_OUT,
    order_pb2.CLOSE_STATUS_REJECTED: Fact.REFUSED,
    order_pb2.CLOSE_STATUS_FAILED: Fact.GIVEN_UP,
}
_STEPS: Final[dict[FillStage, tuple[type[Message], str]]] = {
    FillStage.MINED: (order_pb2.OrderMined, "mined"),
    FillStage.CONFIRMED: (order_pb2.OrderConfirmed, "confirmed"),
    FillStage.REVERSED: (order_pb2.OrderReversed, "reversed"),
}
_STAGES: Final[dict[type[Message], FillStage]] = {
    order_pb2.OrderMatched: FillStage.MATCHED,
    **{kind: stage for stage, (kind, _) in _STEPS.items()},
}


class VenueContradiction(Exception):
    """The venue said two things of which only one can be true: a person must look."""


class UnknownOrder(Exception):
    """The venue speaks of an order in our wallet that we never announced."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an order ends, and why."""

    status: order_pb2.CloseStatus.ValueType
    reasons: tuple[common_pb2.Reason, ...] = ()


def order_of(record: OrderRecord) -> order_pb2.OrderAnnounced:
    """Return the order as it was announced."""
    return order_pb2.OrderAnnounced.FromString(record.announced)


def fold(record: OrderRecord, event: Message, now_ns: int) -> None:
    """Change an order's record as one of our own events says."""
    match event:
        case order_pb2.OrderSubmitted():
            _move(record, Fact.DELAYED)
        case order_pb2.OrderAccepted():
            _move(record, Fact.PLACED)
        case order_pb2.OrderUnknown():
            _move(record, Fact.SILENT)
            record.unknown_since_ns = now_ns
        case order_pb2.VenueOrderClosed():
            note_venue_closed(record, event)
        case order_pb2.OrderResolved():
            note_look(record, event)
        case order_pb2.OrderClosed():
            _move(record, _END_FACTS[event.status])
        case _:
            _fold_fill(record, event)


def folded(record: OrderRecord, events: Iterable[Message], now_ns: int) -> OrderRecord:
    """Return a copy of the record as it will be after the events."""
    after = msgspec.structs.replace(record, fills=dict(record.fills))
    for event in events:
        fold(after, event, now_ns)
    return after


def submitted(record: OrderRecord, venue_status: str) -> list[Message]:
    """Return that the venue holds the order back, if that is news."""
    if next_phase(record.phase, Fact.DELAYED) is record.phase:
        return []
    event = order_pb2.OrderSubmitted(order=order_of(record).order, venue_status=venue_status)
    event.meta.id = derived_id("execution", "submitted", event.order.order_id)
    return [event]


def accepted(record: OrderRecord, venue_status: str) -> list[Message]:
    """Return the acceptance, if it is news."""
    if next_phase(record.phase, Fact.PLACED) is record.phase:
        return []
    event = order_pb2.OrderAccepted(order=order_of(record).order, venue_status=venue_status)
    event.meta.id = derived_id("execution", "accepted", event.order.order_id)
    return [event]


def unknown(record: OrderRecord, detail: str) -> list[Message]:
    """Return that nothing is known of the order, if that is news."""
    if next_phase(record.phase, Fact.SILENT) is record.phase:
        return []
    event = order_pb2.OrderUnknown(
        order=order_of(record).order, reasons=[said("venue.answer", 0, detail)]
    )
    event.meta.id = derived_id("execution", "unknown", event.order.order_id)
    return [event]


def fill_events(
    record: OrderRecord, seen: order_pb2.VenueTradeSeen, fee_micro: int
) -> list[Message]:
    """Return what a fill's status makes of the order: each step of a fill exactly once.

    A fill that is first seen settled or failed is matched first, so that every reader meets the
    steps in order. Raises VenueContradiction.
    """
    if seen.fill.size_micro <= 0:
        raise VenueContradiction(f"fill {seen.fill.trade_id} has size {seen.fill.size_micro}")
    known = record.fills.get(seen.fill.trade_id)
    if known is not None and known.size_micro != seen.fill.size_micro:
        raise VenueContradiction(
            f"fill {seen.fill.trade_id} was {known.size_micro} and is {seen.fill.size_micro}"
        )
    before = known.stage if known else None
    try:
        after = next_stage(before, seen.status)
    except Impossible as error:
        raise VenueContradiction(f"fill {seen.fill.trade_id}: {error}") from error
    fill = order_pb2.Fill()
    fill.CopyFrom(seen.fill)
    fill.fee_micro = known.fee_micro if known else fee_micro
    if known is not None:
        fill.price_micro = known.price_micro
        fill.liquidity = order_pb2.Liquidity.ValueType(known.liquidity)
    ref = order_of(record).order
    events: list[Message] = []
    if known is None:
        matched = order_pb2.OrderMatched(order=ref, fill=fill)
        matched.meta.event_time_ns = seen.meta.event_time_ns
        events.append(_step(matched, "matched"))
    if after is before or after is FillStage.MATCHED:
        return events
    kind, name = _STEPS[after]
    event = kind(order=ref, fill=fill)
    if isinstance(event, order_pb2.OrderReversed):
        event.reasons.append(said("venue.settlement", 0, "the trade failed to settle"))
    return [*events, _step(event, name)]


def ending(record: OrderRecord) -> Ending | None:
    """Return how the order ends if it ends now: all its fills are final and no more can come."""
    if record.phase not in (Phase.LIVE, Phase.MATCHED) or record.has_provisional:
        return None
    if record.is_complete:
        rest = record.size_micro - record.standing_micro
        dust = common_pb2.Reason(
            rule="order.dust",
            value=rest,
            limit=LOT_MICRO,
            unit=common_pb2.UNIT_MICRO_SHARES,
            passed=True,
            detail="too little is left to be filled",
        )
        return Ending(order_pb2.CLOSE_STATUS_FILLED, (dust,) if rest > 0 else ())
    if not record.is_told:
        return None
    if record.venue_status:
        status = order_pb2.CloseStatus.ValueType(record.venue_status)
        return Ending(status, (said("venue.closed", 1, record.venue_detail),))
    # Matched to the end, part of it failed, and the venue did not put that back on the book.
    return Ending(
        order_pb2.CLOSE_STATUS_FAILED,
        (said("venue.settlement", 0, "matched in full, but not settled in full"),),
    )


def needs_look(record: OrderRecord) -> bool:
    """Whether only the venue can say what is left: it must be asked, again if need be."""
    if record.phase.is_end:
        return False
    if record.phase in (Phase.UNKNOWN, Phase.SUBMITTED):
        return True
    # Closed with fills that have not come or are not settled; or a fill has failed, and what it
    # leaves is on the book again, or not.
    is_waiting = bool(record.venue_status)
    is_open = record.seen_state == order_pb2.VENUE_ORDER_STATE_OPEN
    return is_waiting or (record.has_reversed and not record.is_complete and not is_open)


def closed(record: OrderRecord, end: Ending) -> order_pb2.OrderClosed:
    """Return the order's one terminal event."""
    event = order_pb2.OrderClosed(
        order=order_of(record).order,
        status=end.status,
        filled_size_micro=record.size_in(FillStage.CONFIRMED),
        reasons=end.reasons,
    )
    event.meta.id = derived_id("execution", "closed", event.order.order_id)
    return event


def refusal_status(detail: str) -> order_pb2.CloseStatus.ValueType:
    """Return how an order ends that the venue never had."""
    if detail.startswith((WITHHELD, KILLED)):
        return order_pb2.CLOSE_STATUS_CANCELLED
    if detail == EXPIRED_UNSENT:
        return order_pb2.CLOSE_STATUS_EXPIRED
    return order_pb2.CLOSE_STATUS_REJECTED


def said(rule: str, value: int, detail: str) -> common_pb2.Reason:
    """Return a reason in the words of the venue; `value` 1 is good news."""
    return common_pb2.Reason(
        rule=rule,
        value=value,
        limit=1,
        unit=common_pb2.UNIT_COUNT,
        passed=value == 1,
        detail=detail,
    )


def failed_rules(reasons: Sequence[common_pb2.Reason]) -> list[str]:
    """Return the names of the rules that did not pass."""
    return [reason.rule for reason in reasons if not reason.passed]


def _move(record: OrderRecord, fact: Fact) -> None:
    record.phase = next_phase(record.phase, fact)


def _fold_fill(record: OrderRecord, event: Message) -> None:
    stage = _STAGES.get(type(event))
    if stage is None:
        raise TypeError(f"{type(event).__name__} does not change an order")
    fill: order_pb2.Fill = event.fill  # type: ignore[attr-defined]
    known = record.fills.get(fill.trade_id)
    record.fills[fill.trade_id] = StandingFill(
        fill.price_micro,
        fill.size_micro,
        fill.fee_micro,
        int(fill.liquidity),
        stage,
        known.at_ns if known else event.meta.event_time_ns,  # type: ignore[attr-defined]
    )
    if stage is FillStage.REVERSED:
        # Whatever was seen before says nothing of what the failure left.
        record.seen_state = record.seen_fills = 0
        if not record.is_complete:
            _move(record, Fact.UNDONE)
    elif stage is FillStage.MATCHED:
        _move(record, Fact.WHOLE if record.is_complete else Fact.PART)


def _step(event: Message, kind: str) -> Message:
    order_id = event.order.order_id  # type: ignore[attr-defined]
    trade_id = event.fill.trade_id  # type: ignore[attr-defined]
    event.meta.id = derived_id("execution", kind, order_id, trade_id)  # type: ignore[attr-defined]
    return event
