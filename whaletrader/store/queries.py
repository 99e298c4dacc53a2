"""Typed reads of the read models, for the gateway and the commands.

Each function takes a pool or connection, runs one statement and returns frozen rows; amounts
stay in micro-units. PostgreSQL makes the JSON, so no column is mapped by hand.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from whaletrader.store import rows
from whaletrader.store.projections.latency import percentile_us

ROWS_MAX: Final = 1_000

Read = TypeVar("Read", bound=rows.Row)


class Database(Protocol):
    """What the functions here need of an asyncpg pool or connection."""

    async def fetch(self, query: str, /, *args: Any) -> list[Any]: ...


async def portfolio_states(db: Database) -> list[rows.PortfolioState]:
    """Return the latest state of each portfolio."""
    query = "SELECT * FROM read.current_portfolio_state ORDER BY portfolio"
    return await read_all(db, rows.PortfolioState, query)


async def whales(db: Database, limit: int = 50, *, only_whales: bool = False) -> list[rows.Whale]:
    """Return the leaderboard: whales first, then by the lower end of the edge's interval."""
    return await read_all(
        db,
        rows.Whale,
        """
        SELECT * FROM read.whale_leaderboard WHERE scored_ns > 0 AND (is_whale OR NOT $2)
        ORDER BY is_whale DESC, edge_lower_micro DESC, wallet LIMIT $1
        """,
        clipped(limit),
        only_whales,
    )


async def decisions(db: Database, limit: int = 50, outcome: str = "") -> list[rows.Decision]:
    """Return the latest decisions, newest first."""
    return await read_all(
        db,
        rows.Decision,
        f"""
        SELECT d.*, {_QUESTION} FROM read.decisions AS d
        LEFT JOIN read.markets AS m USING (condition_id)
        WHERE $2 = '' OR outcome = $2
        ORDER BY event_time_ns DESC, id LIMIT $1
        """,
        clipped(limit),
        outcome,
    )


async def decision(db: Database, decision_id: str) -> rows.Decision | None:
    """Return one decision, or None."""
    return await read_one(
        db,
        rows.Decision,
        f"""
        SELECT d.*, {_QUESTION} FROM read.decisions AS d
        LEFT JOIN read.markets AS m USING (condition_id) WHERE d.id = $1
        """,
        decision_id,
    )


async def approvals(db: Database, limit: int = 50) -> list[rows.Approval]:
    """Return the latest approvals, newest first."""
    return await read_all(
        db,
        rows.Approval,
        f"""
        SELECT a.*, {_QUESTION} FROM read.approvals AS a
        LEFT JOIN read.markets AS m USING (condition_id)
        ORDER BY event_time_ns DESC, approval_id LIMIT $1
        """,
        clipped(limit),
    )


async def rejections(db: Database, limit: int = 50, rule: str = "") -> list[rows.Rejection]:
    """Return the latest rejections, newest first."""
    return await read_all(
        db,
        rows.Rejection,
        f"""
        SELECT r.*, {_QUESTION} FROM read.rejections AS r
        LEFT JOIN read.markets AS m USING (condition_id)
        WHERE $2 = '' OR rule = $2
        ORDER BY event_time_ns DESC, id LIMIT $1
        """,
        clipped(limit),
        rule,
    )


async def rejections_by_rule(db: Database) -> list[rows.RejectionCount]:
    """Return how often each rule said no, most often first."""
    return await read_all(
        db,
        rows.RejectionCount,
        """
        SELECT rule, refused_by, count(*) AS count, max(event_time_ns) AS last_ns
        FROM read.rejections GROUP BY rule, refused_by ORDER BY count(*) DESC, rule, refused_by
        """,
    )


async def orders(db: Database, limit: int = 50, *, only_open: bool = False) -> list[rows.Order]:
    """Return the latest orders, newest first."""
    return await read_all(
        db,
        rows.Order,
        _ORDERS + "WHERE closed_ns = 0 OR NOT $2 ORDER BY announced_ns DESC, order_id LIMIT $1",
        clipped(limit),
        only_open,
    )


async def order(db: Database, order_id: str) -> rows.Order | None:
    """Return one order, or None."""
    return await read_one(db, rows.Order, _ORDERS + "WHERE order_id = $1", order_id)


async def fills(db: Database, limit: int = 50, order_id: str = "") -> list[rows.Fill]:
    """Return the latest fills, newest first, of one order or of all."""
    return await read_all(
        db,
        rows.Fill,
        f"""
        SELECT f.*, {_QUESTION} FROM read.fills AS f
        LEFT JOIN read.markets AS m USING (condition_id)
        WHERE $2 = '' OR order_id = $2
        ORDER BY event_time_ns DESC, trade_id LIMIT $1
        """,
        clipped(limit),
        order_id,
    )


