"""A running stack: the exchange's process, execution's process, and the log between.

The test plays the rest: the catalogue, risk (it signs approvals and appends them), the weather's
operator, and whoever trades against us, with the official client. `settled` holds what was said
against the exchange's own books.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from google.protobuf.message import Message
from polymarket import AsyncSecureClient
from polymarket.errors import RequestRejectedError, UnexpectedResponseError
from pydantic import SecretStr

from tests.chaos.faults.market import BUY, CENT, RISK, SHARE, Market
from tests.chaos.faults.processes import Process
from tests.chaos.faults.told import Told
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.codec import Envelope, key_of, to_record
from whaletrader.runtime.log import Log
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.topics import TOPICS
from whaletrader.schemas import control_pb2, market_pb2, risk_pb2
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.signer import LocalSigner

OUR_KEY, THEIR_KEY = "0x" + "31" * 32, "0x" + "32" * 32
WALLET = LocalSigner(SecretStr(OUR_KEY)).address
RIVAL = LocalSigner(SecretStr(THEIR_KEY)).address
CASH_USD = 1_000_000
EXCHANGE = "whaletrader.services.exchange"
EXECUTION = "whaletrader.services.execution"
DYING = "tests.chaos.faults.dying_execution"
_TOPIC_OF: dict[type[Message], str] = {
    market_pb2.MarketListed: "market.catalog",
    risk_pb2.ApprovedTrade: "trade.approved",
    control_pb2.ControlOrdered: "control",
}
# Far more than anything takes here: a machine may be busy with something else.
PATIENCE_S = 120.0
_READS_AT_ONCE = 8
# Quick looks, so that a test waits for no minute; the rest is the product's own default.
SETTINGS = {
    "TACTIC": "single",
    "WORKING_TIME_S": "60",
    "RECONCILE_EVERY_S": "2",
    "HOLDINGS_EVERY_S": "4",
    "LOOK_AFTER_MS": "400",
    "UNKNOWN_GRACE_S": "12",
    "CLAIM_WAIT_S": "5",
}


@dataclass
class Stack:
    """Everything that runs, and what was said of it."""

    url: str
    dsn: str
    nats_url: str
    folder: Path
    log: Log
    http: httpx.AsyncClient
    # Trades against us; and reads our own wallet beside execution.
    rival: AsyncSecureClient
    auditor: AsyncSecureClient
    execution: Process
    told: Told = field(default_factory=Told)
    markets: int = 0
    # How many orders others have placed: the rest at the exchange must be ours.
    rival_orders: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    mode: str = "paper"
    approvals: dict[str, risk_pb2.ApprovedTrade] = field(default_factory=dict)

    def environment(self, **settings: str) -> dict[str, str]:
        """Return execution's environment; `settings` without their prefix."""
        chosen = {f"WHALETRADER_EXECUTION_{k}": v for k, v in (SETTINGS | settings).items()}
        return chosen | {
            "WHALETRADER_LOG": "postgres",
            "WHALETRADER_MODE": self.mode,
            "WHALETRADER_POSTGRES_DSN": self.dsn,
            "WHALETRADER_NATS_URL": self.nats_url,
            "WHALETRADER_EXCHANGE_URL": self.url,
            "WHALETRADER_DATA_DIR": str(self.folder),
            "WHALETRADER_RISK_PUBLIC_KEY_PATH": str(self.folder / "risk.pub.pem"),
            "WHALETRADER_EXECUTION_PRIVATE_KEY": OUR_KEY,
        }

    async def start(self, module: str = EXECUTION, **settings: str) -> None:
        """Begin a life of execution."""
        self.settings = settings
        self.execution = Process(module, self.folder)
        await self.execution.start(**self.environment(**settings))

    async def use(self, **settings: str) -> None:
        """Have execution run under these settings; a life under others is killed."""
        if settings != self.settings or not self.execution.is_running:
            await self.execution.kill()
            await self.start(**settings)

    async def break_session(self, process: Process) -> None:
        """End a process's claim to the wallet as a broken network would: on the server."""
        connection = await asyncpg.connect(self.dsn)
        try:
            ended = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE application_name LIKE $1",
                f"%pid {process.pid}",
            )
        finally:
            await connection.close()
        assert ended == 1, "one session holds the claim"

    # -- what others do ------------------------------------------------------------------

    async def market(self) -> Market:
        """List a new market at the exchange and in the catalogue."""
        self.markets += 1
        market = Market(self.markets)
        await self.admin("POST", "markets", {"markets": [market.row()]})
        await self.append(market.listing())
        return market

    async def approve(self, *approvals: risk_pb2.ApprovedTrade) -> None:
        """Say on the log that risk has approved."""
        self.approvals |= {approval.approval_id: approval for approval in approvals}
        await self.append(*approvals)

    async def append(self, *messages: Message) -> None:
        topics = [(_TOPIC_OF[type(message)], message) for message in messages]
        await self.log.append(
            [to_record(Envelope(topic, key_of(topic, it), it)) for topic, it in topics]
        )

    async def rest(self, token_id: str, cents: float, shares: float, side: str = "BUY") -> str:
        """Have the rival place a limit order; return its id."""
        placed: Any = await self.rival.place_limit_order(
            asset_id=token_id, price=str(cents / 100), size=str(shares), side=side
        )
        assert placed.ok, placed
        self.rival_orders += 1
        return str(placed.order_id)

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body)
        answer = await self.http.request(method, f"/admin/{path}", content=content)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def blow(self, *rules: dict[str, Any], seed: int = 1) -> None:
        """Set the weather over our wallet; `posts` counts our orders as they arrive."""
        count = {"effect": "latency", "id": "posts", "endpoints": ["POST /order"]}
        chosen = [{"accounts": [WALLET]} | rule for rule in (count, *rules)]
        await self.admin("PUT", "weather", {"rules": chosen, "seed": seed})

    async def struck(self) -> dict[str, int]:
        """Return, by rule, how often the weather acted."""
        rows = (await self.admin("GET", "weather"))["rules"]
        return {row["rule"]["id"]: row["done"] for row in rows}

    # -- what is waited for, and what must hold ------------------------------------------

    async def until(
        self, holds: Callable[[], Any | Awaitable[Any]], what: str, timeout_s: float = PATIENCE_S
    ) -> None:
        """Wait for a condition over what was said; fail with execution's last words."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            await self.told.read(self.log)
            found = holds()
            if found if not isinstance(found, Awaitable) else await found:
                return
            if time.monotonic() > deadline_s or not self.execution.is_running:
                raise AssertionError(
                    f"{what}: did not come\nlast events: {', '.join(self.told.kinds)}\n"
                    f"{self.execution.last_words()}"
                )
            await asyncio.sleep(0.05)

    async def until_struck(self, rule: str, times: int = 1) -> None:
        """Wait until a rule of the weather has acted."""

        async def has_struck() -> bool:
            return (await self.struck())[rule] >= times

        await self.until(has_struck, f"weather {rule!r} over us")

    async def until_live(self, approval_id: str) -> str:
        """Wait until an approval's order is on the book; return its id."""

        def is_live() -> bool:
            orders = self.told.orders_of(approval_id)
            return bool(orders) and self.told.accepted[orders[-1].order.order_id] > 0

        await self.until(is_live, f"order of {approval_id} accepted")
        return self.told.orders_of(approval_id)[-1].order.order_id

    async def until_finished(self, approval_id: str, timeout_s: float = PATIENCE_S) -> int:
        """Wait until an approval is worked to its end; return what it filled, confirmed."""
        await self.until(
            lambda: approval_id in self.told.finished, f"{approval_id} finished", timeout_s
        )
        return self.told.finished[approval_id].filled_size_micro

    async def settled(self, timeout_s: float = PATIENCE_S) -> None:
        """Check every invariant against the exchange's own books, once all is at rest."""
        await self.until(lambda: not self.told.open_ids, "every order's end", timeout_s)
        await self.until(self._books_agree, f"equal books ({await self.compared()})", timeout_s)
        told = self.told
        assert not told.wrong
        assert all(len(ends) == 1 for ends in told.closed.values()), "one end an order"
        assert not any(it.halted for it in told.differences), told.differences
        self._nothing_beyond_an_approval()
        state = await self.admin("GET", "state")
        assert state["conserved"]
        assert state["accounts"][WALLET.lower()]["open_orders"] == 0
        there = await self._matched_at_venue()
        assert {name: told.standing_micro(name) for name in there} == there
        assert all(told.standing_micro(name) == 0 for name in set(told.announced) - set(there))
        assert state["orders"] == len(there) + self.rival_orders, "an order of ours twice"

    async def is_at_venue(self, order_id: str) -> bool:
        """Whether the exchange has or had an order of ours under this id."""
        return await self._matched(order_id) is not None

    async def _matched(self, order_id: str) -> int | None:
        try:
            row = await self.auditor.get_order(order_id=order_id)
        except (RequestRejectedError, UnexpectedResponseError):
            return None
        return int(row.size_matched * SHARE)

    async def _matched_at_venue(self) -> dict[str, int]:
        """Return what the exchange has matched of each of our announced orders that it knows."""
        slots = asyncio.Semaphore(_READS_AT_ONCE)

        async def matched(order_id: str) -> int | None:
            async with slots:
                return await self._matched(order_id)

        names = list(self.told.announced)
        found = await asyncio.gather(*(matched(name) for name in names))
        return {name: size for name, size in zip(names, found, strict=True) if size is not None}

    async def compared(self) -> str:
        row = await self._our_account()
        return (
            f"positions {self.told.positions()} / {row['positions']}, "
            f"cash {CASH_USD * SHARE - self.told.spent_micro()} / {row['cash_micro']}"
        )

    async def _books_agree(self) -> bool:
        row = await self._our_account()
        cash = CASH_USD * SHARE - self.told.spent_micro()
        return bool(row["positions"] == self.told.positions() and row["cash_micro"] == cash)

    def _nothing_beyond_an_approval(self) -> None:
        for order in self.told.announced.values():
            ref = order.order
            approval = self.approvals[ref.approval_id]
            worse = (ref.price_micro - approval.limit_price_micro) * (
                1 if approval.side == BUY else -1
            )
            assert worse <= 0, "beyond the limit"
            assert (ref.token_id, ref.side) == (approval.token_id, approval.side)
        for name, approval in self.approvals.items():
            assert self.told.filled_micro(name) <= approval.size_micro, f"{name} is overfilled"

    async def _our_account(self) -> dict[str, Any]:
        state = await self.admin("GET", "state")
        row: dict[str, Any] = state["accounts"][WALLET.lower()]
        return row


