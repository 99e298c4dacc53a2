"""The scheduler: picks who does what next, and throws processes away in between.

Everything that happens is drawn from one generator, so a seed repeats a run to the last byte. At
each rest the invariants are held against the log, the engine and the agents.
"""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from google.protobuf.message import Message

from tests.simulation import agents, invariants
from tests.simulation.faults import Crashed, CrashPoint, Faults, rates_of
from tests.simulation.invariants import not_covered
from tests.simulation.options import Options, Violation
from tests.simulation.process import Ground, Process, crash_point_of
from tests.simulation.scene import Invariant, Scene
from tests.simulation.tape import sample_windows, synthetic_windows
from tests.simulation.transcript import Transcript
from tests.simulation.venue import Exchange
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.codec import decode, encode, meta_of, type_name
from whaletrader.runtime.control import control_event, control_record
from whaletrader.runtime.core import Step
from whaletrader.runtime.log import (
    CommitUncertain,
    Fenced,
    LogUnavailable,
    Membership,
    Position,
    Record,
)
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.topics import TOPICS, TRADING_TOPICS, journal_topic
from whaletrader.schemas import common_pb2, order_pb2, tape_pb2
from whaletrader.services.exchange.engine.model import EngineSettings
from whaletrader.services.exchange.engine.plans import SettlementWeather
from whaletrader.services.feeds.tape_values import Window
from whaletrader.venues.approval import VerifiedApproval
from whaletrader.venues.errors import VenueUnavailable

NS_PER_S: Final = 1_000_000_000
# At the end time passes in halves of the time that an order is worked. What is put up for sale
# again and again takes so many of them, and the last sale, ordered late, all its phases.
SALES_ROUNDS: Final = 4 * agents.SETTINGS.flatten_attempts_max
LAST_SALE_ROUNDS: Final = 2 * len(agents.PHASED.phases) + 1
# More actions than this without coming to rest are a loop between agents.
SETTLE_MAX: Final = 6_000
# How far time may pass the tape before the next window is played.
SLACK_NS: Final = 100 * NS_PER_S
POISONED: Final = ("control", "market.data", "wallet.trades", "order.events", "trade.approved")


