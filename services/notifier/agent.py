"""Turns alerts into notifications: one effect a channel, told once an incident and interval."""

from dataclasses import dataclass

from google.protobuf.message import Message

from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import agent_pb2, control_pb2, order_pb2, risk_pb2
from whaletrader.services.notifier.notice import RANK, Notice, Urgency, notice_of
from whaletrader.services.notifier.state import NotifierState, NotifierViews


@dataclass(frozen=True, slots=True)
class Channel:
    """Where people are told, from which urgency on."""

    name: str
    urgency_min: Urgency


class NotifierAgent(Agent[NotifierState, NotifierViews]):
    """The smallest agent: what it hears, what it remembers, what it asks to be done."""

    name = "notifier"
    reads = ("risk.alert", "control", "order.events", "dead.letter")

    def __init__(self, channels: tuple[Channel, ...], repeat_ns: int) -> None:
        super().__init__(NotifierState(), NotifierViews())
        self._channels = channels
        self._repeat_ns = repeat_ns
        self.decides = {
            risk_pb2.RiskAlerted: self.on_alert,
            risk_pb2.TradingStateChanged: self.on_alert,
            control_pb2.ControlOrdered: self.on_alert,
            order_pb2.ApprovalRefused: self.on_alert,
            order_pb2.OrderUnknown: self.on_alert,
            order_pb2.ReconciliationFailed: self.on_alert,
            agent_pb2.DeadLettered: self.on_alert,
            agent_pb2.EffectFailed: self.on_failed,
        }
        self.evolves = {agent_pb2.PersonNotified: self.state.note}

    def on_alert(self, message: Message) -> Decision:
        """Ask for a notification on every channel that takes one of this urgency."""
        decision = Decision()
        notice = notice_of(message)
        if notice is None:
            return decision
        for channel in self._channels:
            if RANK[notice.urgency] >= RANK[channel.urgency_min] and self._is_news(notice, channel):
                decision.ask(_notification(notice, channel), lane=channel.name)
                # Noted when asked, not when delivered: a storm of alerts is one page.
                decision.keep(
                    agent_pb2.PersonNotified(dedup_key=notice.dedup_key, channel=channel.name)
                )
        return decision

    def on_failed(self, outcome: agent_pb2.EffectFailed) -> Decision:
        """A channel that cannot be reached is counted; the other channels were asked too."""
        return Decision().keep(agent_pb2.PersonNotified(error=outcome.error))

    def _is_news(self, notice: Notice, channel: Channel) -> bool:
        if notice.is_always_news:
            return True
        told_ns = self.state.told_ns.get(f"{notice.dedup_key}/{channel.name}")
        return told_ns is None or self.now_ns - told_ns >= self._repeat_ns


def _notification(notice: Notice, channel: Channel) -> agent_pb2.NotifyPerson:
    return agent_pb2.NotifyPerson(
        dedup_key=notice.dedup_key,
        severity=notice.urgency,
        summary=notice.summary,
        detail=notice.detail,
        channel=channel.name,
    )
