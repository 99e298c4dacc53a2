"""The life of an order: what a venue's word makes of it, as events. Pure; called by the agent.

    announced ──► live ──► closed        any fill: matched ──► confirmed
        │           ▲        ▲                        └──────► reversed
        └► unknown ─┴────────┘

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
    FillStage,
    OrderRecord,
    Phase,
    note_fill,
    note_venue_closed,
)

# What a performer says of an order that it did not send, and that was never sent before.
WITHHELD: Final = "withheld: trading is stopped"
EXPIRED_UNSENT: Final = "not sent: the approval has expired"

_PROVISIONAL: Final = (
    order_pb2.TRADE_STATUS_MATCHED,
    order_pb2.TRADE_STATUS_MINED,
    order_pb2.TRADE_STATUS_RETRYING,
)


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
        case order_pb2.OrderAccepted():
            record.phase = Phase.LIVE
        case order_pb2.OrderUnknown():
            record.phase = Phase.UNKNOWN
            record.unknown_since_ns = now_ns
        case order_pb2.OrderMatched():
            note_fill(record, event.fill, FillStage.PROVISIONAL)
        case order_pb2.OrderConfirmed():
            note_fill(record, event.fill, FillStage.CONFIRMED)
        case order_pb2.OrderReversed():
            note_fill(record, event.fill, FillStage.REVERSED)
        case order_pb2.VenueOrderClosed():
            note_venue_closed(record, event)
        case _:
            raise TypeError(f"{type(event).__name__} does not change an order")


def folded(record: OrderRecord, events: Iterable[Message], now_ns: int) -> OrderRecord:
    """Return a copy of the record as it will be after the events."""
    after = msgspec.structs.replace(record, fills=dict(record.fills))
    for event in events:
        fold(after, event, now_ns)
    return after


def accepted(record: OrderRecord, venue_status: str) -> list[Message]:
    """Return the acceptance, if it is news."""
    if record.phase not in (Phase.ANNOUNCED, Phase.UNKNOWN):
        return []
    event = order_pb2.OrderAccepted(order=order_of(record).order, venue_status=venue_status)
    event.meta.id = derived_id("execution", "accepted", event.order.order_id)
    return [event]


def unknown(record: OrderRecord, detail: str) -> list[Message]:
    """Return that nothing is known of the order, if that is news."""
    if record.phase is not Phase.ANNOUNCED:
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
    fill = order_pb2.Fill()
    fill.CopyFrom(seen.fill)
    fill.fee_micro = known.fee_micro if known else fee_micro
    if known is not None:
        fill.price_micro = known.price_micro
        fill.liquidity = order_pb2.Liquidity.ValueType(known.liquidity)
    ref = order_of(record).order
    events: list[Message] = []
    if known is None:
        events.append(_step(order_pb2.OrderMatched(order=ref, fill=fill), "matched"))
    if seen.status in _PROVISIONAL:
        return events
    wanted = _final_stage(seen.status)
    stage = known.stage if known else FillStage.PROVISIONAL
    if stage is wanted:
        return events
    if stage is not FillStage.PROVISIONAL:
        raise VenueContradiction(f"fill {seen.fill.trade_id} was {stage} and is now {wanted}")
    if wanted is FillStage.CONFIRMED:
        events.append(_step(order_pb2.OrderConfirmed(order=ref, fill=fill), "confirmed"))
    else:
        reasons = [said("venue.settlement", 0, "the trade failed to settle")]
        failed = order_pb2.OrderReversed(order=ref, fill=fill, reasons=reasons)
        events.append(_step(failed, "reversed"))
    return events


def ending(record: OrderRecord) -> Ending | None:
    """Return how the order ends if it ends now: all its fills are final and no more can come."""
    if record.phase is not Phase.LIVE or record.has_provisional:
        return None
    confirmed = record.size_in(FillStage.CONFIRMED)
    if confirmed >= record.size_micro:
        return Ending(order_pb2.CLOSE_STATUS_FILLED)
    final = record.size_in(FillStage.CONFIRMED, FillStage.REVERSED)
    if record.venue_status and final >= record.venue_matched_micro:
        status = order_pb2.CloseStatus.ValueType(record.venue_status)
        return Ending(status, (said("venue.closed", 1, record.venue_detail),))
    if final >= record.size_micro:
        # Matched to the end, and part of it failed: the venue does not put it back.
        return Ending(
            order_pb2.CLOSE_STATUS_FAILED,
            (said("venue.settlement", 0, "matched in full, but not settled in full"),),
        )
    return None


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
    if detail == WITHHELD:
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


def _final_stage(status: int) -> FillStage:
    if status == order_pb2.TRADE_STATUS_CONFIRMED:
        return FillStage.CONFIRMED
    if status == order_pb2.TRADE_STATUS_FAILED:
        return FillStage.REVERSED
    raise VenueContradiction(f"a trade has the unknown status {status}")


def _step(
    event: order_pb2.OrderMatched | order_pb2.OrderConfirmed | order_pb2.OrderReversed, kind: str
) -> Message:
    event.meta.id = derived_id("execution", kind, event.order.order_id, event.fill.trade_id)
    return event
