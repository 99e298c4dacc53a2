"""What the log says, collected as it grows: the ground that the invariants stand on.

Knows only messages, none of the agents' code, so that it can contradict them. Each fact once by
its event id, whatever was delivered twice.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from whaletrader.runtime.codec import UnreadableMessage, decode, record_type
from whaletrader.runtime.log import Log, Position, Stored
from whaletrader.runtime.topics import DEAD_LETTERS, DECIDING_AGENTS, TRADING_TOPICS, journal_topic
from whaletrader.schemas import agent_pb2, control_pb2, market_pb2, order_pb2, risk_pb2

PAGE = 5_000
Place = tuple[str, int]
_TRADING_STATE = risk_pb2.TradingStateChanged.DESCRIPTOR.full_name


@dataclass(slots=True)
class Read:
    """What one agent's journal says that it has read of one partition: how far, and slips."""

    next_offset: int = 0
    slips: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Transcript:
    """Everything said so far, by what it is about."""

    approvals: dict[str, risk_pb2.ApprovedTrade] = field(default_factory=dict)
    # Ids of all that risk answered.
    verdicts: set[str] = field(default_factory=set)
    refused: dict[str, order_pb2.ApprovalRefused] = field(default_factory=dict)
    announced: dict[str, dict[str, order_pb2.OrderAnnounced]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    finished: dict[str, order_pb2.WorkFinished] = field(default_factory=dict)
    accepted: dict[str, order_pb2.OrderAccepted] = field(default_factory=dict)
    closed: dict[str, dict[str, order_pb2.OrderClosed]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    # By (order, fill).
    matched: dict[tuple[str, str], order_pb2.OrderMatched] = field(default_factory=dict)
    confirmed: dict[tuple[str, str], order_pb2.OrderConfirmed] = field(default_factory=dict)
    reversed: dict[tuple[str, str], order_pb2.OrderReversed] = field(default_factory=dict)
    winners: dict[str, str] = field(default_factory=dict)
    controls: list[control_pb2.ControlOrdered] = field(default_factory=list)
    # By agent, then (topic, partition, offset).
    dead: dict[str, dict[tuple[str, int, int], bytes]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    entries: dict[str, list[agent_pb2.JournalEntry]] = field(
        default_factory=lambda: defaultdict(list)
    )
    # Ids and digests of what risk's journal says it approved.
    journaled_approvals: dict[str, bytes] = field(default_factory=dict)
    read: dict[str, dict[Place, Read]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Read))
    )
    # Why execution may not trade, as its journal says; empty while it may.
    stop: str = ""
    records: int = 0
    _next: dict[Place, int] = field(default_factory=lambda: defaultdict(int))

    async def catch_up(self, log: Log) -> None:
        """Read everything that is new on the log."""
        for topic in (*TRADING_TOPICS, DEAD_LETTERS, *map(journal_topic, DECIDING_AGENTS)):
            for partition, end in (await log.end(topic)).items():
                place = (topic, partition)
                while self._next[place] < end:
                    page = await log.read(Position(topic, partition, self._next[place]), PAGE)
                    for record in page:
                        self._note(record)
                    self._next[place] += len(page)

    def _note(self, record: Stored) -> None:
        self.records += 1
        try:
            message: Any = decode(record_type(record.headers), record.value)
        except UnreadableMessage:
            return
        handler = _HANDLERS.get(type(message))
        if handler is not None:
            handler(self, message)

    def on_entry(self, entry: agent_pb2.JournalEntry) -> None:
        self.entries[entry.agent].append(entry)
        read = self.read[entry.agent]
        for noted in entry.inputs:
            if noted.HasField("inline"):
                continue
            place = (entry.topics[noted.topic], noted.partition)
            if noted.offset != read[place].next_offset:
                read[place].slips.append(f"{noted.offset} after {read[place].next_offset - 1}")
            read[place].next_offset = noted.offset + 1
        for output in entry.outputs:
            if entry.agent == "risk" and output.topic == "trade.approved":
                self.journaled_approvals[output.id] = output.digest
            if entry.agent == "execution" and output.type == _TRADING_STATE:
                changed = risk_pb2.TradingStateChanged.FromString(output.payload)
                self.stop = changed.rule if changed.halted else ""

    def on_approved(self, approval: risk_pb2.ApprovedTrade) -> None:
        self.approvals.setdefault(approval.approval_id, approval)
        self.verdicts.add(approval.meta.id)

    def on_dead_letter(self, letter: agent_pb2.DeadLettered) -> None:
        # What failed for good is on the review list: it was read and handled all the same.
        is_review = letter.topic and letter.partition < 0
        if not is_review:
            self.dead[letter.agent][(letter.topic, letter.partition, letter.offset)] = (
                letter.payload
            )

    def on_fill(self, event: Any) -> None:
        key = (event.order.order_id, event.fill.trade_id)
        kinds: dict[type[Message], dict[tuple[str, str], Any]] = {
            order_pb2.OrderMatched: self.matched,
            order_pb2.OrderConfirmed: self.confirmed,
            order_pb2.OrderReversed: self.reversed,
        }
        kinds[type(event)][key] = event

    def standing(self) -> list[order_pb2.OrderMatched]:
        """Return the fills that stand, in the order in which they were first told."""
        return [event for key, event in self.matched.items() if key not in self.reversed]


_HANDLERS: dict[type[Message], Any] = {
    agent_pb2.JournalEntry: Transcript.on_entry,
    agent_pb2.DeadLettered: Transcript.on_dead_letter,
    risk_pb2.ApprovedTrade: Transcript.on_approved,
    risk_pb2.RejectedTrade: lambda t, m: t.verdicts.add(m.meta.id),
    order_pb2.ApprovalRefused: lambda t, m: t.refused.setdefault(m.approval_id, m),
    order_pb2.OrderAnnounced: lambda t, m: t.announced[m.order.order_id].update({m.meta.id: m}),
    order_pb2.WorkFinished: lambda t, m: t.finished.update({m.approval_id: m}),
    order_pb2.OrderAccepted: lambda t, m: t.accepted.update({m.order.order_id: m}),
    order_pb2.OrderClosed: lambda t, m: t.closed[m.order.order_id].update({m.meta.id: m}),
    order_pb2.OrderMatched: Transcript.on_fill,
    order_pb2.OrderConfirmed: Transcript.on_fill,
    order_pb2.OrderReversed: Transcript.on_fill,
    market_pb2.MarketResolved: lambda t, m: t.winners.setdefault(
        m.condition_id, m.winning_token_id
    ),
    control_pb2.ControlOrdered: lambda t, m: t.controls.append(m),
}
