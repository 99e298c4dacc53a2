"""What a restart brings back: books, money, keys; and how a caller knows what was lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tests.contract.exchange.exchange_rig import ALICE_KEY, NO, YES, rig
from whaletrader.services.exchange.__main__ import main
from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import running
from whaletrader.services.exchange.wire import saved

ALICE = Account.from_key(ALICE_KEY).address


async def ids(client: Any) -> list[str]:
    return [o.id async for page in client.list_open_orders() for o in page.items]


async def test_a_clean_stop_loses_nothing(tmp_path: Path) -> None:
    async with rig(mode="agents", state=tmp_path) as first:
        await first.fund(ALICE)
        async with first.client(ALICE_KEY, ALICE) as alice:
            placed = await alice.place_limit_order(asset_id=YES, price="0.3", size=5, side="BUY")
            keys = alice.credentials
        before = (await first.http.get("/admin/state")).json()
    async with rig(mode="agents", state=tmp_path) as again:
        after = (await again.http.get("/admin/state")).json()
        for name in ("boot_id", "digest", "accounts", "orders", "conserved"):
            assert after[name] == before[name]
        async with again.client(ALICE_KEY, ALICE, credentials=keys) as alice:
            assert await ids(alice) == [placed.order_id]
            taken = await alice.place_limit_order(asset_id=NO, price="0.3", size=5, side="BUY")
            assert taken.ok
            assert len((await alice.cancel_all()).canceled) == 2


async def test_a_snapshot_from_before_a_crash_is_another_venue(tmp_path: Path) -> None:
    async with rig(mode="agents", state=tmp_path, state_every_s=1) as first:
        await first.fund(ALICE)
        boot_id = first.venue.boot_id
        for _ in range(600):
            if (tmp_path / saved.FILE).exists():
                break
            await asyncio.sleep(0.05)
        kept = (tmp_path / saved.FILE).read_bytes()
    # As if it had been killed: the file of a clean stop was never written.
    (tmp_path / saved.FILE).write_bytes(kept)
    async with rig(mode="agents", state=tmp_path) as again:
        assert again.venue.boot_id != boot_id
        state = (await again.http.get("/admin/state")).json()
        assert state["accounts"][ALICE.lower()]["cash_micro"] == 1_000_000_000


async def test_a_clean_snapshot_counts_as_clean_once(tmp_path: Path) -> None:
    config = ExchangeConfig(mode="agents", state=tmp_path)
    async with running(config) as (_, venue):
        boot_id = venue.boot_id
    async with running(config) as (_, venue):
        assert venue.boot_id == boot_id
        kept = (tmp_path / saved.FILE).read_bytes()
    (tmp_path / saved.FILE).write_bytes(kept)
    async with running(config) as (_, venue):
        assert venue.boot_id != boot_id


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x81\xa7version\x02"])
def test_a_damaged_file_is_named_and_nothing_starts(
    tmp_path: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / saved.FILE).write_bytes(damage)
    assert main(["--state", str(tmp_path)]) == 2
    assert "move it away" in capsys.readouterr().err
    assert (tmp_path / saved.FILE).read_bytes() == damage


async def test_another_mode_does_not_take_up_the_state(tmp_path: Path) -> None:
    async with rig(mode="agents", state=tmp_path):
        pass
    with pytest.raises(saved.BadState, match="--mode agents"):
        async with rig(state=tmp_path):
            pass
