"""What the execution agent itself says of a worked trade, recorded, told and measured."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.recorder.recorder_process import opened, record_all
from tests.unit.services.execution.execution_bench import (
    POLICY,
    T0,
    TRADE_CONFIRMED,
    Bench,
    S,
    approval,
    listing,
    placement,
    trade,
    venue_closed,
)
from whaletrader.commands import quality, why
from whaletrader.domain.money import MICRO
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.working.terms import TacticSettings
from whaletrader.store.schema import install

# A narrow, deep book: three phases. Mid 49.5 cents.
BIDS, ASKS = [(49, 5_000)], [(50, 5_000)]
APPROVAL = approval(limit_price_micro=600_000, size_micro=100 * MICRO, expires_ns=T0 + 300 * S)


def _worked() -> Bench:
    """Forty shares in the first phase at 49 cents, none in the second, 45 at 54 in the third."""
    bench = Bench(replace(POLICY, tactics=TacticSettings()), listed=False)
    bench.tell(listing(fee_rate_micro=0))
    bench.tell(APPROVAL)
    bench.read(BIDS, ASKS)
    for phase, (lasts_s, shares, cents) in enumerate(((30, 40, 49), (45, 0, 0), (60, 45, 54))):
        order_id = bench.newest
        bench.tell(placement(order_id, order_pb2.PLACEMENT_STATUS_LIVE, "live"))
        if shares:
            bench.now_ns += 10 * S
            size_micro, price_micro = shares * MICRO, cents * 10_000
            fill = trade(
                order_id, f"t{phase}", TRADE_CONFIRMED, size_micro, price_micro=price_micro
            )
            fill.meta.event_time_ns = bench.now_ns
            bench.tell(fill)
        bench.fire("leg", "a1", after_s=lasts_s - (10 if shares else 0))
        bench.tell(venue_closed(order_id, shares * MICRO))
        if phase < 2:
            bench.read(BIDS, ASKS)
    return bench


@pytest.fixture
async def bench(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", postgres_dsn)
    bench = _worked()
    async with opened(postgres_dsn) as (log, connection):
        await install(connection)
        await log.append([to_record(Envelope("trade.approved", "main", APPROVAL))])
        for step in bench.steps:
            await log.append(step.records)
        await record_all(log, connection)
    return bench


async def _json(app: Any, *arguments: str) -> Any:
    result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


async def test_the_figures_of_each_phase_are_what_the_venue_told(bench: Bench) -> None:
    found = await _json(quality.app, "--by", "phase")
    figures = [
        (it["group"], it["fill_rate"], it["first_fill_s"], it["mean_slippage_micro"])
        for it in found["groups"]
    ]
    # Ordered 100, 54 and 45 shares; a fill ten seconds after its order, or none.
    assert figures == [
        ("0", 0.4, 10.0, -5_000.0),
        ("1", 0.0, None, None),
        ("2", 1.0, 10.0, 45_000.0),
    ]
    whole = found["all"]
    # (40 * 49 + 45 * 54) / 85 = 51.647 cents, 2.147 above the mid; 85 shares of it.
    assert whole["mean_slippage_micro"] == 21_471
    assert whole["slippage_cost_micro"] == 21_471 * 85
    assert (whole["works"], whole["fill_rate"], whole["maker_share"]) == (1, 0.85, 1.0)
    assert any("Little data: one market" in line for line in found["said"])


async def test_why_of_the_last_order_tells_the_whole_work(bench: Bench) -> None:
    (root,) = (await _json(why.app, bench.newest))["chain"]
    works = _found(root, "WorkStarted")
    assert len(works) == 1
    within = [effect["type"].rpartition(".")[2] for effect in works[0]["effects"]]
    assert within.count("OrderAnnounced") == 3
    assert within[-1] == "WorkFinished"
    assert works[0]["effects"][-1]["summary"].startswith(
        "partial: 85 shares of 100 shares (85 %) in 3 orders of adaptive, average $0.516471 a share"
    )
    # Each fill stands under its order, whatever the venue told first.
    fills = [len(_found(it, "OrderMatched")) for it in works[0]["effects"][:3]]
    assert sorted(fills) == [0, 1, 1]


def _found(step: dict[str, Any], name: str) -> list[dict[str, Any]]:
    here = [step] if step["type"].endswith(f".{name}") else []
    return here + [it for effect in step["effects"] for it in _found(effect, name)]
