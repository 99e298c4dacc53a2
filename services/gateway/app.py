"""Puts the application together: guard, routes, page, probes; and what errors look like.

Every error is JSON: {"error": {"code", "message"}}, with "fields" where a field was wrong.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from whaletrader.runtime.clock import monotonic_s
from whaletrader.runtime.log import CommitUncertain, LogError
from whaletrader.services.gateway import api
from whaletrader.services.gateway.api import Ports
from whaletrader.services.gateway.guard import Guard
from whaletrader.services.gateway.risk_api import risking
from whaletrader.services.gateway.store import StoreNotReady, StoreUnavailable
from whaletrader.services.gateway.whale_api import whaling

_LOG = logging.getLogger(__name__)

STATIC: Final = Path(__file__).with_name("static")
RETRY_AFTER_S: Final = "2"

_CODES: Final = {404: "not_found", 405: "method_not_allowed"}
# What a caller does about each: wait and ask again, or repeat with the same key.
_FAILURES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (StoreNotReady, "store_not_ready"),
    (StoreUnavailable, "store_unavailable"),
    (CommitUncertain, "outcome_uncertain"),
    (LogError, "log_unavailable"),
)


def create_app(ports: Ports, registry: CollectorRegistry) -> FastAPI:
    """Return the application. Its ports must be running for pushes to come."""
    # The interactive documentation would load scripts from elsewhere.
    app = FastAPI(
        title="Whale Trader gateway",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    for routes in (api.reading, api.deciding, api.controlling, api.streaming):
        app.include_router(routes(ports))
    app.include_router(risking(ports.risk))
    app.include_router(whaling(ports))
    _add_probes(app, ports, registry)
    _add_errors(app)
    app.mount("/", _Page(directory=STATIC, html=True))
    _add_metrics(app, ports, registry)
    app.add_middleware(Guard, settings=ports.settings)
    return app


class _Page(StaticFiles):
    """The dashboard. Browsers ask each time whether it is the same, so an update shows at once."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def _add_probes(app: FastAPI, ports: Ports, registry: CollectorRegistry) -> None:
    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return PlainTextResponse("ok")

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        try:
            await ports.store.check()
        except (StoreUnavailable, StoreNotReady) as error:
            return PlainTextResponse(str(error), status_code=503)
        return PlainTextResponse("ok")

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        # Ours carry the whole error; those of the framework only its words.
        detail: Any = error.detail
        if not isinstance(detail, dict):
            detail = {"code": _CODES.get(error.status_code, "refused"), "message": str(detail)}
        return JSONResponse({"error": detail}, error.status_code, dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        fields = [
            {"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"]}
            for one in error.errors()
        ]
        problem = {"code": "invalid", "message": "the request is not valid", "fields": fields}
        return JSONResponse({"error": problem}, 422)

    def answering(code: str) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def on_failure(_: Request, error: Exception) -> Response:
            _LOG.warning("%s: %s", code, error)
            problem = {"code": code, "message": str(error)}
            return JSONResponse({"error": problem}, 503, {"retry-after": RETRY_AFTER_S})

        return on_failure

    for kind, code in _FAILURES:
        app.add_exception_handler(kind, answering(code))


def _add_metrics(app: FastAPI, ports: Ports, registry: CollectorRegistry) -> None:
    requests = Counter(
        "whaletrader_gateway_requests_total",
        "Requests answered",
        ("method", "status"),
        registry=registry,
    )
    seconds = Histogram(
        "whaletrader_gateway_request_seconds", "Time to the answer", registry=registry
    )
    sockets = Gauge("whaletrader_gateway_sockets", "Open dashboards", registry=registry)
    sockets.set_function(lambda: ports.hub.sockets)

    @app.middleware("http")
    async def count(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        started_s = monotonic_s()
        response = await call_next(request)
        seconds.observe(monotonic_s() - started_s)
        requests.labels(request.method, str(response.status_code)).inc()
        return response
