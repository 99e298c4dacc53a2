"""What feeds is told: which tape to play, where, and at what pace."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.services.feeds.tape import SAMPLE_FOLDER


class FeedsSettings(BaseSettings):
    """Frozen; unknown fields are refused. Environment prefix WHALETRADER_FEEDS_."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="WHALETRADER_FEEDS_", populate_by_name=True
    )

    tape: Path = SAMPLE_FOLDER
    # UTC epoch seconds: only markets that open and resolve between them are played.
    from_s: Annotated[int, Field(ge=0)] = 0
    to_s: Annotated[int, Field(ge=0)] = 0
    # Event time that is played at once. Within a window the system cannot react, so this is
    # also how late a copy may be.
    window_s: Annotated[int, Field(gt=0, le=86_400)] = 3_600
    # Wall-clock time that a window takes at least: 0 plays as fast as the agents can follow.
    window_wall_s_min: Annotated[float, Field(ge=0, le=60)] = 0.0
    # The agents that work in lock step with the tape.
    agents: tuple[str, ...] = (
        "discovery",
        "intelligence",
        "orchestrator",
        "risk",
        "execution",
        "attribution",
    )
    # The demo's trading wallet (the public development account 0 of every EVM test chain) and
    # what the local exchange gives it to trade with.
    wallet: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")] = (
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    )
    collateral_usd: Annotated[int, Field(gt=0)] = 10_000
    exchange_url: Annotated[str, Field(validation_alias="WHALETRADER_EXCHANGE_URL")] = ""
    nats_url: Annotated[SecretStr, Field(validation_alias="WHALETRADER_NATS_URL")] = SecretStr(
        "nats://127.0.0.1:4222"
    )
