"""Settings of the exchange: one frozen type, unknown keys refused, units in the names."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from whaletrader.services.exchange.engine.model import EngineSettings


class ExchangeConfig(BaseModel):
    """What an operator can decide. Defaults are the live venue's, where those are known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["tape", "agents"] = Field(
        "tape",
        description="tape: recorded prints fill orders and set the clock; "
        "agents: accounts trade with each other on the wall clock",
    )
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535, description="0 picks a free one")
    print_share_micro: int = Field(100_000, ge=0, le=1_000_000)
    copy_latency_ms: int = Field(0, ge=0, le=3_600_000)
    gtd_security_s: int = Field(60, ge=0, le=3_600)
    settle_mined_ms: int = Field(0, ge=0, le=600_000)
    settle_confirmed_ms: int = Field(0, ge=0, le=600_000)
    # The venue does not publish its tolerance; a minute lets a slow laptop's clock pass.
    auth_skew_s_max: int = Field(60, ge=1, le=86_400)
    cancel_reason_in_status: bool = Field(
        True, description="user events say CANCELED_<reason>; false for clients that drop those"
    )
    heartbeat_timeout_s: int = Field(15, ge=1, description="10 s and 5 s of grace")
    page_rows_max: int = Field(100, ge=1, le=1_000)
    batch_orders_max: int = Field(15, ge=1)
    cancel_ids_max: int = Field(1_000, ge=1)
    # 32 MB is a window of some 200,000 prints; more belongs into several windows.
    body_bytes_max: int = Field(32_000_000, ge=1_000)
    socket_backlog_frames_max: int = Field(20_000, ge=1)
    geoblock_blocked: bool = Field(False, description="what /api/geoblock says of the caller")
    geoblock_country: str = Field("CH", min_length=2, max_length=2)
    credential_seed: SecretStr = Field(
        SecretStr("local-exchange"),
        description="API keys derive from it, so that they outlive a restart",
    )

    def engine_settings(self) -> EngineSettings:
        return EngineSettings(
            follows_tape=self.mode == "tape",
            print_share_micro=self.print_share_micro,
            copy_latency_ns=self.copy_latency_ms * 1_000_000,
            gtd_security_s=self.gtd_security_s,
            settle_mined_ns=self.settle_mined_ms * 1_000_000,
            settle_confirmed_ns=self.settle_confirmed_ms * 1_000_000,
        )
