"""Carries out what the agent announced: sends orders, looks for them, cancels them.

An order that may have been sent before is looked for first. Right before a send, with nothing
awaited in between, the desk is asked whether trading is stopped and the approval is verified
once more: signature, expiry and cover. Only then there is a VerifiedApproval to send it with.
"""

import logging
from collections.abc import Callable

from google.protobuf.message import Message

from whaletrader.domain.money import MoneyError
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.desk import Desk, LiveOrder
from whaletrader.services.execution.lifecycle import EXPIRED_UNSENT, WITHHELD, failed_rules
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
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.port import Venue

_LOG = logging.getLogger(__name__)

ABSENT = "the venue has no such order"


class _Withheld(Exception):
    """The order must not leave; the text says why."""


class SubmitPerformer:
    """Places an announced order, or only looks for it when it comes without its approval."""

    def __init__(
        self,
        venue: Venue,
        desk: Desk,
        reconciler: Reconciler,
        verify: VerifySignature,
        now_ns: Callable[[], int],
    ) -> None:
        self._venue = venue
        self._desk = desk
        self._reconciler = reconciler
        self._verify = verify
        self._now_ns = now_ns

    async def __call__(self, effect: Effect, again: bool) -> Message:
        message = effect.message
        if not isinstance(message, order_pb2.SubmitOrder):
            raise TypeError(f"{type(message).__name__} is no order to submit")
        looks_only = not message.HasField("approval")
        if again or looks_only:
            found = await self._look(message.order)
            if found is not None:
                return found
            if looks_only:
                return _outcome(message.order, order_pb2.PLACEMENT_STATUS_REFUSED, ABSENT)
        return await self._send(message, again)

    async def _send(self, message: order_pb2.SubmitOrder, again: bool) -> Message:
        order = message.order
        try:
            approval = self._cleared(message)
            # The first thing that submit awaits is the request itself.
            placement = await self._venue.submit(approval, order)
        except _Withheld as held:
            # If it may have been sent before, that it is not there yet proves nothing.
            status = (
                order_pb2.PLACEMENT_STATUS_UNKNOWN if again else order_pb2.PLACEMENT_STATUS_REFUSED
            )
            return _outcome(order, status, str(held))
        except AlreadyPlaced as error:
            found = await self._look(order)
            live = order_pb2.PLACEMENT_STATUS_LIVE
            return found if found is not None else _outcome(order, live, str(error))
        except (VenueUnavailable, OutcomeUnknown) as error:
            raise EffectRetry(str(error)) from error
        except (VenueRefused, MoneyError) as error:
            return _outcome(order, order_pb2.PLACEMENT_STATUS_REFUSED, str(error))
        except VenueStop as error:
            _LOG.error("the venue wants a person: %s", error)
            return _outcome(order, order_pb2.PLACEMENT_STATUS_REFUSED, str(error))
        if placement.is_matched:
            # So that its fills are known before the next decision, whatever the stream does.
            await self._look(order)
        return _outcome(order, order_pb2.PLACEMENT_STATUS_LIVE, placement.venue_status)

    def _cleared(self, message: order_pb2.SubmitOrder) -> VerifiedApproval:
        order = message.order
        if not self._desk.running(order).passed:
            raise _Withheld(WITHHELD)
        try:
            verified = verify_approval(message.approval, self._verify, self._now_ns())
            verified.require_cover(order)
        except ApprovalInvalid as error:
            only_expired = failed_rules(error.reasons) == ["approval.unexpired"]
            raise _Withheld(EXPIRED_UNSENT if only_expired else str(error)) from error
        return verified

    async def _look(self, order: order_pb2.OrderAnnounced) -> Message | None:
        ref = order.order
        try:
            found = await self._reconciler.order(
                LiveOrder(ref.order_id, ref.condition_id, ref.size_micro)
            )
        except (VenueUnavailable, VenueStop) as error:
            raise EffectRetry(str(error)) from error
        if found is None:
            return None
        return _outcome(order, order_pb2.PLACEMENT_STATUS_LIVE, "found at the venue")


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