async def positions(
    db: Database, portfolio: str = "", *, only_open: bool = True
) -> list[rows.Position]:
    """Return positions by market, token and leader, the largest cost first."""
    return await read_all(
        db,
        rows.Position,
        f"""
        SELECT p.*, {_QUESTION}, {_PRICE} AS price_micro,
               div(p.size_micro::numeric * {_PRICE}, 1000000) AS value_micro,
               coalesce((SELECT t.value->>'outcome' FROM jsonb_array_elements(m.tokens) AS t
                         WHERE t.value->>'token_id' = p.token_id), '') AS outcome
        FROM read.positions AS p
        LEFT JOIN read.markets AS m USING (condition_id)
        LEFT JOIN read.last_prices AS l ON l.token_id = p.token_id
        WHERE ($1 = '' OR p.portfolio = $1) AND (p.size_micro <> 0 OR NOT $2)
        ORDER BY p.cost_micro DESC, p.condition_id, p.token_id, p.leader
        """,
        portfolio,
        only_open,
    )


async def profit_by_leader(db: Database, portfolio: str) -> list[rows.LeaderProfit]:
    """Return realised and open profit by leader with its uncertainty, best first."""
    return await read_all(
        db,
        rows.LeaderProfit,
        f"""
        WITH by_market AS (
            SELECT leader, condition_id, sum(realized_micro) AS realized, sum(fees_micro) AS fees
            FROM read.profit_by_leader WHERE portfolio = $1 GROUP BY leader, condition_id
        ), held AS (
            SELECT p.leader,
                   sum(div(p.size_micro::numeric * {_PRICE}, 1000000) - p.cost_micro) AS open
            FROM read.positions AS p
            LEFT JOIN read.markets AS m USING (condition_id)
            LEFT JOIN read.last_prices AS l ON l.token_id = p.token_id
            WHERE p.portfolio = $1 AND p.size_micro <> 0 GROUP BY p.leader
        )
        SELECT leader, sum(realized)::bigint AS realized_micro,
               coalesce(max(held.open), 0)::bigint AS open_micro,
               sum(fees)::bigint AS fees_micro, count(*) AS markets,
               round(coalesce(stddev_samp(realized), 0) * sqrt(count(*)))::bigint
                   AS standard_error_micro
        FROM by_market LEFT JOIN held USING (leader)
        GROUP BY leader ORDER BY sum(realized) DESC, leader
        """,
        portfolio,
    )


async def profit_by_market(
    db: Database, portfolio: str, limit: int = 50
) -> list[rows.MarketProfit]:
    """Return realised profit by market, best first."""
    return await read_all(
        db,
        rows.MarketProfit,
        f"""
        SELECT p.condition_id, {_QUESTION}, sum(realized_micro)::bigint AS realized_micro,
               sum(fees_micro)::bigint AS fees_micro, count(DISTINCT leader) AS leaders
        FROM read.profit_by_leader AS p LEFT JOIN read.markets AS m USING (condition_id)
        WHERE portfolio = $1 GROUP BY p.condition_id, m.question
        ORDER BY sum(realized_micro) DESC, p.condition_id LIMIT $2
        """,
        portfolio,
        clipped(limit),
    )


async def profit_by_day(db: Database, portfolio: str) -> list[rows.DayProfit]:
    """Return realised profit by day, oldest first."""
    return await read_all(
        db,
        rows.DayProfit,
        """
        SELECT day, sum(realized_micro)::bigint AS realized_micro,
               sum(fees_micro)::bigint AS fees_micro
        FROM read.profit_by_leader WHERE portfolio = $1 GROUP BY day ORDER BY day
        """,
        portfolio,
    )


async def risk_metrics(db: Database, portfolio: str = "") -> list[rows.RiskMetric]:
    """Return each limit with its latest value."""
    return await read_all(
        db,
        rows.RiskMetric,
        """
        SELECT * FROM read.risk_metrics_live WHERE $1 = '' OR portfolio = $1
        ORDER BY portfolio, rule
        """,
        portfolio,
    )


async def alerts(db: Database, limit: int = 50) -> list[rows.Alert]:
    """Return the latest alerts, newest first."""
    query = "SELECT * FROM read.alerts ORDER BY event_time_ns DESC, id LIMIT $1"
    return await read_all(db, rows.Alert, query, clipped(limit))


async def agents(db: Database) -> list[rows.AgentState]:
    """Return what is known of each agent that has a journal or reports its health."""
    return await read_all(
        db,
        rows.AgentState,
        """
        WITH progress AS (
            SELECT agent, sum(sequence)::bigint AS sequence, sum(inputs)::bigint AS inputs,
                   sum(events)::bigint AS events, sum(effects)::bigint AS effects,
                   max(now_ns) AS now_ns, max(log_time_ns) AS log_time_ns
            FROM read.agent_progress GROUP BY agent
        ), health AS (
            SELECT DISTINCT ON (agent) agent, status, pending_effects, open_circuits,
                   log_time_ns AS health_log_time_ns
            FROM read.agents_health ORDER BY agent, log_time_ns DESC
        )
        SELECT agent, coalesce(sequence, 0) AS sequence, coalesce(inputs, 0) AS inputs,
               coalesce(events, 0) AS events, coalesce(effects, 0) AS effects,
               coalesce(now_ns, 0) AS now_ns, coalesce(log_time_ns, 0) AS log_time_ns,
               coalesce(status, '') AS status, coalesce(pending_effects, 0) AS pending_effects,
               coalesce(open_circuits, '[]') AS open_circuits,
               coalesce(health_log_time_ns, 0) AS health_log_time_ns
        FROM progress FULL JOIN health USING (agent) ORDER BY agent
        """,
    )


