"""Carries out what the agent announced: sends orders, looks for them, cancels them, reads books.

An order that may have been sent before is looked for first. Right before a send the claim to the
wallet is confirmed; then, with nothing awaited in between, the desk is asked whether trading is
stopped and the approval is verified once more: signature, expiry and cover. Only then there is a
VerifiedApproval to send it with.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.money import MoneyError
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import market_pb2, order_pb2
from whaletrader.services.execution.claims import NO_RIVAL, ClaimLost, WalletClaim
from whaletrader.services.execution.desk import Desk, LiveOrder
from whaletrader.services.execution.lifecycle import (
    EXPIRED_UNSENT,
    KILLED,
    WITHHELD,
    failed_rules,
)
from whaletrader.services.execution.outside import ANYWHERE, Outside
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.venues.approval import (
    ApprovalInvalid,
    VerifiedApproval,
    VerifySignature,
    verify_approval,
)
from whaletrader.venues.errors import (
    AlreadyPlaced,
    OutcomeUnknown,
    Refusal,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.port import OrderState, Venue
from whaletrader.venues.terms import BookLevel

_LOG = logging.getLogger(__name__)

ABSENT: Final = "the venue has no such order"
_SEEN: Final = {
    OrderState.OPEN: order_pb2.VENUE_ORDER_STATE_OPEN,
    OrderState.FILLED: order_pb2.VENUE_ORDER_STATE_FILLED,
    OrderState.CANCELLED: order_pb2.VENUE_ORDER_STATE_CANCELLED,
    OrderState.EXPIRED: order_pb2.VENUE_ORDER_STATE_EXPIRED,
    OrderState.REJECTED: order_pb2.VENUE_ORDER_STATE_REJECTED,
}

_NEVER_REST: Final = (order_pb2.ORDER_TYPE_FAK, order_pb2.ORDER_TYPE_FOK)


class _Withheld(Exception):
    """The order must not leave; the text says why."""


@dataclass(frozen=True, slots=True)
class Guards:
    """What is asked right before an order leaves."""

    desk: Desk
    verify: VerifySignature
    now_ns: Callable[[], int]
    claim: WalletClaim = NO_RIVAL
    outside: Outside = ANYWHERE

    def cleared(self, message: order_pb2.SubmitOrder) -> VerifiedApproval:
        """Return the proof that the order may leave now. Raises _Withheld, ClaimLost."""
        order = message.order
        self.claim.require()
        if not self.desk.running(order).passed:
            raise _Withheld(WITHHELD)
        if self.outside.forbids:
            raise _Withheld(f"{WITHHELD}: {self.outside.forbids}")
        over = self.desk.is_over(order)
        if over:
            raise _Withheld(f"{WITHHELD}: {over}")
        try:
            verified = verify_approval(message.approval, self.verify, self.now_ns())
            verified.require_cover(order)
        except ApprovalInvalid as error:
            only_expired = failed_rules(error.reasons) == ["approval.unexpired"]
            raise _Withheld(EXPIRED_UNSENT if only_expired else str(error)) from error
        return verified


class SubmitPerformer:
    """Places an announced order; one that may have been sent before is looked for first."""

    def __init__(self, venue: Venue, reconciler: Reconciler, guards: Guards) -> None:
        self._venue = venue
        self._reconciler = reconciler
        self._guards = guards

    async def __call__(self, effect: Effect, again: bool) -> Message:
        message = effect.message
        if not isinstance(message, order_pb2.SubmitOrder):
            raise TypeError(f"{type(message).__name__} is no order to submit")
        if again or message.look_first:
            found = await self._look(message.order)
            if found is not None:
                return found
        try:
            return await self._send(message, again)
        except ClaimLost as error:
            # Whoever took the wallet over has our journal: nothing leaves from here any more.
            raise EffectRetry(str(error)) from error

    async def _send(self, message: order_pb2.SubmitOrder, again: bool) -> Message:
        order = message.order
        try:
            await self._guards.claim.confirm()
            approval = self._guards.cleared(message)
            placement = await self._venue.submit(
                approval, order, before_send=lambda: self._check(message)
            )
        except _Withheld as held:
            return _outcome(order, _refused(again or message.look_first), str(held))
        except AlreadyPlaced as error:
            found = await self._look(order)
            live = order_pb2.PLACEMENT_STATUS_LIVE
            return found if found is not None else _outcome(order, live, str(error))
        except (VenueUnavailable, OutcomeUnknown) as error:
            raise EffectRetry(str(error)) from error
        except (VenueRefused, MoneyError, VenueStop) as error:
            # An earlier try may still be on its way. Sent again by the agent, it judges by time.
            return _outcome(order, _refused(again), _words(error))
        if placement.is_delayed:
            delayed = order_pb2.PLACEMENT_STATUS_DELAYED
            return _outcome(order, delayed, placement.venue_status)
        if placement.is_matched or order.order_type in _NEVER_REST:
            # So that its fills are known before the next decision, whatever the stream does.
            await self._look(order)
        return _outcome(order, order_pb2.PLACEMENT_STATUS_LIVE, placement.venue_status)

    def _check(self, message: order_pb2.SubmitOrder) -> None:
        self._guards.cleared(message)

    async def _look(self, order: order_pb2.OrderAnnounced) -> Message | None:
        try:
            look = await self._reconciler.order(LiveOrder.of(order))
        except (VenueUnavailable, VenueStop) as error:
            raise EffectRetry(str(error)) from error
        if look.order is None:
            return None
        return _outcome(order, order_pb2.PLACEMENT_STATUS_LIVE, "found at the venue")


class ResolvePerformer:
    """Asks what became of an order. Sends nothing, ever."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - a read
        message = effect.message
        if not isinstance(message, order_pb2.ResolveOrder):
            raise TypeError(f"{type(message).__name__} is no order to ask about")
        try:
            look = await self._reconciler.order(LiveOrder.of(message.order))
        except (VenueUnavailable, VenueStop) as error:
            raise EffectRetry(str(error)) from error
        found = look.order
        return order_pb2.OrderResolved(
            order_id=message.order.order.order_id,
            state=_SEEN[found.state] if found else order_pb2.VENUE_ORDER_STATE_ABSENT,
            matched_size_micro=found.matched_size_micro if found else 0,
            detail=found.detail if found else ABSENT,
            fills=look.fills,
        )


