"""The whole chain that one event belongs to: from the wallet's trade to the fill and its profit.

Finds the chain of any id that a person may hold (event, decision, proposal, approval, order),
reads its events and what reached agents outside the log, and puts causes before effects.
"""

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from whaletrader.runtime.codec import UnreadableMessage, decode
from whaletrader.schemas import decision_pb2
from whaletrader.services.gateway import views
from whaletrader.services.gateway.store import Row, Store
from whaletrader.store.projections.reasons import short_name, unit_name

# A chain of one trade has about twenty steps; one of a flattening a few hundred.
STEPS_MAX: Final = 400

_CORRELATION: Final = """
SELECT correlation FROM (
    (SELECT 1 AS n, correlation FROM store.events WHERE id = $1 LIMIT 1) UNION ALL
    (SELECT 2, correlation FROM read.orders WHERE order_id = $1 LIMIT 1) UNION ALL
    (SELECT 3, correlation FROM read.approvals WHERE approval_id = $1 LIMIT 1) UNION ALL
    (SELECT 4, correlation FROM read.decisions WHERE proposal_id = $1 LIMIT 1) UNION ALL
    (SELECT 5, correlation FROM read.inline_inputs WHERE id = $1 LIMIT 1) UNION ALL
    (SELECT 6, correlation FROM store.events WHERE correlation = $1 LIMIT 1)
) AS found WHERE correlation <> '' ORDER BY n LIMIT 1
"""
_EVENTS: Final = """
SELECT id, cause, type, source, topic, event_time_ns, log_time_ns, payload FROM store.events
WHERE correlation = $1 AND id <> '' ORDER BY log_time_ns, topic, partition, "offset" LIMIT $2
"""
_INLINE: Final = """
SELECT id, cause, type, agent AS source, '' AS topic, event_time_ns, log_time_ns, payload
FROM read.inline_inputs WHERE correlation = $1 ORDER BY log_time_ns, id LIMIT $2
"""

_TITLES: Final = {
    "WalletTraded": "A watched wallet traded",
    "TradeProposal": "Risk was asked",
    "DecisionMade": "Decided",
    "ApprovedTrade": "Approved by risk, signed",
    "RejectedTrade": "Rejected by risk",
    "ApprovalRefused": "Approval refused by execution",
    "OrderAnnounced": "Order announced",
    "OrderPlacement": "The venue answered",
    "OrderAccepted": "Order accepted by the venue",
    "VenueTradeSeen": "The venue reported a trade",
    "OrderMatched": "Filled, not settled yet",
    "OrderConfirmed": "Fill settled",
    "OrderReversed": "Fill undone",
    "OrderUnknown": "The venue's answer is not known",
    "OrderCancellation": "The venue answered a cancel",
    "VenueOrderClosed": "The venue closed the order",
    "OrderClosed": "Order closed",
    "ProfitAttributed": "Profit booked",
    "PortfolioValued": "Portfolio valued",
    "ControlOrdered": "A person gave an order",
    "RiskAlerted": "Risk raised an alert",
    "DeriskOrdered": "Risk ordered a position reduced",
    "MarketResolved": "The market was decided",
    "TradePrinted": "A trade was printed",
    "SignalRaised": "A strategy raised a signal",
    "TimerFired": "A timer ran out",
    "EffectFailed": "An effect failed for good",
    "DeadLettered": "Put aside as unreadable",
}
# Said by other fields, or of no use to a person.
_SKIPPED: Final = frozenset(
    {"meta", "reasons", "signature", "key_id", "salt", "timestamp_ms", "expiration_s", "payload"}
    | {"outcome_index", "key", "neg_risk", "effect_id"}
)

Kind = Literal["text", "usd", "shares", "price", "time", "id", "count"]


async def chain_of(store: Store, asked: str) -> views.Chain | None:
    """Return the chain that the id belongs to, or None if nobody knows the id."""
    row = await store.fetchrow(_CORRELATION, asked)
    if row is None:
        return None
    correlation = str(row["correlation"])
    rows = [
        *await store.fetch(_EVENTS, correlation, STEPS_MAX + 1),
        *await store.fetch(_INLINE, correlation, STEPS_MAX + 1),
    ]
    # An answer is known twice: on its topic, and as what reached the asker.
    unique: dict[str, Row] = {}
    for found in rows:
        unique.setdefault(found["id"], found)
    ordered = list(_causes_first(list(unique.values())))
    return views.Chain(
        asked=asked,
        correlation=correlation,
        steps=list(_steps(ordered[:STEPS_MAX])),
        is_cut=len(ordered) > STEPS_MAX,
    )


