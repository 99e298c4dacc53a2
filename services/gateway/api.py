"""The REST and WebSocket routes: bad questions are refused here, good ones passed on."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Header, HTTPException, Path, Query, Response, WebSocket
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.websockets import WebSocketDisconnect

from whaletrader.services.gateway import chain, decisions, reads, report, views
from whaletrader.services.gateway.announcements import Announcements, TapeProgress
from whaletrader.services.gateway.config import GatewaySettings
from whaletrader.services.gateway.control import ControlDesk, KeyReused, Order
from whaletrader.services.gateway.guard import SUBPROTOCOL
from whaletrader.services.gateway.live import LiveHub, TooManySockets
from whaletrader.services.gateway.risk_desk import RiskDesk
from whaletrader.services.gateway.store import Store
from whaletrader.store.causes import AmbiguousId, UnknownId

# An order id is 0x and 64 hex digits; everything else is shorter.
AnyId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:@-]+$")]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows at most.")]
Wallet = Annotated[str, Query(max_length=64, pattern=r"^(0x[0-9a-fA-F]{40})?$")]
Market = Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_-]*$")]
Outcome = Literal["proposed", "declined", "approved", "rejected", "unanswered"]
# One line of printable text: it is shown to others and written to the log.
Line = StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
Operator = Annotated[str, Line, Field(min_length=1, max_length=64)]
Note = Annotated[str, Line, Field(max_length=500)]
Key = Annotated[str | None, Header(min_length=8, max_length=128, pattern=r"^[\x21-\x7e]+$")]

SLOW_SOCKET = 1013
FLATTEN_WORDS = "sell everything"


@dataclass(frozen=True, slots=True)
class Ports:
    """What the routes work with."""

    store: Store
    control: ControlDesk
    hub: LiveHub
    progress: TapeProgress
    announcements: Announcements
    settings: GatewaySettings
    risk: RiskDesk


class OrderBody(BaseModel):
    """A person's order. Flatten also wants `confirmation`, in the words of FLATTEN_WORDS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: Operator
    note: Note = ""
    confirmation: Annotated[str, Field(max_length=64)] = ""


class OrderGiven(BaseModel):
    """`repeated`: the same order was on the log before, under the same key."""

    event_id: str
    action: str
    repeated: bool
    control: views.ControlState


def reading(ports: Ports) -> APIRouter:
    """Return the routes that change nothing."""
    router = APIRouter(prefix="/api")
    store, portfolio = ports.store, ports.settings.portfolio

    @router.get("/summary")
    async def summary() -> views.Summary:
        return await reads.summary(store, portfolio)

    @router.get("/profit")
    async def profit(
        points: Annotated[int, Query(ge=2, le=1_000)] = reads.CURVE_POINTS,
    ) -> views.Curve:
        return await reads.curve(store, portfolio, points)

    @router.get("/whales")
    async def whales(limit: Limit = 50) -> list[views.Whale]:
        return await reads.whales(store, portfolio, limit)

    @router.get("/leaders")
    async def leaders() -> list[views.LeaderProfit]:
        return await report.leaders(store, portfolio)

    @router.get("/orders")
    async def orders(limit: Limit = 50) -> list[views.Order]:
        return await reads.orders(store, portfolio, limit)

    @router.get("/positions")
    async def positions(limit: Limit = 100) -> list[views.Position]:
        return await reads.positions(store, portfolio, limit)

    @router.get("/rejections")
    async def rejections() -> list[views.RuleCount]:
        return await reads.rejections(store)

    @router.get("/alerts")
    async def alerts(limit: Limit = 50) -> list[views.Alert]:
        return await reads.alerts(store, limit)

    @router.get("/agents")
    async def agents() -> list[views.AgentView]:
        return await reads.agents(store)

    @router.get("/latency")
    async def latency() -> list[views.Hop]:
        return await reads.latency(store)

    @router.get("/dead-letters")
    async def dead_letters(limit: Limit = 50) -> list[views.DeadLetter]:
        return await reads.dead_letters(store, limit)

    @router.get("/report")
    async def whole_report() -> views.Report:
        return await report.report(store, portfolio)

    return router


