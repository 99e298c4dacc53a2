"""What the gateway is told: where it listens, whom it lets in, how fast it pushes."""

import ipaddress
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# Short secrets are guessed; 16 characters of base64 are 96 bits.
TOKEN_CHARS_MIN = 16
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Say whether a bind address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class GatewaySettings(BaseSettings):
    """Frozen; unknown fields are refused. Environment prefix WHALETRADER_GATEWAY_.

    Raises a validation error when an address that others can reach is bound without a token.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="WHALETRADER_GATEWAY_"
    )

    host: str = "127.0.0.1"
    # 0 picks a free port.
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_642
    # What callers must show as "Authorization: Bearer ...". Empty: nobody is asked.
    token: SecretStr = SecretStr("")
    # Names, beside loopback, under which browsers may reach us: "desk.example,10.0.0.7".
    allowed_hosts: str = ""
    portfolio: Annotated[str, Field(min_length=1, max_length=64)] = "main"
    # Pushes are at least this far apart, so that a fast tape does not drown the browser.
    push_interval_s_min: Annotated[float, Field(gt=0, le=10)] = 0.4
    # Read models are looked at again after this long even when nothing was announced.
    poll_interval_s: Annotated[float, Field(gt=0, le=60)] = 1.5
    # Tables that change slowly are read again after this long.
    slow_interval_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    # More sockets are refused: each holds a queue.
    sockets_max: Annotated[int, Field(gt=0, le=1_000)] = 64
    query_s_max: Annotated[float, Field(gt=0, le=60)] = 5.0

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a Host header may carry."""
        named = {name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip()}
        return LOOPBACK_NAMES | named

    @property
    def is_local(self) -> bool:
        return is_loopback(self.host)

    @model_validator(mode="after")
    def _refuse_an_open_door(self) -> Self:
        token = self.token.get_secret_value()
        if token and len(token) < TOKEN_CHARS_MIN:
            raise ValueError(f"the token has less than {TOKEN_CHARS_MIN} characters")
        if not self.is_local and not token:
            raise ValueError(
                f"{self.host} is not a loopback address: set WHALETRADER_GATEWAY_TOKEN, "
                "or anyone who reaches the port could flatten the portfolio"
            )
        return self
