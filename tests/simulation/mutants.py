"""Planted defects, each one that a system like this has had: the simulation must find them all.

A mutant changes a role on its way into a world, or the runtime's half of a process. Each is the
real code but for the one thing that its name says.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from tests.simulation.process import Plugs, Process, Role
from tests.simulation.venue import order_id_of
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Agent, Decision, Effect
from whaletrader.runtime.log import Position, Record
from whaletrader.runtime.service import EffectRetry, Performer
from whaletrader.schemas import agent_pb2, order_pb2, risk_pb2, wallet_pb2
from whaletrader.services.execution.performers import SubmitPerformer
from whaletrader.services.execution.state import Stop

ChangeAgent = Callable[[Agent[Any, Any]], None]
ChangePlugs = Callable[[Process, Plugs], Plugs]


def changed_agent(name: str, change: ChangeAgent) -> Callable[[Role], Role]:
    """Return what plants a defect in an agent."""

    def of(role: Role) -> Role:
        if role.name != name:
            return role

        def make() -> Agent[Any, Any]:
            agent = role.make_agent()
            change(agent)
            return agent

        return replace(role, make_agent=make)

    return of


def changed_plugs(name: str, change: ChangePlugs) -> Callable[[Role], Role]:
    """Return what plants a defect at an agent's edges, or in its process."""

    def of(role: Role) -> Role:
        if role.name != name:
            return role
        return replace(role, plug=lambda process: change(process, role.plug(process)))

    return of


def changes_state_while_deciding(agent: Agent[Any, Any]) -> None:
    """An agent whose state moves without an event."""
    decide = agent.decides[wallet_pb2.WalletTraded]

    def on_trade(trade: wallet_pb2.WalletTraded) -> Decision:
        agent.state.answers["seen"] = agent.state.answers.get("seen", 0) + 1
        decision: Decision = decide(trade)
        return decision

    agent.decides = {**agent.decides, wallet_pb2.WalletTraded: on_trade}


def draws_from_what_no_journal_holds(agent: Agent[Any, Any]) -> None:
    """An agent that decides by something of its process: how often it was called."""
    decide = agent.decides[wallet_pb2.WalletTraded]
    calls = iter(range(10**9))

    def on_trade(trade: wallet_pb2.WalletTraded) -> Decision:
        return Decision() if next(calls) % 7 == 6 else decide(trade)  # type: ignore[no-any-return]

    agent.decides = {**agent.decides, wallet_pb2.WalletTraded: on_trade}


def forgets_what_it_set_aside(agent: Agent[Any, Any]) -> None:
    """A risk that approves as if nothing were reserved."""
    fold = agent.evolves[risk_pb2.ExposureChanged]

    def evolve(event: Message) -> None:
        kept = risk_pb2.ExposureChanged()
        kept.CopyFrom(event)
        if not kept.position_delta_micro:
            kept.reserved_delta_micro = 0
        fold(kept)

    agent.evolves = {**agent.evolves, risk_pb2.ExposureChanged: evolve}


def forgets_its_verdicts(agent: Agent[Any, Any]) -> None:
    """A risk that judges a proposal anew whenever it is asked again."""
    decide = agent.decides[risk_pb2.TradeProposal]

    def on_proposal(proposal: risk_pb2.TradeProposal) -> Decision:
        agent.state.verdicts.pop(proposal.meta.id, None)
        decision: Decision = decide(proposal)
        return decision

    agent.decides = {**agent.decides, risk_pb2.TradeProposal: on_proposal}


def makes_two_orders_of_an_approval(agent: Agent[Any, Any]) -> None:
    """An execution that sends an approved trade in two orders of its size."""
    decide = agent.decides[risk_pb2.ApprovedTrade]

    def on_approved(approval: risk_pb2.ApprovedTrade) -> Decision:
        decision: Decision = decide(approval)
        for effect in list(decision.effects):
            if isinstance(effect.message, order_pb2.SubmitOrder):
                second = order_pb2.SubmitOrder()
                second.CopyFrom(effect.message)
                second.order.salt += 1
                second.order.order.order_id = order_id_of(second.order)
                decision.emit("order.events", second.order)
                decision.effects.append(Effect(second, effect.lane))
        return decision

    agent.decides = {**agent.decides, risk_pb2.ApprovedTrade: on_approved}


def loses_reports_of_settled_fills(agent: Agent[Any, Any]) -> None:
    """An attribution that books nothing for a fill whose match it did not hear of first."""
    agent.decides = {
        kind: decide for kind, decide in agent.decides.items() if kind is not order_pb2.OrderMatched
    }
    confirmed = agent.decides[order_pb2.OrderConfirmed]

    def on_confirmed(event: order_pb2.OrderConfirmed) -> Decision:
        return Decision() if event.fill.size_micro % 3 == 0 else confirmed(event)  # type: ignore[no-any-return]

    agent.decides = {**agent.decides, order_pb2.OrderConfirmed: on_confirmed}


