"""Works approved trades: begins them, sends one order after another, stops and finishes them.

`proceed` is the heart: from what is filled, what may still be filled and what time it is, it
takes the next step, and taking it twice changes nothing. Pure; called by the agent's handlers
after each event that concerns an approved trade.
"""

from typing import Final

from whaletrader.domain.money import floor_to
from whaletrader.runtime.agent import Effect
from whaletrader.schemas import agent_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.admission import Place, announced_order
from whaletrader.services.execution.finishing import GIVEN_UP, finish
from whaletrader.services.execution.lifecycle import order_of
from whaletrader.services.execution.scene import TOPIC, Scene, book_id, flag
from whaletrader.services.execution.state import LOT_MICRO, OrderRecord, record_of
from whaletrader.services.execution.transitions import Phase
from whaletrader.services.execution.working.book import Book
from whaletrader.services.execution.working.child import Child, Wanted, child_of
from whaletrader.services.execution.working.choice import Choice, Circumstances, choose
from whaletrader.services.execution.working.plan import Leg
from whaletrader.services.execution.working.work import Work

# A book, and the read that brought it, if one did.
Seen = tuple[Book | None, order_pb2.BookRead | None]

SINGLE: Final = order_pb2.TACTIC_SINGLE
OVER: Final = "the plan is over"
EXPIRED: Final = "the approval has expired"
RESOLVED: Final = "the market is decided"
# Begins the reason of a work that a stop ended: what rests of it may stay, if so configured.
_HALTED: Final = "stopped: "


def begin(scene: Scene, approval: risk_pb2.ApprovedTrade) -> None:
    """Take an admitted approval under work, and take the first step."""
    work = Work.of(_started(approval, scene.policy.tactics.fixed))
    scene.works[work.approval_id] = work
    if work.tactic == SINGLE:
        scene.decision.emit(TOPIC, _started(approval, SINGLE))
        _enter(scene, work, 0)
        proceed(scene, work)
        return
    book = _fresh_book(scene, work)
    if book is None:
        # Its tactic is chosen by the book: until that is read, the work is ours alone.
        work.tactic = order_pb2.TACTIC_UNSPECIFIED
        scene.decision.keep(_started(approval, order_pb2.TACTIC_UNSPECIFIED))
        _read(scene, work)
    else:
        _start_with(scene, work, book)


def on_book(scene: Scene, work: Work, read: order_pb2.BookRead) -> None:
    """Take the step that a book was read for."""
    _advance(scene, work, reading=False)
    book = Book.of(read.bids, read.asks, read.meta.event_time_ns or scene.now_ns)
    if not (book.bids or book.asks):
        failed(scene, work, "the book is empty")
    elif work.tactic:
        proceed(scene, work, (book, read))
    elif not _why_stop(scene, work):
        _start_with(scene, work, book, read)
    else:
        proceed(scene, work)


def on_leg_over(scene: Scene, work: Work, leg: int) -> None:
    """Go on to the next leg when one has had its time."""
    if leg != work.phase:
        return
    if work.stopped:
        # What was left resting then has had its time now.
        proceed(scene, work, takes_off=True)
        return
    if leg + 1 < len(scene.plan(work)) and scene.now_ns < work.expires_ns:
        _enter(scene, work, leg + 1)
    else:
        _advance(scene, work, stopped=OVER if scene.now_ns < work.expires_ns else EXPIRED)
    proceed(scene, work, takes_off=True)


def stop(scene: Scene, work: Work, why: str) -> None:
    """Announce nothing more for this approved trade; what rests of it is taken off."""
    if not work.stopped:
        _advance(scene, work, stopped=why)
    proceed(scene, work, takes_off=True)


def failed(scene: Scene, work: Work, words: str) -> None:
    """Count an attempt that came to nothing: again after a pause, or given up for good."""
    failures = work.failures + 1
    most = 1 if work.tactic == SINGLE else scene.policy.tactics.failures_max
    if failures >= most:
        _advance(scene, work, failures=failures, last_failure=words, reading=False)
        stop(scene, work, work.stopped or GIVEN_UP)
        return
    _advance(scene, work, failures=failures, last_failure=words, reading=False)
    pause_ns = scene.policy.tactics.retry_ns << (failures - 1)
    scene.timer(f"retry:{failures}:{work.approval_id}", pause_ns)


