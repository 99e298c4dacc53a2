"""Reads of the portfolio, its orders and positions, the wallets and the agents.

Each function is one question of the dashboard. What `whaletrader.store.queries` answers is taken
from there; the rest is asked of the read models here. Decisions and chains have rooms of their
own. Called by the API and by the live pushes.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from whaletrader.domain.money import MICRO, notional
from whaletrader.runtime.log import partition_of
from whaletrader.runtime.topics import BY_NAME
from whaletrader.services.gateway import views
from whaletrader.services.gateway.store import Row, Store
from whaletrader.store import queries, rows

CURVE_POINTS: Final = 500
# Where valuations are said.
_VALUED: Final = BY_NAME["portfolio.attribution"]

_REASONS: Final = msgspec.json.Decoder(list[dict[str, Any]])

# The name of a token's outcome ("Yes"), from its market's row m.
TOKEN_NAME: Final = """
COALESCE((SELECT t ->> 'outcome' FROM jsonb_array_elements(m.tokens) AS t
          WHERE t ->> 'token_id' = x.token_id LIMIT 1), '') AS token_name
"""

_SUMMARY: Final = """
SELECT
    s.event_time_ns, s.cash_micro, s.positions_value_micro, s.positions_cost_micro,
    s.realized_micro, s.fees_micro, s.open_positions,
    (SELECT count(*) FROM read.orders AS o WHERE o.portfolio = $1
        AND o.status IN ('announced', 'accepted', 'unknown')) AS open_orders,
    (SELECT count(*) FROM read.whale_leaderboard AS w WHERE w.is_whale) AS whales,
    (SELECT COALESCE(sum(p.events), 0)::bigint FROM store.position AS p) AS events,
    (SELECT CASE WHEN a.rule = 'day-loss' THEN a.event_time_ns ELSE 0 END FROM read.alerts AS a
        WHERE a.kind = 'risk' AND a.portfolio = $1
        AND a.rule IN ('day-loss', 'day-over', 'operator-resume')
        ORDER BY a.log_time_ns DESC, a.event_time_ns DESC LIMIT 1) AS risk_stopped_ns
FROM (SELECT 1) AS one
LEFT JOIN read.current_portfolio_state AS s ON s.portfolio = $1
"""


_ORDERS: Final = f"""
SELECT x.*, COALESCE(m.question, '') AS question, {TOKEN_NAME},
    COALESCE(f.filled_micro, 0)::bigint AS filled_micro,
    COALESCE(f.provisional_micro, 0)::bigint AS provisional_micro,
    COALESCE(f.fee_micro, 0)::bigint AS fee_micro
FROM (SELECT * FROM read.orders WHERE portfolio = $1
      ORDER BY announced_ns DESC, order_id LIMIT $2) AS x
LEFT JOIN read.markets AS m USING (condition_id)
LEFT JOIN LATERAL (
    SELECT sum(size_micro) AS filled_micro, sum(fee_micro) AS fee_micro,
        sum(size_micro) FILTER (WHERE status = 'matched') AS provisional_micro
    FROM read.fills WHERE order_id = x.order_id AND status <> 'reversed'
) AS f ON true
ORDER BY x.announced_ns DESC, x.order_id
"""

# A market's last trade prices both of its tokens: one is worth what the other is not.
_POSITIONS: Final = f"""
SELECT x.*, COALESCE(m.question, '') AS question, {TOKEN_NAME},
    l.price_micro AS mark_micro, l.token_id AS mark_token_id
