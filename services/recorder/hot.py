"""Keeps in Redis what dashboards read hot, and tells them on a channel what has changed.

Everything here comes from the read models: Redis may vanish, restart empty or never exist, and
nothing is lost. While it is away nobody waits for it; when it is back it is filled anew.

    whaletrader:hot:<view>     JSON array of rows, as `store.rows` names their fields
    whaletrader:live           channel: {"view", "rows": changed, "gone": keys, "full": bool}
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from whaletrader.services.recorder.config import RecorderSettings
from whaletrader.services.recorder.metrics import RecorderMetrics
from whaletrader.store import queries
from whaletrader.store.rows import Row
from whaletrader.store.tables import Touched

_LOG = logging.getLogger(__name__)

CHANNEL: Final = "whaletrader:live"
# A Redis that does not answer in this time counts as gone.
REDIS_TIMEOUT_S: Final = 2.0

Key = tuple[Any, ...]


def hot_key(view: str) -> str:
    """Return the Redis key of a view."""
    return f"whaletrader:hot:{view}"


@dataclass(frozen=True, slots=True)
class View:
    """One list of rows: what tells them apart, which tables change it, how it is read."""

    name: str
    key: tuple[str, ...]
    tables: frozenset[str]
    read: Callable[[queries.Database, int], Awaitable[Sequence[Row]]]


VIEWS: Final = (
    View(
        "portfolio",
        ("portfolio",),
        frozenset({"current_portfolio_state"}),
        lambda db, _: queries.portfolio_states(db),
    ),
    View(
        "positions",
        ("portfolio", "condition_id", "token_id", "leader"),
        frozenset({"positions", "current_portfolio_state"}),
        lambda db, _: queries.positions(db),
    ),
    View("whales", ("wallet",), frozenset({"whale_leaderboard"}), queries.whales),
    View("decisions", ("id",), frozenset({"decisions"}), queries.decisions),
    View("rejections", ("id",), frozenset({"rejections"}), queries.rejections),
    View("orders", ("order_id",), frozenset({"orders", "fills"}), queries.orders),
    View("fills", ("order_id", "trade_id"), frozenset({"fills"}), queries.fills),
    View("alerts", ("id",), frozenset({"alerts"}), queries.alerts),
    View(
        "risk",
        ("portfolio", "rule"),
        frozenset({"risk_metrics_live"}),
        lambda db, _: queries.risk_metrics(db),
    ),
    View(
        "control",
        ("portfolio",),
        frozenset({"control_state"}),
        lambda db, _: queries.control_states(db),
    ),
    View(
        "agents",
        ("agent",),
        frozenset({"agent_progress", "agents_health"}),
        lambda db, _: queries.agents(db),
    ),
    View("dead_letters", ("id",), frozenset({"dead_letters"}), queries.dead_letters),
)


class HotState:
    """Follows the read models into Redis for as long as the process lives."""

    def __init__(
        self, redis_url: str, dsn: str, settings: RecorderSettings, metrics: RecorderMetrics
    ) -> None:
        self._redis_url = redis_url
        self._dsn = dsn
        self._settings = settings
        self._metrics = metrics
        self._changed: set[str] = set()
        self._told: dict[str, dict[Key, bytes]] = {}

    def changed(self, touched: Touched) -> None:
        """Note which tables have changed. Costs nothing, whatever Redis does."""
        self._changed.update(touched)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except (
                RedisError,
                OSError,
                TimeoutError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ) as error:
                _LOG.warning("hot state stands still: %r", error)
            self._metrics.hot.set(0)
            await asyncio.sleep(self._settings.hot_retry_s)

    async def _follow(self) -> None:
        redis = Redis.from_url(
            self._redis_url,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        connection = await asyncpg.connect(
            self._dsn,
            timeout=self._settings.connect_timeout_s,
            command_timeout=self._settings.statement_timeout_s,
            server_settings={"application_name": "whaletrader-hot", "jit": "off"},
        )
        try:
            # It may have been replaced by an empty one: tell everything.
            self._told.clear()
            await redis.ping()
            for view in VIEWS:
                await self._refresh(redis, connection, view)
            self._metrics.hot.set(1)
            while True:
                await asyncio.sleep(self._settings.hot_interval_s)
                changed, self._changed = self._changed, set()
                due = [view for view in VIEWS if view.tables & changed]
                for view in due:
                    await self._refresh(redis, connection, view)
                if not due:
                    # Restarted meanwhile, it may be empty.
                    await self._check_filled(redis)
        finally:
            connection.terminate()
            await redis.aclose()

    async def _check_filled(self, redis: Redis) -> None:
        if not await redis.exists(hot_key(VIEWS[0].name)):
            raise ConnectionResetError("Redis has lost what it held")

    async def _refresh(self, redis: Redis, connection: queries.Database, view: View) -> None:
        found = await view.read(connection, self._settings.hot_rows)
        rows = {_key_of(view, row): msgspec.json.encode(row) for row in found}
        told = self._told.get(view.name)
        fresh = [row for key, row in rows.items() if told is None or told.get(key) != row]
        gone = [key for key in told or () if key not in rows]
        if told is not None and not fresh and not gone:
            return
        news = {
            "view": view.name,
            "rows": [msgspec.Raw(row) for row in fresh],
            "gone": gone,
            "full": told is None,
        }
        pipe = redis.pipeline(transaction=True)
        pipe.set(hot_key(view.name), b"[" + b",".join(rows.values()) + b"]")
        pipe.publish(CHANNEL, msgspec.json.encode(news))
        await pipe.execute()
        self._told[view.name] = rows


def _key_of(view: View, row: Row) -> Key:
    return tuple(getattr(row, name) for name in view.key)
