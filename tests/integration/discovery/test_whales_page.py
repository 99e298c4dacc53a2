"""The whales page's API and `whaletrader whales` over what discovery said, on real PostgreSQL."""

import asyncio
import csv
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from tests.browser.desk_stage import new_desk
from tests.browser.desk_story import record
from tests.integration.gateway.gateway_desk import gateway
from tests.unit.services.discovery.discovery_world import (
    HOUR_NS,
    START_NS,
    World,
    play_skilled,
    resolved,
    ruled,
    traded,
)
from whaletrader.commands.whales import app
from whaletrader.runtime.codec import Envelope, from_stored, to_record
from whaletrader.runtime.log import Position, partition_of
from whaletrader.runtime.run import open_configured_log
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.schemas import market_pb2, whale_pb2

BODY = {"operator": "ann", "note": "knows the family"}
KEY = {"idempotency-key": "a-key-of-this-pin"}
TOPICS = {
    whale_pb2.WhaleScored: "whale.scored",
    whale_pb2.WhaleDiscovered: "whale.discovered",
    whale_pb2.WhalePruned: "whale.pruned",
}
GOOD = f"0x{'a1' * 20}"


@pytest.fixture(scope="module")
def life() -> World:
    """A world in which one wallet is found, and has one result that proves nothing."""
    world = World()
    play_skilled(world, 60)
    world.tell(traded("skilled", "odd"), START_NS + 61 * HOUR_NS)
    world.tell(resolved("odd", basis=market_pb2.RESULT_BASIS_INFERRED))
    world.tell(ruled("lucky0", whale_pb2.RULING_BAN))
    return world


async def recorded(world: World, dsn: str) -> None:
    """Put what the world said on a log under real addresses, and record it."""
    desk = await new_desk()
    for event in world.said:
        said = type(event)()
        said.CopyFrom(event)
        said.wallet = GOOD if event.wallet == "skilled" else f"0x{event.wallet.encode().hex():0>40}"
        await desk.log.append([to_record(Envelope(TOPICS[type(event)], said.wallet, said))])
    await record(desk, dsn)


async def test_a_wallets_page_tells_its_curve_markets_calibration_and_why(
    postgres_dsn: str, life: World
) -> None:
    await recorded(life, postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        board = (await client.get("/api/leaderboard")).json()
        assert len(board) == 12
        assert (board[0]["wallet"], board[0]["is_whale"]) == (GOOD, True)
        assert sum(one["ruling"] == "banned" for one in board) == 1
        page = (await client.get(f"/api/whales/{GOOD}")).json()
        assert page["markets_count"] == len(page["equity"]) == 61
        assert page["equity"][-1]["profit_micro"] == page["whale"]["profit_micro"]
        assert page["markets"][0]["is_inferred"]
        # The one that proves nothing is not among the bets that are counted.
        assert sum(one["count"] for one in page["calibration"]) == 60
        assert [turn["is_whale"] for turn in page["turns"]] == [True]
        assert {part["name"] for part in page["parts"]} >= {"size", "profitability"}
        assert all(reason["passed"] for reason in page["whale"]["reasons"])
        unknown = await client.get(f"/api/whales/0x{'9' * 40}")
        assert unknown.status_code == 404
        assert unknown.json()["error"]["code"] == "unknown_wallet"
        assert (await client.get("/api/whales/0xzz")).status_code == 422
        for path in ("/whales", f"/whales/{GOOD}"):
            html = await client.get(path)
            assert html.status_code == 200
            assert "Leaderboard" in html.text
        assert (await client.get("/whales/elsewhere")).status_code == 422


async def test_a_pin_sent_twice_is_one_event_that_discovery_obeys(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        path = f"/api/whales/{GOOD}/pin"
        answers = [await client.post(path, json=BODY, headers=KEY) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert (await client.post(f"/api/whales/{GOOD}/kill", json=BODY)).status_code == 422
        assert (await client.post(path, json={"operator": " "})).status_code == 422
        foreign = {**KEY, "origin": "http://evil.example"}
        assert (await client.post(path, json=BODY, headers=foreign)).status_code == 403
    log = await open_configured_log(RuntimeSettings(postgres_dsn=postgres_dsn))
    try:
        place = partition_of(GOOD, await log.partitions("whale.ruling"))
        records = await log.read(Position("whale.ruling", place, 0), 100)
    finally:
        await log.close()
    events = [from_stored(one) for one in records]
    assert len({event.meta.id for event in events}) == 1
    world = World()
    for event in events:
        world.tell(event, event_id=event.meta.id)
    assert [type(said) for said in world.said] == [whale_pb2.WhaleScored, whale_pb2.WhaleDiscovered]
    assert world.state.wallets[GOOD].is_whale


def test_the_command_shows_and_writes_the_same(
    postgres_dsn: str, life: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(recorded(life, postgres_dsn))
    monkeypatch.setenv("WHALETRADER_POSTGRES_DSN", postgres_dsn)
    runner = CliRunner()
    files = ["--csv", str(tmp_path / "w.csv"), "--parquet", str(tmp_path / "w.parquet")]
    board = runner.invoke(app, files)
    assert board.exit_code == 0, board.output
    assert "1 whales of 12 wallets shown" in board.output
    with (tmp_path / "w.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["wallet"] == GOOD
    assert pyarrow.parquet.read_table(tmp_path / "w.parquet").num_rows == len(rows) == 12
    page = runner.invoke(app, [GOOD[:10], "--csv", str(tmp_path / "m.csv")])
    assert "is a whale" in page.output
    assert "discovery.luck_max" in page.output
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 62
    for bad in (["0xdead"], [GOOD, "--pin", "--ban"], ["nobody", "--ban"]):
        assert runner.invoke(app, bad).exit_code == 2
    banned = runner.invoke(app, [GOOD, "--ban", "--note", "why not"])
    assert banned.exit_code == 0
    assert "ban is on the log" in banned.output
