"""What the venue says of single orders, and what follows: events, looks, cancels, the next step.

One function a kind of news. Pure; called by the agent with the scene of one decision. After each,
the approved trade that the order belongs to takes its next step (works.py).
"""

from google.protobuf.message import Message

from whaletrader.domain.money import taker_fee
from whaletrader.schemas import agent_pb2, order_pb2
from whaletrader.services.execution import works
from whaletrader.services.execution.lifecycle import (
    Ending,
    UnknownOrder,
    accepted,
    closed,
    ending,
    fill_events,
    folded,
    needs_look,
    order_of,
    refusal_status,
    said,
    submitted,
    unknown,
)
from whaletrader.services.execution.scene import TOPIC, Scene, submit_id
from whaletrader.services.execution.state import OrderRecord
from whaletrader.services.execution.transitions import Phase

ABSENT = order_pb2.VENUE_ORDER_STATE_ABSENT
_PRIVATE = (order_pb2.VenueOrderClosed, order_pb2.OrderResolved)


def on_placement(scene: Scene, placed: order_pb2.OrderPlacement) -> None:
    """Take the outcome of a request to place, or word that an order rests."""
    record = _record(scene, placed.order_id)
    if placed.status == order_pb2.PLACEMENT_STATUS_LIVE:
        _found(scene, record, placed.detail)
    elif placed.status == order_pb2.PLACEMENT_STATUS_DELAYED:
        _follow(scene, record, submitted(record, placed.detail))
        scene.look(placed.order_id)
    elif placed.status == order_pb2.PLACEMENT_STATUS_REFUSED and _is_proof(scene, record):
        reason = said("venue.placement", 0, placed.detail)
        _end(scene, record, Ending(refusal_status(placed.detail), (reason,)))
    elif record.phase is Phase.ANNOUNCED:
        _lost(scene, record, placed.detail)
    # Otherwise it was refused or lost after it was unknown: what was sent first may still come,
    # and the next look is set already.


def on_resolved(scene: Scene, seen: order_pb2.OrderResolved) -> None:
    """Take what the venue has of an order that it was asked about."""
    record = _record(scene, seen.order_id)
    if seen.state != ABSENT:
        look = order_pb2.OrderResolved(
            order_id=seen.order_id, state=seen.state, fills=seen.fills, detail=seen.detail
        )
        if record.phase.is_end:
            _found(scene, record, seen.detail)
        else:
            _follow(scene, record, [*accepted(record, seen.detail), look])
        return
    if record.phase in (Phase.UNKNOWN, Phase.SUBMITTED):
        _absent(scene, record, seen.detail)
    elif not record.phase.is_end:
        # It was there, and the venue has forgotten it: nothing of it can come any more.
        look = order_pb2.OrderResolved(order_id=seen.order_id, state=ABSENT, fills=seen.fills)
        _follow(scene, record, [look])


def on_cancellation(scene: Scene, cancelled: order_pb2.OrderCancellation) -> None:
    """Mostly nothing: the end comes as VenueOrderClosed with what was matched, or as the fills that
    complete the order; until then the cancel timer keeps asking.

    After a failed settlement neither may come: the venue may count the order as filled and say
    nothing any more. Then a look tells.
    """
    record = _record(scene, cancelled.order_id)
    is_stuck = record.has_reversed and not record.is_complete and not record.venue_status
    if cancelled.gone and is_stuck and not record.phase.is_end:
        scene.resolve(record)


def on_trade(scene: Scene, seen: order_pb2.VenueTradeSeen) -> None:
    """Take the state of a fill. It proves that the venue has the order."""
    record = _record(scene, seen.order_id)
    events = accepted(record, "matched")
    events += fill_events(record, seen, _fee_micro(scene, record, seen.fill))
    _follow(scene, record, events)


def on_venue_closed(scene: Scene, event: order_pb2.VenueOrderClosed) -> None:
    """Take the venue's word that an order is off the book."""
    record = _record(scene, event.order_id)
    if record.venue_status or record.phase.is_end:
        return
    told = order_pb2.VenueOrderClosed(
        order_id=event.order_id,
        status=event.status,
        matched_size_micro=event.matched_size_micro,
        detail=event.detail,
    )
    _follow(scene, record, [*accepted(record, "closed"), told])


def on_submit_failed(scene: Scene, failed: agent_pb2.EffectFailed) -> None:
    """A request to place ended without any answer: nothing is known of its order."""
    for order_id, record in scene.state.orders.items():
        if record.phase is Phase.ANNOUNCED and submit_id(order_id) == failed.effect_id:
            _lost(scene, record, failed.error)
            return


def on_cancel_due(scene: Scene, order_id: str, count: int) -> None:
    """Ask again for an order to be taken off that is still there."""
    record = scene.state.orders.get(order_id)
    if record is not None and works.rests(record):
        scene.cancel(record, count)


def on_look_due(scene: Scene, order_id: str, count: int) -> None:
    """Ask again what became of an order, while only the venue can say."""
    record = scene.state.orders.get(order_id)
    if record is not None and needs_look(record):
        scene.resolve(record)
        scene.look(order_id, count + 1)


