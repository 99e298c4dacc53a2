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
    CredentialsRefused,
    OutcomeUnknown,
    Refusal,
    Restriction,
    VenueError,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)

_DUPLICATED: Final = "duplicated"
# Refusals that no later order of ours will escape.
_STOP_WORDS: Final = (
    "address banned",
    "closed only mode",
    "order_version_mismatch",
    "invalid order version",
    "invalid signature",
    "order owner has to be",
    "order signer address has to be",
)
# What a refusal is about, by words that the venue's texts are known to hold (documentation of
# 2026-10 and third parties' logs). The first that fits counts.
_KINDS: Final = (
    ("not enough balance", Refusal.BALANCE),
    ("balance is not enough", Refusal.BALANCE),
    ("allowance is not enough", Refusal.BALANCE),
    ("minimum tick size", Refusal.TICK),
    ("lower than the minimum", Refusal.SIZE),
    ("min size", Refusal.SIZE),
    ("lot size", Refusal.SIZE),
    ("max accuracy", Refusal.SIZE),
    ("crosses the book", Refusal.CROSSES),
    ("crosses book", Refusal.CROSSES),
    ("fok orders are", Refusal.UNFILLED),
    ("fak orders are", Refusal.UNFILLED),
    ("invalid expiration", Refusal.EXPIRATION),
    ("not yet ready", Refusal.MARKET_CLOSED),
    ("no orderbook exists", Refusal.UNKNOWN_TOKEN),
    ("invalid token", Refusal.UNKNOWN_TOKEN),
)
_RESTRICTIONS: Final = {
    "restarting": Restriction.RESTARTING,
    "post_only": Restriction.POST_ONLY,
    "cancel_only": Restriction.CANCEL_ONLY,
}
# Words that prove that a 503 comes from the venue's own gate and not from a gateway before it.
_DISABLED: Final = "trading is currently disabled"
_POST_ONLY: Final = "post-only mode"
# Raised before any byte of the request has left.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def of_placing(error: PolymarketError) -> VenueError:
    """Translate what went wrong while an order was being placed or cancelled."""
    if isinstance(error, TransportError):
        if isinstance(error.__cause__, _NOT_SENT):
            return VenueUnavailable(f"no connection to the venue: {error}")
        return OutcomeUnknown(f"the connection failed after the request was sent: {error}")
    if isinstance(error, RateLimitError):
        return _rate_limited(error)
    if isinstance(error, RequestRejectedError):
        return _of_rejection(error)
    if isinstance(error, UnexpectedResponseError):
        return OutcomeUnknown(f"the venue's answer cannot be read: {error}")
    if isinstance(error, UserInputError | SigningError):
        return VenueRefused(f"the client refused to send it: {error}", Refusal.UNSENT)
    return OutcomeUnknown(f"{type(error).__name__}: {error}")


def of_reading(error: PolymarketError) -> VenueError:
    """Translate what went wrong while asking: a read has no effect, so it may be repeated."""
    if isinstance(error, RateLimitError):
        return _rate_limited(error)
    if isinstance(error, RequestRejectedError):
        if error.status in (401, 403):
            return _stop(error)
        restriction = _RESTRICTIONS.get(error.restriction or "", Restriction.AWAY)
        return VenueUnavailable(f"{error.status}: {error}", error.retry_after or 0.0, restriction)
    return VenueUnavailable(f"{type(error).__name__}: {error}")


def of_refused_answer(answer: RejectedOrder) -> VenueError:
    """Translate a 200 that says no. "unmatched" says that the placement itself went well."""
    if answer.code == "unmatched" or answer.message == "Unknown order failure":
        return OutcomeUnknown(f"{answer.code}: {answer.message}")
    return _of_words(answer.message)


def is_unauthorized(error: PolymarketError) -> bool:
    """Whether the venue refused the API credentials: then it did nothing else."""
    return isinstance(error, RequestRejectedError) and error.status == 401


def _of_rejection(error: RequestRejectedError) -> VenueError:
    retry_after_s = error.retry_after or 0.0
    if error.restriction is not None or error.status == 425:
        found = _RESTRICTIONS[error.restriction or "restarting"]
        return VenueUnavailable(f"{found}: {error}", retry_after_s, found)
    if error.status in (401, 403):
        return _stop(error)
    if error.status in (400, 404):
        return _of_words(str(error))
    if error.status == 503 and _DISABLED in str(error).lower():
        return VenueUnavailable(str(error), retry_after_s, Restriction.DISABLED)
    # Other 4xx come from gateways in front of the engine and 5xx from anywhere: no proof.
    return OutcomeUnknown(f"{error.status}: {error}")


def _of_words(text: str) -> VenueError:
    words = text.lower()
    if _DUPLICATED in words:
        return AlreadyPlaced(text)
    if any(word in words for word in _STOP_WORDS):
        return VenueStop(text)
    if _POST_ONLY in words:
        return VenueUnavailable(text, restriction=Restriction.POST_ONLY)
    if "delayed due to market conditions" in words:
        # The label of a state, not of an end: it may be matched yet.
        return OutcomeUnknown(text)
    kind = next((kind for word, kind in _KINDS if word in words), Refusal.OTHER)
    return VenueRefused(text, kind)


def _stop(error: RequestRejectedError) -> VenueStop:
    text = f"{error.status}: {error}"
    return CredentialsRefused(text) if error.status == 401 else VenueStop(text)


def _rate_limited(error: RateLimitError) -> VenueUnavailable:
    return VenueUnavailable("rate limited", error.retry_after or 0.0, Restriction.RATE_LIMITED)
