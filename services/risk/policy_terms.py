"""The policy: every limit that risk holds trades against, as one validated, versioned document.

Pure. Written by people as TOML (policy_file.py reads it), journaled as JSON. Amounts are dollars,
shares of one, and seconds, as a person writes them; `limits()` gives the rules the same in
micro-units and nanoseconds. Each field knows which way is tighter.
"""

import json
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO
from whaletrader.services.risk.limits import Limits

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
DAY_S: Final = 86_400

Tighter = Literal["lower", "higher", "true", "false", "neither"]


class Method(StrEnum):
    """How a buy is sized before the limits cut it down."""

    FULL_KELLY = "full-kelly"
    FRACTIONAL_KELLY = "fractional-kelly"
    ADAPTIVE_KELLY = "adaptive-kelly"
    COPY_RATIO = "copy-ratio"
    FIXED = "fixed"
    CAPPED = "capped"


class PolicyRefused(ValueError):
    """The document is no policy: the message names each key and what is wrong with it."""


def _way(tighter: Tighter) -> Any:
    return Field(json_schema_extra={"tighter": tighter})


_LOWER = _way("lower")
_HIGHER = _way("higher")
Dollars = Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=6), _LOWER]
Floor = Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=6), _HIGHER]
Ratio = Annotated[Decimal, Field(gt=0, le=1, decimal_places=6), _LOWER]
# 0 switches the rule off; where it is on, lower is tighter.
Trigger = Annotated[Decimal, Field(ge=0, le=10, decimal_places=6), _way("neither")]
Seconds = Annotated[int, Field(ge=1, le=366 * DAY_S)]
Count = Annotated[int, Field(ge=1, le=100_000)]


