"""What every agent's process is told by its environment."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class LogKind(StrEnum):
    """Which log carries the events."""

    POSTGRES = "postgres"
    KAFKA = "kafka"


class Mode(StrEnum):
    """What stands at the edges: a replayed tape, or the world."""

    DEMO = "demo"
    PAPER = "paper"
    LIVE = "live"


class RuntimeSettings(BaseSettings):
    """Where the log, NATS and the other servers are. Frozen; unknown fields are refused."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="WHALETRADER_", populate_by_name=True
    )

    log: LogKind = LogKind.POSTGRES
    mode: Mode = Mode.DEMO
    postgres_dsn: SecretStr = SecretStr("")
    kafka_bootstrap: Annotated[str, Field(validation_alias="KAFKA_BOOTSTRAP")] = ""
    # These addresses may hold a password: they are printed redacted.
    nats_url: SecretStr = SecretStr("nats://127.0.0.1:4222")
    redis_url: SecretStr = SecretStr("")
    data_dir: Path = Path(".data")
    health_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    # Probes from outside a container need all addresses.
    health_host: str = "127.0.0.1"
    # One commit handles at most this many inputs; more only lengthens a redo after a crash.
    batch_max: Annotated[int, Field(gt=0, le=10_000)] = 2_000
    # A snapshot is taken after this many inputs: what a restart has to redo at most.
    snapshot_inputs: Annotated[int, Field(gt=0)] = 5_000
    # Above this many effects under way the worker stops reading; nothing is dropped.
    effects_in_flight_max: Annotated[int, Field(gt=0)] = 256

    @property
    def is_paced(self) -> bool:
        """Whether a pacer gives time: then agents work in lock step with the tape."""
        return self.mode is Mode.DEMO
