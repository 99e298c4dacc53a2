"""What a venue's answer means for the caller, as a tree by reaction.

    VenueError
    ├── VenueRefused            the venue said no: proof that it does not have the order
    │   └── AlreadyPlaced       it has an order with this very id: look it up
    ├── VenueUnavailable        nothing was taken and nothing will be: try again later
    ├── OutcomeUnknown          it may or may not have happened: ask for the known id
    └── VenueStop               a person must act: keys, region, ban, slow signing, a wrong hash
        ├── CredentialsRefused  the API key is not taken, and there is no newer one
        └── SignerFailed        the signer refuses or answers nonsense

Only VenueRefused proves that an order is not at the venue. A time-out, a lost connection, a 5xx
or an answer that cannot be read is OutcomeUnknown, never a refusal. No error's text, cause or
arguments hold a key, a secret or a signature's secret half.
"""

from enum import StrEnum


class Refusal(StrEnum):
    """Why an order was refused, as far as a caller can react to it."""

    OTHER = "other"
    BALANCE = "balance or allowance"
    TICK = "tick"
    SIZE = "size"
    # A post-only order would have taken.
    CROSSES = "crosses the book"
    # FOK or FAK found nothing to take.
    UNFILLED = "nothing to take"
    EXPIRATION = "expiration"
    MARKET_CLOSED = "market does not take orders"
    UNKNOWN_TOKEN = "unknown token"
    # The order cannot be expressed; nothing was sent.
    UNSENT = "refused before sending"


class Restriction(StrEnum):
    """What the venue keeps from us for a while."""

    NONE = "none"
    # No request is served.
    AWAY = "away"
    RESTARTING = "restarting"
    RATE_LIMITED = "rate limited"
    # Cancels and post-only orders are taken.
    POST_ONLY = "post-only"
    # Cancels are taken.
    CANCEL_ONLY = "cancel-only"
    # Trading is switched off.
    DISABLED = "trading disabled"


class VenueError(Exception):
    """Base of everything that a venue adapter raises."""


class VenueRefused(VenueError):
    """The venue refused, in its own words; it does not have the order."""

    def __init__(self, message: str, kind: Refusal = Refusal.OTHER) -> None:
        super().__init__(message)
        self.kind = kind


class AlreadyPlaced(VenueRefused):
    """The venue knows this order id already: an earlier send of the same order arrived."""


class VenueUnavailable(VenueError):
    """The request was not taken: no connection, a restart, a rate limit. Retry later.

    `retry_after_s` is what the venue asked for, 0 if it did not say.
    """

    def __init__(
        self,
        message: str,
        retry_after_s: float = 0.0,
        restriction: Restriction = Restriction.AWAY,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.restriction = restriction


class OutcomeUnknown(VenueError):
    """The request may have taken effect. Ask for the known order id before anything else."""


class VenueStop(VenueError):
    """Nothing was done, and trying again will not help: a person must look."""


class CredentialsRefused(VenueStop):
    """The venue does not take the API credentials, and their source has no newer ones."""


class SignerFailed(VenueStop):
    """The signer refused for good: no such key, no permission, another curve, a wrong answer."""
