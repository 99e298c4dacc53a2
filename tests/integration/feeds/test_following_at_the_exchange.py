"""Followed wallets at a running exchange: their trades reach the log, once, after their market."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from eth_account import Account

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    BOB_KEY,
    CONDITION,
    NO,
    YES,
    Rig,
    rig,
)
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.codec import from_stored
from whaletrader.runtime.log import Position
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.runtime.settings import Mode, RuntimeSettings
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import TOPICS, journal_topic
from whaletrader.runtime.worker import FreeWorker, Tools
from whaletrader.schemas import follow_pb2, market_pb2, wallet_pb2
from whaletrader.services.feeds.following.agent import FollowAgent
from whaletrader.services.feeds.following.config import FollowSettings
from whaletrader.services.feeds.following.reading import EndReader, MarketReader, WalletReader
from whaletrader.services.feeds.following.sources import Doorbell, Roster
from whaletrader.venues.polymarket.history.calls import Caller, CallOptions
from whaletrader.venues.polymarket.history.data_api import DataApi
from whaletrader.venues.polymarket.history.gamma import Gamma

ALICE = Account.from_key(ALICE_KEY).address.lower()
WAIT_S = 60.0


class Desk:
    """A log, and lives of feeds on it."""

    def __init__(self, venue: Rig) -> None:
        self.log = MemoryLog(WallClock().now_ns)
        self.settings = FollowSettings(
            wallets=ALICE, venue_url=venue.url, poll_s=1, ends_s=1, requests_per_s=20
        )

    async def live(self) -> "Life":
        client = httpx.AsyncClient()
        options = CallOptions(requests_per_s=self.settings.requests_per_s)
        api = DataApi(Caller(client, self.settings.data_url, options))
        gamma = Gamma(Caller(client, self.settings.gamma_url, options))
        policy = Policy(deadline_s=60, attempts_max=1)
        service = Service(
            lambda: FollowAgent(self.settings),
            edges={
                follow_pb2.ReadWallet: Edge(WalletReader(api), policy),
                follow_pb2.LookUpMarkets: Edge(MarketReader(gamma), policy),
                follow_pb2.LookUpEnds: Edge(EndReader(api), policy),
            },
        )
        telemetry = Telemetry("feeds")
        tools = Tools(self.log, WallClock(), RuntimeSettings(mode=Mode.PAPER), service, telemetry)
        membership = await self.log.join("feeds", "one", journal_topic("feeds"))
        worker = FreeWorker(tools, await membership.claim(0, ()))
        await worker.restore()
        roster = self.settings.roster()
        bell = Doorbell(self.settings.stream_url, roster)
        return Life(worker, client, [Roster(roster, 1, WallClock()), bell])

    async def said(self, topic: str) -> list[Any]:
        found: list[Any] = []
        for partition in range(await self.log.partitions(topic)):
            found += [
                from_stored(it) for it in await self.log.read(Position(topic, partition, 0), 999)
            ]
        return found

    async def until(self, topic: str, count: int) -> list[Any]:
        async with asyncio.timeout(WAIT_S):
            while len(found := await self.said(topic)) < count:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)
        return found


class Life:
    """One incarnation of feeds."""

    def __init__(self, worker: FreeWorker, client: httpx.AsyncClient, sources: list[Any]) -> None:
        self.worker = worker
        self.client = client
        self.stopping = asyncio.Event()
        work = [source.run(worker.put_fact) for source in sources]
        self.tasks = [asyncio.create_task(it) for it in [worker.run(self.stopping), *work]]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.worker.stop()
        await self.client.aclose()


@pytest.fixture
async def venue() -> AsyncIterator[Rig]:
    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        await made.fund(Account.from_key(BOB_KEY).address)
        yield made


async def trade(venue: Rig, price: str) -> None:
    """Have Alice buy YES and Bob NO, twenty shares each."""
    bob = Account.from_key(BOB_KEY).address
    async with venue.client(ALICE_KEY, ALICE) as ours, venue.client(BOB_KEY, bob) as theirs:
        await ours.place_limit_order(asset_id=YES, price=price, size=20, side="BUY")
        other = f"{1 - float(price):.2f}"
        await theirs.place_limit_order(asset_id=NO, price=other, size=20, side="BUY")


async def test_a_followed_wallet_is_heard_once_over_restarts_until_its_market_is_decided(
    venue: Rig,
) -> None:
    await trade(venue, "0.60")
    desk = Desk(venue)
    await desk.log.create_topics(TOPICS)
    life = await desk.live()
    [first] = await desk.until("wallet.trades", 1)
    assert isinstance(first, wallet_pb2.WalletTraded)
    assert (first.wallet, first.condition_id, first.token_id) == (ALICE, CONDITION, YES)
    assert (first.price_micro, first.size_micro, first.outcome_index) == (600_000, 20_000_000, 0)
    [listed] = await desk.said("market.catalog")
    assert [token.token_id for token in listed.tokens] == [YES, NO]
    assert (listed.fee_rate_micro, listed.tick_size_micro) == (50_000, 10_000)
    await life.end()
    # Traded while nobody looked: read after the restart, and the first one is not said again.
    await trade(venue, "0.55")
    life = await desk.live()
    trades = await desk.until("wallet.trades", 2)
    assert {one.price_micro for one in trades} == {600_000, 550_000}
    await venue.admin("resolve", {"condition_id": CONDITION, "winning_index": 0})
    async with asyncio.timeout(WAIT_S):
        while True:
            data = await desk.said("market.data")
            ends = [it for it in data if isinstance(it, market_pb2.MarketResolved)]
            if ends:
                break
            await asyncio.sleep(0.05)
    await life.end()
    assert [(one.winning_index, one.winning_token_id) for one in ends] == [(0, YES)]
    assert len(await desk.said("wallet.trades")) == 2
    assert len(await desk.said("market.catalog")) == 1
    assert await desk.said("dead.letter") == []
