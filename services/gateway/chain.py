"""The whole chain that one event belongs to: from the wallet's trade to the fill and its profit.

`whaletrader.store.causes` finds it, by any id that a person may hold (event, decision, proposal,
approval, order, fill); here it becomes a list, causes before effects, each with its facts.
"""

import heapq
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from whaletrader.schemas import common_pb2, decision_pb2
from whaletrader.services.gateway import views
from whaletrader.services.gateway.store import Store
from whaletrader.store import causes
from whaletrader.store.projections.reasons import short_name, unit_name

# A chain of one trade has about twenty steps; one of a flattening a few hundred.
STEPS_MAX: Final = 400

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


async def chain_of(store: Store, asked: str) -> views.Chain:
    """Return the chain that the id, or the beginning of one, belongs to.

    Raises UnknownId, AmbiguousId.
    """
    # It fetches and does nothing else, which the store does like any connection.
    found = await causes.chain_of(cast("causes.Connection", store), asked)
    ordered = list(_causes_first(found.roots))
    return views.Chain(
        asked=asked,
        kind=found.kind,
        id=found.id,
        correlation=found.roots[0].correlation if found.roots else "",
        steps=list(_steps(ordered[:STEPS_MAX])),
        is_cut=len(ordered) > STEPS_MAX,
    )


def _causes_first(roots: Iterable[causes.Step]) -> Iterator[causes.Step]:
    """Yield steps by their time in the log, but none before the one that it hangs under."""
    number = itertools.count()
    ready = [(step.log_time_ns, next(number), step) for step in roots]
    heapq.heapify(ready)
    while ready:
        _, _, step = heapq.heappop(ready)
        yield step
        for effect in step.effects:
            heapq.heappush(ready, (effect.log_time_ns, next(number), effect))


def _steps(ordered: Iterable[causes.Step]) -> Iterator[views.Step]:
    before_ns: int | None = None
    for step in ordered:
        name = step.type.rpartition(".")[2]
        facts = list(_facts(step.message)) if step.message is not None else []
        yield views.Step(
            id=step.id,
            cause=step.cause,
            type=name,
            title=_title(name, step.message),
            agent=_source(step.message) or step.agent,
            topic=step.topic,
            event_time_ns=step.event_time_ns,
            log_time_ns=step.log_time_ns,
            after_ns=max(0, step.log_time_ns - before_ns) if before_ns is not None else 0,
            facts=_without_repeats(facts),
            reasons=_reasons(step.reasons),
        )
        before_ns = step.log_time_ns


def _title(name: str, message: Message | None) -> str:
    title = _TITLES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    outcome = getattr(message, "outcome", None)
    if name == "DecisionMade" and message is not None and outcome is not None:
        return f"{title}: {short_name(decision_pb2.DecisionOutcome, 'DECISION_OUTCOME_', outcome)}"
    return title


def _source(message: Message | None) -> str:
    return str(getattr(getattr(message, "meta", None), "source", ""))


def _reasons(reasons: Sequence[common_pb2.Reason]) -> list[views.Reason]:
    return [
        views.Reason(
            rule=reason.rule,
            value=reason.value,
            limit=reason.limit,
            unit=unit_name(reason.unit),
            passed=reason.passed,
            detail=reason.detail,
        )
        for reason in reasons
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
