"""What accounts did, as rows of the Data API. Pure reads of the venue.

Prices and sizes are JSON numbers there, as on the live host. Tape prints are not accounts' trades
and do not appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from whaletrader.services.exchange.engine.ledger import cost_micro
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    Activity,
    Leg,
    Market,
    Side,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.pnl import Position
from whaletrader.services.exchange.wire.answers import WireError, number
from whaletrader.services.exchange.wire.gamma_rows import stable_number
from whaletrader.services.exchange.wire.render import last_price, transaction_hash
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, venue_of

ADDRESS_LENGTH = 42
AMOUNT_MAX = 1e12


@dataclass(frozen=True, slots=True)
class Entry:
    """One account's part in one trade."""

    trade: Trade
    leg: Leg


def required_user(request: Request) -> str:
    user = request.query_params.get("user", "").lower()
    if not user:
        raise WireError(400, "required query param 'user' not provided")
    if len(user) != ADDRESS_LENGTH or not user.startswith("0x"):
        raise WireError(400, "invalid user")
    return user


def conditions_of(request: Request) -> set[str]:
    """Return the condition ids that a query names, under any of their aliases."""
    query = request.query_params
    names = ("condition", "condition_id", "conditionId", "market")
    found = {p for name in names for v in query.getlist(name) for p in v.split(",") if p}
    events = {p for v in query.getlist("event_id") for p in v.split(",") if p}
    events |= {p for v in query.getlist("eventId") for p in v.split(",") if p}
    if events:
        found |= {
            m.condition_id
            for m in venue_of(request).exchange.state.markets.values()
            if stable_number(m.event_slug) in events
        }
        found = found or {"none"}
    return found


def entries_of(request: Request) -> list[Entry]:
    """Return accounts' parts in trades that fit the query, newest first."""
    query = request.query_params
    user = query.get("user", "").lower()
    conditions = conditions_of(request)
    side = query.get("side", "").upper()
    taker_only = (query.get("taker_only") or query.get("takerOnly") or "false").lower() == "true"
    start, end = number(request, "start", 0) * NS, number(request, "end", 1 << 40) * NS
    least, of_cash = _amount_filter(request)
    found = [
        entry
        for entry in all_entries(venue_of(request))
        if (not user or entry.leg.account == user)
        and (not conditions or entry.trade.market.condition_id in conditions)
        and (not side or entry.leg.side.value == side)
        and (not taker_only or entry.leg is entry.trade.taker)
        and start <= entry.trade.match_ns <= end
        and (_cash(entry) if of_cash else entry.leg.size_micro) >= least
    ]
    is_ascending = query.get("sort_direction", "DESC").upper() == "ASC"
    found.sort(key=lambda e: e.trade.match_ns, reverse=not is_ascending)
    return found


def all_entries(venue: Venue) -> Iterator[Entry]:
    """Yield every account's part in every trade that stands."""
    for trade in venue.exchange.state.trades.values():
        if trade.status is not TradeStatus.FAILED:
            for leg in trade.legs:
                if leg.principal:
                    yield Entry(trade, leg)


def trade_row(entry: Entry) -> dict[str, Any]:
    trade, leg = entry.trade, entry.leg
    return {
        "proxy_wallet": leg.account,
        "side": leg.side.value,
        "token_id": leg.token_id,
        "condition_id": trade.market.condition_id,
        "size": leg.size_micro / MICRO,
        "price": leg.price_micro / MICRO,
        "timestamp": trade.match_ns // NS,
        **_names(trade.market, leg.index),
        "transaction_hash": transaction_hash(trade, trade.status),
    }


def activity_rows(request: Request, kinds: set[str]) -> list[dict[str, Any]]:
    """Return an account's trades and chain operations of some kinds (empty: all), newest first."""
    user = required_user(request)
    rows: list[tuple[int, dict[str, Any]]] = []
    if not kinds or "TRADE" in kinds:
        for entry in entries_of(request):
            row = {**trade_row(entry), "type": "TRADE", "usdc_size": usdc(entry)}
            rows.append((entry.trade.match_ns, row))
    conditions = conditions_of(request)
    start, end = number(request, "start", 0), number(request, "end", 1 << 40)
    venue = venue_of(request)
    for act in venue.exchange.activity(user):
        fits = not conditions or act.condition_id in conditions
        if (not kinds or act.kind.value in kinds) and fits and start <= act.at_ns // NS <= end:
            rows.append((act.at_ns, _activity_row(venue, act)))
    is_ascending = request.query_params.get("sort_direction", "DESC").upper() == "ASC"
    rows.sort(key=lambda row: row[0], reverse=not is_ascending)
    return [row for _, row in rows]


def usdc(entry: Entry) -> float:
    """Return what a fill moved in dollars; a purchase's fee is part of it."""
    leg = entry.leg
    fee = leg.fee_micro if leg.side is Side.BUY else 0
    return (cost_micro(leg.size_micro, leg.price_micro) + fee) / MICRO


