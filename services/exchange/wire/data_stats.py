"""The Data API's sums over everybody: holders, interest, volume, boards, tokens, resolutions."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import MICRO, Market
from whaletrader.services.exchange.signing.contracts import CHAIN_ID, is_position_id
from whaletrader.services.exchange.wire import chain
from whaletrader.services.exchange.wire.answers import WireError, number, ok
from whaletrader.services.exchange.wire.data_api import paged
from whaletrader.services.exchange.wire.data_rows import (
    conditions_of,
    required_user,
)
from whaletrader.services.exchange.wire.gamma_rows import events_of, open_interest, stable_number
from whaletrader.services.exchange.wire.history import points_of
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, venue_of

HOLDERS_MAX = 500
UINT256_MAX = (1 << 256) - 1


async def holders(request: Request) -> Response:
    rows = [
        {
            "token_id": token.token_id,
            "holders": _holders(venue_of(request), market, index, number(request, "limit", 100)),
        }
        for market in _markets(request)
        for index, token in enumerate(market.tokens)
    ]
    return paged(request, rows)


async def holders_v1(request: Request) -> Response:
    limit = min(number(request, "limit", 20), HOLDERS_MAX)
    rows = []
    for market in _markets(request):
        for index, token in enumerate(market.tokens):
            held = _holders(venue_of(request), market, index, limit)
            named = [
                {
                    "proxyWallet": h["proxy_wallet"],
                    "asset": token.token_id,
                    "amount": h["amount"],
                    "outcomeIndex": index,
                    "name": "",
                    "pseudonym": "",
                    "bio": "",
                    "profileImage": "",
                    "displayUsernamePublic": False,
                }
                for h in held
            ]
            rows.append({"token": token.token_id, "holders": named})
    return ok(rows)


async def interest(request: Request) -> Response:
    venue = venue_of(request)
    return ok({"data": _interest(request, venue, "condition_id")})


async def interest_v1(request: Request) -> Response:
    venue = venue_of(request)
    return ok(_interest(request, venue, "market"))


async def live_volume(request: Request) -> Response:
    """Answer an event's volume in shares, market by market."""
    found = _event_markets(request, "event_id")
    volumes = _taker_volume(venue_of(request))
    rows = [
        {"condition_id": m.condition_id, "taker_volume": volumes[m.condition_id] / MICRO}
        for m in found
    ]
    total = sum(volumes[m.condition_id] for m in found) / MICRO
    return ok({"data": {"taker_volume_total": total, "conditions": rows}})


async def live_volume_v1(request: Request) -> Response:
    found = _event_markets(request, "id")
    volumes = _taker_volume(venue_of(request))
    rows = [{"market": m.condition_id, "value": volumes[m.condition_id] / MICRO} for m in found]
    total = sum(volumes[m.condition_id] for m in found) / MICRO
    return ok([{"total": total, "markets": rows}])


async def prices_history(request: Request) -> Response:
    """Answer a token's price points with the length of the step each stands for."""
    query = request.query_params
    venue = venue_of(request)
    points, step_s = points_of(
        venue,
        query.get("token_id"),
        query.get("interval") or "max",
        (number(request, "start", 0), number(request, "end", 0)),
        number(request, "bucket_seconds", 60) // 60 or 1,
    )
    rows = [{"timestamp": t, "price": p / MICRO, "resolution_seconds": step_s} for t, p in points]
    return paged(request, rows)


async def resolutions(request: Request) -> Response:
    """Answer what is known of the outcome of the markets asked for."""
    query = request.query_params
    named = [n for n in ("question_id", "condition", "condition_id", "event_id") if query.get(n)]
    if len(named) != 1:
        raise WireError(400, "exactly one of question_id, condition and event_id is required")
    wanted = conditions_of(request) | set(query.get("question_id", "").split(","))
    found = [
        m for m in venue_of(request).exchange.state.markets.values() if m.condition_id in wanted
    ]
    return ok({"data": [_resolution_row(m) for m in found]})


async def approvals(request: Request) -> Response:
    """Answer which contract may spend what of a wallet."""
    user = required_user(request)
    venue = venue_of(request)
    rows = []
    for spender in (*chain.SPENDERS, *chain.OPERATORS):
        cash, shares = venue.exchange.allowance(user, spender)
        amount = "max" if cash >= UINT256_MAX else str(cash)
        rows.append(_approval(chain.COLLATERAL, spender, ("ERC20", cash > 0), amount))
        rows += [
            _approval(token, spender, ("ERC1155", shares), None)
            for token in (chain.CONDITIONAL_TOKENS, chain.POSITION_MANAGER)
        ]
    return ok({"data": {"address": user, "chain_id": CHAIN_ID, "contracts": rows}})