def _found(scene: Scene, record: OrderRecord, venue_status: str) -> None:
    """The venue has the order, or had it."""
    if record.phase.is_end:
        is_ghost = not record.venue_status and record.phase is not Phase.CONFIRMED
        if is_ghost:
            # We took it for dead, and it appeared after all: it must not rest there.
            ref = order_of(record).order
            scene.decision.ask(order_pb2.CancelOrder(order=ref), scene.policy.lane)
        return
    events = accepted(record, venue_status)
    if events:
        _follow(scene, record, events)


def _absent(scene: Scene, record: OrderRecord, detail: str) -> None:
    """The venue has no such order: send the very same one again, or give it up after a while."""
    announced = order_of(record)
    announced.ClearField("meta")
    work = scene.work(record.approval_id)
    may_send = (
        work is not None
        and record.phase is Phase.UNKNOWN
        and scene.now_ns < work.expires_ns
        and scene.running(record.portfolio, record.side).passed
        and not works.is_unwanted(scene, record)
    )
    if work is not None and may_send:
        scene.submit(announced, work.approved(), look_first=True)
    elif scene.now_ns >= _silent_since(record) + scene.policy.unknown_grace_ns:
        _end(scene, record, _never_there(scene, record, detail))
    # Otherwise it may still be on its way; the next look is set already.


def _lost(scene: Scene, record: OrderRecord, detail: str) -> None:
    """Nothing is known: look for it until the venue says what became of it."""
    events = unknown(record, detail)
    if events:
        _follow(scene, record, events)
        scene.look(order_of(record).order.order_id)


def _follow(scene: Scene, record: OrderRecord, events: list[Message]) -> None:
    """Say the events, end the order if they end it, and let its approved trade go on."""
    for event in events:
        scene.decision.emit("" if isinstance(event, _PRIVATE) else TOPIC, event)
    after = folded(record, events, scene.now_ns)
    order_id = order_of(record).order.order_id
    scene.changed[order_id] = after
    end = ending(after)
    if end is not None:
        _end(scene, after, end)
        return
    if needs_look(after) and not needs_look(record) and after.phase is not Phase.UNKNOWN:
        if after.has_reversed:
            scene.resolve(after)
        scene.look(order_id)
    if _leaves_dust(after) and not _leaves_dust(record):
        # Too little for anybody to fill: it must not keep the order on the book.
        scene.decision.ask(order_pb2.CancelOrder(order=order_of(record).order), scene.policy.lane)
    if events:
        _proceed(scene, after, takes_off=works.rests(after) and not works.rests(record))


def _is_proof(scene: Scene, record: OrderRecord) -> bool:
    """Whether a refusal says that the venue has no such order, nor gets it from an earlier try."""
    if record.phase is Phase.UNKNOWN:
        return scene.now_ns >= _silent_since(record) + scene.policy.unknown_grace_ns
    return record.phase is Phase.ANNOUNCED


def _silent_since(record: OrderRecord) -> int:
    return max(record.unknown_since_ns, record.announced_ns)


def _end(scene: Scene, record: OrderRecord, end: Ending) -> None:
    event = closed(record, end)
    scene.decision.emit(TOPIC, event)
    order_id = event.order.order_id
    after = folded(record, [event], scene.now_ns)
    scene.changed[order_id] = after
    if end.status == order_pb2.CLOSE_STATUS_FAILED:
        # Should it turn up, or its failed part be back on the book, it must go.
        scene.decision.ask(order_pb2.CancelOrder(order=event.order), scene.policy.lane)
    work = scene.work(record.approval_id)
    if work is not None and works.is_void(after) and not work.stopped:
        works.failed(scene, work, end.reasons[0].detail if end.reasons else "")
        return
    _proceed(scene, after)


def _proceed(scene: Scene, record: OrderRecord, *, takes_off: bool = False) -> None:
    work = scene.work(record.approval_id)
    if work is not None:
        works.proceed(scene, work, takes_off=takes_off)
    elif takes_off:
        scene.cancel(record)


def _never_there(scene: Scene, record: OrderRecord, detail: str) -> Ending:
    held = scene.running(record.portfolio, record.side)
    reasons = (said("venue.has_order", 0, detail), held)
    if not held.passed:
        return Ending(order_pb2.CLOSE_STATUS_CANCELLED, reasons)
    return Ending(order_pb2.CLOSE_STATUS_FAILED, reasons)


def _leaves_dust(record: OrderRecord) -> bool:
    return record.phase is Phase.MATCHED and record.standing_micro < record.size_micro


def _fee_micro(scene: Scene, record: OrderRecord, fill: order_pb2.Fill) -> int:
    """Makers pay nothing; takers pay by the market's schedule, which the trade leaves out."""
    if fill.fee_micro or fill.liquidity != order_pb2.LIQUIDITY_TAKER:
        return fill.fee_micro
    terms = scene.views.tokens[record.token_id]
    return taker_fee(fill.price_micro, fill.size_micro, terms.fee_rate_micro, terms.fee_exponent)


def _record(scene: Scene, order_id: str) -> OrderRecord:
    record = scene.state.orders.get(order_id)
    if record is None:
        raise UnknownOrder(f"order {order_id} was never announced here")
    return record
