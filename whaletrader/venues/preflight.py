"""Before anything is traded for money: everything that a trade needs, looked at once.

Sends no order and changes nothing at the venue, but for the login's API key and, if it is allowed
to, one heartbeat. Any failure means that trading must not start; what could not be looked at has
failed. Called by execution's composition root in live mode and by `whaletrader doctor --live`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from eth_utils.crypto import keccak

from whaletrader.domain.money import MICRO, MoneyError
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.venues.errors import (
    OutcomeUnknown,
    VenueError,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.polymarket.official import official_digest, recovered
from whaletrader.venues.polymarket.order_hash import fields_of, signed_digest
from whaletrader.venues.polymarket.signer import Signer
from whaletrader.venues.polymarket.venue import PolymarketVenue
from whaletrader.venues.report import Check, Report
from whaletrader.venues.terms import MarketTerms
from whaletrader.venues.watch import clock_check, region_check

# No healthy answer takes longer; the whole pre-flight ends within a few minutes at the worst.
CHECK_TIMEOUT_S: Final = 15.0
_TICKS_MICRO: Final = (100, 1_000, 2_500, 5_000, 10_000, 100_000)
_ORDER_GENERATION: Final = 2
_WORDS: Final = b"whaletrader pre-flight"

Look = Callable[[], Awaitable[str]]


class _Failed(Exception):
    """A check's own verdict: what was found, and what to do."""

    def __init__(self, found: str, to_do: str) -> None:
        super().__init__(found)
        self.to_do = to_do


@dataclass(frozen=True, slots=True)
class PreflightOptions:
    """What a pre-flight asks for. `now_ns` is this machine's clock, UTC epoch nanoseconds."""

    now_ns: Callable[[], int]
    # The market whose terms and book are read; empty: one that the venue lists.
    condition_id: str = ""
    skew_max_s: float = 2.0
    collateral_min_micro: int = MICRO
    # A heartbeat that is followed by silence cancels every resting order: only who goes on
    # sending them may begin. Without it they are tried where nothing rests.
    goes_on_beating: bool = False


async def preflight(venue: PolymarketVenue, signer: Signer, options: PreflightOptions) -> Report:
    """Look at everything. Connects the venue and leaves it so. Raises nothing of the venue's."""
    return await _Preflight(venue, signer, options).run()


