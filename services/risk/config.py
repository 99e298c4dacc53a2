"""Settings of the process: which portfolio, which policy file, which key. Limits are the policy's.

Read once at start by the composition root.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Dollars = Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=6)]


class RiskSettings(BaseSettings):
    """Read from WHALETRADER_RISK_*; frozen, out of bounds is refused."""

    model_config = SettingsConfigDict(env_prefix="WHALETRADER_RISK_", frozen=True, extra="forbid")

    portfolio: str = Field(default="main", min_length=1)
    # What the portfolio starts with. Journaled when it is opened; another figure later is refused.
    starting_cash_usd: Dollars = Decimal(10_000)
    # A TOML file; empty means the shipped one.
    policy_file: str = ""

    @property
    def shipped(self) -> str:
        """The name of the policy that is shipped for this mode."""
        return "default.toml"


class DemoRiskSettings(RiskSettings):
    """For a tape that is played in time lapse, hours to a window, with nobody at the desk."""

    @property
    def shipped(self) -> str:
        """The name of the policy that is shipped for this mode."""
        return "demo.toml"


class SigningSettings(BaseSettings):
    """Where the key lives, apart from the limits. Both are PEM files; empty means the data folder.

    The private half is made on first start, readable by its owner only; execution is given the
    public half.
    """

    model_config = SettingsConfigDict(env_prefix="WHALETRADER_RISK_", frozen=True, extra="forbid")

    signing_key_path: str = ""
    public_key_path: str = ""