def proceed(
    scene: Scene, work: Work, seen: Seen = (None, None), *, takes_off: bool = False
) -> None:
    """Take the next step: send an order, wait, take one off, or finish.

    `takes_off`: something was decided that what rests may not outlive.
    """
    if work.approval_id in scene.finished:
        return
    orders = scene.orders_of(work)
    stopped_before = work.stopped
    why = _why_stop(scene, work)
    if why and not work.stopped:
        _advance(scene, work, stopped=why)
    if takes_off or work.stopped != stopped_before:
        for record in orders:
            if rests(record) and is_unwanted(scene, record):
                scene.cancel(record)
    if any(not record.is_off_book for record in orders):
        return
    free = _free(work, orders)
    smallest = _smallest(scene, work, seen[1])
    if not work.stopped and _is_last_word(scene, work, orders):
        _advance(scene, work, stopped=OVER)
    if work.stopped or free < smallest:
        if all(record.phase.is_end for record in orders):
            finish(scene, work, orders)
        # Otherwise fills are not settled: one that fails sets its size free again.
        return
    if not work.tactic:
        _read(scene, work)
    elif not _has_had_its_order(scene, work, orders):
        _send_next(scene, work, free, seen)


def is_unwanted(scene: Scene, record: OrderRecord) -> bool:
    """Whether an order should not rest (any more): its time is over, or it was only to take."""
    work = scene.work(record.approval_id)
    if work is None or scene.must_go(record.portfolio, record.side):
        return True
    announced = order_of(record)
    if announced.tactic == order_pb2.TACTIC_AGGRESSIVE or announced.phase != work.phase:
        return True
    # While it is stopped, what rests is must_go's to say; any other end takes it off.
    is_over = bool(work.stopped) and not work.stopped.startswith(_HALTED)
    is_late = work.tactic != SINGLE and scene.now_ns >= work.expires_ns
    return is_over or is_late or scene.now_ns >= work.until_ns


def rests(record: OrderRecord) -> bool:
    """Whether we take an order to be on the book."""
    return record.phase is Phase.LIVE and not record.venue_status


def is_void(record: OrderRecord) -> bool:
    """Whether an order came to nothing for a reason that another attempt may escape."""
    return record.phase in (Phase.REJECTED, Phase.FAILED) and not record.standing_micro


def _start_with(
    scene: Scene, work: Work, book: Book, read: order_pb2.BookRead | None = None
) -> None:
    approval = work.approved()
    terms = scene.views.tokens.get(work.token_id)
    ends_ns = terms.ends_ns if terms is not None else 0
    seen = Circumstances(book, scene.fees(work.token_id), ends_ns, scene.now_ns)
    choice = choose(approval, seen, scene.policy.tactics)
    event = _started(approval, choice.tactic, book, choice)
    scene.decision.emit(TOPIC, event)
    work.tactic = int(event.tactic)
    work.arrival_bid_micro = event.arrival_bid_micro
    work.arrival_ask_micro = event.arrival_ask_micro
    work.expected_price_micro = event.expected_price_micro
    _enter(scene, work, 0)
    proceed(scene, work, (book, read))


def _started(
    approval: risk_pb2.ApprovedTrade,
    tactic: order_pb2.Tactic.ValueType,
    book: Book | None = None,
    choice: Choice | None = None,
) -> order_pb2.WorkStarted:
    event = order_pb2.WorkStarted(
        portfolio=approval.portfolio,
        approval_id=approval.approval_id,
        proposal_id=approval.proposal_id,
        condition_id=approval.condition_id,
        token_id=approval.token_id,
        side=approval.side,
        limit_price_micro=approval.limit_price_micro,
        size_micro=approval.size_micro,
        expires_ns=approval.expires_ns,
        tactic=tactic,
        leader=approval.leader,
        strategy=approval.strategy,
        approval=approval,
    )
    if book is not None and choice is not None:
        event.reasons.extend(choice.reasons)
        event.arrival_bid_micro = book.bid_micro
        event.arrival_ask_micro = book.ask_micro
        sweep = book.sweep(approval.side, approval.limit_price_micro, approval.size_micro)
        event.expected_price_micro = sweep.average_micro or approval.limit_price_micro
    return event


def _enter(scene: Scene, work: Work, leg: int) -> None:
    """Begin a leg, and be woken when it has had its time."""
    duration_ns = scene.plan(work)[leg].duration_ns
    if work.tactic == SINGLE:
        # Its time counts from the approval, however late that was read.
        until_ns = work.started_ns + duration_ns
    else:
        until_ns = min(scene.now_ns + duration_ns, work.expires_ns)
    _advance(scene, work, phase=leg, until_ns=until_ns, failures=0)
    timer_id = f"leg:{leg}:{work.approval_id}"
    scene.decision.ask(agent_pb2.SetTimer(timer_id=timer_id, due_ns=until_ns))


