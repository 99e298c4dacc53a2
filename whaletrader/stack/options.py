"""What `whaletrader up` was asked for, handed whole to the supervisor process."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LogKind = Literal["postgres", "kafka"]
Mode = Literal["demo", "paper"]


class StackOptions(BaseModel):
    """One stack. `gateway_port` 0 means any free one; `servers_only` leaves the agents out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path
    log: LogKind = "postgres"
    mode: Mode = "demo"
    gateway_port: int = Field(default=0, ge=0, le=65535)
    servers_only: bool = False

    def described(self) -> dict[str, str]:
        """Return the options as words, for the state file."""
        return {"log": self.log, "mode": self.mode, "data": str(self.data_dir)}
