"""The operator's side: accounts, markets, the tape, and a view of everything.

Every call can be repeated after a crash: accounts are funded once a deposit id, markets are
upserts, a window that was played answers as it did before.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.digest import digest
from whaletrader.services.exchange.engine.errors import BadInstruction
from whaletrader.services.exchange.engine.exchange import Window
from whaletrader.services.exchange.engine.model import (
    MICRO,
    Market,
    NegRiskEvent,
    Print,
    Resolution,
    Restriction,
    Side,
    Token,
)
from whaletrader.services.exchange.signing.keys import address_of, checksum, is_address
from whaletrader.services.exchange.wire.answers import BAD_JSON, WireError, ok
from whaletrader.services.exchange.wire.rewards import RewardTerms
from whaletrader.services.exchange.wire.venue import Venue, venue_of

COLLATERAL_MICRO_MAX = 10**18


class AccountBody(msgspec.Struct, forbid_unknown_fields=True):
    """`collateral` is in whole units; `owner` binds a wallet to the key that signs."""

    collateral: str | int = "0"
    address: str | None = None
    deposit_id: str = "initial"
    owner: str | None = None


class TokenBody(msgspec.Struct, forbid_unknown_fields=True):
    token_id: str
    outcome: str


class MarketBody(msgspec.Struct, forbid_unknown_fields=True):
    condition_id: str
    question: str
    slug: str
    event_slug: str
    category: str
    tokens: tuple[TokenBody, TokenBody]
    tick_size_micro: int
    min_size_micro: int
    fee_rate_micro: int
    neg_risk: bool
    end_ns: int
    neg_risk_event: str = ""
    fee_exponent: int = 1
    taker_delay_ms: int | None = None
    rewards: RewardTerms | None = None


class MarketsBody(msgspec.Struct, forbid_unknown_fields=True):
    markets: list[MarketBody]


class PrintBody(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    token_id: str
    price_micro: int
    size_micro: int
    side: Side
    ts_ns: int


class ResolutionBody(msgspec.Struct, forbid_unknown_fields=True):
    condition_id: str
    winning_index: int
    ts_ns: int


class TapeBody(msgspec.Struct, forbid_unknown_fields=True):
    window: int
    now_ns: int
    prints: list[PrintBody] = []
    resolutions: list[ResolutionBody] = []


class EventBody(msgspec.Struct, forbid_unknown_fields=True):
    """A neg-risk event over markets that are listed already."""

    event_id: str
    condition_ids: list[str]
    is_augmented: bool = False


class ResolveBody(msgspec.Struct, forbid_unknown_fields=True):
    condition_id: str
    winning_index: int


class TickBody(msgspec.Struct, forbid_unknown_fields=True):
    condition_id: str
    tick_size_micro: int


class AllowanceBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a contract may spend of a wallet; what is left out stays as it is."""

    address: str
    spender: str
    collateral_micro: int | None = None
    conditional: bool | None = None