def _causes_first(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows by their time in the log, but none before the one that caused it."""
    known = {row["id"] for row in rows}
    waiting: defaultdict[str, list[int]] = defaultdict(list)
    ready: list[tuple[int, int]] = []
    for number, row in enumerate(rows):
        if row["cause"] in known and row["cause"] != row["id"]:
            waiting[row["cause"]].append(number)
        else:
            ready.append((row["log_time_ns"], number))
    heapq.heapify(ready)
    while ready:
        _, number = heapq.heappop(ready)
        yield rows[number]
        for effect in waiting.pop(rows[number]["id"], ()):
            heapq.heappush(ready, (rows[effect]["log_time_ns"], effect))


def _steps(rows: Iterable[Row]) -> Iterator[views.Step]:
    before_ns: int | None = None
    for row in rows:
        name = row["type"].rpartition(".")[2]
        try:
            message = decode(row["type"], row["payload"])
        except UnreadableMessage:
            message = None
        facts = list(_facts(message)) if message is not None else []
        yield views.Step(
            id=row["id"],
            cause=row["cause"],
            type=name,
            title=_title(name, message),
            agent=_source(message) or row["source"],
            topic=row["topic"],
            event_time_ns=row["event_time_ns"],
            log_time_ns=row["log_time_ns"],
            after_ns=max(0, row["log_time_ns"] - before_ns) if before_ns is not None else 0,
            facts=_without_repeats(facts),
            reasons=_reasons(message) if message is not None else [],
        )
        before_ns = row["log_time_ns"]


def _title(name: str, message: Message | None) -> str:
    title = _TITLES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    outcome = getattr(message, "outcome", None)
    if name == "DecisionMade" and message is not None and outcome is not None:
        return f"{title}: {short_name(decision_pb2.DecisionOutcome, 'DECISION_OUTCOME_', outcome)}"
    return title


def _source(message: Message | None) -> str:
    return str(getattr(getattr(message, "meta", None), "source", ""))


def _reasons(message: Message) -> list[views.Reason]:
    return [
        views.Reason(
            rule=reason.rule,
            value=reason.value,
            limit=reason.limit,
            unit=unit_name(reason.unit),
            passed=reason.passed,
            detail=reason.detail,
        )
        for reason in getattr(message, "reasons", ())
    ]


def _facts(message: Message) -> Iterator[views.Fact]:
    for field, value in message.ListFields():
        if field.name in _SKIPPED:
            continue
        if field.message_type is not None:
            if not field.is_repeated:
                yield from _facts(value)
        elif not field.is_repeated and field.type != FieldDescriptor.TYPE_BYTES:
            yield _fact(field, value)


def _fact(field: FieldDescriptor, value: Any) -> views.Fact:
    if field.enum_type is not None:
        return views.Fact(label=_label(field.name), value=_enum(field, value), kind="text")
    if isinstance(value, bool):
        return views.Fact(label=_label(field.name), value="yes" if value else "no", kind="text")
    return views.Fact(label=_label(field.name), value=str(value), kind=_kind(field.name, value))


def _kind(name: str, value: object) -> Kind:
    if isinstance(value, str):
        is_id = name.endswith(("_id", "_hash")) or name in ("wallet", "leader")
        return "id" if is_id else "text"
    if name.endswith("_ns"):
        return "time"
    if not name.endswith(("_micro", "_micro_ratio")):
        return "count"
    if "price" in name or name.startswith(("fair_value", "edge")):
        return "price"
    return "shares" if "size" in name else "usd"


def _label(name: str) -> str:
    text = re.sub(r"_(micro|ns|id)$", "", name)
    return re.sub(r"_delta$", " change", text).replace("_", " ")


def _enum(field: FieldDescriptor, value: int) -> str:
    """Return "sell" for SIDE_SELL: the value's name without what all its values share."""
    names = field.enum_type.values_by_number if field.enum_type is not None else {}
    if value not in names:
        return str(value)
    prefix = next(iter(names.values())).name.removesuffix("UNSPECIFIED")
    return names[value].name.removeprefix(prefix).lower()


def _without_repeats(facts: list[views.Fact]) -> list[views.Fact]:
    return list({(fact.label, fact.value): fact for fact in facts}.values())
