"""What the official client's exceptions mean for an order: our errors, by reaction.

Pure. The rules are the venue's documented error texts (2026-10) and one principle: only words
that prove a refusal are a refusal.
"""

from typing import Final

import httpx
from polymarket.errors import (
    PolymarketError,
    RateLimitError,
    RequestRejectedError,
    SigningError,
    TransportError,
    UnexpectedResponseError,
    UserInputError,
)
from polymarket.models.clob.order_response import RejectedOrder

from whaletrader.venues.errors import (
    AlreadyPlaced,
    OutcomeUnknown,
    VenueError,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)

_DUPLICATED: Final = "duplicated"
# Refusals that no later order of ours will escape.
_STOP_WORDS: Final = ("address banned", "closed only mode", "order_version_mismatch")
# Raised before any byte of the request has left.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def of_placing(error: PolymarketError) -> VenueError:
    """Translate what went wrong while an order was being placed or cancelled."""
    if isinstance(error, TransportError):
        if isinstance(error.__cause__, _NOT_SENT):
            return VenueUnavailable(f"no connection to the venue: {error}")
        return OutcomeUnknown(f"the connection failed after the request was sent: {error}")
    if isinstance(error, RateLimitError):
        return VenueUnavailable("rate limited", error.retry_after or 0.0)
    if isinstance(error, RequestRejectedError):
        return _of_rejection(error)
    if isinstance(error, UnexpectedResponseError):
        return OutcomeUnknown(f"the venue's answer cannot be read: {error}")
    if isinstance(error, UserInputError | SigningError):
        return VenueRefused(f"the client refused to send it: {error}")
    return OutcomeUnknown(f"{type(error).__name__}: {error}")


def of_reading(error: PolymarketError) -> VenueError:
    """Translate what went wrong while asking: a read has no effect, so it may be repeated."""
    if isinstance(error, RequestRejectedError) and error.status in (401, 403):
        return VenueStop(f"{error.status}: {error}")
    retry_after_s = getattr(error, "retry_after", None) or 0.0
    return VenueUnavailable(f"{type(error).__name__}: {error}", retry_after_s)


def of_refused_answer(answer: RejectedOrder) -> VenueError:
    """Translate a 200 that says no. "unmatched" says that the placement itself went well."""
    if answer.code == "unmatched" or answer.message == "Unknown order failure":
        return OutcomeUnknown(f"{answer.code}: {answer.message}")
    return _of_words(answer.message)


def _of_rejection(error: RequestRejectedError) -> VenueError:
    if error.restriction is not None or error.status == 425:
        return VenueUnavailable(f"{error.restriction}: {error}", error.retry_after or 0.0)
    if error.status in (401, 403):
        return VenueStop(f"{error.status}: {error}")
    if error.status in (400, 404):
        return _of_words(str(error))
    # Other 4xx come from gateways in front of the engine and 5xx from anywhere: no proof.
    return OutcomeUnknown(f"{error.status}: {error}")


def _of_words(text: str) -> VenueError:
    if _DUPLICATED in text.lower():
        return AlreadyPlaced(text)
    if any(word in text for word in _STOP_WORDS):
        return VenueStop(text)
    return VenueRefused(text)
