"""What the edges may know of the running agent: read-only, always the newest state.

Performers ask it right before they send, so that an order which was announced before a halt does
not leave after it; the source asks it what is news. It sees a change as soon as the agent has
decided it, which for a halt is before the commit is durable: the safe side.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from whaletrader.runtime.core import Core, Step
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.services.execution.lifecycle import order_of
from whaletrader.services.execution.scene import running
from whaletrader.services.execution.state import ExecutionState, OrderRecord, stop_of
from whaletrader.services.execution.transitions import FillStage, Phase


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """An order that we take to be on the book."""

    order_id: str
    condition_id: str
    size_micro: int

    @classmethod
    def of(cls, order: order_pb2.OrderAnnounced) -> "LiveOrder":
        """Return what is asked about an announced order."""
        return cls(order.order.order_id, order.order.condition_id, order.order.size_micro)


class Desk:
    """Follows whichever core the shell has restored last."""

    def __init__(self) -> None:
        self._core: Core | None = None
        # Called after each commit that is durable.
        self.on_commit: Callable[[], None] = lambda: None

    def restored(self, core: Core) -> None:
        self._core = core

    def committed(self, core: Core, step: Step) -> None:  # noqa: ARG002 - the port
        # The state itself is looked at, not copied.
        self.on_commit()

    def now_ns(self) -> int:
        """Return the agent's time of its last commit."""
        return self._core.agent.now_ns if self._core else 0

    def running(self, order: order_pb2.OrderAnnounced) -> common_pb2.Reason:
        """Return whether the order may leave now."""
        return running(stop_of(self._state, order.order.portfolio), order.order.side)

    def is_over(self, order: order_pb2.OrderAnnounced) -> str:
        """Return why the approved trade that an order belongs to is over; empty if it is not."""
        work = self._state.works.get(order.order.approval_id)
        return work.stopped if work is not None else ""

    def phase(self, order_id: str) -> Phase | None:
        """Return how far an order is, or None for one that was never announced."""
        record = self._state.orders.get(order_id)
        return record.phase if record else None

    def stage(self, order_id: str, fill_id: str) -> FillStage | None:
        """Return how far a fill is, or None for one that the agent has not met."""
        record = self._state.orders.get(order_id)
        fill = record.fills.get(fill_id) if record else None
        return fill.stage if fill else None

    def is_venue_closed(self, order_id: str) -> bool:
        """Whether the agent knows that the venue has closed the order."""
        record = self._state.orders.get(order_id)
        return record is not None and record.venue_status != 0

    def live_orders(self) -> list[LiveOrder]:
        """Return the orders that should be on the book."""
        return [
            LiveOrder(order_of(record).order.order_id, record.condition_id, record.size_micro)
            for record in self._records()
            if record.phase in (Phase.LIVE, Phase.SUBMITTED) and not record.venue_status
        ]

    def tokens(self) -> list[str]:
        """Return the tokens that our books hold, or may hold once fills have settled.

        Not every token ever traded: each is a read of its own at the venue.
        """
        return [
            token_id
            for token_id, held in self._state.balance.positions.items()
            if held.size_micro or held.bought_provisional_micro or held.sold_provisional_micro
        ]

    @property
    def is_differing(self) -> bool:
        """Whether the last look at the holdings differed, and nothing was concluded yet."""
        state = self._state
        return bool(state.balance.differing_looks) and not state.wallet_stop

    @property
    def has_opening(self) -> bool:
        """Whether a look at the holdings has been taken as what our books begin with."""
        return self._state.balance.is_open

    def venue_closed_orders(self) -> list[str]:
        """Return the orders that the venue closed before they were filled, ever."""
        return [name for name, record in self._state.orders.items() if record.venue_status]

    def _records(self) -> Iterator[OrderRecord]:
        yield from self._state.orders.values()

    @property
    def _state(self) -> ExecutionState:
        if self._core is None:
            return ExecutionState()
        state = self._core.agent.state
        if not isinstance(state, ExecutionState):
            raise TypeError(f"the desk follows execution, not {self._core.agent.name}")
        return state
