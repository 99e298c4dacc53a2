"""Reads of decisions: pages of them, each with the rules of all agents that had a say.

A decision is what the orchestrator said. Its reasons are those of the proposal, of the verdict
that risk gave, and of a refusal by execution, told apart by who held them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from whaletrader.services.gateway import views
from whaletrader.services.gateway.reads import TOKEN_NAME, reasons
from whaletrader.services.gateway.store import Row, Store

OUTCOMES: Final = ("proposed", "declined", "approved", "rejected", "unanswered")
# A proposal is under way; these are the ends of it.
SETTLED: Final = ("declined", "approved", "rejected", "unanswered")

_PAGE: Final = f"""
SELECT x.*, COALESCE(m.question, '') AS question, {TOKEN_NAME}
FROM (
    SELECT * FROM read.decisions
    WHERE outcome = ANY($1::text[])
        AND ($2 = '' OR leader = $2) AND ($3 = '' OR condition_id = $3)
        AND (event_time_ns, log_time_ns, id) < ($4, $5, $6)
    ORDER BY event_time_ns DESC, log_time_ns DESC, id DESC LIMIT $7
) AS x LEFT JOIN read.markets AS m USING (condition_id)
ORDER BY x.event_time_ns DESC, x.log_time_ns DESC, x.id DESC
"""

_ONE: Final = f"""
SELECT x.*, COALESCE(m.question, '') AS question, {TOKEN_NAME}
FROM read.decisions AS x LEFT JOIN read.markets AS m USING (condition_id) WHERE x.id = $1
"""

_PROPOSED: Final = """
SELECT proposal_id, reasons, leader, side, limit_price_micro, max_size_micro, fair_value_micro
FROM read.decisions WHERE proposal_id = ANY($1::text[]) AND outcome = 'proposed'
"""
_APPROVALS: Final = """
SELECT proposal_id, approval_id, reasons, size_micro FROM read.approvals
WHERE proposal_id = ANY($1::text[])
"""
_REJECTED: Final = """
SELECT proposal_id, approval_id, refused_by, rule, reasons FROM read.rejections
WHERE proposal_id = ANY($1::text[]) OR (approval_id <> '' AND approval_id = ANY($2::text[]))
ORDER BY log_time_ns, id
"""
_ORDERS: Final = """
SELECT approval_id, order_id, status FROM read.orders WHERE approval_id = ANY($1::text[])
ORDER BY announced_ns
"""


_COPIED: Final = (
    *("id", "outcome", "leader", "strategy", "condition_id", "question", "token_id"),
    *("token_name", "proposal_id", "event_time_ns", "log_time_ns", "correlation"),
)


class BadCursor(ValueError):
    """The cursor was not made by us."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which decisions are wanted; empty means all. `before` is a page's `next`."""

    outcomes: tuple[str, ...] = OUTCOMES
    leader: str = ""
    condition_id: str = ""
    before: str = ""
    limit: int = 50


async def page(store: Store, asked: Asked) -> views.DecisionPage:
    """Return decisions, latest first. Raises BadCursor."""
    event_ns, log_ns, last_id = _place(asked.before)
    rows = await store.fetch(
        _PAGE,
        list(asked.outcomes),
        asked.leader,
        asked.condition_id,
        event_ns,
        log_ns,
        last_id,
        asked.limit + 1,
    )
    shown = rows[: asked.limit]
    following = ""
    if len(rows) > len(shown):
        last = shown[-1]
        following = f"{last['event_time_ns']}.{last['log_time_ns']}.{last['id']}"
    return views.DecisionPage(decisions=await _with_reasons(store, shown), next=following)


async def one(store: Store, decision_id: str) -> views.Decision | None:
    row = await store.fetchrow(_ONE, decision_id)
    return (await _with_reasons(store, [row]))[0] if row is not None else None


def _place(cursor: str) -> tuple[int, int, str]:
    if not cursor:
        return 2**63 - 1, 2**63 - 1, ""
    parts = cursor.split(".")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) < 20 for part in parts[:2]):
        raise BadCursor("`before` is not what a page gave as `next`")
    return min(int(parts[0]), 2**63 - 1), min(int(parts[1]), 2**63 - 1), parts[2]


async def _with_reasons(store: Store, rows: Iterable[Row]) -> list[views.Decision]:
    rows = list(rows)
    proposals = sorted({row["proposal_id"] for row in rows if row["proposal_id"]})
    proposed = {row["proposal_id"]: row for row in await store.fetch(_PROPOSED, proposals)}
    approvals = {row["proposal_id"]: row for row in await store.fetch(_APPROVALS, proposals)}
    ids = sorted({row["approval_id"] for row in (*rows, *approvals.values())} - {""})
    rejected: defaultdict[str, list[Row]] = defaultdict(list)
    for row in await store.fetch(_REJECTED, proposals, ids):
        rejected[row["proposal_id"] or row["approval_id"]].append(row)
    orders = {row["approval_id"]: row for row in await store.fetch(_ORDERS, ids)}
    found = []
    for row in rows:
        proposal_id = row["proposal_id"]
        approval = approvals.get(proposal_id) if proposal_id else None
        approval_id = row["approval_id"] or (approval["approval_id"] if approval else "")
        refusals = rejected[proposal_id] if proposal_id else []
        if approval_id:
            refusals = [*refusals, *rejected[approval_id]]
        before = proposed.get(proposal_id) if proposal_id else None
        found.append(_decision(row, before, approval, refusals, orders.get(approval_id, {})))
    return found


def _decision(
    row: Row,
    before: Row | None,
    approval: Row | None,
    refusals: list[Row],
    order: Row | dict[str, str],
) -> views.Decision:
    # The orchestrator repeats the verdict's reasons where it passes them on: the first says who.
    held = [*(reasons(before["reasons"], "orchestrator") if before else ())]
    if row["outcome"] != "proposed":
        held += reasons(approval["reasons"], "risk") if approval else []
        for refusal in refusals:
            held += reasons(refusal["reasons"], refusal["refused_by"])
    held += reasons(row["reasons"], "orchestrator")
    unique = {(one.rule, one.value, one.limit, one.passed): one for one in reversed(held)}
    told = list(reversed(unique.values()))
    terms = before if before is not None and not row["side"] else row
    return views.Decision(
        **{name: row[name] for name in _COPIED},
        side=terms["side"],
        limit_price_micro=terms["limit_price_micro"],
        max_size_micro=terms["max_size_micro"],
        fair_value_micro=terms["fair_value_micro"],
        approved_size_micro=approval["size_micro"] if approval else 0,
        approval_id=row["approval_id"] or (approval["approval_id"] if approval else ""),
        order_id=order["order_id"] if order else "",
        order_status=order["status"] if order else "",
        failed_rule=next(
            (refusal["rule"] for refusal in refusals if row["outcome"] != "proposed"),
            next((one.rule for one in told if not one.passed), ""),
        ),
        reasons=told,
    )
