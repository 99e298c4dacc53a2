"""Edge to the local exchange: shows it a window of the tape through its admin interface.

Called by the shell as the performer of PlayWindow. Repeating a window is harmless: the
exchange answers a window that it has seen with the answer it gave before.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from google.protobuf.message import Message

from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import tape_pb2
from whaletrader.services.feeds.tape_values import TapeMarket, Window

TIMEOUT_S = 30.0
FUND_ATTEMPTS_MAX = 60
FUND_PAUSE_S = 0.5


class ExchangeRefused(RuntimeError):
    """The exchange does not take the window: its tape and ours are at different places."""


class TapePlayer:
    """Performer of PlayWindow."""

    def __init__(self, windows: Sequence[Window], exchange_url: str) -> None:
        self._windows = windows
        self._client = httpx.AsyncClient(base_url=exchange_url, timeout=TIMEOUT_S)

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - idempotent
        request = effect.message
        if not isinstance(request, tape_pb2.PlayWindow):
            raise TypeError(f"{type(request).__name__} is not PlayWindow")
        window = self._windows[request.window - 1]
        if window.markets:
            await self._post("/admin/markets", {"markets": [_terms(m) for m in window.markets]})
        answer = await self._post("/admin/tape", _prints(request.window, window))
        return tape_pb2.WindowPlayed(
            window=request.window,
            accounts=[
                tape_pb2.AccountFacts(address=address, facts=facts)
                for address, facts in sorted(answer["facts"].items())
            ],
        )

    async def fund(self, wallet: str, collateral_usd: int) -> None:
        """Give the demo's wallet its money, once, waiting for an exchange that is starting."""
        body = {"address": wallet, "collateral": str(collateral_usd)}
        for attempt in range(FUND_ATTEMPTS_MAX):
            try:
                await self._post("/admin/accounts", body)
            except EffectRetry:
                if attempt == FUND_ATTEMPTS_MAX - 1:
                    raise
                await asyncio.sleep(FUND_PAUSE_S)
            else:
                return

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        try:
            response = await self._client.post(path, json=body)
        except httpx.TransportError as error:
            raise EffectRetry(f"the exchange cannot be reached: {error!r}") from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise EffectRetry(f"the exchange answered {response.status_code}: {response.text}")
        if response.is_error:
            raise ExchangeRefused(f"{path}: {response.status_code} {response.text}")
        return response.json()


def _terms(market: TapeMarket) -> dict[str, Any]:
    return {
        "condition_id": market.condition_id,
        "question": market.title,
        "slug": market.slug,
        "event_slug": market.event_slug,
        "category": market.category,
        "tokens": [
            {"token_id": token, "outcome": outcome}
            for token, outcome in zip(market.token_ids, market.outcomes, strict=True)
        ],
        "tick_size_micro": market.tick_micro,
        "min_size_micro": market.min_size_micro,
        "fee_rate_micro": market.fee_rate_micro,
        "neg_risk": market.is_neg_risk,
        "end_ns": 0,
    }


def _prints(number: int, window: Window) -> dict[str, Any]:
    return {
        "window": number,
        "now_ns": window.end_ns,
        "prints": [
            {
                "id": trade.id,
                "token_id": trade.token_id,
                "price_micro": trade.price_micro,
                "size_micro": trade.size_micro,
                "side": trade.side,
                "ts_ns": trade.at_ns,
            }
            for trade in window.trades
        ],
        "resolutions": [
            {
                "condition_id": resolution.condition_id,
                "winning_index": resolution.winning_index,
                "ts_ns": resolution.at_ns,
            }
            for resolution in window.resolutions
        ],
    }
