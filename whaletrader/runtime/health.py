"""The health page of an agent's process: /livez, /readyz, /startupz, /metrics."""

import contextlib
from collections.abc import Callable
from typing import Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

HOST: Final = "0.0.0.0"
LOOPBACK: Final = "127.0.0.1"


class Health:
    """What the process says of itself. `problem` is empty when it is ready."""

    def __init__(self) -> None:
        self.started = False
        self.problem = "starting"


def health_app(health: Health, registry: CollectorRegistry) -> Starlette:
    """Return the application. Alive is whoever answers; ready is who can work or stand by."""

    def plain(ok: Callable[[], bool]) -> Callable[[Request], Response]:
        def respond(_: Request) -> Response:
            good = ok()
            return PlainTextResponse(
                "ok" if good else health.problem, status_code=200 if good else 503
            )

        return respond

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/livez", plain(lambda: True)),
            Route("/readyz", plain(lambda: not health.problem)),
            Route("/startupz", plain(lambda: health.started)),
            Route("/metrics", metrics),
        ]
    )


class HealthServer(uvicorn.Server):
    """Serves the page within the agent's own loop, so that a stuck loop fails its probe."""

    def __init__(self, app: Starlette, port: int, host: str = LOOPBACK) -> None:
        super().__init__(
            uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False)
        )

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave signals to the shell."""
        yield