class RiskPolicy(BaseModel):
    """Frozen; unknown keys and contradictions are refused. The defaults are default.toml's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=64), _way("neither")] = "default"
    version: Annotated[int, Field(ge=1), _way("neither")] = 1

    # Money at risk: what was paid for what is held, fees included, plus what is set aside. Where
    # a limit is given in dollars and as a share of the capital, the smaller one holds.
    trade_usd_max: Dollars = Decimal(1_000)
    trade_ratio_max: Ratio = Decimal("0.02")
    position_usd_max: Dollars = Decimal(2_500)
    position_ratio_max: Ratio = Decimal("0.05")
    market_usd_max: Dollars = Decimal(5_000)
    market_ratio_max: Ratio = Decimal("0.2")
    leader_usd_max: Dollars = Decimal(10_000)
    strategy_ratio_max: Ratio = Decimal("0.6")
    category_ratio_max: Ratio = Decimal("0.3")
    topic_ratio_max: Ratio = Decimal("0.3")
    topic_markets_max: Annotated[Count, _LOWER] = 3
    group_ratio_max: Ratio = Decimal("0.3")
    correlation_ratio_max: Ratio = Decimal("0.7")
    total_usd_max: Dollars = Decimal(1_000_000)
    total_ratio_max: Ratio = Decimal("0.95")
    worst_case_ratio_max: Ratio = Decimal("0.95")
    open_positions_max: Annotated[Count, _LOWER] = 50
    # Of the shares traded within a day, or on offer up to the limit price, if those are more.
    liquidity_ratio_max: Annotated[Decimal, Field(gt=0, le=100, decimal_places=6), _LOWER] = (
        Decimal("0.1")
    )

    # One day ahead, of the capital.
    cvar_ratio_max: Ratio = Decimal("0.05")
    mvar_ratio_warn: Ratio = Decimal("0.06")
    mvar_ratio_max: Ratio = Decimal("0.08")

    day_loss_usd_max: Dollars = Decimal(500)
    day_loss_ratio_max: Ratio = Decimal("0.05")
    week_loss_usd_max: Dollars = Decimal(1_500)
    week_loss_ratio_max: Ratio = Decimal("0.1")
    leader_loss_usd_max: Dollars = Decimal(500)
    losses_in_row_max: Annotated[Count, _LOWER] = 5
    pause_s: Annotated[Seconds, _HIGHER] = 3_600
    day_loss_needs_resume: Annotated[bool, _way("true")] = True
    drawdown_needs_resume: Annotated[bool, _way("true")] = True

    # Of the equity's high-water mark; and what sizes are cut down to.
    reduce_drawdown_ratio: Ratio = Decimal("0.1")
    reduce_size_ratio: Ratio = Decimal("0.5")
    reduce_more_drawdown_ratio: Ratio = Decimal("0.15")
    reduce_more_size_ratio: Ratio = Decimal("0.25")
    halt_drawdown_ratio: Ratio = Decimal("0.2")
    # How much of each holding is sold at the last step.
    deleverage_ratio: Annotated[Decimal, Field(gt=0, le=1, decimal_places=6), _HIGHER] = Decimal(
        "0.5"
    )

    # The capital is deployed in phases; 1 is the first.
    phase_ratios: Annotated[
        tuple[Decimal, ...], Field(min_length=1, max_length=10), _way("neither")
    ] = (Decimal("0.01"), Decimal("0.1"), Decimal("0.5"), Decimal(1))
    phase_start: Annotated[int, Field(ge=1, le=10), _LOWER] = 1
    phase_days_min: Annotated[int, Field(ge=0, le=3_650), _HIGHER] = 7
    phase_trades_min: Annotated[int, Field(ge=0, le=100_000), _HIGHER] = 20
    phase_drawdown_ratio_max: Ratio = Decimal("0.05")
    fallback_drawdown_ratio: Ratio = Decimal("0.1")

    method: Annotated[Method, _way("neither")] = Method.FRACTIONAL_KELLY
    # The share of the Kelly stake that is bet. Above one, growth falls as risk rises.
    kelly_ratio: Ratio = Decimal("0.25")
    copy_ratio: Ratio = Decimal("0.1")
    fixed_usd: Dollars = Decimal(50)
    capped_usd: Dollars = Decimal(200)
    volatility_target_ratio: Ratio = Decimal("0.1")
    notional_usd_min: Floor = Decimal(10)

    price_usd_min: Annotated[Decimal, Field(gt=0, lt=1, decimal_places=6), _HIGHER] = Decimal(
        "0.02"
    )
    price_usd_max: Annotated[Decimal, Field(gt=0, lt=1, decimal_places=6), _LOWER] = Decimal("0.98")
    price_gap_usd_max: Ratio = Decimal("0.1")
    # A share cannot be worth so much more than it costs: above this it is an error in the data.
    edge_usd_max: Ratio = Decimal("0.3")
    price_age_s_max: Annotated[Seconds, _LOWER] = 600
    clock_skew_ms_max: Annotated[int, Field(ge=1, le=10**12), _LOWER] = 2_000
    time_to_end_s_min: Annotated[int, Field(ge=0, le=366 * DAY_S), _HIGHER] = 3_600
    time_to_end_s_max: Annotated[int, Field(ge=1, le=10 * 366 * DAY_S), _LOWER] = 366 * DAY_S
    end_must_be_known: Annotated[bool, _way("true")] = True

    approval_ttl_s: Annotated[int, Field(ge=1, le=7 * DAY_S), _LOWER] = 180
    # Money of an approval that was never announced is set free this long after it expired: an
    # announcement of the last moment may still be on its way.
    expiry_grace_s: Annotated[int, Field(ge=1, le=DAY_S), _HIGHER] = 60
    mandate_s_max: Annotated[Seconds, _LOWER] = 3_600

    # Exits. Losses and gains as a share of what was paid, 0 for none; prices in dollars.
    stop_loss_ratio: Trigger = Decimal("0.5")
    take_profit_ratio: Trigger = Decimal(0)
    trailing_ratio: Trigger = Decimal("0.4")
    atr_multiple: Trigger = Decimal(4)
    emergency_drop_usd: Trigger = Decimal("0.35")
    exit_before_end_s: Annotated[int, Field(ge=0, le=30 * DAY_S), _way("neither")] = 0
    exit_pruned: Annotated[bool, _way("true")] = True
    exit_cooldown_s: Annotated[Seconds, _way("neither")] = 300
    flatten_slippage_usd: Annotated[
        Decimal, Field(ge=0, lt=1, decimal_places=6), _way("neither")
    ] = Decimal("0.05")
    flatten_attempts_max: Annotated[int, Field(ge=1, le=100), _way("neither")] = 3

    measure_every_s: Annotated[Seconds, _way("neither")] = 60
    bar_s: Annotated[Seconds, _way("neither")] = 3_600
    # How long a loosening waits for its second command.
    confirm_within_s: Annotated[int, Field(ge=10, le=DAY_S), _LOWER] = 900

    @model_validator(mode="after")
    def _narrow_limits_are_below_wide_ones(self) -> Self:
        for names in _ORDERED:
            for narrow, wide in pairwise(names):
                if getattr(self, narrow) > getattr(self, wide):
                    raise ValueError(f"{narrow} is above {wide}: it could never be reached")
        return self

    @model_validator(mode="after")
    def _phases_rise_to_the_whole(self) -> Self:
        ratios = self.phase_ratios
        if any(before >= after for before, after in pairwise(ratios)) or ratios[0] <= 0:
            raise ValueError("phase_ratios must rise")
        if ratios[-1] > 1:
            raise ValueError("phase_ratios ends above 1: more than all capital")
        if self.phase_start > len(ratios):
            raise ValueError(f"phase_start {self.phase_start}: there are {len(ratios)} phases")
        return self

    def document(self) -> str:
        """Return the canonical JSON: the same policy always gives the same text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """What names this policy: derived from all it says."""
        return derived_id("policy", self.document())

    def limits(self) -> Limits:
        """Return the limits in micro-units and nanoseconds."""
        return Limits(**dict(_scaled(name, getattr(self, name)) for name in _SCALED))


