"""A client's own things: API keys, open orders, trades, balances, heartbeats, notifications."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import NS, CloseReason, Order, Trade
from whaletrader.services.exchange.signing import contracts
from whaletrader.services.exchange.signing.wallets import wallets_for
from whaletrader.services.exchange.wire import render
from whaletrader.services.exchange.wire.answers import WireError, number, ok, page, read_json
from whaletrader.services.exchange.wire.venue import Venue, authorized, logged_in, venue_of

# Every account may spend everything: allowances belong to the chain, which is not part of this.
UNLIMITED = str((1 << 256) - 1)
SPENDERS = (
    contracts.EXCHANGE_V2,
    contracts.EXCHANGE_V2_NEG_RISK,
    contracts.NEG_RISK_ADAPTER,
    contracts.EXCHANGE_V3,
)


async def create_api_key(request: Request) -> Response:
    return ok(venue_of(request).keys.create(*logged_in(request)).answer())


async def derive_api_key(request: Request) -> Response:
    return ok(venue_of(request).keys.derive(*logged_in(request)).answer())


async def api_keys(request: Request) -> Response:
    key = await authorized(request)
    return ok({"apiKeys": venue_of(request).keys.of(key.address)})


async def delete_api_key(request: Request) -> Response:
    venue_of(request).keys.delete(await authorized(request))
    return ok("OK")


async def closed_only(request: Request) -> Response:
    await authorized(request)
    return ok({"closed_only": False})


async def order(request: Request) -> Response:
    """Answer one order of the caller, gone ones included, so that a hash can be asked for."""
    key = await authorized(request)
    found = venue_of(request).exchange.state.orders.get(request.path_params["order_id"])
    if found is None or found.terms.principal != key.address:
        raise WireError(404, "order not found")
    return ok(render.order_row(found))


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
    return ok(page(rows, query.get("next_cursor"), venue.config.page_rows_max, render.order_row))


async def trades(request: Request) -> Response:
    """Answer the caller's trades, newest first."""
    venue = venue_of(request)
    key = await authorized(request)
    query = request.query_params
    after_ns = number(request, "after", 0) * NS
    before_ns = number(request, "before", 1 << 40) * NS
    maker = query.get("maker_address", "").lower()

    def fits(trade: Trade) -> bool:
        own = [leg for leg in trade.legs if leg.principal == key.address]
        return (
            query.get("id") in (None, "", trade.trade_id)
            and query.get("market") in (None, "", trade.market.condition_id)
            and (not query.get("asset_id") or query["asset_id"] in {o.token_id for o in own})
            and (not maker or maker in {leg.account for leg in own})
            and after_ns <= trade.match_ns <= before_ns
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
    return ok(page(rows, cursor, limit, lambda trade: render.trade_row(trade, key.address)))


async def balance_allowance(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    wallet = _wallet(venue, key.address, number(request, "signature_type", 0))
    asset_type = request.query_params.get("asset_type", "")
    account = venue.exchange.state.ledger.find(wallet)
    if asset_type == "COLLATERAL":
        balance = account.cash_micro if account else 0
    elif asset_type in ("CONDITIONAL", "CONDITIONAL-V2"):
        token_id = request.query_params.get("token_id")
        venue.market_of_token(token_id)
        balance = account.positions.get(token_id or "", 0) if account else 0
    else:
        raise WireError(400, "Invalid asset type")
    return ok(
        {"balance": str(balance), "allowances": dict.fromkeys(SPENDERS, UNLIMITED)},
    )


async def notifications(request: Request) -> Response:
    await authorized(request)
    return ok([])


async def drop_notifications(request: Request) -> Response:
    await authorized(request)
    return ok("OK")


async def order_scoring(request: Request) -> Response:
    await authorized(request)
    return ok({"scoring": False})


async def orders_scoring(request: Request) -> Response:
    await authorized(request)
    body = await read_json(request)
    if not isinstance(body, list):
        raise WireError(400, "Invalid payload")
    return ok({str(order_id): False for order_id in body})


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
    for key_id in stopped:
        del venue.heartbeats[key_id]
        key = venue.keys.find_by_id(key_id)
        if key is not None:
            venue.exchange.cancel_open(key.address, venue.now_ns, reason=CloseReason.HEARTBEAT)
    if stopped:
        venue.publish()


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
