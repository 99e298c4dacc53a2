"""The floor of an order over HTTP: the exchange's HTTP stack, and an answer that looks at nothing.

Run as `python -m benchmarks.floors.posts`; prints its URL first.
"""

import socket
from typing import Final

import uvicorn
from starlette.types import Message, Receive, Scope, Send

_BODY: Final = b'{"status":"live"}'
_ANSWER: Final[tuple[Message, ...]] = (
    {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", str(len(_BODY)).encode())],
    },
    {"type": "http.response.body", "body": _BODY},
)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole request, then say that all is well."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    for message in _ANSWER:
        await send(message)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    settings = uvicorn.Config(answer, log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(settings).run(sockets=[listener])


if __name__ == "__main__":
    main()
