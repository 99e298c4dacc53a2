"""What a venue's answer means for the caller, as a tree by reaction.

    VenueError
    ├── VenueRefused        the venue said no: proof that it does not have the order
    │   └── AlreadyPlaced   it has an order with this very id: look it up
    ├── VenueUnavailable    nothing was taken and nothing will be: try again later
    ├── OutcomeUnknown      it may or may not have happened: ask for the known id
    └── VenueStop           a person must act: keys, region, ban, slow signing, a wrong hash

Only VenueRefused proves that an order is not at the venue. A time-out, a lost connection, a 5xx
or an answer that cannot be read is OutcomeUnknown, never a refusal.
"""


class VenueError(Exception):
    """Base of everything that a venue adapter raises."""


class VenueRefused(VenueError):
    """The venue refused, in its own words; it does not have the order."""


class AlreadyPlaced(VenueRefused):
    """The venue knows this order id already: an earlier send of the same order arrived."""


class VenueUnavailable(VenueError):
    """The request was not taken: no connection, a restart, a rate limit. Retry later.

    `retry_after_s` is what the venue asked for, 0 if it did not say.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(VenueError):
    """The request may have taken effect. Ask for the known order id before anything else."""


class VenueStop(VenueError):
    """Nothing was done, and trying again will not help: a person must look."""
