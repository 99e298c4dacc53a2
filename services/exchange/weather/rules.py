"""What an operator can ask for: one rule is an effect, where it strikes, how often, and when.

Owns the shape of `PUT /admin/weather` and its validation; decides nothing. Times are milliseconds,
counted from the moment the rule was set.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Effect(StrEnum):
    """What happens. The first group strikes requests, the second frames, the third trades."""

    LATENCY = "latency"
    ERROR = "error"
    ERROR_AFTER = "error_after"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    RESTART = "restart"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"
    RATE_LIMIT = "rate_limit"
    DELAYED = "delayed"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    LATE = "late"
    LOST = "lost"
    FREEZE = "freeze"
    DROP = "drop"
    GHOST_FILL = "ghost_fill"
    RETRYING = "retrying"
    SLOW_SETTLEMENT = "slow_settlement"
    MATCHED_AGAIN = "matched_again"
    HEARTBEAT_EXPIRY = "heartbeat_expiry"


REQUEST_EFFECTS: Final = frozenset(
    {
        Effect.LATENCY,
        Effect.ERROR,
        Effect.ERROR_AFTER,
        Effect.TIMEOUT_BEFORE,
        Effect.TIMEOUT_AFTER,
        Effect.RESTART,
        Effect.POST_ONLY,
        Effect.CANCEL_ONLY,
        Effect.DISABLED,
        Effect.RATE_LIMIT,
    }
)
FRAME_EFFECTS: Final = frozenset(
    {Effect.DUPLICATE, Effect.REORDER, Effect.LATE, Effect.LOST, Effect.FREEZE, Effect.DROP}
)
TRADE_EFFECTS: Final = frozenset(
    {Effect.GHOST_FILL, Effect.RETRYING, Effect.SLOW_SETTLEMENT, Effect.MATCHED_AGAIN}
)
CHANNELS: Final = ("market", "user", "rtds", "polybolt", "sports")
# What the matching engine itself answers; the rest of the venue works on while it restarts.
ENGINE_ENDPOINTS: Final = (
    "POST /order",
    "POST /orders",
    "DELETE /order",
    "DELETE /orders",
    "DELETE /cancel-all",
    "DELETE /cancel-market-orders",
)
NEW_ORDERS: Final = ("POST /order", "POST /orders")

_PARAMETERS: Final[dict[Effect, tuple[str, ...]]] = {
    Effect.LATENCY: ("latency_ms", "jitter_ms"),
    Effect.ERROR: ("status", "text"),
    Effect.ERROR_AFTER: ("status", "text"),
    Effect.TIMEOUT_BEFORE: ("hold_ms",),
    Effect.TIMEOUT_AFTER: ("hold_ms",),
    Effect.RESTART: ("post_only_ms",),
    Effect.POST_ONLY: (),
    Effect.CANCEL_ONLY: (),
    Effect.DISABLED: (),
    Effect.RATE_LIMIT: ("retry_after_s",),
    Effect.DELAYED: ("delay_ms",),
    Effect.DUPLICATE: ("delay_ms", "copies", "statuses"),
    Effect.REORDER: ("delay_ms", "statuses"),
    Effect.LATE: ("delay_ms", "jitter_ms", "statuses"),
    Effect.LOST: ("statuses",),
    Effect.FREEZE: ("pongs",),
    Effect.DROP: ("close_code",),
    Effect.GHOST_FILL: ("mined_ms", "retries"),
    Effect.RETRYING: ("mined_ms", "confirmed_ms", "retries", "retry_ms"),
    Effect.SLOW_SETTLEMENT: ("mined_ms", "confirmed_ms"),
    Effect.MATCHED_AGAIN: ("mined_ms", "confirmed_ms"),
    Effect.HEARTBEAT_EXPIRY: (),
}
_OWN: Final = frozenset(name for names in _PARAMETERS.values() for name in names)
MS_MAX: Final = 86_400_000
COPIES_MAX: Final = 100
CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
RULES_MAX: Final = 100


class BadWeather(Exception):
    """A rule that cannot be; the text says what to change. Nothing was set."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One kind of trouble; empty scopes mean everywhere."""

    effect: Effect
    id: str = ""
    probability: float = 1.0
    endpoints: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    skip: int = 0
    count: int | None = None
    after_ms: int = 0
    for_ms: int | None = None
    latency_ms: int = 0
    jitter_ms: int = 0
    status: int = 500
    text: str = ""
    hold_ms: int = 30_000
    retry_after_s: int = 1
    post_only_ms: int = 0
    delay_ms: int = 0
    copies: int = 1
    statuses: tuple[str, ...] = ()
    pongs: bool = True
    close_code: int = 1012
    mined_ms: int = 0
    confirmed_ms: int = 0
    retries: int = 0
    retry_ms: int = 1_000

    @property
    def lasts_ms(self) -> int | None:
        """How long the effect lasts once it began, the post-only time after a restart included."""
        if self.for_ms is None or self.effect is not Effect.RESTART:
            return self.for_ms
        return self.for_ms + self.post_only_ms