# From narrow to wide; a narrow one above its wide one could never be reached.
_ORDERED: Final = (
    ("notional_usd_min", "trade_usd_max", "position_usd_max", "market_usd_max", "total_usd_max"),
    ("leader_usd_max", "total_usd_max"),
    ("trade_ratio_max", "position_ratio_max", "market_ratio_max", "total_ratio_max"),
    ("mvar_ratio_warn", "mvar_ratio_max"),
    ("day_loss_usd_max", "week_loss_usd_max"),
    ("day_loss_ratio_max", "week_loss_ratio_max"),
    ("reduce_drawdown_ratio", "reduce_more_drawdown_ratio", "halt_drawdown_ratio"),
    ("reduce_more_size_ratio", "reduce_size_ratio"),
    ("price_usd_min", "price_usd_max"),
    ("time_to_end_s_min", "time_to_end_s_max"),
    ("phase_drawdown_ratio_max", "fallback_drawdown_ratio"),
)
_SCALED: Final = tuple(name for name in RiskPolicy.model_fields if name not in ("name", "version"))
_SCALES: Final = {
    "usd": ("micro", MICRO),
    "ratio": ("micro_ratio", MICRO),
    "ratios": ("micro_ratios", MICRO),
    "multiple": ("micro_multiple", MICRO),
    "ms": ("ns", NS_PER_MS),
    "s": ("ns", NS_PER_S),
}


def read_policy(document: str) -> RiskPolicy:
    """Return the policy in a JSON document. Raises PolicyRefused."""
    try:
        values = json.loads(document, parse_float=Decimal)
    except ValueError as error:
        raise PolicyRefused(f"not JSON: {error}") from error
    return policy_of(values)


def policy_of(values: Any) -> RiskPolicy:
    """Return the policy of parsed names and values. Raises PolicyRefused."""
    try:
        return RiskPolicy.model_validate(values)
    except ValidationError as error:
        flaws = "; ".join(
            f"{'.'.join(map(str, flaw['loc'])) or 'policy'}: {flaw['msg']}"
            for flaw in error.errors(include_url=False)
        )
        raise PolicyRefused(f"{flaws}. Nothing was changed") from error


def micro(amount: Decimal) -> int:
    """Return a decimal in millionths. Raises ValueError if it is finer than that."""
    return _times(amount, MICRO)


def tighter_way(name: str) -> Tighter:
    """Return which way a limit gets tighter; `neither` makes every change a loosening."""
    extra = RiskPolicy.model_fields[name].json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(f"{name} does not say which way is tighter")
    return extra["tighter"]  # type: ignore[return-value]


def _scaled(name: str, value: Any) -> tuple[str, Any]:
    for old, (new, scale) in _SCALES.items():
        parts = name.split("_")
        if old in parts:
            renamed = "_".join(new if part == old else part for part in parts)
            if isinstance(value, tuple):
                return renamed, tuple(_times(each, scale) for each in value)
            return renamed, _times(Decimal(value), scale)
    return name, value


def _times(amount: Decimal, scale: int) -> int:
    scaled = amount * scale
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} is finer than a millionth")
    return int(scaled)
