"""The invariants of the design, each a function that yields what is wrong.

Checked whenever everything has come to rest, and some at the end only. They hold the log against
the engine's own books and against the agents' states; none asks an agent whether it did well.
Those about money are in money.py. Numbers are those of the design, section 9; its seventh is the
recorder's.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.simulation import agents
from tests.simulation.money import (
    cash_agrees_to_the_micro_unit,
    exposure_stays_within_limits,
    nothing_stays_set_aside,
    positions_are_the_sum_of_fills,
    risk_adds_up,
)
from tests.simulation.process import Process
from tests.simulation.scene import BUY, Invariant, Scene
from tests.simulation.venue import WALLET
from whaletrader.domain.approval import ForgedApproval, signing_bytes
from whaletrader.runtime.codec import decode, digest, encode
from whaletrader.runtime.core import Core, Inline, Input
from whaletrader.runtime.journal import inputs_of, pick_inputs, restore
from whaletrader.runtime.log import Stored
from whaletrader.schemas import agent_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.transitions import Phase

OVERHEARD_MAX: Final = 5


def every_venue_order_is_approved(scene: Scene) -> Iterator[str]:
    """(1) What the venue ever took was announced, and covered by an approval used once."""
    used: Counter[str] = Counter()
    for order_id, order in scene.engine.state.orders.items():
        if order.terms.principal != WALLET:
            continue
        announced = next(iter(scene.transcript.announced.get(order_id, {}).values()), None)
        if announced is None:
            yield f"the venue has order {order_id}, which was never announced"
            continue
        used[announced.order.approval_id] += order.matched_micro
        if order.is_open:
            used[announced.order.approval_id] += order.remaining_micro
        approval = scene.transcript.approvals.get(announced.order.approval_id)
        if approval is None:
            yield f"order {order_id} at the venue has no approval on the log"
            continue
        yield from not_covered(approval, announced)
    for approval_id, size in used.items():
        approval = scene.transcript.approvals.get(approval_id)
        if approval is not None and size > approval.size_micro:
            yield f"approval {approval_id} was used for {size} of {approval.size_micro}"


def not_covered(approval: risk_pb2.ApprovedTrade, order: order_pb2.OrderAnnounced) -> Iterator[str]:
    """Yield why the approval does not cover the order; its signature is checked anew."""
    ref = order.order
    try:
        agents.VERIFIER.verify(signing_bytes(approval), approval.signature, approval.key_id)
    except ForgedApproval as error:
        yield f"approval {approval.approval_id} is forged: {error}"
    if (ref.token_id, ref.side) != (approval.token_id, approval.side):
        yield f"order {ref.order_id} is for another trade than {approval.approval_id}"
    if not 0 < ref.size_micro <= approval.size_micro:
        yield f"order {ref.order_id} is larger than {approval.approval_id} allows"
    worse = ref.price_micro - approval.limit_price_micro
    if (worse if ref.side == BUY else -worse) > 0:
        yield f"order {ref.order_id} is at a worse price than {approval.approval_id} allows"


def every_approval_is_journaled(scene: Scene) -> Iterator[str]:
    """(2) An approval on the log is in risk's journal, byte for byte."""
    for approval_id, approval in scene.transcript.approvals.items():
        if scene.transcript.journaled_approvals.get(approval.meta.id) != digest(encode(approval)):
            yield f"approval {approval_id} is not in risk's journal"


def orders_end_at_most_once(scene: Scene) -> Iterator[str]:
    """(3) No order has two ends, or two announcements, or an end without one."""
    for order_id, events in scene.transcript.announced.items():
        if len(events) != 1:
            yield f"order {order_id} was announced {len(events)} times"
    for order_id, ends in scene.transcript.closed.items():
        if len(ends) != 1:
            yield f"order {order_id} ended {len(ends)} times"
        if order_id not in scene.transcript.announced:
            yield f"order {order_id} ended and was never announced"


def nothing_is_taken_for_refused_that_was_taken(scene: Scene) -> Iterator[str]:
    """(3) No order that the venue ever had has ended as one that it never had."""
    for order_id in scene.transcript.closed:
        if order_id in scene.engine.state.orders and order_id not in scene.transcript.accepted:
            yield f"order {order_id} ended as never taken; it was at the venue"


def nothing_rests_unknown_to_us(scene: Scene) -> Iterator[str]:
    """(3) What rests at the venue is what execution believes rests there."""
    rests = set(scene.engine.state.open_by_principal[WALLET])
    believed = {
        order_id
        for order_id, record in scene.state_of("execution").orders.items()
        if record.phase is Phase.LIVE and not record.venue_status
    }
    # Provisional fills can complete an order that we still call live.
    complete = {
        order_id
        for order_id in believed - rests
        if (found := scene.engine.state.orders.get(order_id)) and not found.remaining_micro
    }
    for order_id in rests - believed:
        yield f"order {order_id} rests at the venue, and execution does not know"
    for order_id in believed - rests - complete:
        yield f"execution believes that order {order_id} rests at the venue"


