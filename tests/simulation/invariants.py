"""The invariants of the design, each a function that yields what is wrong.

Checked whenever everything has come to rest, and some at the end only. They hold the log against
the engine's own books and against the agents' states; none asks an agent whether it did well.
Numbers are those of the design, section 9; its seventh is the recorder's.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.simulation import agents
from tests.simulation.process import Process
from tests.simulation.transcript import Transcript
from tests.simulation.venue import WALLET
from whaletrader.domain.approval import ForgedApproval, signing_bytes
from whaletrader.domain.money import notional
from whaletrader.runtime.codec import decode, digest, encode
from whaletrader.runtime.core import Core, Inline, Input
from whaletrader.runtime.journal import inputs_of, pick_inputs, restore
from whaletrader.runtime.log import Stored
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.schemas import agent_pb2, common_pb2, order_pb2, risk_pb2
from whaletrader.services.exchange.engine.exchange import Exchange as Engine
from whaletrader.services.exchange.engine.model import Market
from whaletrader.services.execution.transitions import Phase

BUY: Final = common_pb2.SIDE_BUY
OVERHEARD_MAX: Final = 5


@dataclass(slots=True)
class Scene:
    """Everything that an invariant may look at."""

    log: MemoryLog
    transcript: Transcript
    engine: Engine
    processes: dict[str, Process]
    poison: dict[tuple[str, int, int], bytes]
    now_ns: int

    def state_of(self, agent: str) -> Any:
        return self.processes[agent].core.agent.state


Invariant = Callable[[Scene], Iterator[str]]


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


def exposure_stays_within_limits(scene: Scene) -> Iterator[str]:
    """(2) Money at stake, counted from the log alone, is within every limit."""
    limits = agents.SETTINGS.limits()
    total = 0
    by: dict[str, Counter[str]] = defaultdict(Counter)
    for at_stake, approval in money_at_stake(scene):
        total += at_stake
        by["position"][approval.token_id] += at_stake
        by["market"][approval.condition_id] += at_stake
        by["leader"][approval.leader] += at_stake
    if total > limits.total_micro_max:
        yield f"{total} micro-dollars are at stake of {limits.total_micro_max}"
    maxima = {
        "position": limits.position_micro_max,
        "market": limits.market_micro_max,
        "leader": limits.leader_micro_max,
    }
    for name, counts in by.items():
        for key, amount in counts.items():
            if amount > maxima[name]:
                yield f"{name} {key}: {amount} micro-dollars are at stake of {maxima[name]}"


def money_at_stake(scene: Scene) -> Iterator[tuple[int, risk_pb2.ApprovedTrade]]:
    """Yield, by approval to buy, the least that is at stake: fills at cost, and what may fill.

    A holding that was sold, or whose market is decided, counts no more.
    """
    transcript = scene.transcript
    orders: dict[str, list[order_pb2.OrderAnnounced]] = defaultdict(list)
    for events in transcript.announced.values():
        for event in events.values():
            orders[event.order.approval_id].append(event)
    filled: Counter[str] = Counter()
    cost: Counter[str] = Counter()
    sold: Counter[tuple[str, str]] = Counter()
    for event in transcript.standing():
        if event.order.side == BUY:
            filled[event.order.order_id] += event.fill.size_micro
            cost[event.order.order_id] += notional(event.fill.price_micro, event.fill.size_micro)
        else:
            sold[(event.order.token_id, event.order.leader)] += event.fill.size_micro
    for approval_id, approval in transcript.approvals.items():
        if approval.side != BUY or approval_id in transcript.refused:
            continue
        if approval_id in transcript.finished and approval_id not in orders:
            continue
        if approval_id not in orders:
            grace_ns = agents.SETTINGS.limits().expiry_grace_ns
            if scene.now_ns < approval.expires_ns + grace_ns:
                yield notional(approval.limit_price_micro, approval.size_micro), approval
            continue
        # An order may be off the book before its fills are settled: more than the approval leaves
        # to be filled is never at stake.
        left = approval.size_micro
        at_stake = open_rest = price = 0
        is_held = approval.condition_id not in transcript.winners
        is_kept = is_held and not sold[(approval.token_id, approval.leader)]
        for order in orders[approval_id]:
            order_id = order.order.order_id
            is_open = order_id not in transcript.closed
            left -= filled[order_id]
            at_stake += cost[order_id] if is_kept else 0
            rest = order.order.size_micro - filled[order_id] if is_open else 0
            open_rest, price = (rest, order.order.price_micro) if rest > 0 else (open_rest, price)
        at_stake += notional(price, max(0, min(open_rest, left)))
        yield at_stake, approval


def risk_adds_up(scene: Scene) -> Iterator[str]:
    """(2) Risk's sums are the sums of its parts, and none is negative or over its limit."""
    state = scene.state_of("risk")
    limit = agents.SETTINGS.limits().total_micro_max
    if not 0 <= state.exposure_micro <= limit:
        yield f"risk counts an exposure of {state.exposure_micro}, limit {limit}"
    for name in ("by_token", "by_market", "by_leader"):
        if sum(getattr(state, name).values()) != state.exposure_micro:
            yield f"risk's {name} does not add up to its exposure {state.exposure_micro}"
    reserved = sum(approval.reserved_micro for approval in state.approvals.values())
    if reserved != state.reserved_micro:
        yield f"risk has set aside {state.reserved_micro}, its approvals {reserved}"


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