async def dead_letters(db: Database, limit: int = 50) -> list[rows.DeadLetter]:
    """Return the latest dead letters, newest first."""
    return await read_all(
        db,
        rows.DeadLetter,
        """
        SELECT id, agent, topic, partition, record_offset, type, error,
               octet_length(payload) AS bytes, log_time_ns
        FROM read.dead_letters ORDER BY log_time_ns DESC, id LIMIT $1
        """,
        clipped(limit),
    )


async def markets(db: Database, condition_ids: Sequence[str]) -> list[rows.Market]:
    """Return the markets with these ids that are known."""
    return await read_all(
        db,
        rows.Market,
        "SELECT * FROM read.markets WHERE condition_id = ANY($1::text[]) ORDER BY condition_id",
        list(condition_ids),
    )


async def markets_named(db: Database, name: str) -> list[rows.Market]:
    """Return up to two markets with this condition id or slug, or whose id begins so."""
    query = """
        SELECT * FROM read.markets
        WHERE condition_id = $1 OR slug = $1 OR starts_with(condition_id, $1)
        ORDER BY condition_id <> $1 AND slug <> $1, condition_id LIMIT 2
    """
    found = await read_all(db, rows.Market, query, name)
    return found[:1] if found and name in (found[0].condition_id, found[0].slug) else found


async def control_states(db: Database) -> list[rows.ControlState]:
    """Return the last order given for each portfolio."""
    return await read_all(
        db, rows.ControlState, "SELECT * FROM read.control_state ORDER BY portfolio"
    )


async def topic_totals(db: Database) -> list[rows.TopicTotal]:
    """Return how many events of each topic are recorded."""
    return await read_all(
        db,
        rows.TopicTotal,
        """
        SELECT topic, sum(events)::bigint AS events, max(last_log_time_ns) AS last_log_time_ns
        FROM store.position GROUP BY topic ORDER BY topic
        """,
    )


async def hop_latencies(db: Database) -> list[rows.HopLatency]:
    """Return the latency of each pair of cause and effect, busiest first."""
    found: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for row in await db.fetch("SELECT * FROM read.hop_latency ORDER BY bucket"):
        pair = (row["cause_type"], row["effect_type"])
        found.setdefault(pair, []).append((row["bucket"], row["n"], row["sum_us"]))
    hops = [
        rows.HopLatency(
            cause_type=cause,
            effect_type=effect,
            count=(count := sum(n for _, n, _ in buckets)),
            mean_us=sum(sum_us for _, _, sum_us in buckets) / count,
            p50_us=percentile_us(buckets, 0.5),
            p99_us=percentile_us(buckets, 0.99),
        )
        for (cause, effect), buckets in found.items()
    ]
    return sorted(hops, key=lambda hop: (-hop.count, hop.cause_type, hop.effect_type))


_QUESTION: Final = "coalesce(m.question, '') AS question"
# A decided market pays a dollar or nothing, whatever was traded last.
_PRICE: Final = """(CASE WHEN coalesce(m.resolved_ns, 0) = 0 THEN coalesce(l.price_micro, 0)
    WHEN m.winning_token_id = p.token_id THEN 1000000 ELSE 0 END)"""

_ORDERS: Final = f"""
SELECT o.*, {_QUESTION}, coalesce(f.size, 0)::bigint AS filled_size_micro,
       coalesce(f.notional, 0)::bigint AS filled_notional_micro,
       coalesce(f.fees, 0)::bigint AS fees_micro
FROM read.orders AS o
LEFT JOIN read.markets AS m USING (condition_id)
LEFT JOIN LATERAL (
    SELECT sum(size_micro) AS size, sum(fee_micro) AS fees,
           sum(div(size_micro::numeric * price_micro, 1000000)) AS notional
    FROM read.fills AS x WHERE x.order_id = o.order_id AND x.status <> 'reversed'
) AS f ON true
"""


def clipped(limit: int, most: int = ROWS_MAX) -> int:
    """Return the limit, from 1 to `most`."""
    return max(1, min(limit, most))


async def read_all(db: Database, kind: type[Read], query: str, *args: object) -> list[Read]:
    """Return what the statement finds as rows of this kind, by the names of its columns."""
    found = await db.fetch(f"SELECT row_to_json(q)::text FROM ({query}) AS q", *args)
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(row[0]) for row in found]


async def read_one(db: Database, kind: type[Read], query: str, *args: object) -> Read | None:
    """Return the first row that the statement finds, or None."""
    return next(iter(await read_all(db, kind, query, *args)), None)
