"""The risk page's routes: how the desk stands, and what risk would say. Nothing here orders."""

from fastapi import APIRouter, HTTPException

from whaletrader.runtime.requests import NoAnswer
from whaletrader.services.gateway.risk_desk import RiskDesk
from whaletrader.services.gateway.risk_views import CheckBody, CheckView, RiskDeskView
from whaletrader.store.what_if import UnknownMarket


def risking(desk: RiskDesk) -> APIRouter:
    """Return the routes. Resuming is an order like any other: see api.controlling."""
    router = APIRouter(prefix="/api/risk")

    @router.get("")
    async def standing() -> RiskDeskView:
        return await desk.view()

    @router.post("/check")
    async def check(body: CheckBody) -> CheckView:
        try:
            return await desk.check(body)
        except UnknownMarket as error:
            raise HTTPException(404, {"code": "unknown_market", "message": str(error)}) from error
        except NoAnswer as error:
            problem = {"code": "no_answer", "message": f"{error}: it would be a no"}
            raise HTTPException(503, problem) from error

    return router