def nothing_stays_set_aside(scene: Scene) -> Iterator[str]:
    """(2, at the end) With every order ended and approval expired, no money is set aside."""
    reserved = scene.state_of("risk").reserved_micro
    if reserved:
        yield f"{reserved} micro-dollars are still set aside"


def positions_are_the_sum_of_fills(scene: Scene) -> Iterator[str]:
    """(4) Shares by token: the log's standing fills, the venue's ledger and risk agree."""
    held: Counter[str] = Counter()
    for event in scene.transcript.standing():
        if event.order.condition_id not in scene.transcript.winners:
            sign = 1 if event.order.side == BUY else -1
            held[event.order.token_id] += sign * event.fill.size_micro
    account = scene.engine.state.ledger.account(WALLET)
    # A trade that settles after its market was decided is paid out only then.
    late = {
        token.token_id for market in unsettled_in_decided_markets(scene) for token in market.tokens
    }
    at_venue = {
        token: size for token, size in account.positions.items() if size and token not in late
    }
    ours = {token: size for token, size in held.items() if size}
    if ours != at_venue:
        yield f"by the log we hold {_differing(ours, at_venue)}, by the venue's books (second)"
    in_risk: Counter[str] = Counter()
    for token, leaders in scene.state_of("risk").lots.items():
        in_risk[token] += sum(lot.size_micro for lot in leaders.values())
    believed = {token: size for token, size in in_risk.items() if size}
    if believed != at_venue:
        yield f"risk believes in {_differing(believed, at_venue)}, the venue's books (second)"


def unsettled_in_decided_markets(scene: Scene) -> list[Market]:
    """Return the decided markets in which a trade of ours is still on its way."""
    return [
        trade.market
        for trade in scene.engine.state.trades_by_principal[WALLET]
        if not trade.status.is_final and trade.market.condition_id in scene.transcript.winners
    ]


def cash_agrees_to_the_micro_unit(scene: Scene) -> Iterator[str]:
    """(4) Cash of the log, the venue, risk and attribution is one number; the ledger balances."""
    engine = scene.engine.state
    engine.ledger.check(engine.markets)
    if unsettled_in_decided_markets(scene):
        return
    cash = agents.CASH_MICRO
    payouts: Counter[str] = Counter()
    for event in scene.transcript.standing():
        fill, ref = event.fill, event.order
        buys = ref.side == BUY
        money = notional(fill.price_micro, fill.size_micro, up=buys)
        cash += -money - fill.fee_micro if buys else money - fill.fee_micro
        payouts[ref.token_id] += fill.size_micro if buys else -fill.size_micro
    cash += sum(payouts[winner] for winner in scene.transcript.winners.values())
    account = scene.state_of("attribution").accounts.get("main")
    said = {
        "the venue": engine.ledger.account(WALLET).cash_micro,
        "risk": scene.state_of("risk").cash_micro,
        "attribution": account.cash_micro if account is not None else agents.CASH_MICRO,
    }
    for who, amount in said.items():
        if amount != cash:
            yield f"by the log there is {cash} in cash, by {who} {amount}"


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


def _differing(ours: dict[str, int], theirs: dict[str, int]) -> dict[str, tuple[int, int]]:
    keys = [key for key in {**ours, **theirs} if ours.get(key, 0) != theirs.get(key, 0)]
    return {key: (ours.get(key, 0), theirs.get(key, 0)) for key in keys}
