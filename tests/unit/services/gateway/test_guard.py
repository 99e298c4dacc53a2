"""The guard, in front of an application that says yes to everything."""

import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

from whaletrader.services.gateway.config import GatewaySettings
from whaletrader.services.gateway.guard import BODY_BYTES_MAX, Guard

TOKEN = "a-token-of-some-length"
HALT = "/api/control/halt"
PAGE = "http://127.0.0.1:8642"


async def yes(request: Request) -> Response:
    return PlainTextResponse(f"yes {len(await request.body())}")


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("yes")
    await socket.close()


def guarded(settings: GatewaySettings) -> Guard:
    methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
    routes = [Route("/{path:path}", yes, methods=methods), WebSocketRoute("/ws", talk)]
    return Guard(Starlette(routes=[routes[1], routes[0]]), settings)


async def ask(settings: GatewaySettings, method: str, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(guarded(settings))
    async with httpx.AsyncClient(transport=transport, base_url=PAGE) as client:
        return await client.request(method, path, headers=named)


LOCAL = GatewaySettings()
OPEN = GatewaySettings(host="0.0.0.0", token=TOKEN, allowed_hosts="desk.example")


@pytest.mark.parametrize("host", ["127.0.0.1:8642", "localhost", "LOCALHOST:99", "[::1]:8642"])
async def test_loopback_names_are_ours(host: str) -> None:
    assert (await ask(LOCAL, "GET", "/api/summary", host=host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "10.0.0.7", "", "[", "localhost.evil.example:8642"],
)
async def test_a_foreign_name_that_leads_here_is_refused(host: str) -> None:
    answer = await ask(LOCAL, "GET", "/api/summary", host=host)
    assert answer.status_code == 421
    assert answer.json()["error"]["code"] == "unknown_host"


async def test_where_others_reach_us_addresses_are_fine_and_names_must_be_allowed() -> None:
    bearer = f"Bearer {TOKEN}"
    for host, status in (("10.0.0.7:8642", 200), ("desk.example", 200), ("evil.example", 421)):
        answer = await ask(OPEN, "GET", "/api/summary", host=host, authorization=bearer)
        assert answer.status_code == status, host


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "http://localhost:8642",
        "http://127.0.0.1:8642.evil.example",
        "chrome-extension://abc",
        "http://[",
    ],
)
async def test_a_write_from_another_page_is_refused(origin: str) -> None:
    answer = await ask(LOCAL, "POST", HALT, origin=origin)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "cross_origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_write_that_the_browser_calls_cross_site_is_refused(method: str) -> None:
    for site in ("cross-site", "same-site"):
        assert (await ask(LOCAL, method, HALT, sec_fetch_site=site)).status_code == 403


async def test_our_own_page_and_scripts_may_write() -> None:
    page = {"origin": PAGE, "sec_fetch_site": "same-origin"}
    assert (await ask(LOCAL, "POST", HALT, **page)).status_code == 200
    assert (await ask(LOCAL, "POST", HALT)).status_code == 200


async def test_no_answer_lets_another_page_read_it() -> None:
    answer = await ask(LOCAL, "GET", "/api/summary", origin="http://evil.example")
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/api/summary", "/metrics", HALT])
@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
async def test_what_is_guarded_wants_the_token(path: str, shown: str) -> None:
    answer = await ask(OPEN, "GET", path, authorization=shown)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/", "/js/main.js", "/livez", "/readyz"])
async def test_the_empty_page_and_the_probes_want_none(path: str) -> None:
    assert (await ask(OPEN, "GET", path)).status_code == 200


async def test_a_large_body_is_refused_by_its_length() -> None:
    length = str(BODY_BYTES_MAX + 1)
    assert (await ask(LOCAL, "POST", HALT, content_length=length)).status_code == 413
    assert (await ask(LOCAL, "POST", HALT, content_length="-1")).status_code == 413


async def test_a_body_that_does_not_tell_its_length_is_cut() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_024

    transport = httpx.ASGITransport(guarded(LOCAL), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=PAGE) as client:
        answer = await client.post(HALT, content=endless())
    assert answer.status_code == 500
    assert "yes" not in answer.text


async def socket_opens(settings: GatewaySettings, **headers: str) -> bool:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/ws", "headers": named, "subprotocols": []}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await guarded(settings)(scope, receive, send)
    return sent[0]["type"] == "websocket.accept"


async def test_a_socket_is_opened_by_our_own_page_only() -> None:
    assert await socket_opens(LOCAL, host="127.0.0.1:8642", origin=PAGE)
    assert await socket_opens(LOCAL, host="127.0.0.1:8642")
    assert not await socket_opens(LOCAL, host="127.0.0.1:8642", origin="http://evil.example")
    assert not await socket_opens(LOCAL, host="evil.example", origin="http://evil.example")


async def test_a_socket_shows_the_token_as_a_subprotocol() -> None:
    def offered(token: str) -> str:
        raw = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
        return f"whaletrader.v1, token.{raw}"

    assert await socket_opens(OPEN, host="10.0.0.7", sec_websocket_protocol=offered(TOKEN))
    assert not await socket_opens(OPEN, host="10.0.0.7", sec_websocket_protocol=offered("wrong"))
    assert not await socket_opens(OPEN, host="10.0.0.7", sec_websocket_protocol="token.!!!")
    assert not await socket_opens(OPEN, host="10.0.0.7")