class World:
    """One run."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.rng = Random(options.seed)
        self.is_eager = options.seed % 2 == 0 if options.is_eager is None else options.is_eager
        self.step = 0
        self.rests = 0
        self.clock = SetClock()
        self.log = MemoryLog(self.clock.now_ns)
        self.faults = Faults(self.rng, options.rates or rates_of(options.seed))
        self.transcript = Transcript()
        self.poison: dict[tuple[str, int, int], bytes] = {}
        self.processes: dict[str, Process] = {}
        self.zombies: list[Process] = []
        self._published = 0
        self._prints: dict[str, bytes] = {}
        self._memberships: dict[str, Membership] = {}
        make = sample_windows if options.is_sample else synthetic_windows
        self.windows: list[Window] = make(self.rng, options.windows)
        settle_ns = self.rng.choice((0, 0, 5, 900)) * NS_PER_S
        engine = EngineSettings(settle_mined_ns=settle_ns, settle_confirmed_ns=settle_ns)
        self.exchange = Exchange.opened(engine, agents.CASH_MICRO)
        # Every second seed settlements fail now and then, and finished ones are told again.
        if options.seed % 2:
            self.exchange.engine.settlement_weather(
                SettlementWeather(options.seed, fail_micro=100_000, repeat_micro=100_000)
            )
        self.edges = agents.Edges(
            self.windows,
            self.exchange,
            self.faults,
            self._on_submit,
            self._ask_risk,
            options.rereads_all,
            # Every third seed an approved trade becomes several orders.
            agents.PHASED if options.seed % 3 == 0 else agents.SINGLE,
        )
        self.ground = Ground(self.log, self.clock, self.faults, self._on_commit)
        self.roles = {
            name: options.change_role(role)
            for name, role in agents.roles(self.edges, is_eager=self.is_eager).items()
        }
        self.clock.set(self.windows[0].start_ns)

    async def run(self) -> None:
        """Run to the end. Raises Violation."""
        await self.log.create_topics(TOPICS)
        for name in self.roles:
            self._memberships[name] = await self.log.join(name, "member", journal_topic(name))
        while self.step < self.options.steps and self._published < len(self.windows):
            await self._act()
        self.faults.is_on = False
        await self._finish()

    # -- what may happen -------------------------------------------------------------------

    async def _act(self) -> None:
        # Mostly it trades: a stop seldom lasts.
        if self.rng.random() < self.options.stops * (5 if self._is_stopped() else 1):
            await self._control()
        mark = self.rng.random()
        if mark < 0.02:
            await self._tell_twice()
        elif mark < 0.025:
            await self._poison()
        elif mark < 0.035:
            await self._twin()
        elif mark < 0.06:
            await self._pass_some_time()
        elif mark < 0.07:
            await self._next_window()
        elif mark < 0.08:
            await self._come_to_rest()
            await self._next_window()
        elif self.zombies and mark < 0.2:
            await self._work(self.rng.choice(self.zombies))
        else:
            await self._let_work(self.rng.choice(list(self.roles)))

    async def _let_work(self, name: str) -> None:
        process = self.processes.get(name)
        if process is None:
            await self._start(name)
        else:
            await self._work(process)

    async def _work(self, process: Process) -> None:
        self.step += 1
        choices: list[Callable[[], Awaitable[object]]] = [lambda: self._take(process)]
        if process.due:
            choices.append(process.run_effect)
        if process.plugs.has_news():
            choices.append(lambda: self._listen(process))
        await self._guarded(process, self.rng.choice(choices))

    async def _take(self, process: Process) -> None:
        # None at all is a delay.
        records_max = self.rng.choice((0, 1, 2, 5, 20, 200))
        await process.take(records_max, self.rng.choice((1, 3, 50)))

    async def _listen(self, process: Process) -> None:
        if process.plugs.listen is not None:
            try:
                await process.plugs.listen()
            except VenueUnavailable:
                # The source asks again; so do we when it is its turn.
                return

    async def _guarded(self, process: Process, act: Callable[[], Awaitable[object]]) -> None:
        try:
            await act()
        except Crashed as crash:
            self._bury(process, crash.point)
        except (Fenced, LogUnavailable, CommitUncertain) as error:
            self._bury(process, crash_point_of(error))

    def _bury(self, process: Process, point: CrashPoint) -> None:
        self.faults.crashed(point)
        process.die()
        name = process.role.name
        if process in self.zombies:
            self.zombies.remove(process)
        elif self.processes.get(name) is process:
            del self.processes[name]
            self._prints.pop(name, None)
            if process.is_clean:
                self._prints[name] = process.fingerprint()

    async def _start(self, name: str) -> None:
        self.step += 1
        process = Process(self.ground, self.roles[name])
        await process.start(self._memberships[name])
        self.processes[name] = process
        self._note_published(process)
        before = self._prints.pop(name, None)
        if before is not None and before != process.fingerprint():
            self.fail([f"{name} came back as another than it was"])

    async def _twin(self) -> None:
        """Start a second process of an agent; the first does not know yet."""
        name = self.rng.choice(list(self.processes) or [""])
        if not name or not self.processes[name].is_clean:
            return
        first = self.processes[name]
        self._prints[name] = first.fingerprint()
        self.zombies.append(first)
        await self._start(name)

    async def _tell_twice(self) -> None:
        """Append a record again, as a producer does that lost the answer."""
        topic = self.rng.choice(TRADING_TOPICS)
        for partition, end in (await self.log.end(topic)).items():
            offset = end - self.rng.randint(1, 20)
            if offset < 0 or (topic, partition, offset) in self.poison:
                continue
            (record,) = await self.log.read(Position(topic, partition, offset), 1)
            self.faults.fates["told twice"] += 1
            await self.log.append(
                [Record(topic, record.key, record.value, record.headers, partition)]
            )

    async def _poison(self) -> None:
        topic = self.rng.choice(POISONED)
        payload = b"\xff\xff" + self.rng.randbytes(4) + b"\xff"
        kind = self.rng.choice((type_name(order_pb2.OrderMatched), "no.such.Type", ""))
        key = str(self.rng.randrange(100))
        headers = {"ce_type": kind, "ce_id": f"{self.rng.getrandbits(128):032x}"}
        before = await self.log.end(topic)
        await self.log.append([Record(topic, key, payload, headers)])
        after = await self.log.end(topic)
        where = next(number for number in after if after[number] != before[number])
        self.poison[(topic, where, before[where])] = payload

    async def _control(self) -> None:
        action = "resume" if self._is_stopped() else self.rng.choice(("halt", "flatten"))
        event = control_event(action, "main", "person", str(self.step), self.clock.now_ns())
        self.faults.fates[action] += 1
        await self.log.append([control_record(event)])

    def _is_stopped(self) -> bool:
        risk = self.processes.get("risk")
        return bool(self.transcript.stop) or (risk is not None and bool(risk.core.agent.state.halt))

    # -- time ------------------------------------------------------------------------------

    async def _pass_some_time(self) -> None:
        dues = [p.timers.next_due_ns for p in self.processes.values()]
        known = [due for due in dues if due is not None]
        step_ns = self.rng.choice((1_000_000, NS_PER_S, 5 * NS_PER_S, 20 * NS_PER_S))
        to_ns = self.clock.now_ns() + step_ns
        if known and self.rng.random() < 0.5:
            to_ns = min(known)
        played = self._published
        end_ns = self.windows[played - 1].end_ns if played else self.windows[0].start_ns
        await self._pass_time(min(to_ns, end_ns + SLACK_NS))

    async def _pass_time(self, to_ns: int) -> None:
        # Nothing stays on the wire, and no twin unaware, for as long as it takes to give up.
        self.exchange.deliver_late()
        for zombie in list(self.zombies):
            await self._guarded(zombie, lambda z=zombie: z.take(1, 50))  # type: ignore[misc]
            if zombie in self.zombies:
                zombie.die()
                self.zombies.remove(zombie)
        self.clock.set(to_ns)

    async def _next_window(self) -> None:
        feeds = self.processes.get("feeds")
        if feeds is None or not feeds.is_clean or self._published == len(self.windows):
            return
        number = self._published + 1
        await self._pass_time(self.windows[number - 1].end_ns)
        due = tape_pb2.WindowDue(window=number)
        due.meta.id = derived_id("window", number)
        due.meta.correlation = due.meta.id
        due.meta.event_time_ns = self.windows[number - 1].end_ns
        feeds.put(due)

    # -- what the edges report -------------------------------------------------------------

    def _on_commit(self, process: Process, step: Step) -> None:
        del step
        self._note_published(process)

    def _note_published(self, process: Process) -> None:
        if process.role.name == "feeds":
            self._published = max(self._published, process.core.agent.state.published)

    async def _ask_risk(self, effect: Effect) -> Message | None:
        """Carry a request to risk and its reply back, if both get through."""
        faults, rates = self.faults, self.faults.rates
        risk = self.processes.get("risk")
        if risk is None or faults.happens("request lost", rates.request_lost):
            return None
        replies: list[Message] = []
        request = decode(type_name(effect.message), encode(effect.message))
        risk.put(request, replies.append)
        if faults.happens("request late", rates.request_late):
            return None
        await self._guarded(risk, lambda: risk.take(0, len(risk.inbox)))
        if not replies or faults.happens("reply lost", rates.reply_lost):
            return None
        (reply,) = replies
        await self.transcript.catch_up(self.log)
        if meta_of(reply).id not in self.transcript.verdicts:
            self.fail([f"the {type_name(reply)} that was answered is not on the log"])
        return decode(type_name(reply), encode(reply))

    async def _on_submit(
        self, process: Process, approval: VerifiedApproval, order: order_pb2.OrderAnnounced
    ) -> None:
        """(1, 8) Held against the log in the moment in which the order leaves."""
        await self.transcript.catch_up(self.log)
        transcript = self.transcript
        ref = order.order
        wrong = []
        if ref.order_id not in transcript.announced:
            wrong.append(f"order {ref.order_id} leaves before it is announced")
        logged = transcript.approvals.get(ref.approval_id)
        if logged is None or encode(logged) != encode(approval.approval):
            wrong.append(f"order {ref.order_id} leaves with an approval that is not on the log")
        else:
            wrong += not_covered(logged, order)
            if self.clock.now_ns() >= logged.expires_ns:
                wrong.append(f"order {ref.order_id} leaves after its approval expired")
        is_sale = ref.side == common_pb2.SIDE_SELL
        # What risk stops, and a flatten, is whatever buys.
        lets_sell = transcript.stop in ("flatten", "reduce", "pause")
        may_leave = not transcript.stop or (lets_sell and is_sale)
        if not may_leave and process not in self.zombies:
            wrong.append(f"order {ref.order_id} leaves after {transcript.stop}")
        self.fail(wrong)

    # -- rest ------------------------------------------------------------------------------

    async def _come_to_rest(self) -> None:
        await self._settle()
        was_on, self.faults.is_on = self.faults.is_on, False
        await self._settle()
        reconcile = self.processes["execution"].plugs.reconcile
        if reconcile is not None:
            await reconcile()
        await self._settle()
        self.rests += 1
        await self._check(invariants.AT_REST)
        self.faults.is_on = was_on

    async def _settle(self) -> None:
        """Let everyone work until nobody has anything left to do."""
        for _ in range(SETTLE_MAX):
            name = await self._someone_busy()
            if name is not None:
                await self._let_work(name)
            elif self.exchange.on_the_wire or self.zombies:
                await self._pass_time(self.clock.now_ns())
            else:
                return
        self.fail([f"no rest after {SETTLE_MAX} actions"])

    async def _someone_busy(self) -> str | None:
        names = list(self.roles)
        self.rng.shuffle(names)
        for name in names:
            process = self.processes.get(name)
            if process is None or process.has_unsettled or await process.unread():
                return name
        return None

    async def _finish(self) -> None:
        """Faults are over: whatever is under way ends, and then everything must add up."""
        await self._come_to_rest()
        for turn in range(SALES_ROUNDS + LAST_SALE_ROUNDS):
            if turn >= SALES_ROUNDS and not self.scene().state_of("execution").works:
                break
            await self._pass_time(self.clock.now_ns() + agents.WORKING_NS // 2)
            self.exchange.engine.advance(self.clock.now_ns())
            self.exchange.publish()
            await self._come_to_rest()
        await self._check(invariants.AT_THE_END)
        self.fail(await invariants.replay_gives_the_same_journal(self.scene()))

    async def _check(self, checks: tuple[Invariant, ...]) -> None:
        await self.transcript.catch_up(self.log)
        scene = self.scene()
        for check in checks:
            self.fail([f"{check.__name__}: {wrong}" for wrong in check(scene)])
        self.fail(await invariants.restored_equals_running(scene))

    def scene(self) -> Scene:
        return Scene(
            self.log,
            self.transcript,
            self.exchange.engine,
            self.processes,
            self.poison,
            self.clock.now_ns(),
        )

    def fail(self, wrong: list[str]) -> None:
        """Raise Violation if anything is wrong."""
        if wrong:
            raise Violation(wrong, self.options, self.step)
