"""When trouble strikes: scopes, counts, times, chances, and that a run can be repeated."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.services.exchange.weather.rules import (
    REQUEST_EFFECTS,
    BadWeather,
    Effect,
    Forecast,
    Rule,
    checked,
)
from whaletrader.services.exchange.weather.sky import Occasion, Sky, draws

MS = 1_000_000


def sky(*rules: dict[str, Any], seed: int = 7) -> Sky:
    made = Sky(seed)
    made.set(msgspec.convert({"rules": list(rules)}, Forecast), 0)
    return made


def order(at_ms: int = 0, account: str = "0xa", market: str = "0xm") -> Occasion:
    return Occasion(
        at_ms * MS, "POST /order", account, markets=frozenset((market,)), what="POST /order"
    )


def hits(made: Sky, count: int, effect: Effect = Effect.ERROR) -> list[int]:
    return [n for n in range(count) if made.strike(effect, order()) is not None]


def test_the_same_seed_meets_the_same_weather_and_another_one_other_weather() -> None:
    rule = {"effect": "error", "probability": 0.3}
    first = hits(sky(rule), 200)
    assert first == hits(sky(rule), 200)
    assert first != hits(sky(rule, seed=8), 200)
    assert 40 <= len(first) <= 80


def test_what_happens_elsewhere_changes_nothing_for_an_occasion() -> None:
    rule = {"effect": "error", "probability": 0.3, "endpoints": ["POST /order"]}
    calm, busy = sky(rule), sky(rule)
    found = []
    for number in range(100):
        busy.strike(Effect.ERROR, Occasion(0, "GET /book"))
        if busy.strike(Effect.ERROR, order()) is not None:
            found.append(number)
    assert found == hits(calm, 100)


@given(st.integers(0, 1 << 62), st.text(max_size=20), st.integers(0, 1 << 40))
def test_draws_are_numbers_from_zero_to_one_that_never_change(seed: int, name: str, n: int) -> None:
    first, second = draws(seed, name, n)
    assert 0 <= first < 1
    assert 0 <= second < 1
    assert draws(seed, name, n) == (first, second)


def test_skip_and_count_pick_out_single_occasions() -> None:
    assert hits(sky({"effect": "error", "skip": 2, "count": 3}), 10) == [2, 3, 4]


def test_a_window_of_time_opens_and_closes() -> None:
    made = sky({"effect": "error", "after_ms": 100, "for_ms": 50})
    struck = [at for at in (0, 99, 100, 149, 150) if made.strike(Effect.ERROR, order(at))]
    assert struck == [100, 149]


@pytest.mark.parametrize(
    ("scope", "struck"),
    [
        ({"endpoints": ["POST /order"]}, True),
        ({"endpoints": ["* /ord*"]}, True),
        ({"endpoints": ["GET /order"]}, False),
        ({"endpoints": ["POST /orders"]}, False),
        ({"accounts": ["0xA"]}, True),
        ({"accounts": ["0xb"]}, False),
        ({"markets": ["0xm", "0xn"]}, True),
        ({"markets": ["0xn"]}, False),
        ({"endpoints": ["POST /order"], "accounts": ["0xb"]}, False),
    ],
)
def test_scopes_narrow_what_is_struck(scope: dict[str, Any], struck: bool) -> None:
    assert bool(hits(sky({"effect": "error", **scope}), 1)) is struck


def test_a_trade_is_in_the_scope_of_each_of_its_parties() -> None:
    made = sky({"effect": "ghost_fill", "accounts": ["0xb"]})
    trade = Occasion(0, account="0xa", others=frozenset(("0xa", "0xb")))
    assert made.strike(Effect.GHOST_FILL, trade) is not None


def test_a_restart_lets_post_only_time_follow_and_reads_pass() -> None:
    made = sky({"effect": "restart", "for_ms": 100, "post_only_ms": 50})
    assert made.strike(Effect.RESTART, Occasion(0, "GET /book")) is None
    during, after = (made.strike(Effect.RESTART, order(at)) for at in (99, 149))
    assert during is not None
    assert after is not None
    assert (during.is_after_restart, after.is_after_restart) == (False, True)
    assert made.strike(Effect.RESTART, order(150)) is None


def test_the_log_tells_what_was_done_to_what() -> None:
    made = sky({"effect": "error", "count": 1, "id": "first"}, {"effect": "latency"})
    made.strikes(REQUEST_EFFECTS, order(3))
    made.strikes(REQUEST_EFFECTS, order(4))
    told = [(row["n"], row["rule"], row["at_ns"], row["endpoint"]) for row in made.log]
    assert told == [
        (1, "first", 3 * MS, "POST /order"),
        (2, "1-latency", 3 * MS, "POST /order"),
        (3, "1-latency", 4 * MS, "POST /order"),
    ]
    (first, second) = made.view()
    assert (first["seen"], first["done"]) == (1 + 1, 1)
    assert (second["seen"], second["done"]) == (2, 2)


def test_rules_that_act_by_themselves_do_so_once_at_their_time() -> None:
    made = sky({"effect": "heartbeat_expiry", "after_ms": 10})
    acted: list[str] = []

    def act(rule: Rule) -> str:
        acted.append(rule.id)
        return "done"

    for at_ms in (0, 9, 10, 20):
        made.due(Effect.HEARTBEAT_EXPIRY, at_ms * MS, act)
    assert acted == ["0-heartbeat_expiry"]
    assert made.log[0]["what"] == "done"


def test_setting_anew_forgets_counters_and_log() -> None:
    made = sky({"effect": "error", "count": 1})
    assert hits(made, 3) == [0]
    made.set(Forecast((Rule(Effect.ERROR, count=1),)), 0)
    assert not made.log
    assert hits(made, 3) == [0]
    made.set(Forecast(), 0)
    assert hits(made, 3) == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(Effect.ERROR, probability=1.5), "between 0 and 1"),
        (Rule(Effect.ERROR, status=200), "400 to 599"),
        (Rule(Effect.ERROR, latency_ms=5), "error takes status, text, not latency_ms"),
        (Rule(Effect.LATENCY, latency_ms=-1), "not between 0"),
        (Rule(Effect.ERROR, endpoints=("/order",)), "not like 'POST /order'"),
        (Rule(Effect.ERROR, channels=("user",)), "does not strike streams"),
        (Rule(Effect.LOST, endpoints=("GET /book",)), "does not strike requests"),
        (Rule(Effect.LOST, channels=("mail",)), "unknown channel 'mail'"),
        (Rule(Effect.LATE), "needs delay_ms"),
        (Rule(Effect.RESTART), "give for_ms"),
        (Rule(Effect.DROP, close_code=1006), "cannot be sent"),
        (Rule(Effect.DUPLICATE, copies=0), "copies is 1 to"),
        (Rule(Effect.ERROR, count=0), "count 1 or more"),
    ],
)
def test_a_rule_that_cannot_be_says_what_to_change(rule: Rule, text: str) -> None:
    with pytest.raises(BadWeather, match=text):
        checked(Forecast((rule,)))


def test_names_are_given_once() -> None:
    with pytest.raises(BadWeather, match="own id"):
        checked(Forecast((Rule(Effect.ERROR, id="a"), Rule(Effect.LOST, id="a"))))
    with pytest.raises(BadWeather, match="at most"):
        checked(Forecast(tuple(Rule(Effect.ERROR, id=str(n)) for n in range(101))))