class BookPerformer:
    """Reads a token's book for the next order of an approved trade."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - a read
        message = effect.message
        if not isinstance(message, order_pb2.ReadBook):
            raise TypeError(f"{type(message).__name__} asks for no book")
        try:
            book = await self._venue.book(message.token_id)
        except (VenueUnavailable, VenueStop, VenueRefused) as error:
            raise EffectRetry(str(error)) from error
        return order_pb2.BookRead(
            approval_id=message.approval_id,
            token_id=message.token_id,
            bids=_levels(book.bids),
            asks=_levels(book.asks),
            tick_micro=book.tick_micro,
            min_size_micro=book.min_size_micro,
        )


class CancelPerformer:
    """Takes an order off the book. Repeating it is harmless."""

    def __init__(self, venue: Venue, reconciler: Reconciler) -> None:
        self._venue = venue
        self._reconciler = reconciler

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - harmless
        message = effect.message
        if not isinstance(message, order_pb2.CancelOrder):
            raise TypeError(f"{type(message).__name__} is no order to cancel")
        ref = message.order
        try:
            cancelled = await self._venue.cancel(ref.order_id)
            # What was matched until then, and that it is gone, must not hang on the stream.
            await self._reconciler.order(
                LiveOrder(ref.order_id, ref.condition_id, ref.size_micro),
                is_gone=cancelled.is_gone,
            )
        except (VenueUnavailable, OutcomeUnknown) as error:
            raise EffectRetry(str(error)) from error
        except (VenueRefused, VenueStop) as error:
            _LOG.error("the venue refused a cancel: %s", error)
            return order_pb2.OrderCancellation(order_id=ref.order_id, detail=str(error))
        return order_pb2.OrderCancellation(
            order_id=ref.order_id, gone=cancelled.is_gone, detail=cancelled.detail
        )


def _outcome(
    order: order_pb2.OrderAnnounced,
    status: order_pb2.PlacementStatus.ValueType,
    detail: str,
) -> order_pb2.OrderPlacement:
    return order_pb2.OrderPlacement(order_id=order.order.order_id, status=status, detail=detail)


def _refused(may_be_there: bool) -> order_pb2.PlacementStatus.ValueType:
    """Only what cannot have been sent before is refused for good: else time must tell."""
    if may_be_there:
        return order_pb2.PLACEMENT_STATUS_UNKNOWN
    return order_pb2.PLACEMENT_STATUS_REFUSED


def _words(error: Exception) -> str:
    if isinstance(error, VenueStop):
        _LOG.error("the venue wants a person: %s", error)
    if isinstance(error, VenueRefused) and error.kind is Refusal.UNFILLED:
        return f"{KILLED}: {error}"
    return str(error)


def _levels(side: tuple[BookLevel, ...]) -> list[market_pb2.Level]:
    return [
        market_pb2.Level(price_micro=level.price_micro, size_micro=level.size_micro)
        for level in side
    ]
