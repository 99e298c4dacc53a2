"""The whales page's routes: the leaderboard, one wallet, and a person's word on it."""

from pathlib import Path as File
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import FileResponse

from whaletrader.runtime.ruling import RulingOrder
from whaletrader.services.gateway.api import Key, OrderBody, Ports
from whaletrader.services.gateway.whale_views import (
    MARKETS_MAX,
    RulingGiven,
    WhalePage,
    WhaleRow,
    page_view,
    row_of,
)
from whaletrader.store import queries
from whaletrader.store.whale_pages import NoSuchWallet, leaderboard, wallet_page

Address = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{40}$")]
Limit = Annotated[int, Query(ge=1, le=500, description="Wallets at most.")]

_PAGE: Final = File(__file__).with_name("static") / "whales" / "index.html"


def whaling(ports: Ports) -> APIRouter:
    """Return the routes. A ruling goes onto the log, where discovery reads it."""
    router = APIRouter()

    @router.get("/api/leaderboard")
    async def board(limit: Limit = 100) -> list[WhaleRow]:
        return [row_of(one) for one in await leaderboard(ports.store, limit)]

    @router.get("/api/whales/{address}")
    async def one(address: Address) -> WhalePage:
        try:
            page = await wallet_page(ports.store, address)
        except NoSuchWallet as error:
            raise HTTPException(404, {"code": "unknown_wallet", "message": str(error)}) from error
        shown = sorted({market.condition_id for _, market in page.markets[-MARKETS_MAX:]})
        markets = await queries.markets(ports.store, shown)
        return page_view(page, {market.condition_id: market.question for market in markets})

    @router.post("/api/whales/{address}/{ruling}", status_code=202)
    async def rule(
        address: Address,
        ruling: Literal["pin", "ban", "clear"],
        body: OrderBody,
        idempotency_key: Key = None,
    ) -> RulingGiven:
        event = await ports.control.rule(
            RulingOrder(address.lower(), ruling, body.operator, body.note, idempotency_key or "")
        )
        return RulingGiven(event_id=event.meta.id, wallet=event.wallet, ruling=ruling)

    # One page for all: its script reads the address from where it is.
    @router.get("/whales", include_in_schema=False)
    async def list_page() -> FileResponse:
        return FileResponse(_PAGE, headers={"cache-control": "no-cache"})

    @router.get("/whales/{address}", include_in_schema=False)
    async def wallet_html(address: Address) -> FileResponse:
        del address
        return await list_page()

    return router
