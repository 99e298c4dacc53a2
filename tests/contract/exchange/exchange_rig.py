"""A running exchange and the official clients pointed at it, over real sockets."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.environments import Environment

from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import running
from whaletrader.services.exchange.wire.venue import Venue

YES = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
NO = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
CONDITION = "0x" + "ab" * 32
NS = 1_000_000_000
T0 = 1_700_000_000
ALICE_KEY = "0x" + "11" * 32
BOB_KEY = "0x" + "22" * 32

MARKET: dict[str, Any] = {
    "condition_id": CONDITION,
    "question": "Will it rain?",
    "slug": "will-it-rain",
    "event_slug": "weather",
    "category": "weather",
    "tokens": [{"token_id": YES, "outcome": "Yes"}, {"token_id": NO, "outcome": "No"}],
    "tick_size_micro": 10_000,
    "min_size_micro": 5_000_000,
    "fee_rate_micro": 50_000,
    "neg_risk": False,
    "end_ns": (T0 + 86_400) * NS,
}


@dataclass
class Clock:
    """The exchange's wall clock, which a test may stop and move: no test waits for time."""

    ahead_ns: int = 0
    stopped_at_ns: int | None = None

    def __call__(self) -> int:
        now_ns = time.time_ns() if self.stopped_at_ns is None else self.stopped_at_ns
        return now_ns + self.ahead_ns

    def stop(self) -> None:
        self.stopped_at_ns = time.time_ns()

    def pass_ms(self, milliseconds: int) -> None:
        self.ahead_ns += milliseconds * 1_000_000


@dataclass
class Rig:
    url: str
    venue: Venue
    http: httpx.AsyncClient
    clock: Clock
    window: int = 0

    async def admin(self, path: str, body: Any) -> Any:
        answer = await self.http.post(f"/admin/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def fund(self, address: str, collateral: str = "1000") -> Any:
        return await self.admin("accounts", {"address": address, "collateral": collateral})

    async def play(self, at_s: int, *prints: tuple[str, int, int], **extra: Any) -> Any:
        """Play a window up to T0 + at_s; prints (token, cents, shares) are a second earlier."""
        self.window += 1
        body = {
            "window": self.window,
            "now_ns": (T0 + at_s) * NS,
            "prints": [
                {
                    "id": f"p{self.window}-{number}",
                    "token_id": token,
                    "price_micro": cents * 10_000,
                    "size_micro": shares * 1_000_000,
                    "side": "SELL",
                    "ts_ns": (T0 + at_s - 1) * NS,
                }
                for number, (token, cents, shares) in enumerate(prints)
            ],
            **extra,
        }
        return (await self.admin("tape", body))["facts"]

    def environment(self) -> Environment:
        streams = self.url.replace("http", "ws", 1)
        return create_environment(
            name="local",
            config=replace(
                PRODUCTION_CONFIG,
                clob_url=self.url,
                gamma_url=f"{self.url}/gamma",
                data_url=f"{self.url}/data-api",
                relayer_url=f"{self.url}/relayer",
                clob_market_ws_url=f"{streams}/ws/market",
                clob_user_ws_url=f"{streams}/ws/user",
                rtds_ws_url=f"{streams}/rtds",
                realtime_ws_url=f"{streams}/polybolt",
                sports_ws_url=f"{streams}/sports",
                rpc_url=f"{self.url}/rpc",
                relayer_poll_frequency_ms=20,
            ),
        )

    @contextlib.asynccontextmanager
    async def client(
        self, key: str, wallet: str | None, **extra: Any
    ) -> AsyncIterator[AsyncSecureClient]:
        made = await AsyncSecureClient.create(
            private_key=key, wallet=wallet, environment=self.environment(), **extra
        )
        async with made:
            yield made


@contextlib.asynccontextmanager
async def rig(market: dict[str, Any] | None = None, **config: Any) -> AsyncIterator[Rig]:
    """Run an exchange with one market, and with no crowd that could take part in a test."""
    clock = Clock()
    async with (
        running(ExchangeConfig(**({"markets": "none"} | config)), clock) as (url, venue),
        httpx.AsyncClient(base_url=url) as http,
    ):
        made = Rig(url, venue, http, clock)
        await made.admin("markets", {"markets": [MARKET | (market or {})]})
        yield made
