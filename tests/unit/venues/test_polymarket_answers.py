"""What an answer proves: only the venue's own refusal is a refusal."""

import httpx
import pytest
from polymarket.errors import (
    PolymarketError,
    RateLimitError,
    RequestRejectedError,
    TransportError,
    UnexpectedResponseError,
    UserInputError,
)
from polymarket.models.clob.order_response import RejectedOrder

from whaletrader.venues.errors import (
    AlreadyPlaced,
    CredentialsRefused,
    OutcomeUnknown,
    VenueError,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.polymarket.answers import of_placing, of_reading, of_refused_answer


def rejected(status: int, text: str = "no") -> RequestRejectedError:
    return RequestRejectedError(text, status=status)


def broken(cause: Exception) -> TransportError:
    error = TransportError("lost")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (rejected(400, "not enough balance / allowance"), VenueRefused),
        (rejected(400, "order 0x1 is invalid. Duplicated."), AlreadyPlaced),
        (rejected(404, "No orderbook exists for the requested token id"), VenueRefused),
        (rejected(400, "'0x1' address banned"), VenueStop),
        (rejected(400, "order_version_mismatch"), VenueStop),
        (rejected(401), CredentialsRefused),
        (rejected(403, "Trading restricted in your region"), VenueStop),
        (rejected(425), VenueUnavailable),
        (
            RequestRejectedError("post-only mode", status=503, restriction="post_only"),
            VenueUnavailable,
        ),
        (RateLimitError("slow down", retry_after=3.0), VenueUnavailable),
        (rejected(500, "could not insert order"), OutcomeUnknown),
        (rejected(502), OutcomeUnknown),
        (rejected(503, "upstream connect error"), OutcomeUnknown),
        (rejected(408), OutcomeUnknown),
        (broken(httpx.ConnectError("refused")), VenueUnavailable),
        (broken(httpx.ReadTimeout("late")), OutcomeUnknown),
        (broken(httpx.RemoteProtocolError("closed")), OutcomeUnknown),
        (broken(httpx.WriteError("reset")), OutcomeUnknown),
        (UnexpectedResponseError("not JSON"), OutcomeUnknown),
        (UserInputError("bad"), VenueRefused),
        (PolymarketError("else"), OutcomeUnknown),
    ],
)
def test_an_error_while_placing(error: PolymarketError, meaning: type[VenueError]) -> None:
    assert type(of_placing(error)) is meaning


def test_what_the_venue_asks_to_wait_is_kept() -> None:
    answer = of_placing(RateLimitError("slow down", retry_after=3.0))
    assert isinstance(answer, VenueUnavailable)
    assert answer.retry_after_s == 3.0


@pytest.mark.parametrize(
    ("code", "message", "meaning"),
    [
        ("not_enough_balance", "not enough balance / allowance", VenueRefused),
        ("unknown", "order 0x1 is invalid. Duplicated.", AlreadyPlaced),
        ("unmatched", "", OutcomeUnknown),
        ("unknown", "Unknown order failure", OutcomeUnknown),
    ],
)
def test_a_success_that_says_no(code: str, message: str, meaning: type[VenueError]) -> None:
    answer = RejectedOrder.model_validate({"ok": False, "code": code, "message": message})
    assert type(of_refused_answer(answer)) is meaning


@pytest.mark.parametrize("status", [400, 404, 425, 500, 503])
def test_a_read_that_fails_is_repeated(status: int) -> None:
    assert isinstance(of_reading(rejected(status)), VenueUnavailable)


@pytest.mark.parametrize("status", [401, 403])
def test_a_read_that_is_forbidden_needs_a_person(status: int) -> None:
    assert isinstance(of_reading(rejected(status)), VenueStop)
