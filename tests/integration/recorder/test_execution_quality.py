"""What execution and risk tell, recorded on a real PostgreSQL, read back and printed."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.recorder.chain_events import MARKET, Chain, listed, meta
from tests.integration.recorder.recorder_process import opened, record_all
from tests.integration.recorder.work_events import START_NS, Figures, Work, finished, recorded
from whaletrader.commands import quality, why
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Record
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.store import desk_queries, execution_queries, queries
from whaletrader.store.projections import TABLES
from whaletrader.store.rebuild import rebuild
from whaletrader.store.schema import install

CHAIN = Chain("worked")
WORK = Work(CHAIN.approval())
# What leads to the approval, without the order that the chain has of its own.
UP_TO_APPROVAL = CHAIN.records()[:3]


async def _called(app: Any, *arguments: str) -> tuple[int, str]:
    # The command has a loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    return result.exit_code, result.output


@pytest.fixture
def dsn(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", postgres_dsn)
    return postgres_dsn


async def _record(dsn: str, records: list[Record]) -> None:
    async with opened(dsn) as (log, connection):
        await install(connection)
        await log.append(records)
        await record_all(log, connection)


def _markets(number: int) -> list[Record]:
    """One filled work a market, each a little worse than the mid, and one that nobody filled."""
    works = [
        finished(f"w{i}", Figures(market=f"0x{i:064x}", average=402_000 + 400 * i))
        for i in range(number)
    ]
    unfilled = Figures(average=0, filled=0, result=order_pb2.WORK_RESULT_UNFILLED)
    return [recorded(work) for work in [*works, finished("none", unfilled)]]


async def test_a_finished_work_is_one_row_with_its_figures_and_skips(dsn: str) -> None:
    await _record(dsn, [listed(), *UP_TO_APPROVAL, *WORK.records()])
    async with opened(dsn) as (_, connection):
        (row,) = await execution_queries.execution_quality(connection)
        assert row == await execution_queries.work_quality(connection, CHAIN.approval_id)
        times = await execution_queries.phase_times(connection)
        order = await queries.order(connection, WORK.order_ids[1])
        mined = await connection.fetchrow("SELECT status, mined_ns FROM read.fills")
    assert (row.result, row.tactic, row.question) == ("partial", "passive", "Will it rain?")
    assert (row.slippage_micro, row.slippage_micro_ratio, row.has_slippage) == (4_000, 10_000, True)
    assert (row.maker_size_micro, row.taker_size_micro) == (2_000_000, 6_000_000)
    assert row.phases == (0, 1)
    assert [(skip.rule, skip.count) for skip in row.skips] == [("slippage.market", 1)]
    # Of the second phase the first fill is three seconds after its order; the first had none.
    assert [
        (it.phase, it.first_fill_ns and it.first_fill_ns - it.announced_ns) for it in times
    ] == [
        (0, 0),
        (1, 3_000_000_000),
    ]
    assert order is not None
    # Mined is still provisional.
    assert (mined["status"], mined["mined_ns"]) == ("matched", CHAIN.at_ns + 6_000_000_000)


async def test_a_sale_below_the_mid_is_worse(dsn: str) -> None:
    sold = Figures(side=common_pb2.SIDE_SELL, average=390_000)
    await _record(dsn, [recorded(finished("sold", sold))])
    async with opened(dsn) as (_, connection):
        (row,) = await execution_queries.execution_quality(connection)
    assert (row.slippage_micro, row.slippage_micro_ratio) == (10_000, 25_000)


async def test_told_twice_and_rebuilt_it_is_the_same(dsn: str) -> None:
    records = [*UP_TO_APPROVAL, *WORK.records(), *_markets(3), *_risk()]
    await _record(dsn, [*records, *WORK.records()])
    async with opened(dsn) as (_, connection):
        once = await _contents(connection)
        assert len(once["execution_quality"]) == 5
        assert len(once["execution_skips"]) == 1
        await rebuild(connection)
        assert await _contents(connection) == once


async def _contents(connection: Any) -> dict[str, list[str]]:
    found = {}
    for table in TABLES:
        rows = await connection.fetch(f"SELECT t::text AS row FROM read.{table.name} AS t")
        found[table.name] = sorted(row["row"] for row in rows)
    return found


def _steps(step: dict[str, Any], depth: int = 0) -> list[tuple[int, str]]:
    found = [(depth, step["type"].rpartition(".")[2])]
    for effect in step["effects"]:
        found += _steps(effect, depth + 1)
    return found


@pytest.mark.parametrize("wanted", [*WORK.order_ids, CHAIN.approval_id, CHAIN.root])
async def test_why_tells_the_work_of_an_order_with_its_siblings_and_its_end(
    dsn: str, wanted: str
) -> None:
    await _record(dsn, [*UP_TO_APPROVAL, *WORK.records()])
    code, output = await _called(why.app, wanted, "--json")
    assert code == 0, output
    (root,) = json.loads(output)["chain"]
    assert _steps(root) == [
        (0, "WalletTraded"),
        (1, "DecisionMade"),
        (2, "ApprovedTrade"),
        (3, "WorkStarted"),
        (4, "OrderAnnounced"),
        (5, "OrderClosed"),
        (4, "ChildSkipped"),
        (4, "OrderAnnounced"),
        (5, "OrderMatched"),
        (5, "OrderMined"),
        (4, "WorkFinished"),
    ]


async def test_why_says_the_tactic_the_skip_and_the_figures(dsn: str) -> None:
    await _record(dsn, [*UP_TO_APPROVAL, *WORK.records()])
    code, text = await _called(why.app, WORK.order_ids[0])
    assert code == 0
    assert "WorkStarted passive: buy 10 shares at $0.42 a share or better" in text
    assert "chosen by tactic.wide_spread, book $0.39 a share / $0.41 a share" in text
    assert "order 1 of passive, phase 0, post-only" in text
    assert "ChildSkipped no order in phase 1 of passive: slippage.market" in text
    assert "✗ slippage.market: 7 %, limit 5 %: failed" in text
    assert "WorkFinished partial: 8 shares of 10 shares (80 %) in 2 orders of passive" in text
    assert "slippage $0.004 a share (1 %) worse than the mid of $0.40 a share" in text
    assert "first fill after 5 s" in text


async def test_quality_prints_figures_with_an_interval_over_markets(dsn: str) -> None:
    await _record(dsn, _markets(12))
    code, text = await _called(quality.app)
    assert code == 0, text
    # 0.5 % to 1.6 % in steps of 0.1: mean 1.05 %, deviation 0.36056 %, t(11) 2.20099.
    assert "1.050 %" in text
    assert "0.821 % to 1.279 %" in text
    assert "92.3 %" in text  # 12 of 13 of the same size
    assert "13 approved trades finished, 12 filled" in text
    assert "the whole interval is above zero" in text
    assert "Little data" not in text


async def test_quality_says_plainly_when_there_is_little_data(dsn: str) -> None:
    await _record(dsn, _markets(2))
    code, text = await _called(quality.app, "--by", "market")
    assert code == 0
    assert "Little data: 2 markets" in text
    assert "one market" in text
    whole = json.loads((await _called(quality.app, "--json"))[1])["all"]
    assert whole["little_data"] is True


async def test_quality_does_not_call_an_unread_book_no_slippage(dsn: str) -> None:
    unread = Figures(mid=0, tactic=order_pb2.TACTIC_SINGLE)
    await _record(dsn, [recorded(finished("single", unread))])
    code, text = await _called(quality.app, "--json")
    assert code == 0
    whole = json.loads(text)["all"]
    assert whole["slippages"] == 0
    assert whole["mean_slippage"] is None
    assert whole["mean_better_than_limit_micro"] == 16_000
    assert "nothing can be said of slippage" in (await _called(quality.app))[1]


async def test_quality_by_phase_counts_what_each_phase_ordered_once(dsn: str) -> None:
    await _record(dsn, [*UP_TO_APPROVAL, *WORK.records()])
    code, text = await _called(quality.app, "--by", "phase", "--json")
    assert code == 0
    first, second = json.loads(text)["groups"]
    assert (first["group"], first["fill_rate"], first["first_fill_s"]) == ("0", 0.0, None)
    # 8 of 10 shares, though two kinds of liquidity each repeat the ten that were ordered.
    assert (second["group"], second["fill_rate"], second["first_fill_s"]) == ("1", 0.8, 3.0)
    assert second["maker_share"] == 0.25


async def test_quality_writes_a_row_a_work(dsn: str, tmp_path: Path) -> None:
    await _record(dsn, [*UP_TO_APPROVAL, *WORK.records(), *_markets(2)])
    file = tmp_path / "works.csv"
    assert (await _called(quality.app, "--csv", str(file)))[0] == 0
    with file.open(newline="") as opened_file:
        rows = list(csv.DictReader(opened_file))
    assert len(rows) == 4
    (row,) = [row for row in rows if row["approval_id"] == CHAIN.approval_id]
    assert (row["slippage_micro"], row["phases"]) == ("4000", "0 1")
    assert row["skip_rules"] == "slippage.market:1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--csv", "/nowhere/at/all.csv"], "cannot be written"),
        (["--since", "yesterday"], "is no time"),
        (["--by", "weather"], "weather"),
    ],
)
async def test_what_quality_cannot_do_it_says(dsn: str, arguments: list[str], said: str) -> None:
    await _record(dsn, _markets(1))
    code, text = await _called(quality.app, *arguments)
    assert code == 2
    assert said in text


async def test_quality_without_a_finished_trade_or_a_store_says_so(dsn: str) -> None:
    code, text = await _called(quality.app)
    assert code == 2
    assert "nothing was ever recorded" in text
    await _record(dsn, [listed()])
    code, text = await _called(quality.app)
    assert code == 0
    assert "there is nothing to measure" in text


async def test_quality_on_read_models_of_another_version_says_what_to_do(dsn: str) -> None:
    await _record(dsn, [listed()])
    async with opened(dsn) as (_, connection):
        await connection.execute("DROP TABLE read.execution_quality")
    code, text = await _called(quality.app)
    assert code == 2
    assert "whaletrader audit --rebuild" in text


def _risk() -> list[Record]:
    def changed(number: int, state: int, previous: int, rule: str) -> Record:
        event_id = derived_id("state", number)
        message = risk_pb2.TradingStateChanged(
            meta=meta(event_id, "", event_id, "risk", START_NS + number),
            portfolio="main",
            halted=state == risk_pb2.DESK_STATE_HALT,
            rule=rule,
            state=risk_pb2.DeskState.ValueType(state),
            previous=risk_pb2.DeskState.ValueType(previous),
            exit_condition="a person resumes",
            needs_person=True,
        )
        return to_record(Envelope("risk.alert", "main", message))

    def measured(number: int, loss_micro: int) -> Record:
        event_id = derived_id("measured", number)
        message = risk_pb2.RiskMeasured(
            meta=meta(event_id, "", event_id, "risk", START_NS + number),
            portfolio="main",
            state=risk_pb2.DESK_STATE_HALT,
            equity_micro=9_000_000_000,
            cvar_975_micro=120_000_000,
            limits=[
                risk_pb2.LimitUtilisation(
                    rule="day-loss",
                    value=loss_micro,
                    limit=500_000_000,
                    unit=common_pb2.UNIT_MICRO_USD,
                    used_micro_ratio=loss_micro // 500,
                ),
                risk_pb2.LimitUtilisation(
                    rule="market-limit", key=MARKET, value=1, limit=2, used_micro_ratio=500_000
                ),
            ],
        )
        return to_record(Envelope("risk.alert", "main", message))

    normal, reduce, halt = (
        risk_pb2.DESK_STATE_NORMAL,
        risk_pb2.DESK_STATE_REDUCE,
        risk_pb2.DESK_STATE_HALT,
    )
    return [
        changed(1, reduce, normal, "drawdown-reduce"),
        measured(2, 100_000_000),
        changed(3, halt, reduce, "day-loss"),
        measured(4, 510_000_000),
    ]


async def test_the_desks_state_and_last_measures_are_what_risk_told_last(dsn: str) -> None:
    await _record(dsn, _risk())
    async with opened(dsn) as (_, connection):
        (state,) = await desk_queries.desk_states(connection)
        changes = await desk_queries.desk_state_changes(connection)
        (measures,) = await desk_queries.risk_measures(connection)
        metrics = {row.rule: row for row in await queries.risk_metrics(connection)}
    assert (state.state, state.rule, state.since_ns) == ("halt", "day-loss", START_NS + 3)
    assert [change.state for change in changes] == ["halt", "reduce"]
    assert (measures.equity_micro, measures.cvar_975_micro) == (9_000_000_000, 120_000_000)
    # Live without any verdict: what was measured last, and whether the limit still holds.
    assert (metrics["day-loss"].value, metrics["day-loss"].passed) == (510_000_000, False)
    assert (metrics["market-limit"].detail, metrics["market-limit"].passed) == (MARKET, True)


async def test_a_difference_with_the_venue_is_kept_with_what_explains_it(dsn: str) -> None:
    failed = order_pb2.ReconciliationFailed(
        meta=meta(derived_id("failed"), "", "", "execution", START_NS + 1),
        wallet="0xwallet",
        condition_id=MARKET,
        halted=True,
        looks=2,
        differences=[
            order_pb2.HoldingDifference(
                token_id="7", condition_id=MARKET, ours_micro=1, venue_micro=2, order_ids=["0x1"]
            )
        ],
    )
    passed = order_pb2.PositionsReconciled(
        meta=meta(derived_id("passed"), "", "", "execution", START_NS),
        wallet="0xwallet",
        holdings=3,
    )
    await _record(
        dsn,
        [
            to_record(Envelope("order.events", "", passed)),
            to_record(Envelope("order.events", MARKET, failed)),
        ],
    )
    async with opened(dsn) as (_, connection):
        looks = await execution_queries.reconciliations(connection)
        (bad,) = await execution_queries.reconciliations(connection, only_failed=True)
    assert [look.passed for look in looks] == [False, True]
    assert (bad.halted, bad.looks, bad.differences[0].order_ids) == (True, 2, ("0x1",))
