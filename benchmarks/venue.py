"""The local exchange as a process that notes when an order reaches its socket.

Run as `python -m benchmarks.venue PORT`. For each POST of an order, real or of the floor, one line
goes to standard output: monotonic nanoseconds at the moment the request's head was parsed, the
path, and the order's token (or - for the floor).
"""

import json
import os
import sys
import time
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.floors.addresses import PATH
from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import bind
from whaletrader.services.exchange.wire.app import build

_ORDER: Final = "/order"
_ACCEPTED: Final[tuple[Message, ...]] = (
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
    {"type": "http.response.body", "body": b"ok"},
)


class Arrivals:
    """Wraps the exchange. Requests that are no orders pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if not is_post or scope["path"] not in (PATH, _ORDER):
            await self._app(scope, receive, send)
            return
        at_ns = time.monotonic_ns()
        body = await _body(receive)
        if scope["path"] == PATH:
            _tell(at_ns, PATH, "-")
            for message in _ACCEPTED:
                await send(message)
            return
        _tell(at_ns, _ORDER, _token(body))

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _token(body: bytes) -> str:
    order: dict[str, Any] = json.loads(body)["order"]
    return str(order["tokenId"])


def _tell(at_ns: int, path: str, token: str) -> None:
    # One write, so that lines never mix.
    os.write(sys.stdout.fileno(), f"{at_ns} {path} {token}\n".encode())


def main(port: int) -> None:
    config = ExchangeConfig.model_validate({"mode": "agents", "port": port})
    listener, _ = bind(config)
    settings = uvicorn.Config(
        Arrivals(build(config)), log_level="warning", access_log=False, ws="websockets-sansio"
    )
    uvicorn.Server(settings).run(sockets=[listener])


if __name__ == "__main__":
    main(int(sys.argv[1]))