def takes_silence_for_a_refusal(_: Process, plugs: Plugs) -> Plugs:
    """A submit that says refused when there was no answer."""
    submit = plugs.performers[order_pb2.SubmitOrder]

    async def perform(effect: Effect, again: bool) -> Message:
        try:
            return await submit(effect, again)
        except EffectRetry as silence:
            assert isinstance(effect.message, order_pb2.SubmitOrder)
            return order_pb2.OrderPlacement(
                order_id=effect.message.order.order.order_id,
                status=order_pb2.PLACEMENT_STATUS_REFUSED,
                detail=str(silence),
            )

    return _with(plugs, perform)


def sends_blind_with_a_fresh_salt(_: Process, plugs: Plugs) -> Plugs:
    """A submit that, when tried again, makes a new order instead of looking for the first."""
    submit = plugs.performers[order_pb2.SubmitOrder]

    async def perform(effect: Effect, again: bool) -> Message:
        message = effect.message
        assert isinstance(message, order_pb2.SubmitOrder)
        if not (again or message.look_first):
            return await submit(effect, again)
        fresh = order_pb2.SubmitOrder()
        fresh.CopyFrom(message)
        fresh.look_first = False
        fresh.order.order.order_id = "0x" + derived_id("again", message.order.order.order_id)
        return await submit(replace(effect, message=fresh), False)

    return _with(plugs, perform)


def does_not_hear_the_halt(_: Process, plugs: Plugs) -> Plugs:
    """A submit that sends what was announced before a halt, and ignores the approval's expiry."""
    submit = plugs.performers[order_pb2.SubmitOrder]
    if not isinstance(submit, SubmitPerformer):
        raise TypeError("the submit performer is another than this mutant knows")
    guards = submit._guards
    desk = guards.desk

    class Deaf:
        def is_over(self, order: order_pb2.OrderAnnounced) -> str:
            return ""

        def running(self, order: order_pb2.OrderAnnounced) -> Any:
            state = desk._state
            stops, state.stops = state.stops, dict[str, Stop]()
            try:
                return desk.running(order)
            finally:
                state.stops = stops

    submit._guards = replace(guards, desk=Deaf())  # type: ignore[arg-type]
    return plugs


def commits_without_positions(process: Process, plugs: Plugs) -> Plugs:
    """A process whose read positions are not part of its commits."""
    shard = process._claimed()
    commit = shard.commit

    async def forgetful(records: list[Record], positions: list[Position]) -> None:
        await commit(records, positions[:1] if len(positions) > 1 else positions)

    shard.commit = forgetful  # type: ignore[method-assign, assignment]
    return plugs


def answers_before_it_commits(process: Process, plugs: Plugs) -> Plugs:
    """A process that answers a request before its verdict is durable."""
    take, step = process.take, process.core.step

    async def hasty(records_max: int, inline_max: int) -> Any:
        asked = [(item, reply) for item, reply in process.inbox[:inline_max] if reply is not None]

        def early(inputs: Any, now_ns: int) -> Any:
            made = step(inputs, now_ns)
            for index, item in enumerate(inputs):
                for wanted, reply in asked:
                    if wanted is item and index in made.replies:
                        reply(made.replies[index])
            return made

        process.core.step = early  # type: ignore[method-assign]
        process.inbox = [(item, None) for item, _ in process.inbox]
        return await take(records_max, inline_max)

    process.take = hasty  # type: ignore[method-assign]
    return plugs


def cannot_handle_some_trades(agent: Agent[Any, Any]) -> None:
    """An agent that raises on a sound message."""
    decide = agent.decides[wallet_pb2.WalletTraded]

    def on_trade(trade: wallet_pb2.WalletTraded) -> Decision:
        if trade.size_micro % 5 == 0 and int(trade.trade_id[:2], 16) < 20:
            raise ValueError("cannot handle this")
        decision: Decision = decide(trade)
        return decision

    agent.decides = {**agent.decides, wallet_pb2.WalletTraded: on_trade}


def forgets_its_pending_effects(process: Process, plugs: Plugs) -> Plugs:
    """A restart that does not take up what was announced and not carried out."""
    process.core.pending = type(process.core.pending)(
        (name, effect)
        for name, effect in process.core.pending.items()
        if isinstance(effect.message, agent_pb2.SetTimer)
    )
    return plugs


def _with(plugs: Plugs, submit: Performer) -> Plugs:
    return replace(plugs, performers={**plugs.performers, order_pb2.SubmitOrder: submit})