FROM read.positions AS x
LEFT JOIN read.markets AS m USING (condition_id)
LEFT JOIN LATERAL (
    SELECT token_id, price_micro FROM read.last_prices
    WHERE token_id = x.token_id OR token_id IN (
        SELECT t ->> 'token_id' FROM jsonb_array_elements(m.tokens) AS t)
    ORDER BY event_time_ns DESC LIMIT 1
) AS l ON true
WHERE x.portfolio = $1 AND x.size_micro <> 0
ORDER BY x.cost_micro DESC, x.token_id, x.leader LIMIT $2
"""


# In the order of the log, which is that of the books: a fill of an earlier moment may come after
# a resolution of a later one, and counts from then on. Whole nanoseconds: as floating point
# numbers, neighbouring points would fall together.
_CURVE: Final = """
SELECT DISTINCT ON (stretch) at_ns, log_offset, realized_micro, fees_micro, open_micro
FROM (
    SELECT placed.*, (at_ns - min(at_ns) OVER ())
        / GREATEST(1, (max(at_ns) OVER () - min(at_ns) OVER ()) / $6) AS stretch
    FROM (
        SELECT e."offset" AS log_offset, c.realized_micro, c.fees_micro,
            c.positions_value_micro - c.positions_cost_micro AS open_micro,
            GREATEST($5, max(c.event_time_ns) OVER (ORDER BY e."offset")) AS at_ns
        FROM store.events AS e JOIN read.profit_curve AS c
            ON c.portfolio = $1 AND c.event_time_ns = e.event_time_ns AND c.event_id = e.id
        WHERE e.topic = $2 AND e.partition = $3 AND e."offset" > $4
    ) AS placed
) AS divided
ORDER BY stretch, log_offset DESC
"""


def reasons(text: str | None, by: str = "") -> list[views.Reason]:
    """Return reasons as the read models store them."""
    return [views.Reason(by=by, **one) for one in _REASONS.decode(text or "[]")]


async def summary(store: Store, portfolio: str) -> views.Summary:
    row = await store.fetchrow(_SUMMARY, portfolio)
    if row is None or row["event_time_ns"] is None:
        counts = {} if row is None else _counts(row)
        return views.Summary(portfolio=portfolio, **counts)
    realized = row["realized_micro"] - row["fees_micro"]
    opened = row["positions_value_micro"] - row["positions_cost_micro"]
    return views.Summary(
        portfolio=portfolio,
        as_of_ns=row["event_time_ns"],
        cash_micro=row["cash_micro"],
        positions_value_micro=row["positions_value_micro"],
        exposure_micro=row["positions_cost_micro"],
        fees_micro=row["fees_micro"],
        realized_after_fees_micro=realized,
        open_profit_micro=opened,
        profit_micro=realized + opened,
        open_positions=row["open_positions"],
        **_counts(row),
    )


async def orders(store: Store, portfolio: str, limit: int) -> list[views.Order]:
    rows = await store.fetch(_ORDERS, portfolio, limit)
    copied = views.Order.model_fields.keys() - {"reasons"}
    return [
        views.Order(**{name: row[name] for name in copied}, reasons=reasons(row["reasons"]))
        for row in rows
    ]


async def positions(store: Store, portfolio: str, limit: int) -> list[views.Position]:
    return [_position(row) for row in await store.fetch(_POSITIONS, portfolio, limit)]


async def curve(
    store: Store,
    portfolio: str,
    points: int = CURVE_POINTS,
    after: views.CurvePoint | None = None,
) -> views.Curve:
    """Return the curve, or what follows a point of it; thinned to about `points`, oldest first.

    What follows may begin at the same moment as the point: then it replaces it.
    """
    found = await store.fetch(
        _CURVE,
        portfolio,
        _VALUED.name,
        partition_of(portfolio, _VALUED.partitions),
        after.log_offset if after is not None else -1,
        after.at_ns if after is not None else 0,
        points,
    )
    return views.Curve(portfolio=portfolio, points=[_point(row) for row in found])


async def whales(store: Store, portfolio: str, limit: int) -> list[views.Whale]:
    """Return the leaderboard, whales first, with what copying each has brought us."""
    copied = {one.leader: one for one in await queries.profit_by_leader(store, portfolio)}
    return [_whale(whale, copied.get(whale.wallet)) for whale in await queries.whales(store, limit)]


async def rejections(store: Store) -> list[views.RuleCount]:
    return [
        views.RuleCount(**msgspec.structs.asdict(row))
        for row in await queries.rejections_by_rule(store)
    ]


async def alerts(store: Store, limit: int) -> list[views.Alert]:
    found = await queries.alerts(store, limit)
    markets = await queries.markets(store, sorted({row.condition_id for row in found}))
    questions = {market.condition_id: market.question for market in markets}
    return [
        views.Alert(
            id=row.id,
            kind=row.kind,
            severity=row.severity,
            rule=row.rule,
            condition_id=row.condition_id,
            question=questions.get(row.condition_id, ""),
            event_time_ns=row.event_time_ns,
            reasons=held(row.reasons),
        )
        for row in found
    ]


async def agents(store: Store) -> list[views.AgentView]:
    return [
        views.AgentView(
            agent=row.agent,
            status=row.status or "working",
            inputs=row.inputs,
            events=row.events,
            effects=row.effects,
            pending_effects=row.pending_effects,
            open_circuits=list(row.open_circuits),
            last_ns=max(row.log_time_ns, row.health_log_time_ns),
        )
        for row in await queries.agents(store)
    ]


async def latency(store: Store) -> list[views.Hop]:
    """Return the hops, slowest first by median."""
    hops = [
        views.Hop(
            cause=hop.cause_type.rpartition(".")[2],
            effect=hop.effect_type.rpartition(".")[2],
            count=hop.count,
            mean_us=round(hop.mean_us),
            p50_us=round(hop.p50_us),
            p99_us=round(hop.p99_us),
        )
        for hop in await queries.hop_latencies(store)
    ]
    return sorted(hops, key=lambda hop: (-hop.p50_us, hop.cause, hop.effect))


async def dead_letters(store: Store, limit: int) -> list[views.DeadLetter]:
    names = views.DeadLetter.model_fields.keys() - {"offset"}
    return [
        views.DeadLetter(offset=row.record_offset, **{name: getattr(row, name) for name in names})
        for row in await queries.dead_letters(store, limit)
    ]


def held(found: Iterable[rows.Reason], by: str = "") -> list[views.Reason]:
    """Return reasons as the API shows them."""
    return [views.Reason(by=by, **msgspec.structs.asdict(one)) for one in found]


def _whale(whale: rows.Whale, copied: rows.LeaderProfit | None) -> views.Whale:
    pruned = whale.pruned_ns > whale.discovered_ns
    names = views.Whale.model_fields.keys() - {"reasons", "copied_profit_micro", "copied_markets"}
    return views.Whale(
        **{name: getattr(whale, name) for name in names},
        reasons=held(whale.pruned_reasons if pruned else whale.discovered_reasons, "discovery"),
        copied_profit_micro=copied.realized_micro - copied.fees_micro if copied else 0,
        copied_markets=copied.markets if copied else 0,
    )


def _point(row: Row) -> views.CurvePoint:
    realized = row["realized_micro"] - row["fees_micro"]
    return views.CurvePoint(
        at_ns=row["at_ns"],
        log_offset=row["log_offset"],
        profit_micro=realized + row["open_micro"],
        realized_after_fees_micro=realized,
    )


def _counts(row: Row) -> dict[str, int]:
    names = ("open_orders", "whales", "events", "risk_stopped_ns")
    return {name: row[name] or 0 for name in names}


def _position(row: Row) -> views.Position:
    size, cost, mark = row["size_micro"], row["cost_micro"], row["mark_micro"]
    value = cost
    if mark is not None:
        mark = mark if row["mark_token_id"] == row["token_id"] else MICRO - mark
        value = notional(mark, size)
    return views.Position(
        condition_id=row["condition_id"],
        question=row["question"],
        token_id=row["token_id"],
        token_name=row["token_name"],
        leader=row["leader"],
        size_micro=size,
        cost_micro=cost,
        value_micro=value,
        mark_micro=mark or 0,
        profit_micro=value - cost,
        updated_ns=row["updated_ns"],
    )
