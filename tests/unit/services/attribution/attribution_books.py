"""An attribution agent driven record by record, as the shell drives it."""

from dataclasses import dataclass, field

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, meta_of, to_record
from whaletrader.runtime.core import Core, Step
from whaletrader.runtime.log import Stored
from whaletrader.schemas import agent_pb2, common_pb2, market_pb2, order_pb2, portfolio_pb2
from whaletrader.services.attribution.agent import AttributionAgent
from whaletrader.services.attribution.config import AttributionSettings

DOLLAR = 1_000_000
SHARE = 1_000_000
HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
START_NS = 20_000 * DAY_NS
STARTING_CASH = 1_000 * DOLLAR


@dataclass
class Books:
    """Feeds messages one by one; keeps what was said and every journal entry."""

    core: Core = field(
        default_factory=lambda: Core(
            AttributionAgent(AttributionSettings(starting_cash_micro=STARTING_CASH))
        )
    )
    entries: list[tuple[agent_pb2.JournalEntry, Stored]] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    now_ns: int = START_NS

    @property
    def state(self):
        return self.core.agent.state

    def tell(self, message: Message, after_ns: int = 0, event_id: str = "") -> list[Message]:
        """Step one message, as a new record unless an id is given; return what was said."""
        self.now_ns += after_ns
        copy = type(message)()
        copy.CopyFrom(message)
        meta = meta_of(copy)
        meta.id = event_id or derived_id("test", len(self.entries))
        meta.event_time_ns = self.now_ns
        record = to_record(Envelope("order.events", "key", copy))
        stored = Stored(
            "order.events", 0, len(self.entries), "key", record.value, record.headers, self.now_ns
        )
        step: Step = self.core.step([stored], self.now_ns)
        self.entries.append((step.entry, stored))
        heard = [event for _, topic, event in step.events if topic]
        self.said += heard
        return heard

    def restored(self) -> Core:
        """Return a core that has only followed the journal."""
        fresh = Core(AttributionAgent(AttributionSettings(starting_cash_micro=STARTING_CASH)))
        for entry, stored in self.entries:
            fresh.follow(entry, {0: stored})
        return fresh

    def profits(self) -> list[portfolio_pb2.ProfitAttributed]:
        return [event for event in self.said if isinstance(event, portfolio_pb2.ProfitAttributed)]

    def valuations(self) -> list[portfolio_pb2.PortfolioValued]:
        return [event for event in self.said if isinstance(event, portfolio_pb2.PortfolioValued)]

    def letters(self) -> list[agent_pb2.DeadLettered]:
        return [event for event in self.said if isinstance(event, agent_pb2.DeadLettered)]

    def size(self, token_id: str, leader: str = "whale", portfolio: str = "main") -> int:
        return sum(
            position.totals.size_micro
            for held in self.state.positions.values()
            for position in held.values()
            if (position.token_id, position.leader, position.portfolio)
            == (token_id, leader, portfolio)
        )


def same_state(one: Core, other: Core) -> bool:
    return msgspec.msgpack.encode((one.agent.state, one.agent.views)) == msgspec.msgpack.encode(
        (other.agent.state, other.agent.views)
    )


def fill(
    kind: type[Message],
    trade_id: str,
    side: int = common_pb2.SIDE_BUY,
    price: int = 400_000,
    size: int = 10 * SHARE,
    **changes,
) -> Message:
    """A fill event of order `o`; changes go to the order, except `fee`."""
    fee = changes.pop("fee", 0)
    order = {
        "order_id": f"order-{side}",
        "approval_id": "approval",
        "portfolio": "main",
        "leader": "whale",
        "strategy": "copy",
        "condition_id": "market",
        "token_id": "yes",
        "outcome_index": 0,
        "side": side,
        **changes,
    }
    return kind(
        order=order_pb2.OrderRef(**order),
        fill=order_pb2.Fill(trade_id=trade_id, price_micro=price, size_micro=size, fee_micro=fee),
    )


def bought(trade_id: str = "t1", **changes) -> Message:
    return fill(order_pb2.OrderMatched, trade_id, common_pb2.SIDE_BUY, **changes)


def sold(trade_id: str = "s1", **changes) -> Message:
    return fill(order_pb2.OrderMatched, trade_id, common_pb2.SIDE_SELL, **changes)


def now(kind: type[Message], matched: Message) -> Message:
    """The same fill, confirmed or reversed."""
    return kind(order=matched.order, fill=matched.fill)


def resolved(token_id: str = "yes", condition_id: str = "market") -> market_pb2.MarketResolved:
    return market_pb2.MarketResolved(condition_id=condition_id, winning_token_id=token_id)


def printed(price: int, outcome_index: int = 0, condition_id: str = "market") -> Message:
    return market_pb2.TradePrinted(
        condition_id=condition_id,
        token_id="yes" if outcome_index == 0 else "no",
        price_micro=price,
        size_micro=SHARE,
        outcome_index=outcome_index,
    )
