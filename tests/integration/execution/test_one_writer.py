"""One writer a wallet, on a real PostgreSQL: a second is refused, a lost claim sends nothing."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from tests.contract.venues.trading_rig import SIGNER, VERIFY, approval, trading
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import order_pb2
from whaletrader.services.execution import wallet_lock
from whaletrader.services.execution.claims import ClaimLost, ClaimRefused, ClaimUnconfirmed
from whaletrader.services.execution.performers import Guards, SubmitPerformer
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.services.execution.wallet_lock import ClaimWatch, PostgresClaim
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner

WALLET = LocalSigner(SecretStr(DEVELOPMENT_KEY)).address.lower()
PROCESS_TIMEOUT_S = 40


async def test_a_second_writer_is_told_who_has_the_wallet(postgres_dsn: str) -> None:
    first = PostgresClaim(postgres_dsn, WALLET, "execution@one pid 1")
    second = PostgresClaim(postgres_dsn, WALLET, "execution@two pid 2")
    other = PostgresClaim(postgres_dsn, "0xother", "execution@two pid 2")
    await first.take(0)
    await other.take(0)
    with pytest.raises(ClaimRefused, match="execution@one pid 1"):
        await second.take(0.3)
    await first.confirm()
    first.require()
    await first.release()
    await second.take(5)
    await second.release()
    await other.release()


async def test_the_wallet_is_free_when_its_owner_dies_and_the_owner_knows(
    postgres_dsn: str,
) -> None:
    first = PostgresClaim(postgres_dsn, WALLET, "execution@one")
    await first.take(0)
    watching = asyncio.create_task(ClaimWatch(first).run(lambda _: None))
    await _end_session_of("execution@one", postgres_dsn)
    with pytest.raises(ClaimLost):
        await asyncio.wait_for(watching, 5)
    with pytest.raises(ClaimLost):
        first.require()
    with pytest.raises(ClaimLost):
        await first.confirm()
    second = PostgresClaim(postgres_dsn, WALLET, "execution@two")
    await second.take(5)
    await second.confirm()
    await second.release()


async def test_an_old_confirmation_counts_for_nothing(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = PostgresClaim(postgres_dsn, WALLET, "execution@one")
    await claim.take(0)
    claim.require()
    # As after a process was stopped and goes on: time has passed, and nothing was asked.
    late_s = wallet_lock.monotonic_s() + wallet_lock.FRESH_S + 1
    monkeypatch.setattr(wallet_lock, "monotonic_s", lambda: late_s)
    with pytest.raises(ClaimLost, match="too long ago"):
        claim.require()
    await claim.confirm()
    claim.require()
    await claim.release()


async def test_a_server_that_is_slow_to_answer_holds_orders_back_and_ends_nothing_at_once(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = PostgresClaim(postgres_dsn, WALLET, "execution@one")
    await claim.take(0)
    with monkeypatch.context() as slowly:
        slowly.setattr(wallet_lock, "_CONFIRM_TIMEOUT_S", 0.1)
        slowly.setattr(wallet_lock, "_OURS", "SELECT 0 * $1::bigint * $2::bigint FROM pg_sleep(60)")
        with pytest.raises(ClaimUnconfirmed):
            await claim.confirm()
        with pytest.raises(ClaimUnconfirmed):
            await ClaimWatch(claim, patience_s=0).run(lambda _: None)
    watching = asyncio.create_task(ClaimWatch(claim).run(lambda _: None))
    with pytest.raises(ClaimRefused):
        await PostgresClaim(postgres_dsn, WALLET, "execution@two").take(0.3)
    await claim.confirm()
    claim.require()
    assert not watching.done(), "the wallet was never anybody else's"
    watching.cancel()
    await claim.release()


async def test_a_zombie_does_not_send_what_it_announced_before(postgres_dsn: str) -> None:
    async with trading() as trader:
        claim = PostgresClaim(postgres_dsn, trader.venue.wallet, "execution@zombie")
        await claim.take(0)
        trader.tell(approval(), act=False)
        [effect] = [e for e in trader.core.pending.values() if e.lane]
        assert isinstance(effect.message, order_pb2.SubmitOrder)
        now_ns = trader.place.clock.now_ns
        reconciler = Reconciler(trader.venue, trader.desk, trader.news, now_ns)
        submit = SubmitPerformer(
            trader.venue, reconciler, Guards(trader.desk, VERIFY, now_ns, claim)
        )
        await _end_session_of("execution@zombie", postgres_dsn)
        with pytest.raises(EffectRetry, match="lost"):
            await submit(Effect(effect.message, "lane", "x"), False)
        assert trader.place.line.requests["POST /order"] == 0
        # Whoever took over sends the very same order, and it is there once.
        heir = PostgresClaim(postgres_dsn, trader.venue.wallet, "execution@heir")
        await heir.take(5)
        submit = SubmitPerformer(
            trader.venue, reconciler, Guards(trader.desk, VERIFY, now_ns, heir)
        )
        await submit(Effect(effect.message, "lane", "x"), True)
        assert len(trader.place.orders()) == 1
        await heir.release()


async def test_a_second_process_refuses_to_start_and_says_who_trades(
    postgres_dsn: str, nats_url: str, tmp_path: Path
) -> None:
    holder = PostgresClaim(postgres_dsn, WALLET, "execution@desk pid 4711")
    await holder.take(0)
    key = tmp_path / "risk.pub.pem"
    key.write_bytes(SIGNER.public_pem())
    environment = os.environ | {
        "WHALETRADER_LOG": "postgres",
        "WHALETRADER_MODE": "demo",
        "WHALETRADER_POSTGRES_DSN": postgres_dsn,
        "WHALETRADER_NATS_URL": nats_url,
        "WHALETRADER_EXCHANGE_URL": "http://127.0.0.1:9",
        "WHALETRADER_RISK_PUBLIC_KEY_PATH": str(key),
        "WHALETRADER_EXECUTION_CLAIM_WAIT_S": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "whaletrader.services.execution",
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), PROCESS_TIMEOUT_S)
    assert process.returncode == 1
    last = said.decode().strip().splitlines()[-1]
    assert "execution@desk pid 4711" in last
    assert last.startswith("execution does not start")
    await holder.release()


async def _end_session_of(name: str, dsn: str) -> None:
    """End a session as its server's administrator would, or a broken network."""
    connection = await asyncpg.connect(dsn)
    try:
        ended = await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = $1",
            name,
        )
        assert ended == 1
        await asyncio.sleep(0.2)
    finally:
        await connection.close()
