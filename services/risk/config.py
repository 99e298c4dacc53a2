"""Settings of risk: its limits, in dollars and seconds as a person writes them.

`limits()` gives the rules the same in micro-units. Read once at start by the composition root.
"""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final, Self

import msgspec
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.domain.money import MICRO

NS_PER_S: Final = 1_000_000_000
HOUR_S: Final = 3_600
DAY_S: Final = 86_400

Dollars = Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=6)]


class Limits(msgspec.Struct, frozen=True):
    """What the rules are held against: micro-dollars, micro-ratios, nanoseconds."""

    trade_micro_max: int
    position_micro_max: int
    market_micro_max: int
    leader_micro_max: int
    total_micro_max: int
    day_loss_micro_max: int
    notional_micro_min: int
    kelly_micro_ratio: int
    price_age_ns_max: int
    time_to_end_ns_min: int
    end_must_be_known: bool
    approval_ttl_ns: int
    expiry_grace_ns: int
    flatten_slippage_micro: int
    flatten_attempts_max: int
    day_loss_needs_resume: bool


class RiskSettings(BaseSettings):
    """Read from WHALETRADER_RISK_*; frozen, out of bounds is refused."""

    model_config = SettingsConfigDict(env_prefix="WHALETRADER_RISK_", frozen=True, extra="forbid")

    portfolio: str = Field(default="main", min_length=1)
    # What the portfolio starts with. Read once, when the journal is empty.
    starting_cash_usd: Dollars = Decimal(10_000)

    # Money at risk: what was paid for what is held, fees included, plus what is set aside.
    trade_usd_max: Dollars = Decimal(200)
    position_usd_max: Dollars = Decimal(500)
    market_usd_max: Dollars = Decimal(750)
    leader_usd_max: Dollars = Decimal(2_000)
    total_usd_max: Dollars = Decimal(9_500)
    # Realised since midnight UTC; at this loss no more is bought.
    day_loss_usd_max: Dollars = Decimal(500)
    # Whether buying after a day's loss waits for a person, or ends with the day.
    day_loss_needs_resume: bool = True
    # The venue takes no marketable buy below one dollar.
    notional_usd_min: Dollars = Decimal(1)

    # The share of the Kelly stake that is bet. Above one, growth falls as risk rises.
    kelly_ratio: Decimal = Field(default=Decimal("0.25"), gt=0, le=1, decimal_places=6)

    # A last trade older than this, at the time of the proposal, is no price.
    price_age_s_max: int = Field(default=600, ge=1, le=30 * DAY_S)
    # Nothing is bought in a market that ends sooner than this.
    time_to_end_s_min: int = Field(default=HOUR_S, ge=0, le=30 * DAY_S)
    # Whether nothing is bought in a market whose end the catalogue does not tell.
    end_must_be_known: bool = True

    # How long execution may begin to use an approval.
    approval_ttl_s: int = Field(default=60, ge=1, le=7 * DAY_S)
    # Money of an approval that was never announced is set free this long after it expired: an
    # announcement of the last moment may still be on its way.
    expiry_grace_s: int = Field(default=60, ge=1, le=DAY_S)

    # Flattening sells down to this far below the last price, so often for each holding.
    flatten_slippage_usd: Decimal = Field(default=Decimal("0.05"), ge=0, lt=1, decimal_places=6)
    flatten_attempts_max: int = Field(default=3, ge=1, le=100)

    @model_validator(mode="after")
    def _wider_limits_hold_narrower_ones(self) -> Self:
        names = ("trade_usd_max", "position_usd_max", "market_usd_max", "total_usd_max")
        for narrow, wide in pairwise(names):
            if getattr(self, narrow) > getattr(self, wide):
                raise ValueError(f"{narrow} is above {wide}: it could never be reached")
        return self

    def limits(self) -> Limits:
        """Return the limits in micro-units and nanoseconds."""
        return Limits(
            trade_micro_max=micro(self.trade_usd_max),
            position_micro_max=micro(self.position_usd_max),
            market_micro_max=micro(self.market_usd_max),
            leader_micro_max=micro(self.leader_usd_max),
            total_micro_max=micro(self.total_usd_max),
            day_loss_micro_max=micro(self.day_loss_usd_max),
            notional_micro_min=micro(self.notional_usd_min),
            kelly_micro_ratio=micro(self.kelly_ratio),
            price_age_ns_max=self.price_age_s_max * NS_PER_S,
            time_to_end_ns_min=self.time_to_end_s_min * NS_PER_S,
            end_must_be_known=self.end_must_be_known,
            approval_ttl_ns=self.approval_ttl_s * NS_PER_S,
            expiry_grace_ns=self.expiry_grace_s * NS_PER_S,
            flatten_slippage_micro=micro(self.flatten_slippage_usd),
            flatten_attempts_max=self.flatten_attempts_max,
            day_loss_needs_resume=self.day_loss_needs_resume,
        )


class DemoRiskSettings(RiskSettings):
    """Other defaults for a tape that is played in time lapse, hours to a window.

    Prices and approvals last as long as the tape's windows; a bad day ends with the day, since
    nobody sits at the desk. The tape does not tell when a market was meant to end.
    """

    end_must_be_known: bool = False

    price_age_s_max: int = Field(default=7 * DAY_S, ge=1, le=30 * DAY_S)
    approval_ttl_s: int = Field(default=12 * HOUR_S, ge=1, le=7 * DAY_S)
    expiry_grace_s: int = Field(default=12 * HOUR_S, ge=1, le=DAY_S)
    day_loss_needs_resume: bool = False


class SigningSettings(BaseSettings):
    """Where the key lives, apart from the limits. Both are PEM files; empty means the data folder.

    The private half is made on first start, readable by its owner only; execution is given the
    public half.
    """

    model_config = SettingsConfigDict(env_prefix="WHALETRADER_RISK_", frozen=True, extra="forbid")

    signing_key_path: str = ""
    public_key_path: str = ""


def micro(amount: Decimal) -> int:
    """Return a decimal in millionths. Raises ValueError if it is finer than that."""
    scaled = amount * MICRO
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} is finer than a millionth")
    return int(scaled)
