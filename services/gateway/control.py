"""Halt, resume, flatten: a person's order onto the log, once, and what the log says of the last.

Reads the control topic itself and not a read model, so that neither the state that is shown nor
the recognition of a repeated order rests on another process. Called by the API.

An order carries an idempotency key. Its event id is derived from the key, so that an order that
was sent twice, even through two gateways, is one event to everyone who reads it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import Clock
from whaletrader.runtime.codec import UnreadableMessage, from_stored
from whaletrader.runtime.control import ACTIONS, CONTROL, control_event, control_record
from whaletrader.runtime.log import (
    CommitUncertain,
    Log,
    LogError,
    LogUnavailable,
    Position,
    Record,
    partition_of,
)
from whaletrader.runtime.ruling import RulingOrder, ruling_event, ruling_record
from whaletrader.schemas import control_pb2, whale_pb2
from whaletrader.services.gateway import views

_LOG = logging.getLogger(__name__)

READ_MAX: Final = 500
# People give few orders; a key that is older than this many orders may be used again.
REMEMBERED_MAX: Final = 10_000
# One call of the log. A person waits for it.
CALL_S_MAX: Final = 5.0

Result = TypeVar("Result")

_NAMES: Final = {number: name for name, number in ACTIONS.items()}
_STATES: Final[dict[str, Literal["trading", "halted", "flattened"]]] = {
    "halt": "halted",
    "resume": "trading",
    "flatten": "flattened",
}


class KeyReused(ValueError):
    """The idempotency key belongs to another order."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants. Without a key every call is an order of its own."""

    action: str
    operator: str
    note: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """The order as it is on the log; `repeated` when it was there before."""

    event: control_pb2.ControlOrdered
    repeated: bool


class ControlDesk:
    """One portfolio's orders. Opens the log when it is first needed."""

    def __init__(
        self, open_log: Callable[[], Awaitable[Log]], portfolio: str, clock: Clock
    ) -> None:
        self._open_log = open_log
        self._portfolio = portfolio
        self._clock = clock
        self._log: Log | None = None
        self._lock = asyncio.Lock()
        self._next = Position(CONTROL, 0, 0)
        self._is_current = False
        self._orders: dict[str, control_pb2.ControlOrdered] = {}
        self._last: control_pb2.ControlOrdered | None = None

    async def give(self, order: Order) -> Ordered:
        """Append the order unless it is there already.

        Raises KeyReused, UnknownAction, LogUnavailable (nothing was ordered), CommitUncertain
        (it may have been: repeat it with the same key).
        """
        async with self._lock:
            log = await self._caught_up()
            event = control_event(
                order.action, self._portfolio, order.operator, order.note, self._clock.now_ns()
            )
            if order.key:
                event.meta.id = derived_id(CONTROL, self._portfolio, "key", order.key)
                event.meta.correlation = event.meta.id
            known = self._orders.get(event.meta.id)
            if known is not None:
                if (known.action, known.operator, known.note) != (
                    event.action,
                    event.operator,
                    event.note,
                ):
                    raise KeyReused("this idempotency key was used for another order")
                return Ordered(known, repeated=True)
            await self._append(log, control_record(event))
            _LOG.warning("%s ordered %s: %s", order.operator, order.action, event.meta.id)
            return Ordered(event, repeated=False)

    async def rule(self, order: RulingOrder) -> whale_pb2.WhaleRuled:
        """Append a person's word on a wallet; with the same key it is the same event.

        Raises BadRuling, LogUnavailable, CommitUncertain.
        """
        event = ruling_event(order, self._clock.now_ns())
        async with self._lock:
            log = await self._caught_up()
            await self._append(log, ruling_record(event))
        _LOG.warning(
            "%s ruled %s %s: %s", order.operator, order.ruling, event.wallet, event.meta.id
        )
        return event

    async def refresh(self) -> views.ControlState:
        """Read on in the log and return the state; the last known one if it is away."""
        try:
            async with self._lock:
                await self._caught_up()
        except LogError as error:
            if self._is_current:
                _LOG.warning("the state of control is not known any more: %s", error)
            self._is_current = False
        return self.state()

    def state(self) -> views.ControlState:
        """Return what the last refresh found."""
        last = self._last
        if last is None:
            return views.ControlState(
                portfolio=self._portfolio, state="trading", is_current=self._is_current
            )
        return views.ControlState(
            portfolio=self._portfolio,
            state=_STATES[_NAMES[last.action]],
            operator=last.operator,
            note=last.note,
            ordered_ns=last.meta.event_time_ns,
            event_id=last.meta.id,
            is_current=self._is_current,
        )

    async def close(self) -> None:
        if self._log is not None:
            await self._log.close()

    async def _caught_up(self) -> Log:
        if self._log is None:
            self._log = await _bounded(self._open_log())
            partitions = await _bounded(self._log.partitions(CONTROL))
            self._next = Position(CONTROL, partition_of(self._portfolio, partitions), 0)
        while True:
            records = await _bounded(self._log.read(self._next, READ_MAX))
            for record in records:
                try:
                    self._take(from_stored(record))
                except UnreadableMessage:
                    _LOG.exception("a record of %s at %d is no order", CONTROL, record.offset)
                self._next = Position(CONTROL, record.partition, record.offset + 1)
            if len(records) < READ_MAX:
                self._is_current = True
                return self._log

    def _take(self, message: object) -> None:
        if not isinstance(message, control_pb2.ControlOrdered):
            return
        if message.portfolio != self._portfolio or message.action not in _NAMES:
            return
        if message.meta.id in self._orders:
            return
        self._orders[message.meta.id] = message
        self._last = message
        if len(self._orders) > REMEMBERED_MAX:
            del self._orders[next(iter(self._orders))]

    async def _append(self, log: Log, record: Record) -> None:
        try:
            await asyncio.wait_for(log.append([record]), CALL_S_MAX)
        except TimeoutError as error:
            raise CommitUncertain("the log did not answer in time") from error


async def _bounded(call: Awaitable[Result]) -> Result:
    try:
        return await asyncio.wait_for(call, CALL_S_MAX)
    except (OSError, TimeoutError) as error:
        raise LogUnavailable(f"the log does not answer: {error!r}") from error