def price_of(venue: Venue, market: Market, index: int) -> int:
    """Return an outcome's present price in micro-units; of a resolved market its payout."""
    if market.winning_index is not None:
        return MICRO if market.winning_index == index else 0
    last = venue.exchange.state.last_prints.get(market.condition_id)
    return last_price(last, index) if last else MICRO // 2


def position_row(venue: Venue, user: str, held: Position) -> dict[str, Any]:
    """Render a position for the newer API."""
    market, index = held.market, held.index
    current = price_of(venue, market, index)
    value = cost_micro(held.size_micro, current)
    unrealized = value - held.cost_micro
    is_open, is_resolved = held.size_micro > 0, market.winning_index is not None
    percent = 100 * unrealized / held.cost_micro if held.cost_micro else 0.0
    return {
        "proxy_wallet": user,
        "token_id": held.token_id,
        "condition_id": market.condition_id,
        "current_size": held.size_micro / MICRO,
        "avg_price": held.avg_price_micro / MICRO,
        "entry_cost_usdc": held.cost_micro / MICRO,
        "entry_fees_usdc": held.fees_micro / MICRO,
        "total_cost_usdc": (held.bought_cost_micro + held.fees_micro) / MICRO,
        "current_price": current / MICRO,
        "current_value": value / MICRO,
        "total_size": held.bought_micro / MICRO,
        "realized_pnl": held.realized_micro / MICRO,
        "unrealized_pnl": unrealized / MICRO,
        "total_pnl": (held.realized_micro + unrealized) / MICRO,
        "percent_pnl": percent,
        "percent_realized_pnl": percent,
        "status": _status(held, is_resolved=is_resolved),
        "redeemable": is_open and is_resolved,
        "mergeable": is_open and not is_resolved and _has_opposite(venue, user, held),
        "negative_risk": market.neg_risk,
        "archived": False,
        **_names(market, index),
        "event_id": stable_number(market.event_slug),
        "opposite_outcome": market.tokens[1 - index].outcome,
        "opposite_token_id": market.tokens[1 - index].token_id,
        "end_date": iso(market.end_ns)[:10],
        "last_event_at": held.last_ns // NS,
        "first_entry_at": held.first_ns // NS,
        "verified": False,
    }


def positions_of(request: Request, user: str) -> list[Position]:
    """Return an account's positions in the markets of the query, open and closed."""
    conditions = conditions_of(request)
    held = venue_of(request).exchange.positions(user)
    return [p for p in held if not conditions or p.market.condition_id in conditions]


def camel(row: dict[str, Any], renamed: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return a row under the older API's names."""
    names = {"token_id": "asset", **dict(renamed)}
    turned = {}
    for name, value in row.items():
        head, *tail = names.get(name, name).split("_")
        turned[head + "".join(part.capitalize() for part in tail)] = value
    return turned


def _status(held: Position, *, is_resolved: bool) -> str:
    if held.size_micro == 0:
        return "CLOSED"
    if not is_resolved:
        return "OPEN"
    return "REDEEMABLE" if held.market.winning_index == held.index else "REDEEMABLE_LOST"


def _has_opposite(venue: Venue, user: str, held: Position) -> bool:
    account = venue.exchange.state.ledger.find(user)
    other = held.market.tokens[1 - held.index].token_id
    return account is not None and account.positions.get(other, 0) > 0


def _names(market: Market, index: int) -> dict[str, Any]:
    return {
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "event_slug": market.event_slug,
        "outcome": market.tokens[index].outcome,
        "outcome_index": index,
        "name": "",
        "pseudonym": "",
        "bio": "",
        "profile_image": "",
    }


def _activity_row(venue: Venue, act: Activity) -> dict[str, Any]:
    market = venue.exchange.state.markets.get(act.condition_id)
    names = _names(market, 0) if market is not None else _NO_NAMES
    return {
        "proxy_wallet": act.account,
        "side": "",
        "token_id": "",
        "condition_id": act.condition_id,
        "size": act.amount_micro / MICRO,
        "price": 0,
        "timestamp": act.at_ns // NS,
        **names,
        "outcome": "",
        "outcome_index": 999,
        "transaction_hash": act.activity_id,
        "type": act.kind.value,
        "usdc_size": abs(act.usdc_micro) / MICRO,
    }


_NO_NAMES = dict.fromkeys(
    ("title", "slug", "icon", "event_slug", "name", "pseudonym", "bio", "profile_image"), ""
)


def _cash(entry: Entry) -> int:
    return cost_micro(entry.leg.size_micro, entry.leg.price_micro)


def _amount_filter(request: Request) -> tuple[int, bool]:
    query = request.query_params
    kind = (query.get("filter_type") or query.get("filterType") or "").upper()
    text = query.get("filter_amount") or query.get("filterAmount") or "0"
    if kind not in ("", "CASH", "TOKENS"):
        raise WireError(400, "invalid filter_type")
    try:
        amount = float(text)
    except ValueError as error:
        raise WireError(400, "invalid filter_amount") from error
    if not 0 <= amount < AMOUNT_MAX:
        raise WireError(400, "invalid filter_amount")
    return round(amount * MICRO), kind == "CASH"
