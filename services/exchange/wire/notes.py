"""Notifications of API key owners: cancellations by others than themselves, fills, resolutions.

Numbered per venue, newest last, bounded per owner; dropped ones are gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from whaletrader.services.exchange.engine.events import (
    EngineEvent,
    MarketResolved,
    OrderEvent,
    OrderEventKind,
    TradeEvent,
)
from whaletrader.services.exchange.engine.model import (
    NS,
    CloseReason,
    Leg,
    Market,
    Order,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.rules import plain
from whaletrader.services.exchange.wire.render import transaction_hash
from whaletrader.services.exchange.wire.times import iso

CANCELLATION: Final = 1
FILL: Final = 2
RESOLVED: Final = 4
FILL_FAILED: Final = 8
NOTES_MAX: Final = 500
# Some clients read a hash there whatever the note is about.
NO_TRANSACTION: Final = "0x" + "00" * 32


@dataclass(frozen=True, slots=True)
class Note:
    number: int
    owner: str
    kind: int
    at_s: int
    payload: dict[str, Any]

    def row(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "owner": self.owner,
            "type": self.kind,
            "payload": self.payload,
            "timestamp": self.at_s,
        }


class Notes:
    """What owners have not dropped yet, by the address behind their key."""

    def __init__(self) -> None:
        self._by_principal: dict[str, list[Note]] = defaultdict(list)
        self._owners: dict[str, dict[str, str]] = defaultdict(dict)
        self._made = 0

    def take(self, events: Iterable[EngineEvent]) -> None:
        # A fill's order is told of beside it: how much of it is left stands there.
        orders: dict[str, Order] = {}
        for event in events:
            if isinstance(event, OrderEvent):
                orders[event.order.terms.order_id] = event.order
                self._on_order(event)
            elif isinstance(event, TradeEvent):
                self._on_trade(event, orders)
            elif isinstance(event, MarketResolved):
                self._on_resolved(event)

    def of(self, principal: str) -> list[Note]:
        return self._by_principal.get(principal, [])

    def drop(self, principal: str, numbers: set[int] | None) -> None:
        """Forget some notes, or with None all of them."""
        kept = [] if numbers is None else [n for n in self.of(principal) if n.number not in numbers]
        self._by_principal[principal] = kept

    def _on_order(self, event: OrderEvent) -> None:
        order = event.order
        terms = order.terms
        self._owners[order.market.condition_id][terms.principal] = terms.owner
        if event.kind is OrderEventKind.CANCELLATION and order.close_reason is not CloseReason.USER:
            payload = _order_payload(order)
            self._add(terms.principal, terms.owner, CANCELLATION, (event.at_ns, payload))

    def _on_trade(self, event: TradeEvent, orders: dict[str, Order]) -> None:
        kinds = {TradeStatus.MATCHED: FILL}
        if event.status.value == "FAILED":
            kinds[event.status] = FILL_FAILED
        kind = kinds.get(event.status)
        if kind is None:
            return
        for leg in event.trade.legs:
            if leg.principal:
                payload = _leg_payload(event.trade, leg, orders.get(leg.order_id))
                self._add(leg.principal, leg.owner, kind, (event.at_ns, payload))

    def _on_resolved(self, event: MarketResolved) -> None:
        for principal, owner in self._owners.pop(event.market.condition_id, {}).items():
            payload = _market_payload(event.market)
            self._add(principal, owner, RESOLVED, (event.at_ns, payload))

    def _add(self, principal: str, owner: str, kind: int, said: tuple[int, dict[str, Any]]) -> None:
        self._made += 1
        notes = self._by_principal[principal]
        notes.append(Note(self._made, owner, kind, said[0] // NS, said[1]))
        if len(notes) > NOTES_MAX:
            del notes[0]


def _order_payload(order: Order) -> dict[str, Any]:
    terms = order.terms
    return {
        "asset_id": terms.token_id,
        "condition_id": order.market.condition_id,
        "market": order.market.condition_id,
        "eventSlug": order.market.event_slug,
        "icon": "",
        "image": "",
        "market_slug": order.market.slug,
        "matched_size": plain(order.matched_micro),
        "order_id": terms.order_id,
        "original_size": plain(order.size_micro),
        "outcome": order.market.tokens[order.index].outcome,
        "outcome_index": order.index,
        "owner": terms.owner,
        "price": plain(order.price_micro),
        "question": order.market.question,
        "remaining_size": plain(order.remaining_micro),
        "seriesSlug": "",
        "side": terms.side.value,
        "trade_id": "",
        "transaction_hash": NO_TRANSACTION,
        "type": terms.order_type.value,
    }


def _leg_payload(trade: Trade, leg: Leg, order: Order | None) -> dict[str, Any]:
    market = trade.market
    return {
        "asset_id": leg.token_id,
        "condition_id": market.condition_id,
        "market": market.condition_id,
        "eventSlug": market.event_slug,
        "icon": "",
        "image": "",
        "market_slug": market.slug,
        "matched_size": plain(leg.size_micro),
        "order_id": leg.order_id,
        "original_size": plain(order.size_micro if order else leg.size_micro),
        "outcome": market.tokens[leg.index].outcome,
        "outcome_index": leg.index,
        "owner": leg.owner,
        "price": plain(leg.price_micro),
        "question": market.question,
        "remaining_size": plain(order.remaining_micro if order else 0),
        "seriesSlug": "",
        "side": leg.side.value,
        "trade_id": trade.trade_id,
        "transaction_hash": transaction_hash(trade, TradeStatus.MINED),
        "type": leg.terms.order_type.value,
    }


def _market_payload(market: Market) -> dict[str, Any]:
    return {
        "condition_id": market.condition_id,
        "question_id": market.condition_id,
        "question": market.question,
        "description": market.question,
        "market_slug": market.slug,
        "icon": "",
        "image": "",
        "fpmm": "",
        "active": True,
        "closed": True,
        "archived": False,
        "accepting_orders": False,
        "enable_order_book": True,
        "end_date_iso": iso(market.end_ns),
        "seconds_delay": 0,
        "minimum_order_size": plain(market.min_size_micro),
        "minimum_tick_size": plain(market.tick_size_micro),
        "maker_base_fee": 0,
        "taker_base_fee": 0,
        "neg_risk": market.neg_risk,
        "tokens": [
            {
                "token_id": token.token_id,
                "outcome": token.outcome,
                "price": 1 if index == market.winning_index else 0,
                "winner": index == market.winning_index,
            }
            for index, token in enumerate(market.tokens)
        ],
        "tags": [market.category],
        "eventSlug": market.event_slug,
    }