class _Preflight:
    def __init__(self, venue: PolymarketVenue, signer: Signer, options: PreflightOptions) -> None:
        self._venue = venue
        self._signer = signer
        self._options = options
        self._checks: list[Check] = []
        self._terms: MarketTerms | None = None
        self._is_logged_in = False

    async def run(self) -> Report:
        venue, options = self._venue, self._options
        self._checks.append(await region_check(venue))
        self._checks.append(await clock_check(venue, options.now_ns, options.skew_max_s))
        await self._look("signing key", self._key)
        await self._look("wallet", self._wallet)
        await self._look("API credentials", self._login)
        await self._look("account", self._standing)
        await self._look("collateral", self._collateral)
        await self._look("order generation", self._generation)
        await self._look("market terms", self._market)
        await self._look("order book", self._book)
        await self._look("share allowances", self._shares)
        await self._look("dry order", self._dry_order)
        await self._look("heartbeat", self._heartbeat)
        await self._look("user stream", self._stream)
        return Report(venue.capabilities.venue, venue.wallet, tuple(self._checks))

    async def _look(self, name: str, look: Look) -> None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                found = await look()
        except _Failed as failed:
            check = Check(name, False, str(failed), failed.to_do)
        except TimeoutError:
            check = Check(name, False, f"no answer within {CHECK_TIMEOUT_S:g} s", _AGAIN)
        except (VenueUnavailable, OutcomeUnknown) as error:
            check = Check(name, False, f"{type(error).__name__}: {error}", _AGAIN)
        except (VenueError, MoneyError) as error:
            check = Check(name, False, f"{type(error).__name__}: {error}", _TO_DO.get(name, _AGAIN))
        else:
            check = Check(name, True, found)
        self._checks.append(check)

    async def _key(self) -> str:
        digest = keccak(_WORDS)
        found = recovered(digest, await self._signer.sign(digest))
        if found != self._signer.address:
            raise _Failed(f"signs as {found}, not as {self._signer.address}", _TO_DO["signing key"])
        return f"{type(self._signer).__name__} signs as {found}"

    async def _login(self) -> str:
        try:
            self._venue.require_own_wallet()
        except VenueStop:
            raise _Failed("not tried: the wallet is not this key's", _TO_DO["wallet"]) from None
        await self._venue.connect()
        self._is_logged_in = True
        return "taken by the venue"

    async def _standing(self) -> str:
        self._require_login()
        if await self._venue.is_closed_only():
            raise _Failed("may only close positions", "ask the venue why; nothing can be opened")
        return "may trade"

    async def _wallet(self) -> str:
        account = self._venue.account
        self._venue.require_own_wallet()
        if not await self._venue.is_deployed():
            raise _Failed(
                f"{account.maker} is not deployed", "log in once on the venue's site with this key"
            )
        return f"{account.maker}, signature type {account.signature_type}"

    async def _collateral(self) -> str:
        self._require_login()
        held = await self._venue.collateral()
        needed = self._options.collateral_min_micro
        if held.balance_micro < needed:
            raise _Failed(
                f"${held.balance_micro / MICRO:,.2f} of at least ${needed / MICRO:,.2f}",
                f"deposit to {self._venue.wallet}",
            )
        short = [spender for spender in self._spenders() if held.allowance_micro(spender) < needed]
        if short:
            raise _Failed(
                f"no allowance for {', '.join(short)}",
                "approve the collateral for these contracts, then ask for "
                "/balance-allowance/update",
            )
        return (
            f"${held.balance_micro / MICRO:,.2f}, allowed to all {len(self._spenders())} spenders"
        )

    async def _generation(self) -> str:
        found = await self._venue.generation()
        if found != _ORDER_GENERATION:
            raise _Failed(
                f"the venue takes generation {found}",
                f"this adapter signs {_ORDER_GENERATION} and 3: it must be adapted first",
            )
        return f"{found}, as signed here"

    async def _market(self) -> str:
        condition_id = self._options.condition_id or await self._venue.listed_market()
        terms = await self._venue.terms(condition_id)
        if terms.tick_micro not in _TICKS_MICRO or terms.min_size_micro <= 0:
            raise _Failed(
                f"tick {terms.tick_micro} and least size {terms.min_size_micro} micro-units",
                "the venue has a tick that is not known here: the adapter must be adapted",
            )
        if not 0 <= terms.fees.rate_micro < MICRO or not terms.token_ids:
            raise _Failed(
                f"fee rate {terms.fees.rate_micro} micro, {len(terms.token_ids)} tokens",
                "the venue's terms are not understood: the adapter must be adapted",
            )
        self._terms = terms
        return (
            f"tick {terms.tick_micro / MICRO:g}, at least {terms.min_size_micro / MICRO:g} shares, "
            f"taker rate {terms.fees.rate_micro / MICRO:g} in {_short(terms.condition_id)}"
        )

    async def _book(self) -> str:
        terms = self._known_terms()
        self._require_login()
        book = await self._venue.book(terms.token_ids[0])
        if book.tick_micro != terms.tick_micro or book.neg_risk != terms.neg_risk:
            raise _Failed(
                f"book and terms differ: tick {book.tick_micro} and {terms.tick_micro}",
                "try again: the tick may have changed in between; otherwise the adapter is wrong",
            )
        bid, ask = book.best_bid_micro, book.best_ask_micro
        if bid and ask and bid >= ask:
            raise _Failed(f"crossed: bid {bid}, ask {ask}", "the adapter reads it the wrong way")
        bids, asks = len(book.bids), len(book.asks)
        return f"{bids} bids up to {bid / MICRO:g}, {asks} asks from {ask / MICRO:g}"

    async def _shares(self) -> str:
        token_id = self._known_terms().token_ids[0]
        self._require_login()
        held = await self._venue.share_allowances(token_id)
        spender = self._spender_of(self._known_terms())
        if not held.allowance_micro(spender):
            raise _Failed(
                f"{spender} may not move shares: what is bought could not be sold",
                "set the approval for all on the position contract",
            )
        return f"shares may be sold through {spender}"

    async def _dry_order(self) -> str:
        venue = self._venue
        order = _smallest_bid(self._known_terms(), self._options.now_ns())
        order.order.size_micro = venue.fit_size(order)
        order.order.order_id = venue.prepare(order)
        signed = await venue.sign(order)
        fields = fields_of(order, venue.account, venue.contracts)
        chain_id = venue.contracts.chain_id
        digest = official_digest(signed, fields, chain_id)
        if digest != signed_digest(fields, chain_id):
            raise _Failed(
                f"hashed as {signed_digest(fields, chain_id).hex()}, by the official client as "
                f"{digest.hex()}",
                "the venue's client signs something else than this adapter: do not trade",
            )
        # A deposit wallet's signature carries more behind the 65 bytes of the key's.
        raw = bytes.fromhex(signed.signature.removeprefix("0x"))[:65]
        found = recovered(digest, raw)
        if found != venue.account.key_address:
            raise _Failed(f"signed by {found}", _TO_DO["signing key"])
        return (
            f"{_short(order.order.order_id)} built, signed and not sent; the hash is the client's"
        )

    async def _heartbeat(self) -> str:
        self._require_login()
        resting = len(await self._venue.open_orders())
        if resting and not self._options.goes_on_beating:
            return f"not tried: {resting} orders rest, which silence after it would cancel"
        await self._venue.heartbeat()
        return "taken"

    async def _stream(self) -> str:
        self._require_login()
        events = self._venue.events()
        try:
            await anext(events)
        finally:
            await events.aclose()
        return "connected"

    def _known_terms(self) -> MarketTerms:
        if self._terms is None:
            raise _Failed("not tried: no market's terms are known", _FIRST.format("market terms"))
        return self._terms

    def _require_login(self) -> None:
        if not self._is_logged_in:
            raise _Failed("not tried: not logged in", _FIRST.format("API credentials"))

    def _spenders(self) -> tuple[str, ...]:
        contracts = self._venue.contracts
        return contracts.standard, contracts.neg_risk, contracts.positions

    def _spender_of(self, terms: MarketTerms) -> str:
        order = _smallest_bid(terms, 0)
        return fields_of(order, self._venue.account, self._venue.contracts).contract


