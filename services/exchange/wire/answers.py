"""How the venue answers: compact JSON, errors as `{"error": ...}`, cursors, request fields."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response

Row = TypeVar("Row")

FIRST_CURSOR = "MA=="
LAST_CURSOR = "LTE="
NEWER_DATA_API = "/data-api/v2/"
ERROR_CODES = {400: "INVALID_PARAMETER", 404: "NOT_FOUND", 429: "RATE_LIMITED"}
# What decoding a stranger's text raises: a thousand brackets exhaust the decoder's stack.
BAD_JSON = (msgspec.DecodeError, RecursionError)
# More digits are no amount, time or page of ours, and thousands are more than int() takes.
WHOLE_DIGITS_MAX = 19


class WireError(Exception):
    """An answer other than 200; `extra` fields go beside `error`, `headers` on top of it."""

    def __init__(self, status: int, text: str, **extra: Any) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.extra = extra
        self.headers: dict[str, str] = {}


def ok(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def on_wire_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, WireError):
        raise error
    body = {"error": error.text, **error.extra}
    if request.url.path.startswith(NEWER_DATA_API):
        code = ERROR_CODES.get(error.status, "INTERNAL_ERROR")
        body = {"code": code, "retryable": error.status >= 500, "trace_id": uuid4().hex, **body}
    answer = ok(body, error.status)
    answer.headers.update(error.headers)
    return answer


async def on_trouble(_: Request, __: Exception) -> Response:
    """Answer a defect of ours as the venue answers its own; the log holds the trace."""
    return ok({"error": "internal server error"}, 500)


async def read_json(request: Request) -> Any:
    """Return the decoded body; 400 when it is not JSON."""
    try:
        return msgspec.json.decode(await request.body())
    except BAD_JSON as error:
        raise WireError(400, "Invalid payload") from error


def number(request: Request, name: str, default: int) -> int:
    """Return a whole, non-negative query parameter; 400 otherwise."""
    text = request.query_params.get(name) or str(default)
    if not is_whole(text):
        raise WireError(400, f"Invalid {name}")
    return int(text)


def is_whole(text: str) -> bool:
    """Return whether a text is a whole, non-negative number that fits into 64 bits or nearly so."""
    return text.isascii() and text.isdecimal() and len(text) <= WHOLE_DIGITS_MAX


def page(
    rows: Sequence[Row], cursor: str | None, limit: int, render: Callable[[Row], Any]
) -> dict[str, Any]:
    """Return the envelope of one page; the cursor is the offset in base64."""
    offset = _offset(cursor or FIRST_CURSOR)
    chosen = rows[offset : offset + limit]
    end = offset + len(chosen)
    following = base64.b64encode(str(end).encode()).decode() if end < len(rows) else LAST_CURSOR
    return {
        "limit": limit,
        "count": len(chosen),
        "next_cursor": following,
        "data": [render(row) for row in chosen],
    }


def _offset(cursor: str) -> int:
    try:
        offset = int(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError) as error:
        raise WireError(400, "invalid next_cursor") from error
    if offset < 0:
        raise WireError(400, "next item should be greater than or equal to 0")
    return offset
