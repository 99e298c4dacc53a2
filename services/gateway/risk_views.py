"""What the risk page is told, and what it may ask: frozen types, as in views.py."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from whaletrader.services.gateway.views import Big, Reason, View

State = Literal["unspecified", "normal", "reduce", "pause", "halt", "deleverage", "flatten"]


class LimitUse(View):
    """How much of a limit is used, and by what: `name` is the market's title, where it is one."""

    rule: str
    key: str
    name: str = ""
    value: Big
    limit: Big
    unit: str
    used_micro_ratio: Big


class RiskVerdict(View):
    """One answer of risk; a refusal names its rule."""

    id: str
    kind: Literal["approved", "refused", "mandate", "batch"]
    at_ns: Big
    side: str = ""
    condition_id: str = ""
    question: str = ""
    leader: str = ""
    size_micro: Big = 0
    price_micro: Big = 0
    rule: str = ""
    reasons: list[Reason]


class RiskDeskView(View):
    """The desk. `is_live`: risk itself answered; else `note` says what this is instead."""

    portfolio: str
    is_live: bool
    note: str = ""
    now_ns: Big = 0
    is_open: bool = False
    state: State = "unspecified"
    cause: str = ""
    exit_condition: str = ""
    needs_person: bool = False
    since_ns: Big = 0
    until_ns: Big = 0
    size_micro_ratio: Big = 0
    policy_digest: str = ""
    pending_digest: str = ""
    cash_micro: Big = 0
    positions_cost_micro: Big = 0
    positions_value_micro: Big = 0
    reserved_micro: Big = 0
    exposure_micro: Big = 0
    equity_micro: Big = 0
    high_water_micro: Big = 0
    drawdown_micro_ratio: Big = 0
    var_99_micro: Big = 0
    cvar_975_micro: Big = 0
    modified_var_99_micro: Big = 0
    historical_var_99_micro: Big = 0
    worst_case_micro: Big = 0
    correlation_micro_ratio: Big = 0
    diversification_micro_ratio: Big = 0
    phase: int = 0
    phase_micro_ratio: Big = 0
    open_positions: int = 0
    limits: tuple[LimitUse, ...] = ()
    exposures: tuple[LimitUse, ...] = ()
    exposures_left_out: int = 0
    verdicts: tuple[RiskVerdict, ...] = ()


Price = Annotated[Decimal, Field(gt=0, lt=1, decimal_places=6)]
Amount = Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=6)]


class CheckBody(BaseModel):
    """A trade that somebody thinks of; dollars and shares as people write them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    market: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
    side: Literal["buy", "sell"]
    price: Price
    size: Amount
    outcome: Annotated[str, Field(max_length=200)] = ""
    leader: Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{40})?$")] = ""
    leader_usd: Annotated[Decimal, Field(ge=0, le=10**9, decimal_places=6)] = Decimal(0)
    fair: Price | None = None


class CheckView(View):
    """What risk would say now."""

    approved: bool
    rule: str
    question: str
    outcome: str
    size_micro: Big
    price_micro: Big
    reserve_micro: Big
    state: State
    reasons: list[Reason]