class Forecast(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `PUT /admin/weather`; without a seed the exchange's own is taken."""

    rules: tuple[Rule, ...] = ()
    seed: int | None = None


def checked(forecast: Forecast) -> Forecast:
    """Return the forecast with every rule named; raise `BadWeather`."""
    if len(forecast.rules) > RULES_MAX:
        raise BadWeather(f"{len(forecast.rules)} rules; at most {RULES_MAX}")
    named = []
    for number, rule in enumerate(forecast.rules):
        name = rule.id or f"{number}-{rule.effect.value}"
        _check(rule, name)
        accounts = tuple(account.lower() for account in rule.accounts)
        named.append(msgspec.structs.replace(rule, id=name, accounts=accounts))
    names = [rule.id for rule in named]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadWeather(f"two rules are called {twice!r}: give each its own id")
    return Forecast(tuple(named), forecast.seed)


def _check(rule: Rule, name: str) -> None:
    _check_ranges(rule, name)
    allowed = _PARAMETERS[rule.effect]
    for field in msgspec.structs.fields(Rule):
        is_set = getattr(rule, field.name) != field.default
        if field.name in _OWN and is_set and field.name not in allowed:
            takes = ", ".join(allowed) or "no parameters"
            raise BadWeather(f"rule {name}: {rule.effect.value} takes {takes}, not {field.name}")
    for endpoint in rule.endpoints:
        method, _, path = endpoint.partition(" ")
        if method not in ("GET", "POST", "DELETE", "*") or not path.startswith("/"):
            raise BadWeather(
                f"rule {name}: endpoint {endpoint!r} is not like 'POST /order' or '* /gamma/*'"
            )
    if unknown := set(rule.channels) - set(CHANNELS):
        raise BadWeather(f"rule {name}: unknown channel {sorted(unknown)[0]!r}; of {CHANNELS}")
    if rule.endpoints and rule.effect not in REQUEST_EFFECTS:
        raise BadWeather(f"rule {name}: {rule.effect.value} does not strike requests: no endpoints")
    if rule.channels and rule.effect not in FRAME_EFFECTS:
        raise BadWeather(f"rule {name}: {rule.effect.value} does not strike streams: no channels")
    if rule.effect is Effect.RESTART and rule.for_ms is None:
        raise BadWeather(f"rule {name}: a restart ends: give for_ms")
    # Without its time such a rule would do nothing, and nobody would notice.
    needs = NEEDS.get(rule.effect, ())
    if needs and not any(getattr(rule, field) for field in needs):
        raise BadWeather(f"rule {name}: {rule.effect.value} needs {' or '.join(needs)}")


NEEDS: Final = {
    Effect.LATE: ("delay_ms", "jitter_ms"),
    Effect.DELAYED: ("delay_ms", "jitter_ms"),
    Effect.SLOW_SETTLEMENT: ("mined_ms", "confirmed_ms"),
}


def _check_ranges(rule: Rule, name: str) -> None:
    if not 0.0 <= rule.probability <= 1.0:
        raise BadWeather(f"rule {name}: probability {rule.probability} is not between 0 and 1")
    for field in msgspec.structs.fields(Rule):
        value = getattr(rule, field.name)
        if field.name.endswith("_ms") and value is not None and not 0 <= value <= MS_MAX:
            raise BadWeather(f"rule {name}: {field.name} {value} is not between 0 and {MS_MAX}")
    if rule.skip < 0 or (rule.count is not None and rule.count < 1):
        raise BadWeather(f"rule {name}: skip is 0 or more, count 1 or more")
    if not 400 <= rule.status <= 599:
        raise BadWeather(f"rule {name}: status {rule.status} is no error; 400 to 599")
    if not (rule.close_code in CLOSE_CODES or 3_000 <= rule.close_code <= 4_999):
        raise BadWeather(f"rule {name}: close code {rule.close_code} cannot be sent")
    if not 1 <= rule.copies <= COPIES_MAX:
        raise BadWeather(f"rule {name}: copies is 1 to {COPIES_MAX}")
    if not 0 <= rule.retries <= COPIES_MAX or not 0 <= rule.retry_after_s <= 86_400:
        raise BadWeather(f"rule {name}: retries is 0 to {COPIES_MAX}, retry_after_s 0 to 86400")