async def status(request: Request) -> Response:
    venue = venue_of(request)
    return ok({"data": {"status": "ok", "synced_at": iso(venue.wall_ns())}})


async def tokens(request: Request) -> Response:
    """Answer reference facts of tokens, by token or condition."""
    named = {p for v in request.query_params.getlist("token_id") for p in v.split(",") if p}
    conditions = conditions_of(request)
    rows = [
        _token_row(market, index)
        for market in venue_of(request).exchange.state.markets.values()
        for index, token in enumerate(market.tokens)
        if token.token_id in named or market.condition_id in conditions
    ]
    return ok({"data": rows})


def _markets(request: Request, *, needed: bool = True) -> list[Market]:
    wanted = conditions_of(request)
    if needed and not wanted:
        raise WireError(400, "condition is required")
    every = venue_of(request).exchange.state.markets.values()
    return [m for m in every if not wanted or m.condition_id in wanted]


def _interest(request: Request, venue: Venue, name: str) -> list[dict[str, Any]]:
    found = {m.condition_id: open_interest(venue, m) for m in _markets(request, needed=False)}
    if not conditions_of(request):
        found = {"GLOBAL": sum(found.values())}
    return [{name: key, "value": micro / MICRO} for key, micro in found.items()]


def _event_markets(request: Request, name: str) -> list[Market]:
    wanted = {p for p in request.query_params.get(name, "").split(",") if p}
    if not wanted:
        raise WireError(400, f"{name} is required")
    grouped = events_of(venue_of(request)).items()
    return [m for slug, members in grouped if stable_number(slug) in wanted for m in members]


def _holders(venue: Venue, market: Market, index: int, limit: int) -> list[dict[str, Any]]:
    token_id = market.tokens[index].token_id
    found = [
        (account.positions.get(token_id, 0), account.address)
        for account in venue.exchange.state.ledger.traders()
    ]
    found = sorted((row for row in found if row[0] > 0), key=lambda row: (-row[0], row[1]))
    return [
        {
            "proxy_wallet": address,
            "bio": "",
            "token_id": token_id,
            "pseudonym": "",
            "amount": size / MICRO,
            "display_username_public": False,
            "outcome_index": index,
            "name": "",
            "profile_image": "",
            "profile_image_optimized": "",
            "verified": False,
        }
        for size, address in found[:limit]
    ]


def _taker_volume(venue: Venue) -> dict[str, int]:
    volumes: dict[str, int] = defaultdict(int)
    for trade in venue.exchange.state.trades.values():
        volumes[trade.market.condition_id] += trade.taker.size_micro
    return volumes


def _resolution_row(market: Market) -> dict[str, Any]:
    is_resolved = market.winning_index is not None
    row: dict[str, Any] = {
        "question_id": market.condition_id,
        "condition_id": market.condition_id,
        "status": "resolved" if is_resolved else "active",
        "extended_review": False,
        "was_disputed": False,
        "new_version_q": False,
        "transaction_hash": "",
        "log_index": "",
        "last_update_timestamp": iso(market.resolved_ns or market.listed_ns),
        "market_type": "NEG_RISK" if market.neg_risk else "BINARY",
    }
    if is_resolved:
        first_wins = market.winning_index == 0
        row["payouts"] = [MICRO, 0] if first_wins else [0, MICRO]
        row["resolution_source"] = "reported"
        row["was_arbitrated"] = False
        row["resolved_at"] = iso(market.resolved_ns or 0)
    return row


def _approval(
    token: str, spender: str, kind: tuple[str, bool], amount: str | None
) -> dict[str, Any]:
    standard, approved = kind
    row: dict[str, Any] = {
        "token": token,
        "spender": spender,
        "standard": standard,
        "approved": approved,
    }
    return row if amount is None else {**row, "amount": amount}


def _token_row(market: Market, index: int) -> dict[str, Any]:
    token = market.tokens[index]
    is_newer = is_position_id(token.token_id)
    is_resolved = market.winning_index is not None
    return {
        "token_id": token.token_id,
        "condition_id": market.condition_id,
        "structural_condition_id": None,
        "module": ("neg_risk" if market.neg_risk else "binary") if is_newer else "v1_ctf",
        "outcome_index": index,
        "clob_index": index,
        "outcome": token.outcome,
        "opposite_token_id": market.tokens[1 - index].token_id,
        "resolved": is_resolved,
        "final_price": (1 if market.winning_index == index else 0) if is_resolved else None,
        "title": market.question,
        "market_slug": market.slug,
        "closed": is_resolved,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": market.neg_risk_event or None,
        "question_index": None,
        "event_id": int(stable_number(market.event_slug)),
        "event_slug": market.event_slug,
    }