class RestrictionBody(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    restriction: Restriction


_accounts = msgspec.json.Decoder(AccountBody)
_markets = msgspec.json.Decoder(MarketsBody)
_tape = msgspec.json.Decoder(TapeBody)
_events = msgspec.json.Decoder(EventBody)
_resolutions = msgspec.json.Decoder(ResolveBody)
_ticks = msgspec.json.Decoder(TickBody)
_allowances = msgspec.json.Decoder(AllowanceBody)
_restrictions = msgspec.json.Decoder(RestrictionBody)


async def make_account(request: Request) -> Response:
    """Fund an account; without an address make one and answer its private key."""
    venue = venue_of(request)
    body: AccountBody = await _body(request, _accounts)
    private_key = None
    address = body.address
    if address is None:
        private_key = venue.draw_key()
        address = address_of(private_key)
    if not is_address(address) or (body.owner is not None and not is_address(body.owner)):
        raise WireError(400, "address must be 0x and 40 hex digits")
    amount = _whole_units(body.collateral)
    account = address.lower()
    if body.owner is not None:
        bound = venue.wallet_owners.setdefault(account, body.owner.lower())
        if bound != body.owner.lower():
            raise WireError(409, f"wallet {account} belongs to {bound}")
    is_new = venue.exchange.deposit(account, amount, body.deposit_id)
    answer: dict[str, Any] = {
        "address": checksum(account),
        "credited": is_new,
        "cash_micro": venue.exchange.state.ledger.account(account).cash_micro,
    }
    if private_key is not None:
        answer["private_key"] = "0x" + private_key.hex()
    return ok(answer)


async def upsert_markets(request: Request) -> Response:
    venue = venue_of(request)
    body: MarketsBody = await _body(request, _markets)
    return ok({"markets": len(body.markets), "added": add_markets(venue, body)})


def add_markets(venue: Venue, body: MarketsBody) -> int:
    """Add markets or update their terms; return how many are new. Raises `WireError`."""
    added = 0
    if venue.config.mode != "tape":
        venue.exchange.advance(venue.now_ns)
    try:
        for entry in body.markets:
            added += venue.exchange.list_market(_market(entry))
            if entry.rewards is not None:
                venue.rewards[entry.condition_id] = entry.rewards
    except BadInstruction as error:
        raise WireError(409, str(error)) from error
    finally:
        venue.publish()
    return added


async def following(request: Request) -> Response:
    """Answer how the followed book does; 409 where none is followed."""
    follower = venue_of(request).follower
    if follower is None:
        raise WireError(409, "this exchange follows no book: start it with --mode live-book")
    return ok(follower.view())


async def upsert_events(request: Request) -> Response:
    """Bind markets to a neg-risk event."""
    venue = venue_of(request)
    body: EventBody = await _body(request, _events)
    event = NegRiskEvent(body.event_id, tuple(body.condition_ids), body.is_augmented)
    added = _instructed(venue, lambda: venue.exchange.list_event(event))
    return ok({"event_id": body.event_id, "added": bool(added)})


async def resolve(request: Request) -> Response:
    """Say which outcome of a market won; what rests there is canceled."""
    venue = venue_of(request)
    body: ResolveBody = await _body(request, _resolutions)
    if body.winning_index not in (0, 1):
        raise WireError(400, "winning_index must be 0 or 1")
    _instructed(
        venue,
        lambda: venue.exchange.resolve(body.condition_id, body.winning_index, venue.now_ns),
    )
    return ok({"condition_id": body.condition_id, "winning_index": body.winning_index})


async def set_tick(request: Request) -> Response:
    venue = venue_of(request)
    body: TickBody = await _body(request, _ticks)
    _instructed(
        venue,
        lambda: venue.exchange.set_tick(body.condition_id, body.tick_size_micro, venue.now_ns),
    )
    return ok({"condition_id": body.condition_id, "tick_size_micro": body.tick_size_micro})


async def allow(request: Request) -> Response:
    """Set what a contract may spend of a wallet, as an approval on the chain would."""
    venue = venue_of(request)
    body: AllowanceBody = await _body(request, _allowances)
    if not is_address(body.address) or not is_address(body.spender):
        raise WireError(400, "address and spender must be 0x and 40 hex digits")
    _instructed(
        venue,
        lambda: venue.exchange.allow(
            body.address.lower(),
            body.spender,
            collateral_micro=body.collateral_micro,
            conditional=body.conditional,
        ),
    )
    cash, shares = venue.exchange.allowance(body.address.lower(), body.spender)
    return ok({"collateral_micro": str(cash), "conditional": shares})


async def restrict(request: Request) -> Response:
    """Ban an address, have it only close positions, or lift that."""
    venue = venue_of(request)
    body: RestrictionBody = await _body(request, _restrictions)
    if not is_address(body.address):
        raise WireError(400, "address must be 0x and 40 hex digits")
    _instructed(venue, lambda: venue.exchange.restrict(body.address.lower(), body.restriction))
    return ok({"address": checksum(body.address), "restriction": body.restriction.value})


def _instructed(venue: Venue, act: Callable[[], Any]) -> Any:
    try:
        return act()
    except BadInstruction as error:
        raise WireError(409, str(error)) from error
    finally:
        venue.publish()


async def play_tape(request: Request) -> Response:
    """Play one window; the numbers must follow one another."""
    venue = venue_of(request)
    if venue.config.mode != "tape":
        raise WireError(409, "this exchange does not follow a tape")
    body: TapeBody = await _body(request, _tape)
    try:
        facts = venue.exchange.play(_window(body))
    except BadInstruction as error:
        raise WireError(409, str(error)) from error
    venue.publish()
    return ok({"window": body.window, "facts": facts})


async def state(request: Request) -> Response:
    """Answer clock, accounts and fingerprint; fails when money does not add up."""
    venue = venue_of(request)
    engine = venue.exchange.state
    engine.ledger.check(engine.markets)
    return ok(
        {
            "boot_id": venue.boot_id,
            "mode": venue.config.mode,
            "now_ns": venue.now_ns,
            "window": venue.exchange.window,
            "accounts": _account_rows(venue),
            "markets": len(engine.markets),
            "orders": len(engine.orders),
            "trades": len(engine.trades),
            "conserved": True,
            "digest": digest(engine),
        }
    )


def _account_rows(venue: Venue) -> dict[str, Any]:
    engine = venue.exchange.state
    facts = venue.exchange.facts()
    open_orders: dict[str, int] = {}
    for orders in engine.open_by_principal.values():
        for order in orders.values():
            account = order.terms.account
            open_orders[account] = open_orders.get(account, 0) + 1
    return {
        account.address: {
            "cash_micro": account.cash_micro,
            "reserved_micro": account.reserved_cash_micro,
            "deposited_micro": account.deposited_micro,
            "fees_paid_micro": account.fees_paid_micro,
            "positions": {t: s for t, s in sorted(account.positions.items()) if s},
            "open_orders": open_orders.get(account.address, 0),
            "facts": facts[account.address],
        }
        for account in engine.ledger.traders()
    }


async def _body(request: Request, decoder: msgspec.json.Decoder[Any]) -> Any:
    body = await request.body()
    if not body:
        raise WireError(400, "the body is empty: send a JSON object")
    try:
        return decoder.decode(body)
    except BAD_JSON as error:
        raise WireError(400, str(error)) from error


def _whole_units(given: str | int) -> int:
    try:
        units = Decimal(given)
    except InvalidOperation as error:
        raise WireError(400, "collateral must be a decimal number") from error
    if not units.is_finite() or not 0 <= units <= COLLATERAL_MICRO_MAX // MICRO:
        most = COLLATERAL_MICRO_MAX // MICRO
        raise WireError(400, f"collateral must not be negative nor above {most}")
    micro = units * MICRO
    if micro != int(micro):
        raise WireError(400, "collateral must have at most 6 decimals")
    return int(micro)


def _market(body: MarketBody) -> Market:
    positive = body.min_size_micro >= 0 and body.end_ns >= 0
    if not positive or not 0 <= body.fee_rate_micro < MICRO:
        raise WireError(400, f"market {body.condition_id}: a term is out of range")
    if not all(token.token_id.isdecimal() for token in body.tokens):
        raise WireError(400, f"market {body.condition_id}: token ids are decimal numbers")
    first, second = (Token(token.token_id, token.outcome) for token in body.tokens)
    return Market(
        condition_id=body.condition_id,
        question=body.question,
        slug=body.slug,
        event_slug=body.event_slug,
        category=body.category,
        tokens=(first, second),
        tick_size_micro=body.tick_size_micro,
        min_size_micro=body.min_size_micro,
        fee_rate_micro=body.fee_rate_micro,
        neg_risk=body.neg_risk,
        end_ns=body.end_ns,
        neg_risk_event=body.neg_risk_event,
        fee_exponent=body.fee_exponent,
        taker_delay_ns=-1 if body.taker_delay_ms is None else body.taker_delay_ms * 1_000_000,
    )


def _window(body: TapeBody) -> Window:
    for entry in body.prints:
        if not 0 <= entry.price_micro <= MICRO or entry.size_micro < 0:
            raise WireError(400, f"print {entry.id}: price or size is out of range")
    if any(entry.winning_index not in (0, 1) for entry in body.resolutions):
        raise WireError(400, "winning_index must be 0 or 1")
    return Window(
        number=body.window,
        now_ns=body.now_ns,
        prints=tuple(
            Print(p.id, p.token_id, p.price_micro, p.size_micro, p.side, p.ts_ns)
            for p in body.prints
        ),
        resolutions=tuple(
            Resolution(r.condition_id, r.winning_index, r.ts_ns) for r in body.resolutions
        ),
    )
