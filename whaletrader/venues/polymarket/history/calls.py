"""One careful way to ask a public service: paced, repeated where that helps, typed when not.

Owns pace, retries and what an answer's status means. Knows no endpoint. Called by the readers
beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from whaletrader.runtime.clock import monotonic_s

_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400
_TEXT_MAX: Final = 300

Sleep = Callable[[float], Awaitable[None]]


class HistoryUnavailable(RuntimeError):
    """The service did not answer, or not with data, after every attempt. Try again later."""


class HistoryRefused(RuntimeError):
    """The service refuses the question itself: repeating it will not help."""


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Pace and patience. The venue measured safe at 20 trades requests a second."""

    requests_per_s: float = 10.0
    attempts_max: int = 5
    backoff_s: float = 0.5
    backoff_s_max: float = 30.0
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        if self.requests_per_s <= 0 or self.attempts_max < 1:
            raise ValueError("requests_per_s must be positive, and one attempt is the least")


class Pace:
    """Spaces requests evenly. One for each service, shared by all who call it."""

    def __init__(
        self,
        requests_per_s: float,
        monotonic: Callable[[], float] = monotonic_s,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._step_s = 1.0 / requests_per_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._free_at_s = 0.0

    async def turn(self) -> None:
        """Wait until the next request may leave."""
        now_s = self._monotonic()
        wait_s = max(0.0, self._free_at_s - now_s)
        self._free_at_s = max(now_s, self._free_at_s) + self._step_s
        if wait_s:
            await self._sleep(wait_s)


class Caller:
    """Asks one host. The client is the caller's to close."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        options: CallOptions | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._options = options or CallOptions()
        self._sleep = sleep
        self._pace = Pace(self._options.requests_per_s, sleep=sleep)

    async def get(self, path: str, params: Mapping[str, str | int | list[str]]) -> Any:
        """Return the JSON answer; a list is asked as the same name repeated.

        Raises HistoryUnavailable, HistoryRefused.
        """
        return await self._ask("GET", path, params=dict(params))

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON answer. Raises HistoryUnavailable, HistoryRefused."""
        return await self._ask("POST", path, json=dict(body))

    async def _ask(self, method: str, path: str, **content: Any) -> Any:
        url, said = f"{self._base_url}{path}", ""
        for attempt in range(self._options.attempts_max):
            await self._pace.turn()
            asked_wait_s = 0.0
            try:
                answer = await self._client.request(
                    method, url, timeout=self._options.timeout_s, **content
                )
            except httpx.TransportError as error:
                said = repr(error)
            else:
                said = f"HTTP {answer.status_code}: {answer.text[:_TEXT_MAX]}"
                if answer.status_code == _TOO_MANY:
                    asked_wait_s = _seconds(answer.headers.get("retry-after", ""))
                elif _CLIENT_ERROR <= answer.status_code < _SERVER_ERROR:
                    raise HistoryRefused(f"{url} refuses {content}: {said}")
                elif answer.status_code < _CLIENT_ERROR:
                    try:
                        return answer.json()
                    except ValueError:
                        said = f"not JSON: {answer.text[:_TEXT_MAX]}"
            if attempt + 1 < self._options.attempts_max:
                await self._sleep(max(asked_wait_s, self._backoff_s(attempt)))
        raise HistoryUnavailable(
            f"{url} gave no answer in {self._options.attempts_max} attempts; the last: {said}"
        )

    def _backoff_s(self, attempt: int) -> float:
        return min(self._options.backoff_s * 2.0**attempt, self._options.backoff_s_max)


def _seconds(header: str) -> float:
    # The other form of the header is a date; our own back-off is patient enough for that.
    return float(header) if header.isdigit() else 0.0
