"""Decides when trouble strikes, and remembers what it did.

A decision is a pure function of (seed, rule id, number of the occasion): the same occasions meet
the same weather, whatever happened elsewhere in between. An occasion is a request, a frame, a
trade or an order that lies in a rule's scope while the rule is in force. Reads no clock: the
caller says what time it is.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from whaletrader.services.exchange.weather.rules import (
    ENGINE_ENDPOINTS,
    NEW_ORDERS,
    Effect,
    Forecast,
    Rule,
    checked,
)

MS_NS: Final = 1_000_000
# Enough for a long test; older entries go first.
LOG_ROWS_MAX: Final = 20_000

# Where an effect strikes when its rule names no endpoints or channels.
_ENDPOINTS: Final[dict[Effect, tuple[str, ...]]] = {
    Effect.RESTART: ENGINE_ENDPOINTS,
    Effect.POST_ONLY: NEW_ORDERS,
    Effect.CANCEL_ONLY: NEW_ORDERS,
    Effect.DISABLED: ENGINE_ENDPOINTS,
}
_CHANNELS: Final[dict[Effect, tuple[str, ...]]] = {
    Effect.DUPLICATE: ("user",),
    Effect.REORDER: ("user",),
    Effect.LATE: ("user",),
}


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that weather can strike; "" means not known or not of that kind."""

    now_ns: int
    endpoint: str = ""
    account: str = ""
    # The parties of a trade beside the one named above.
    others: frozenset[str] = frozenset()
    markets: frozenset[str] = frozenset()
    channel: str = ""
    status: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Strike:
    """A rule that acts; `draw` in [0, 1) is a second number for its size; `elapsed_ms` its age."""

    rule: Rule
    number: int
    draw: float
    elapsed_ms: int

    @property
    def jittered_ms(self) -> int:
        """Latency or delay with its jitter."""
        base = self.rule.latency_ms or self.rule.delay_ms
        return base + int(self.draw * self.rule.jitter_ms)

    @property
    def is_after_restart(self) -> bool:
        """Whether a restart is over and its post-only time runs."""
        return self.elapsed_ms >= (self.rule.for_ms or 0)


@dataclass(slots=True)
class _Count:
    seen: int = 0
    done: int = 0


class Sky:
    """The rules in force, their counters, and the log of what they did."""

    def __init__(self, seed: int) -> None:
        self.own_seed = seed
        self.seed = seed
        self.rules: tuple[Rule, ...] = ()
        self.effects: frozenset[Effect] = frozenset()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_ROWS_MAX)
        self._counts: dict[str, _Count] = {}
        self._set_ns = 0
        self._entries = 0

    def set(self, forecast: Forecast, now_ns: int) -> None:
        """Replace all rules; counters, log and the times of rules begin anew."""
        forecast = checked(forecast)
        self.seed = self.own_seed if forecast.seed is None else forecast.seed
        self.rules = forecast.rules
        self.effects = frozenset(rule.effect for rule in self.rules)
        self._counts = {rule.id: _Count() for rule in self.rules}
        self._set_ns = now_ns
        self.log.clear()
        self._entries = 0

    def strikes(self, effects: frozenset[Effect], occasion: Occasion) -> list[Strike]:
        """Return what strikes an occasion, in the order of the rules, and note it in the log."""
        found: list[Strike] = []
        if not effects & self.effects:
            return found
        for rule in self.rules:
            if rule.effect in effects and _fits(rule, occasion):
                strike = self._decide(rule, occasion)
                if strike is not None:
                    found.append(strike)
        return found

    def strike(self, effect: Effect, occasion: Occasion) -> Strike | None:
        """Return the first rule of one effect that strikes."""
        return next(iter(self.strikes(frozenset((effect,)), occasion)), None)

    def view(self) -> list[dict[str, Any]]:
        """Return rules with their counters, for the operator."""
        return [
            {"rule": rule, "seen": self._counts[rule.id].seen, "done": self._counts[rule.id].done}
            for rule in self.rules
        ]

    def due(self, effect: Effect, now_ns: int, act: Callable[[Rule], str]) -> None:
        """Carry out, once, each rule of an effect that strikes by itself at its time."""
        if effect not in self.effects:
            return
        for rule in self.rules:
            count = self._counts[rule.id]
            elapsed_ms = (now_ns - self._set_ns) // MS_NS
            if rule.effect is effect and not count.done and elapsed_ms >= rule.after_ms:
                count.seen += 1
                count.done += 1
                self._note(rule, Occasion(now_ns, what=act(rule)), count.seen - 1)

    def _decide(self, rule: Rule, occasion: Occasion) -> Strike | None:
        elapsed_ms = (occasion.now_ns - self._set_ns) // MS_NS - rule.after_ms
        if elapsed_ms < 0 or (rule.lasts_ms is not None and elapsed_ms >= rule.lasts_ms):
            return None
        count = self._counts[rule.id]
        number = count.seen
        count.seen += 1
        if number < rule.skip or (rule.count is not None and count.done >= rule.count):
            return None
        chance, draw = draws(self.seed, rule.id, number)
        if chance >= rule.probability:
            return None
        count.done += 1
        self._note(rule, occasion, number)
        return Strike(rule, number, draw, elapsed_ms)

    def _note(self, rule: Rule, occasion: Occasion, number: int) -> None:
        self._entries += 1
        row = {
            "n": self._entries,
            "at_ns": occasion.now_ns,
            "rule": rule.id,
            "effect": rule.effect.value,
            "occasion": number,
            "endpoint": occasion.endpoint,
            "account": occasion.account,
            "markets": sorted(occasion.markets),
            "channel": occasion.channel,
            "what": occasion.what,
        }
        self.log.append(row)


def draws(seed: int, rule_id: str, number: int) -> tuple[float, float]:
    """Return two numbers in [0, 1) that belong to an occasion for good."""
    digest = hashlib.sha256(f"{seed}:{rule_id}:{number}".encode()).digest()
    first, second = (int.from_bytes(digest[at : at + 8], "big") >> 11 for at in (0, 8))
    return first / (1 << 53), second / (1 << 53)


def _fits(rule: Rule, occasion: Occasion) -> bool:
    endpoints = rule.endpoints or _ENDPOINTS.get(rule.effect, ())
    channels = rule.channels or _CHANNELS.get(rule.effect, ())
    return (
        (not endpoints or any(_covers(pattern, occasion.endpoint) for pattern in endpoints))
        and (not channels or occasion.channel in channels)
        and (
            not rule.accounts
            or occasion.account in rule.accounts
            or bool(occasion.others & set(rule.accounts))
        )
        and (not rule.markets or bool(occasion.markets & set(rule.markets)))
        and (not rule.statuses or occasion.status in rule.statuses)
    )


def _covers(pattern: str, endpoint: str) -> bool:
    method, _, path = pattern.partition(" ")
    asked, _, target = endpoint.partition(" ")
    if method not in ("*", asked):
        return False
    return target.startswith(path[:-1]) if path.endswith("*") else target == path
