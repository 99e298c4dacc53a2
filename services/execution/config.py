"""Settings of execution: one frozen type, units in the names, secrets never printed.

Read once by the composition root. Live trading on production needs two explicit settings: the
mode, and `live_confirmed`.
"""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.runtime.settings import Mode
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY

HOUR_S: Final = 3_600
_PREFIX: Final = "WHALETRADER_EXECUTION_"


class ExecutionSettings(BaseSettings):
    """Where orders go, whose they are, and how they are worked."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=_PREFIX, populate_by_name=True
    )

    mode: Annotated[Mode, Field(validation_alias="WHALETRADER_MODE")] = Mode.DEMO
    # An exchange that serves every host; empty means Polymarket itself, and needs live mode.
    exchange_url: Annotated[str, Field(validation_alias="WHALETRADER_EXCHANGE_URL")] = ""
    live_confirmed: bool = False

    private_key: SecretStr = SecretStr("")
    private_key_file: Path | None = None
    # The wallet that pays, if it is not the key's own address (signature types 1 and 2).
    funder: Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{40})?$")] = ""
    signature_type: Annotated[int, Field(ge=0, le=2)] = 0
    # Where risk writes its public key; by default below the data folder.
    data_dir: Annotated[Path, Field(validation_alias="WHALETRADER_DATA_DIR")] = Path(".data")
    risk_public_key_path: Annotated[
        Path | None, Field(validation_alias="WHALETRADER_RISK_PUBLIC_KEY_PATH")
    ] = None

    # How long an order is worked, in event time; by default six hours in a demo, whose tape runs
    # in time lapse, and a minute otherwise.
    working_time_s: Annotated[int | None, Field(ge=1, le=30 * 24 * HOUR_S)] = None
    # Above 0 orders are GTD: the venue drops them about this long after the working time.
    gtd_margin_s: Annotated[int, Field(ge=0, le=24 * HOUR_S)] = 0
    cancel_on_halt: bool = True
    look_after_ms: Annotated[int, Field(ge=100, le=60_000)] = 2_000
    # Longer than the client's time-outs: an order that is not there by then will not come.
    unknown_grace_s: Annotated[int, Field(ge=10, le=HOUR_S)] = 15
    reconcile_every_s: Annotated[int, Field(ge=1, le=HOUR_S)] = 60
    # How long a start waits for the venue and for risk's public key.
    start_wait_s: Annotated[int, Field(ge=1, le=600)] = 60

    @model_validator(mode="after")
    def _production_is_asked_for_twice(self) -> Self:
        if not self.exchange_url and not (self.mode is Mode.LIVE and self.live_confirmed):
            raise ValueError(
                "without WHALETRADER_EXCHANGE_URL orders go to Polymarket itself: that needs "
                f"WHALETRADER_MODE=live and {_PREFIX}LIVE_CONFIRMED=true"
            )
        return self

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = bool(self.private_key.get_secret_value()) + (self.private_key_file is not None)
        if given > 1:
            raise ValueError("give the private key by environment or by file, not both")
        if given == 0 and self.mode is not Mode.DEMO:
            raise ValueError("a private key is needed: the development key is for the demo only")
        return self

    @property
    def working_ns(self) -> int:
        """How long an order is worked, in nanoseconds."""
        default_s = 6 * HOUR_S if self.mode is Mode.DEMO else 60
        return (self.working_time_s or default_s) * 1_000_000_000

    @property
    def public_key_path(self) -> Path:
        """Where risk's public key is."""
        return self.risk_public_key_path or self.data_dir / "keys" / "risk.pub.pem"

    def key(self) -> SecretStr:
        """Return the private key. Raises OSError if its file cannot be read."""
        if self.private_key_file is not None:
            return SecretStr(self.private_key_file.read_text(encoding="ascii").strip())
        if self.private_key.get_secret_value():
            return self.private_key
        return SecretStr(DEVELOPMENT_KEY)
