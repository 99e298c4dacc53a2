"""Hundreds of random approved trades under bad weather, and the plan of that weather."""

import uuid
from pathlib import Path

import asyncpg
import msgspec
import pytest

from tests.chaos.bad_weather import SETTINGS, Plan, Run
from tests.chaos.faults.stack import stack
from tests.chaos.weather_plan import rules
from whaletrader.services.exchange.weather.rules import Forecast, Rule, checked
from whaletrader.stack.servers.postgres import PostgresServer

SPELLS = 60


@pytest.mark.timeout(600)
async def test_the_books_equal_the_exchanges_own_after_bad_weather(
    postgres_server: PostgresServer, nats_url: str, tmp_path: Path
) -> None:
    plan = Plan(trades=500, seed=7, markets=20, width=60, crash_every=250)
    server, name = postgres_server.endpoint.url, f"weather_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server)
    await connection.execute(f'create database "{name}"')
    dsn = f"{server.rsplit('/', 1)[0]}/{name}"
    try:
        async with stack(dsn, nats_url, tmp_path, ["--seed", "7"], **SETTINGS) as desk:
            report = await Run(desk, plan).play()
    finally:
        await connection.execute(f'drop database "{name}" with (force)')
        await connection.close()
    # It was bad weather, and trading went on in it.
    assert report.crashes >= 1, report
    assert sum(report.ends.values()) == report.orders >= plan.trades * 9 // 10, report
    assert report.accepted > plan.trades // 2, report
    assert min(report.ends["filled"], report.ends["cancelled"]) > plan.trades // 10, report
    assert report.fills["reversed"] >= 1, report
    for fault in ("error", "error_after", "duplicate", "late", "lost", "ghost_fill"):
        assert report.struck[fault] >= 1, (fault, str(report))


def test_the_weather_of_a_seed_is_always_the_same_and_can_be() -> None:
    seen = set()
    for number in range(SPELLS):
        drawn = rules(3, number)
        assert drawn == rules(3, number)
        seen |= {rule["effect"] for rule in drawn}
        checked(Forecast(tuple(_rule(rule) for rule in drawn), 3))
    assert {"restart", "cancel_only", "disabled", "freeze", "drop", "heartbeat_expiry"} <= seen
    assert [rules(3, n) for n in range(SPELLS)] != [rules(4, n) for n in range(SPELLS)]


def _rule(rule: dict[str, object]) -> Rule:
    return msgspec.convert(rule, Rule)
