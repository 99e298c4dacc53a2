"""What execution has said, folded independently of its own state: orders, fills, money.

Reads the log's order.events and nothing of the agent. Used by the faults and the bad weather.
"""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from whaletrader.domain.money import notional
from whaletrader.runtime.codec import from_stored
from whaletrader.runtime.log import Log, Position
from whaletrader.schemas import common_pb2, order_pb2

_PAGE = 1_000
_KINDS_MAX = 20
FillKey = tuple[str, str]


@dataclass
class Told:
    """Everything on order.events so far. Fills are keyed by order and trade."""

    announced: dict[str, order_pb2.OrderAnnounced] = field(default_factory=dict)
    accepted: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    closed: defaultdict[str, list[order_pb2.OrderClosed]] = field(
        default_factory=lambda: defaultdict(list)
    )
    matched: dict[FillKey, order_pb2.Fill] = field(default_factory=dict)
    confirmed: dict[FillKey, order_pb2.Fill] = field(default_factory=dict)
    reversed: dict[FillKey, order_pb2.Fill] = field(default_factory=dict)
    finished: dict[str, order_pb2.WorkFinished] = field(default_factory=dict)
    refused: dict[str, order_pb2.ApprovalRefused] = field(default_factory=dict)
    differences: list[order_pb2.ReconciliationFailed] = field(default_factory=list)
    # What was said more often than once, and what was never announced: must stay empty.
    wrong: list[str] = field(default_factory=list)
    # The last events, for whoever has to find out why something did not come.
    kinds: deque[str] = field(default_factory=lambda: deque(maxlen=_KINDS_MAX))
    _standing_by_order: Counter[str] = field(default_factory=Counter)
    _orders_of: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _offsets: dict[int, int] = field(default_factory=dict)

    async def read(self, log: Log) -> int:
        """Take in what is new; return how many events came."""
        count = 0
        for partition in range(await log.partitions("order.events")):
            while True:
                start = Position("order.events", partition, self._offsets.get(partition, 0))
                page = await log.read(start, _PAGE)
                for stored in page:
                    self.take(from_stored(stored))
                count += len(page)
                if page:
                    self._offsets[partition] = page[-1].offset + 1
                if len(page) < _PAGE:
                    break
        return count

    def take(self, event: Message) -> None:
        self.kinds.append(type(event).__name__)
        match event:
            case order_pb2.OrderAnnounced():
                self._once(self.announced, event.order.order_id, event)
                self._orders_of[event.order.approval_id].append(event.order.order_id)
            case order_pb2.OrderAccepted():
                self.accepted[event.order.order_id] += 1
            case order_pb2.OrderUnknown():
                self.unknown[event.order.order_id] += 1
            case order_pb2.OrderMatched():
                self._once(self.matched, (event.order.order_id, event.fill.trade_id), event.fill)
                self._standing_by_order[event.order.order_id] += event.fill.size_micro
            case order_pb2.OrderConfirmed():
                self._once(self.confirmed, (event.order.order_id, event.fill.trade_id), event.fill)
            case order_pb2.OrderReversed():
                self._once(self.reversed, (event.order.order_id, event.fill.trade_id), event.fill)
                self._standing_by_order[event.order.order_id] -= event.fill.size_micro
            case order_pb2.OrderClosed():
                self.closed[event.order.order_id].append(event)
            case order_pb2.WorkFinished():
                self._once(self.finished, event.approval_id, event)
            case order_pb2.ApprovalRefused():
                self._once(self.refused, event.approval_id, event)
            case order_pb2.ReconciliationFailed():
                self.differences.append(event)

    def _once(self, where: dict[Any, Any], key: Any, what: Message) -> None:
        if key in where:
            self.wrong.append(f"{type(what).__name__} twice for {key}")
        where[key] = what

    @property
    def open_ids(self) -> list[str]:
        """Announced orders without their end."""
        return [order_id for order_id in self.announced if order_id not in self.closed]

    def orders_of(self, approval_id: str) -> list[order_pb2.OrderAnnounced]:
        return [self.announced[order_id] for order_id in self._orders_of[approval_id]]

    def ends_of(self, approval_id: str) -> list[tuple[int, int]]:
        """Return (status, confirmed size) of each closed order of an approval."""
        return [
            (end.status, end.filled_size_micro)
            for order in self.orders_of(approval_id)
            for end in self.closed.get(order.order.order_id, ())
        ]

    def fills_of(self, approval_id: str, stage: str = "confirmed") -> list[order_pb2.Fill]:
        ids = {order.order.order_id for order in self.orders_of(approval_id)}
        fills: dict[FillKey, order_pb2.Fill] = getattr(self, stage)
        return [fill for (order_id, _), fill in fills.items() if order_id in ids]

    def filled_micro(self, approval_id: str) -> int:
        """Return what stands of an approval's fills, settled or not."""
        return sum(self._standing_by_order[name] for name in self._orders_of[approval_id])

    def standing_micro(self, order_id: str) -> int:
        """Return what stands of one order's fills."""
        return self._standing_by_order[order_id]

    def positions(self) -> dict[str, int]:
        """Return shares by token that the standing fills add up to, without zeroes."""
        held: Counter[str] = Counter()
        for (order_id, _), fill in self._standing():
            order = self.announced[order_id].order
            sign = 1 if order.side == common_pb2.SIDE_BUY else -1
            held[order.token_id] += sign * fill.size_micro
        return {token: size for token, size in held.items() if size}

    def spent_micro(self) -> int:
        """Return what the standing fills cost, fees in."""
        spent = 0
        for (order_id, _), fill in self._standing():
            sign = 1 if self.announced[order_id].order.side == common_pb2.SIDE_BUY else -1
            spent += sign * notional(fill.price_micro, fill.size_micro) + fill.fee_micro
        return spent

    def _standing(self) -> list[tuple[FillKey, order_pb2.Fill]]:
        return [(key, fill) for key, fill in self.matched.items() if key not in self.reversed]