def _advance(scene: Scene, work: Work, **changes: object) -> None:
    event = work.advanced(**changes)
    scene.decision.keep(event)
    work.note(event)


def _why_stop(scene: Scene, work: Work) -> str:
    if work.stopped:
        return work.stopped
    held = scene.running(work.portfolio, work.side)
    if not held.passed:
        return f"{_HALTED}{held.detail}"
    if work.condition_id in scene.views.resolved:
        return RESOLVED
    # A single order may rest longer than its approval: that says until when it may be sent.
    if work.tactic != SINGLE and scene.now_ns >= work.expires_ns:
        return EXPIRED
    return ""


def _free(work: Work, orders: list[OrderRecord]) -> int:
    """Return what is neither filled nor at the venue, in whole lots."""
    committed = sum(record.committed_micro for record in orders)
    return floor_to(max(0, work.size_micro - committed), LOT_MICRO)


def _smallest(scene: Scene, work: Work, read: order_pb2.BookRead | None) -> int:
    terms = scene.views.tokens.get(work.token_id)
    listed = terms.min_size_micro if terms is not None else 0
    return max((read.min_size_micro if read is not None else 0) or listed, LOT_MICRO)


def _has_had_its_order(scene: Scene, work: Work, orders: list[OrderRecord]) -> bool:
    """Whether this leg has sent what it was to send; one that shows parts sends them on."""
    if work.is_reading:
        return True
    if scene.plan(work)[work.phase].clip_micro_ratio:
        return False
    return any(order_of(record).phase == work.phase and not is_void(record) for record in orders)


def _is_last_word(scene: Scene, work: Work, orders: list[OrderRecord]) -> bool:
    """Whether the plan has no further order after those that it has sent."""
    is_last = bool(work.tactic) and work.phase + 1 >= len(scene.plan(work))
    return is_last and not work.is_reading and _has_had_its_order(scene, work, orders)


def _send_next(scene: Scene, work: Work, free_micro: int, seen: Seen) -> None:
    book, read = seen
    leg = scene.plan(work)[work.phase]
    if leg.needs_book:
        book = book or _fresh_book(scene, work)
        if book is None:
            _read(scene, work)
            return
    terms = scene.views.tokens[work.token_id]
    wanted = Wanted(
        side=work.side,
        limit_price_micro=work.limit_price_micro,
        free_micro=free_micro,
        tick_micro=(read.tick_micro if read is not None else 0) or terms.tick_micro,
        min_size_micro=_smallest(scene, work, read),
    )
    child = child_of(leg, wanted, book or Book(), scene.policy.tactics)
    if child.is_skipped:
        _skip(scene, work, child)
    else:
        _announce(scene, work, child, leg)


def _announce(scene: Scene, work: Work, child: Child, leg: Leg) -> None:
    number = len(work.orders)
    place = Place(number, work.until_ns, scene.policy.working)
    terms = scene.views.tokens[work.token_id]
    announced = announced_order(work, child, place, terms, scene.order_id)
    if leg.needs_book:
        announced.reasons.append(flag("child.leg", True, f"{leg.anchor} {leg.offset_micro:+d}"))
        announced.order.order_id = scene.order_id(announced)
    scene.decision.emit(TOPIC, announced)
    scene.submit(announced, work.approved())
    order_id = announced.order.order_id
    work.orders.append(order_id)
    scene.changed[order_id] = record_of(announced, scene.now_ns)


def _skip(scene: Scene, work: Work, child: Child) -> None:
    """Say why there is no order now; the next leg looks again."""
    work.skips += 1
    scene.decision.emit(
        TOPIC,
        order_pb2.ChildSkipped(
            portfolio=work.portfolio,
            approval_id=work.approval_id,
            condition_id=work.condition_id,
            token_id=work.token_id,
            phase=work.phase,
            tactic=order_pb2.Tactic.ValueType(work.tactic),
            reasons=child.reasons,
        ),
    )


def _fresh_book(scene: Scene, work: Work) -> Book | None:
    book = scene.views.books.get(work.token_id)
    if book is None or scene.now_ns - book.at_ns > scene.policy.tactics.book_age_ns_max:
        return None
    return book


def _read(scene: Scene, work: Work) -> None:
    if work.is_reading:
        return
    _advance(scene, work, reading=True)
    message = order_pb2.ReadBook(
        approval_id=work.approval_id, condition_id=work.condition_id, token_id=work.token_id
    )
    scene.decision.effects.append(Effect(message, id=book_id(work.approval_id)))