def deciding(ports: Ports) -> APIRouter:
    """Return the routes about decisions and what followed from them."""
    router = APIRouter(prefix="/api")

    @router.get("/decisions")
    async def page(
        outcome: Annotated[list[Outcome] | None, Query()] = None,
        wallet: Wallet = "",
        market: Market = "",
        before: Annotated[str, Query(max_length=200)] = "",
        limit: Limit = 50,
    ) -> views.DecisionPage:
        asked = decisions.Asked(
            tuple(outcome or decisions.OUTCOMES), wallet.lower(), market, before, limit
        )
        try:
            return await decisions.page(ports.store, asked)
        except decisions.BadCursor as error:
            raise HTTPException(422, {"code": "bad_cursor", "message": str(error)}) from error

    @router.get("/decisions/{decision_id}")
    async def one(decision_id: AnyId) -> views.Decision:
        found = await decisions.one(ports.store, decision_id)
        if found is None:
            raise _unknown(f"there is no decision {decision_id}")
        return found

    @router.get("/why/{some_id}")
    async def why(some_id: AnyId) -> views.Chain:
        try:
            return await chain.chain_of(ports.store, some_id)
        except UnknownId as error:
            raise _unknown(str(error)) from error
        except AmbiguousId as error:
            raise HTTPException(409, {"code": "ambiguous_id", "message": str(error)}) from error

    return router


def controlling(ports: Ports) -> APIRouter:
    """Return the routes by which a person gives orders."""
    router = APIRouter(prefix="/api/control")

    @router.get("")
    async def state() -> views.ControlState:
        return await ports.control.refresh()

    @router.post("/{action}", status_code=202)
    async def order(
        action: Literal["halt", "resume", "flatten"],
        body: OrderBody,
        response: Response,
        idempotency_key: Key = None,
    ) -> OrderGiven:
        if action == "flatten" and body.confirmation != FLATTEN_WORDS:
            message = f'flatten sells all that is held: confirm with "{FLATTEN_WORDS}"'
            raise HTTPException(422, {"code": "not_confirmed", "message": message})
        try:
            given = await ports.control.give(
                Order(action, body.operator, body.note, idempotency_key or "")
            )
        except KeyReused as error:
            raise HTTPException(409, {"code": "key_reused", "message": str(error)}) from error
        if given.repeated:
            response.status_code = 200
        control = await ports.control.refresh()
        ports.announcements.wake()
        return OrderGiven(
            event_id=given.event.meta.id, action=action, repeated=given.repeated, control=control
        )

    return router


def streaming(ports: Ports) -> APIRouter:
    """Return the socket (a snapshot first, then what changes) and how far the tape is."""
    router = APIRouter()

    @router.get("/api/progress")
    async def progress() -> views.Progress:
        return ports.progress.view()

    @router.websocket("/ws")
    async def stream(socket: WebSocket) -> None:
        offered = socket.headers.get("sec-websocket-protocol", "")
        names = {name.strip() for name in offered.split(",")}
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in names else None)
        try:
            subscriber = await ports.hub.subscribe()
        except TooManySockets as error:
            await socket.close(SLOW_SOCKET, str(error))
            return
        # A page says nothing: what we wait for from it is that it goes.
        leaving = asyncio.create_task(_until_gone(socket))
        try:
            while True:
                taking = asyncio.create_task(subscriber.queue.get())
                await asyncio.wait({taking, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    return
                message = taking.result()
                if message is None:
                    await socket.close(SLOW_SOCKET, "too slow")
                    return
                await socket.send_json(message)
        except (WebSocketDisconnect, RuntimeError):
            # Starlette says RuntimeError for a socket that was closed under our hands.
            return
        finally:
            leaving.cancel()
            ports.hub.unsubscribe(subscriber)

    return router


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _unknown(message: str) -> HTTPException:
    return HTTPException(404, {"code": "unknown_id", "message": message})