def every_order_has_ended(scene: Scene) -> Iterator[str]:
    """(3, at the end) Each announced order ended, with what the venue filled of it."""
    if scene.engine.state.open_by_principal[WALLET]:
        yield f"orders still rest: {list(scene.engine.state.open_by_principal[WALLET])}"
    for order_id in scene.transcript.announced:
        ends = scene.transcript.closed.get(order_id)
        if not ends:
            phase = scene.state_of("execution").orders[order_id].phase
            yield f"order {order_id} has not ended, it is {phase}"
            continue
        at_venue = scene.engine.state.orders.get(order_id)
        matched = at_venue.matched_micro if at_venue is not None else 0
        said = next(iter(ends.values())).filled_size_micro
        if said != matched:
            yield f"order {order_id} ended with {said} filled; the venue filled {matched}"


def every_approved_trade_is_finished(scene: Scene) -> Iterator[str]:
    """(3, at the end) Each approval was refused, or worked and finished: nothing is under way."""
    transcript = scene.transcript
    for approval_id in transcript.approvals:
        ends = (approval_id in transcript.refused) + (approval_id in transcript.finished)
        if ends != 1:
            yield f"approval {approval_id} was refused or finished {ends} times"
    for approval_id in scene.state_of("execution").works:
        yield f"execution still works approval {approval_id}"


def every_message_was_read_once_and_in_order(scene: Scene) -> Iterator[str]:
    """(6) Journals name every offset of what their agent reads, once, without gaps."""
    for agent, places in scene.transcript.read.items():
        for place, read in places.items():
            for slip in read.slips[:OVERHEARD_MAX]:
                yield f"{agent} read {place} out of order: {slip}"


def what_cannot_be_read_is_in_the_dead_letters(scene: Scene) -> Iterator[str]:
    """(6) Each reader put each poisoned record there with its bytes, and nothing else."""
    for agent, process in scene.processes.items():
        letters = scene.transcript.dead[agent]
        wanted = {
            where: payload
            for where, payload in scene.poison.items()
            if where[0] in process.core.agent.reads
        }
        for where in wanted.keys() - letters.keys():
            yield f"{agent} read poison at {where} and said nothing"
        for where in letters.keys() - wanted.keys():
            yield f"{agent} could not handle the message at {where}"
        for where in wanted.keys() & letters.keys():
            if letters[where] != wanted[where]:
                yield f"{agent}: the dead letter of {where} holds other bytes"


def nothing_rests_while_halted(scene: Scene) -> Iterator[str]:
    """(8) After a halt cancels still leave: at rest, no order of ours is on the book."""
    if scene.transcript.stop == "halt" and scene.engine.state.open_by_principal[WALLET]:
        yield f"halted, and on the book: {list(scene.engine.state.open_by_principal[WALLET])}"


AT_REST: Final[tuple[Invariant, ...]] = (
    every_venue_order_is_approved,
    every_approval_is_journaled,
    exposure_stays_within_limits,
    risk_adds_up,
    orders_end_at_most_once,
    nothing_is_taken_for_refused_that_was_taken,
    nothing_rests_unknown_to_us,
    positions_are_the_sum_of_fills,
    cash_agrees_to_the_micro_unit,
    every_message_was_read_once_and_in_order,
    what_cannot_be_read_is_in_the_dead_letters,
    nothing_rests_while_halted,
)
AT_THE_END: Final[tuple[Invariant, ...]] = (
    *AT_REST,
    every_order_has_ended,
    every_approved_trade_is_finished,
    nothing_stays_set_aside,
)


async def restored_equals_running(scene: Scene) -> list[str]:
    """(5) What a restart makes of snapshot and journal is what runs."""
    wrong = []
    for name, process in scene.processes.items():
        core = Core(process.role.make_agent())
        await restore(scene.log, core)
        if core.snapshot(0).value != process.fingerprint():
            wrong.append(f"{name} restored differs from {name} running: {_where(core, process)}")
    return wrong


async def replay_gives_the_same_journal(scene: Scene) -> list[str]:
    """(5, at the end) The journal's inputs, decided again, give the journal byte for byte."""
    wrong = []
    for name, process in scene.processes.items():
        entries = scene.transcript.entries[name]
        inputs = await inputs_of(scene.log, entries)
        core = Core(process.role.make_agent())
        for entry in entries:
            step = core.step(inputs_again(entry, pick_inputs(entry, inputs)), entry.now_ns)
            if encode(step.entry) != encode(entry):
                wrong.append(f"{name} decides entry {entry.sequence} differently when replayed")
                break
    return wrong


def inputs_again(entry: agent_pb2.JournalEntry, stored: dict[int, Stored]) -> list[Input]:
    """Return an entry's inputs as its agent met them."""

    return [
        Inline(decode(noted.inline.type, noted.inline.payload), noted.inline.effect_id)
        if noted.HasField("inline")
        else stored[index]
        for index, noted in enumerate(entry.inputs)
    ]


def _where(core: Core, process: Process) -> str:
    running = process.core
    for part in ("state", "views", "now_ns"):
        if getattr(core.agent, part) != getattr(running.agent, part):
            return part
    for part in ("pending", "consumed", "produced", "sequence"):
        if getattr(core, part) != getattr(running, part):
            return part
    return "the order of something"
