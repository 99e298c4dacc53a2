"""How the venue answers: compact JSON, errors as `{"error": ...}`, cursors, request fields."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

Row = TypeVar("Row")

FIRST_CURSOR = "MA=="
LAST_CURSOR = "LTE="


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


async def on_wire_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, WireError):
        raise error
    answer = ok({"error": error.text, **error.extra}, error.status)
    answer.headers.update(error.headers)
    return answer


async def read_json(request: Request) -> Any:
    """Return the decoded body; 400 when it is not JSON."""
    try:
        return msgspec.json.decode(await request.body())
    except msgspec.DecodeError as error:
        raise WireError(400, "Invalid payload") from error


def number(request: Request, name: str, default: int) -> int:
    """Return a whole, non-negative query parameter; 400 otherwise."""
    text = request.query_params.get(name) or str(default)
    if not text.isdecimal():
        raise WireError(400, f"Invalid {name}")
    return int(text)


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
