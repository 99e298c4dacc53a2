"""The venue port: what execution needs of a venue, in types of our own.

Money, sizes and prices are micro-units, times UTC epoch nanoseconds. Adapters implement `Venue`
and raise the errors of `venues.errors`; nothing of a venue's vocabulary passes this line except
as a detail for people.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from whaletrader.schemas import order_pb2
from whaletrader.venues.approval import VerifiedApproval


class OrderState(StrEnum):
    """What a venue says of an order that it has on record."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class FillState(StrEnum):
    """How far a fill is settled. Matched, mined and retrying are all provisional."""

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self is not FillState.PROVISIONAL


@dataclass(frozen=True, slots=True)
class Placement:
    """The venue took the order. `is_matched`: some of it was filled on arrival."""

    order_id: str
    venue_status: str
    is_matched: bool


@dataclass(frozen=True, slots=True)
class Cancellation:
    """`is_gone`: the order is not open any more, whoever ended it."""

    order_id: str
    is_gone: bool
    detail: str


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order of ours as the venue has it. `at_ns` is 0 where the venue does not say."""

    order_id: str
    condition_id: str
    state: OrderState
    matched_size_micro: int
    detail: str
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class VenueFill:
    """A trade's part in one order of ours. `trade_id` names the whole trade at the venue;
    `fill_id` is unique within the order even where one trade fills it at several prices."""

    order_id: str
    trade_id: str
    fill_id: str
    price_micro: int
    size_micro: int
    is_taker: bool
    state: FillState
    matched_ns: int
    updated_ns: int


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The stream has (re)connected: what happened before it must be asked for."""


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """The stream says that an order of our wallet is on the book."""

    order_id: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class TradeChanged:
    """The stream tells of a trade without saying all that a fill needs: ask for it."""

    trade_id: str


StreamEvent = StreamOpened | OrderPlaced | TradeChanged | VenueOrder | VenueFill


class Venue(Protocol):
    """One wallet at one venue."""

    @property
    def wallet(self) -> str:
        """The wallet's address in lower case; known before any connection."""

    def prepare(self, order: order_pb2.OrderAnnounced) -> str:
        """Return the id that the venue will give to this order. Pure; ignores `order_id`.

        Raises VenueRefused if the terms cannot be expressed at the venue.
        """

    async def submit(
        self, approval: VerifiedApproval, order: order_pb2.OrderAnnounced
    ) -> Placement:
        """Send an announced order. Sending the same one twice places it once.

        Raises VenueRefused, AlreadyPlaced, VenueUnavailable, OutcomeUnknown, VenueStop.
        """

    async def cancel(self, order_id: str) -> Cancellation:
        """Take an order off the book. Raises VenueUnavailable, OutcomeUnknown, VenueStop."""

    async def order(self, order_id: str) -> VenueOrder | None:
        """Return the order, or None if the venue has none under this id on record.

        A venue may forget closed orders: None for one that was placed means closed.
        Raises VenueUnavailable, VenueStop.
        """

    async def open_orders(self) -> list[VenueOrder]:
        """Return all open orders of the wallet. Raises VenueUnavailable, VenueStop."""

    async def fills(self, *, condition_id: str = "", after_ns: int = 0) -> list[VenueFill]:
        """Return our fills matched at or after a time, oldest first.

        Raises VenueUnavailable, VenueStop.
        """

    async def fills_of_trade(self, trade_id: str) -> list[VenueFill]:
        """Return our fills in one trade. Raises VenueUnavailable, VenueStop."""

    async def cash_micro(self) -> int:
        """Return the free and reserved collateral. Raises VenueUnavailable, VenueStop."""

    async def shares_micro(self, token_id: str) -> int:
        """Return how much of a token the wallet holds. Raises VenueUnavailable, VenueStop."""

    def events(self) -> AsyncIterator[StreamEvent]:
        """Yield what the venue tells of our orders; begins with StreamOpened.

        Reconnects by itself and yields StreamOpened again. May repeat, reorder and lose events:
        reads are the truth.
        """
