"""Settings of the exchange: one frozen type, unknown keys refused, units in the names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from whaletrader.services.exchange.engine.model import EngineSettings

LIVE_CLOB_URL = "https://clob.polymarket.com"
LIVE_STREAM_URL = "wss://ws-subscriptions-clob.polymarket.com/ws/market"


_CONDITION_ID = re.compile("0x[0-9a-fA-F]{64}")


class ExchangeConfig(BaseModel):
    """What an operator can decide. Defaults are the live venue's, where those are known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["tape", "live-book", "agents"] = Field(
        "tape",
        description="tape: recorded prints fill orders and set the clock; live-book: orders fill "
        "against a followed book stream; agents: accounts trade with each other on the wall clock",
    )
    host: str = Field("127.0.0.1", description="address to listen on; keep it a loopback one")
    port: int = Field(0, ge=0, le=65535, description="0 picks a free one")
    seed: int = Field(
        1, ge=0, lt=1 << 63, description="of the weather, the traders and the spot prices"
    )
    generation: int = Field(
        2,
        ge=1,
        le=3,
        description="orders signed as which generation are taken: 2 and 3 take domain 2 in older "
        "markets and 3 in newer ones, and differ in what kind the default markets are; "
        "1 takes the retired domain 1 only",
    )
    markets: Literal["auto", "none", "default"] = Field(
        "auto", description="auto lists the default markets in agents mode, none elsewhere"
    )
    traders: int = Field(
        8, ge=0, le=200, description="zero-intelligence traders a market in agents mode"
    )
    trader_steps_per_s: int = Field(
        20, ge=1, le=10_000, description="orders and cancels they send a second, together"
    )
    tape: Path | None = Field(
        None, description="tape: file of recorded trades to play, a JSON object a line (README)"
    )
    tape_speed: float = Field(
        1.0, ge=0, le=1e6, allow_inf_nan=False, description="how much faster; 0 plays all at once"
    )
    follow_url: str = Field(LIVE_CLOB_URL, description="live-book: the followed venue's CLOB host")
    follow_stream_url: str = Field(
        "",
        description="live-book: its market stream; empty: the live venue's own, or "
        "/ws/market on follow_url",
    )
    follow: str = Field(
        "", description="live-book: condition ids of the markets to follow, comma-separated"
    )
    state: Path | None = Field(None, description="folder for snapshots; without it memory only")
    state_every_s: int = Field(30, ge=1, le=86_400, description="seconds between snapshots")
    rate_limits: bool = Field(
        False, description="hold requests to the live venue's limits (429); off by default"
    )
    rate_tier: Literal[
        "standard", "copper", "bronze", "silver", "gold", "platinum", "diamond", "elite"
    ] = Field("standard", description="whose order limits everybody has")
    print_share_micro: int = Field(
        100_000, ge=0, le=1_000_000, description="part of a print that our orders may take (1e-6)"
    )
    copy_latency_ms: int = Field(
        0, ge=0, le=3_600_000, description="how much later than an order a print must be to fill it"
    )
    gtd_security_s: int = Field(
        60, ge=0, le=3_600, description="a GTD order leaves this long before its expiration"
    )
    settle_mined_ms: int = Field(
        0, ge=0, le=600_000, description="from MATCHED to MINED, on the matching clock"
    )
    settle_confirmed_ms: int = Field(0, ge=0, le=600_000, description="from MINED to CONFIRMED")
    taker_delay_ms: int = Field(
        50, ge=0, le=60_000, description="marketable orders in crypto markets wait; not at the tape"
    )
    after_failure: Literal["cancel", "restore"] = Field(
        "cancel", description="what becomes of the order of a trade that failed"
    )
    auto_redeem: bool = Field(True, description="a resolution pays all holders at once")
    pays_rebates: bool = Field(False, description="makers get their rebates at the end of a day")
    allowances_unlimited: bool = Field(
        True, description="wallets may trade without approvals; --no-... has them approve first"
    )
    auto_tick: bool = Field(
        False, description="the tick becomes 0.001 once a trade is beyond 0.96 or below 0.04"
    )
    drops_off_grid: bool = Field(False, description="a coarser tick cancels orders off its grid")
    market_keepalive_s: int = Field(
        45, ge=0, le=3_600, description="a silent market stream is sent its books again; 0 never"
    )
    # The venue does not publish its tolerance; a minute lets a slow laptop's clock pass.
    auth_skew_s_max: int = Field(
        60, ge=1, le=86_400, description="clock difference that a signed request may have"
    )
    cancel_reason_in_status: bool = Field(
        True, description="user events say CANCELED_<reason>; false for clients that drop those"
    )
    status_prefix: bool = Field(
        False, description="REST rows say ORDER_STATUS_LIVE and TRADE_STATUS_MINED"
    )
    hashes_in_answer: bool = Field(
        False,
        description="POST /order answers transactionsHashes, as before 2026-07-24",
    )
    heartbeat_timeout_s: int = Field(15, ge=1, le=3_600, description="10 s and 5 s of grace")
    page_rows_max: int = Field(100, ge=1, le=1_000, description="rows a page of orders and trades")
    batch_orders_max: int = Field(15, ge=1, le=1_000, description="orders in one POST /orders")
    cancel_ids_max: int = Field(1_000, ge=1, le=100_000, description="ids in one DELETE /orders")
    # 32 MB is a window of some 200,000 prints; more belongs into several windows.
    body_bytes_max: int = Field(32_000_000, ge=1_000, description="largest request body")
    socket_backlog_frames_max: int = Field(
        20_000, ge=1, description="frames a slow reader may be behind before it is closed"
    )
    geoblock_blocked: bool = Field(False, description="what /api/geoblock says of the caller")
    geoblock_country: str = Field(
        "CH", min_length=2, max_length=2, description="country that /api/geoblock answers"
    )
    closed_only: bool = Field(
        False, description="what /auth/ban-status/closed-only says; orders are refused then"
    )
    credential_seed: SecretStr = Field(
        SecretStr("local-exchange"),
        description="API keys derive from it, so that they outlive a restart",
    )

    @field_validator("follow_url", "follow_stream_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://", "ws://", "wss://")):
            raise ValueError("must begin with http://, https://, ws:// or wss://")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _what_is_followed(self) -> Self:
        if wrong := [name for name in self.followed if not _CONDITION_ID.fullmatch(name)]:
            raise ValueError(f"--follow: {wrong[0]!r} is no condition id (0x and 64 hex digits)")
        if self.tape is not None and self.mode != "tape":
            raise ValueError(f"--tape is played in --mode tape, not in --mode {self.mode}")
        if self.mode == "live-book" and not self.followed:
            raise ValueError("live-book mode needs --follow <condition id>[,<condition id>...]")
        return self

    @property
    def followed(self) -> tuple[str, ...]:
        """Condition ids of the followed markets."""
        return tuple(part.strip() for part in self.follow.split(",") if part.strip())

    @property
    def stream_url(self) -> str:
        """The followed market stream."""
        if self.follow_stream_url:
            return self.follow_stream_url
        if self.follow_url == LIVE_CLOB_URL:
            return LIVE_STREAM_URL
        return self.follow_url.replace("http", "ws", 1) + "/ws/market"

    @property
    def lists_defaults(self) -> bool:
        """Whether the default markets are there from the start."""
        return self.markets == "default" or (self.markets == "auto" and self.mode == "agents")

    def engine_settings(self) -> EngineSettings:
        return EngineSettings(
            follows_tape=self.mode == "tape",
            print_share_micro=self.print_share_micro,
            copy_latency_ns=self.copy_latency_ms * 1_000_000,
            gtd_security_s=self.gtd_security_s,
            settle_mined_ns=self.settle_mined_ms * 1_000_000,
            settle_confirmed_ns=self.settle_confirmed_ms * 1_000_000,
            taker_delay_ns=0 if self.mode == "tape" else self.taker_delay_ms * 1_000_000,
            after_failure=self.after_failure,
            auto_redeem=self.auto_redeem,
            pays_rebates=self.pays_rebates,
            allowances_unlimited=self.allowances_unlimited,
            auto_tick=self.auto_tick,
            drops_off_grid=self.drops_off_grid,
        )