@contextlib.asynccontextmanager
async def stack(
    dsn: str, nats_url: str, folder: Path, arguments: Sequence[str] = (), **settings: str
) -> AsyncIterator[Stack]:
    """Run an exchange and execution; `settings` are execution's, without their prefix."""
    (folder / "risk.pub.pem").write_bytes(RISK.public_pem())
    exchange = Process(
        EXCHANGE, folder, "--mode", "agents", "--markets", "none", "--traders", "0", *arguments
    )
    await exchange.start()
    log = await open_log("postgres", postgres_dsn=dsn, now_ns=WallClock().now_ns)
    made: Stack | None = None
    try:
        await log.create_topics(TOPICS)
        url = await exchange.first_line()
        # A kept connection may be closed by the server at the moment it is used again.
        fresh = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=fresh) as http:
            for address in (WALLET, RIVAL):
                body = {"address": address, "collateral": str(CASH_USD)}
                (await http.post("/admin/accounts", json=body)).raise_for_status()
            place = environment_at(url)
            create = AsyncSecureClient.create
            async with (
                await create(private_key=THEIR_KEY, wallet=RIVAL, environment=place) as rival,
                await create(private_key=OUR_KEY, wallet=WALLET, environment=place) as auditor,
            ):
                execution = Process(EXECUTION, folder)
                made = Stack(url, dsn, nats_url, folder, log, http, rival, auditor, execution)
                await made.start(**settings)
                yield made
    finally:
        if made is not None:
            await made.execution.kill()
        await exchange.kill()
        await log.close()


__all__ = ["CENT", "SHARE", "Stack", "stack"]
