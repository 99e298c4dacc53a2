"""The whole run in one answer: what was found, asked, allowed, refused, filled and earned."""

from typing import Final

from whaletrader.quant.profit import profit_by_leader
from whaletrader.services.gateway import reads, views
from whaletrader.services.gateway.store import Store

_COUNTS: Final = """
SELECT
    (SELECT count(*) FROM read.whale_leaderboard WHERE discovered_ns > 0) AS whales_found,
    (SELECT count(*) FROM read.whale_leaderboard WHERE pruned_ns > 0) AS whales_pruned,
    (SELECT count(*) FROM read.decisions WHERE outcome = 'proposed') AS proposals,
    (SELECT count(*) FROM read.approvals WHERE portfolio = $1) AS approvals,
    (SELECT count(*) FROM read.fills WHERE portfolio = $1 AND status <> 'reversed') AS fills,
    (SELECT count(*) FROM read.fills WHERE portfolio = $1 AND status = 'reversed')
        AS fills_reversed
"""
_ORDERS: Final = """
SELECT status, count(*) AS count FROM read.orders WHERE portfolio = $1
GROUP BY status ORDER BY status
"""
_PROFITS: Final = """
SELECT leader, condition_id, sum(realized_micro - fees_micro)::bigint AS profit_micro
FROM read.profit_by_leader WHERE portfolio = $1 GROUP BY leader, condition_id
"""


async def report(store: Store, portfolio: str) -> views.Report:
    counts = await store.fetchrow(_COUNTS, portfolio)
    orders = await store.fetch(_ORDERS, portfolio)
    return views.Report(
        summary=await reads.summary(store, portfolio),
        rejections=await reads.rejections(store),
        orders={row["status"]: row["count"] for row in orders},
        leaders=await leaders(store, portfolio),
        latency=await reads.latency(store),
        **dict(counts.items() if counts is not None else ()),
    )


async def leaders(store: Store, portfolio: str) -> list[views.LeaderProfit]:
    """Return realised profit after fees by leader; the interval takes a market as one draw."""
    rows = await store.fetch(_PROFITS, portfolio)
    found = profit_by_leader(
        [row["leader"] for row in rows],
        [row["condition_id"] for row in rows],
        [float(row["profit_micro"]) for row in rows],
    )
    return [
        views.LeaderProfit(
            leader=one.leader,
            profit_micro=round(one.total),
            lower_micro=None if one.lower is None else round(one.lower),
            upper_micro=None if one.upper is None else round(one.upper),
            markets=one.markets,
        )
        for one in found
    ]
