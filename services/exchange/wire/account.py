"""A client's own things: open orders, trades, balances, heartbeats, notifications."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import NS, CloseReason, Order, Trade
from whaletrader.services.exchange.signing.wallets import wallets_for
from whaletrader.services.exchange.wire import render
from whaletrader.services.exchange.wire.answers import (
    WireError,
    is_whole,
    number,
    ok,
    page,
    read_json,
)
from whaletrader.services.exchange.wire.chain import SPENDERS
from whaletrader.services.exchange.wire.venue import Venue, authorized, venue_of

UINT256_MAX = (1 << 256) - 1


async def order(request: Request) -> Response:
    """Answer one order of the caller, gone ones included, so that a hash can be asked for."""
    venue = venue_of(request)
    key = await authorized(request)
    found = venue.exchange.state.orders.get(request.path_params["order_id"])
    if found is None or found.terms.principal != key.address:
        raise WireError(404, "order not found")
    return ok(render.order_row(found, prefixed=venue.config.status_prefix))


async def open_orders(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    query = request.query_params

    def fits(order: Order) -> bool:
        return (
            query.get("id") in (None, "", order.order_id)
            and query.get("market") in (None, "", order.market.condition_id)
            and query.get("asset_id") in (None, "", order.terms.token_id)
        )

    rows = [o for o in venue.exchange.state.open_by_principal[key.address].values() if fits(o)]
    prefixed = venue.config.status_prefix
    limit = venue.config.page_rows_max
    cursor = query.get("next_cursor")
    return ok(page(rows, cursor, limit, lambda o: render.order_row(o, prefixed=prefixed)))


async def pre_migration_orders(request: Request) -> Response:
    """Answer the orders that the change of generations wiped: none rested here then."""
    await authorized(request)
    cursor = request.query_params.get("next_cursor")
    return ok(page([], cursor, venue_of(request).config.page_rows_max, lambda row: row))


async def trades(request: Request) -> Response:
    """Answer the caller's trades, newest first."""
    venue = venue_of(request)
    key = await authorized(request)
    query = request.query_params
    after_ns = number(request, "after", 0) * NS
    before_ns = number(request, "before", 1 << 40) * NS
    maker = query.get("maker_address", "").lower()
    market = query.get("market")

    def fits(trade: Trade) -> bool:
        # The cheapest first: a wallet may have tens of thousands of trades.
        if not after_ns <= trade.match_ns <= before_ns:
            return False
        if market not in (None, "", trade.market.condition_id):
            return False
        own = [leg for leg in trade.legs if leg.principal == key.address]
        return (
            query.get("id") in (None, "", trade.trade_id)
            and (not query.get("asset_id") or query["asset_id"] in {o.token_id for o in own})
            and (not maker or maker in {leg.account for leg in own})
        )

    state = venue.exchange.state
    wanted = state.trades.get(query.get("id", ""))
    if wanted is not None:
        mine = [wanted] if any(leg.principal == key.address for leg in wanted.legs) else []
    else:
        mine = state.trades_by_principal[key.address][::-1]
    rows = [trade for trade in mine if fits(trade)]
    limit = venue.config.page_rows_max
    cursor = query.get("next_cursor")
    prefixed = venue.config.status_prefix
    return ok(
        page(
            rows,
            cursor,
            limit,
            lambda trade: render.trade_row(trade, key.address, prefixed=prefixed),
        )
    )


async def balance_allowance(request: Request) -> Response:
    """Answer a balance and what each spender may take of it, in base units as text."""
    venue = venue_of(request)
    key = await authorized(request)
    wallet = _wallet(venue, key.address, number(request, "signature_type", 0))
    asset_type = request.query_params.get("asset_type", "")
    account = venue.exchange.state.ledger.find(wallet)
    allowed = {spender: venue.exchange.allowance(wallet, spender) for spender in SPENDERS}
    if asset_type == "COLLATERAL":
        balance = account.cash_micro if account else 0
        amounts = {spender: cash for spender, (cash, _) in allowed.items()}
    elif asset_type in ("CONDITIONAL", "CONDITIONAL-V2"):
        token_id = request.query_params.get("token_id")
        venue.market_of_token(token_id)
        balance = account.positions.get(token_id or "", 0) if account else 0
        amounts = {spender: UINT256_MAX if may else 0 for spender, (_, may) in allowed.items()}
    else:
        raise WireError(400, "Invalid asset type")
    texts = {spender: str(amount) for spender, amount in amounts.items()}
    return ok({"balance": str(balance), "allowances": texts})


async def notifications(request: Request) -> Response:
    key = await authorized(request)
    return ok([note.row() for note in venue_of(request).notes.of(key.address)])


async def drop_notifications(request: Request) -> Response:
    """Forget the notifications named by `ids`, or all."""
    key = await authorized(request)
    ids = [part for part in request.query_params.get("ids", "").split(",") if part]
    if not all(is_whole(part) for part in ids):
        raise WireError(400, "Invalid ids")
    numbers = {int(part) for part in ids} if ids else None
    venue_of(request).notes.drop(key.address, numbers)
    return ok("OK")


async def heartbeat(request: Request) -> Response:
    """Start or continue the chain of heartbeats; once begun, silence cancels every open order."""
    venue = venue_of(request)
    key = await authorized(request)
    body: Any = await read_json(request) if await request.body() else None
    if body is None:
        venue.heartbeats[key.key] = ("", venue.wall_ns())
        return ok({"status": "ok"})
    given = body.get("heartbeat_id") if isinstance(body, dict) else None
    expected = venue.heartbeats.get(key.key, ("", 0))[0]
    if (given or "") != expected:
        raise WireError(400, "Invalid Heartbeat ID", heartbeat_id=expected)
    now_ns = venue.wall_ns()
    following = str(uuid5(NAMESPACE_OID, f"{venue.boot_id}:{key.key}:{now_ns}"))
    venue.heartbeats[key.key] = (following, now_ns)
    return ok({"heartbeat_id": following})


def expire_heartbeats(venue: Venue) -> None:
    """Cancel all orders of keys whose heartbeats stopped. Called every second by the server."""
    now_ns = venue.wall_ns()
    limit_ns = venue.config.heartbeat_timeout_s * NS
    stopped = [k for k, (_, at_ns) in venue.heartbeats.items() if now_ns - at_ns > limit_ns]
    stop_heartbeats(venue, stopped)


def stop_heartbeats(venue: Venue, key_ids: list[str]) -> int:
    """End the chains of heartbeats of some keys; return how many orders that canceled."""
    canceled = 0
    for key_id in key_ids:
        del venue.heartbeats[key_id]
        key = venue.keys.find_by_id(key_id)
        if key is not None:
            gone = venue.exchange.cancel_open(
                key.address, venue.now_ns, reason=CloseReason.HEARTBEAT
            )
            canceled += len(gone)
    if key_ids:
        venue.publish()
    return canceled


def _wallet(venue: Venue, owner: str, signature_type: int) -> str:
    """Return the wallet whose balance is meant: of several kinds, the one that has an account."""
    candidates = wallets_for(owner, signature_type)
    if signature_type != 0:
        candidates += [wallet for wallet, who in venue.wallet_owners.items() if who == owner]
    if not candidates:
        raise WireError(400, "Invalid signature type")
    for wallet in candidates:
        if venue.exchange.state.ledger.find(wallet) is not None:
            return wallet
    return candidates[-1]