def _smallest_bid(terms: MarketTerms, now_ns: int) -> order_pb2.OrderAnnounced:
    """Return the least order there is, at the lowest price: made to be hashed only."""
    return order_pb2.OrderAnnounced(
        order=order_pb2.OrderRef(
            condition_id=terms.condition_id,
            token_id=terms.token_ids[0],
            side=common_pb2.SIDE_BUY,
            price_micro=terms.tick_micro,
            size_micro=terms.min_size_micro,
        ),
        order_type=order_pb2.ORDER_TYPE_GTC,
        timestamp_ms=now_ns // 1_000_000,
        neg_risk=terms.neg_risk,
    )


def _short(name: str) -> str:
    return f"{name[:10]}…"


_AGAIN: Final = "check the connection to the venue and its status page, then try again"
_FIRST: Final = "mend what fails at {!r} first"
_TO_DO: Final = {
    "signing key": "check the key's settings; in KMS: spec ECC_SECG_P256K1, kms:Sign allowed",
    "wallet": "set SIGNATURE_TYPE and FUNDER to the wallet that this key owns",
    "market terms": "check the condition id; without --market one that the venue lists is taken",
    "API credentials": "check the clock; if they were revoked, make new ones with the key",
    "user stream": "check that WebSockets get through to the venue",
}
