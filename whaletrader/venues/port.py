"""The venue port: what execution needs of a venue, in types of our own.

Money, sizes and prices are micro-units, times UTC epoch nanoseconds. Adapters implement `Venue`
and raise the errors of `venues.errors`; nothing of a venue's vocabulary passes this line except
as a detail for people.
"""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from whaletrader.schemas import order_pb2
from whaletrader.venues.approval import VerifiedApproval
from whaletrader.venues.capabilities import Capabilities
from whaletrader.venues.terms import Collateral, MarketTerms, OrderBook, Region


class OrderState(StrEnum):
    """What a venue says of an order that it has on record."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class FillState(StrEnum):
    """How far a fill is settled. All but the last two are provisional.

    MINED: on chain, not final yet. RETRYING: the settlement failed once and is tried again.
    """

    PROVISIONAL = "provisional"
    MINED = "mined"
    RETRYING = "retrying"
    CONFIRMED = "confirmed"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (FillState.CONFIRMED, FillState.FAILED)


@dataclass(frozen=True, slots=True)
class Placement:
    """The venue took the order. `is_matched`: some of it was filled on arrival, or will be.

    `is_delayed`: held back by the market's delay; it neither rests nor has it traded yet.
    """

    order_id: str
    venue_status: str
    is_matched: bool
    is_delayed: bool = False


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


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A heartbeat that the venue took. `has_lapsed`: the chain had ended before it, so every
    order may have been cancelled: look at them."""

    has_lapsed: bool


StreamEvent = StreamOpened | OrderPlaced | TradeChanged | VenueOrder | VenueFill


class Venue(Protocol):
    """One wallet at one venue. What raises names its errors; every read may be repeated."""

    @property
    def wallet(self) -> str:
        """The wallet's address in lower case; known before any connection."""

    @property
    def capabilities(self) -> Capabilities:
        """What this venue can do; constant."""

    def prepare(self, order: order_pb2.OrderAnnounced) -> str:
        """Return the id that the venue will give to this order. Pure; ignores `order_id`.

        Raises VenueRefused if the terms cannot be expressed at the venue.
        """

    def fit_size(self, order: order_pb2.OrderAnnounced) -> int:
        """Return the largest size in micro-shares, not above the order's, that the venue can
        express at its price, side and type; 0 if there is none. Pure."""

    async def submit(
        self,
        approval: VerifiedApproval,
        order: order_pb2.OrderAnnounced,
        *,
        before_send: Callable[[], None] | None = None,
    ) -> Placement:
        """Send an announced order. Sending the same one twice places it once.

        A remote signer takes its time: `before_send` is called when the order is signed, with
        nothing awaited between it and the request; what it raises is passed on, nothing sent.

        Raises VenueRefused, AlreadyPlaced, VenueUnavailable, OutcomeUnknown, VenueStop.
        """

    async def cancel(self, order_id: str) -> Cancellation:
        """Take an order off the book. Raises VenueUnavailable, OutcomeUnknown, VenueStop."""

    async def cancel_all(self) -> list[Cancellation]:
        """Take every order of the wallet off the books; return those that the venue names.

        Raises VenueUnavailable, OutcomeUnknown, VenueStop.
        """

    async def cancel_market(self, condition_id: str, token_id: str = "") -> list[Cancellation]:
        """Take the wallet's orders in one market, or in one of its tokens, off the book.

        Raises VenueUnavailable, OutcomeUnknown, VenueStop.
        """

    async def heartbeat(self) -> Heartbeat:
        """Tell the venue that we live. After the first, silence cancels all our orders.

        How long a silence may last, and how often to call, is in `capabilities`.
        Raises VenueUnavailable, OutcomeUnknown, VenueStop.
        """

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

    async def collateral(self) -> Collateral:
        """Return balance and allowances. Raises VenueUnavailable, VenueStop."""

    async def shares_micro(self, token_id: str) -> int:
        """Return how much of a token the wallet holds. Raises VenueUnavailable, VenueStop."""

    async def positions(self, also: Collection[str] = ()) -> dict[str, int]:
        """Return what the wallet holds of each token, in micro-shares, nothing for none.

        The list of tokens may lag; the amounts do not. Tokens of `also` are looked at even if the
        list does not name them. Raises VenueUnavailable, VenueStop.
        """

    async def book(self, token_id: str) -> OrderBook:
        """Return a token's book. Raises VenueRefused (unknown token), VenueUnavailable."""

    async def terms(self, condition_id: str) -> MarketTerms:
        """Return a market's terms as they are now. Raises VenueRefused, VenueUnavailable."""

    async def server_time_ns(self) -> int:
        """Return the venue's clock, to its own precision. Raises VenueUnavailable."""

    async def region(self) -> Region:
        """Return what the venue says of where we are. Raises VenueUnavailable."""

    async def is_closed_only(self) -> bool:
        """Whether the account may only close positions. Raises VenueUnavailable, VenueStop."""

    def events(self) -> AsyncIterator[StreamEvent]:
        """Yield what the venue tells of our orders; begins with StreamOpened.

        Reconnects by itself and yields StreamOpened again. May repeat, reorder and lose events:
        reads are the truth.
        """
