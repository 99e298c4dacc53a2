"""The venue port on the official client: the only place that talks to Polymarket.

Orders are built and signed here, because their id has to be known before they are sent; they
leave through the client's public `post_order`, which takes a signed order as it is. Everything
else is the client's own doing. Used by execution's composition root.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from polymarket import AsyncSecureClient
from polymarket.environments import Environment
from polymarket.errors import (
    OrderHeartbeatMismatchError,
    PolymarketError,
    RequestRejectedError,
    TransportError,
    UnexpectedResponseError,
)
from polymarket.models.clob.order_response import RejectedOrder
from polymarket.models.clob.orders import OrderType, SignedOrder
from polymarket.models.types import TokenId
from polymarket.streams import SubscriptionHandle, UserEvent, UserSpec
from polymarket.types import EvmAddress, HexString

from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.venues.approval import VerifiedApproval
from whaletrader.venues.capabilities import POLYMARKET, Capabilities
from whaletrader.venues.errors import OutcomeUnknown, Refusal, VenueRefused, VenueUnavailable
from whaletrader.venues.polymarket import answers, translate
from whaletrader.venues.polymarket.client import connect, contracts_of, hosts_of, stream_mark
from whaletrader.venues.polymarket.order_hash import (
    BYTES32_ZERO,
    Account,
    OrderFields,
    digest_of,
    fields_of,
    order_id,
    signed_digest,
    size_step,
    wire_signature,
)
from whaletrader.venues.polymarket.reads import PublicReads
from whaletrader.venues.polymarket.signer import LocalSigner
from whaletrader.venues.port import (
    Cancellation,
    Heartbeat,
    Placement,
    StreamEvent,
    StreamOpened,
    VenueFill,
    VenueOrder,
)
from whaletrader.venues.terms import Collateral, MarketTerms, OrderBook, Region

_ORDER_TYPES: Final[dict[int, OrderType]] = {
    order_pb2.ORDER_TYPE_GTC: "GTC",
    order_pb2.ORDER_TYPE_GTD: "GTD",
    order_pb2.ORDER_TYPE_FOK: "FOK",
    order_pb2.ORDER_TYPE_FAK: "FAK",
}
# The client reconnects within a second; looking more often than that misses nothing.
_STREAM_LOOK_S: Final = 0.2
_RESUBSCRIBE_S: Final = 0.5
# Balances of single tokens: 200 reads in 10 s are free, so eight at a time stay far below.
_BALANCE_READS_MAX: Final = 8
_HELD: Final = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST")


@dataclass(frozen=True, slots=True)
class WalletSettings:
    """Whose wallet: `funder` pays; empty means the signer's own address."""

    environment: Environment
    funder: str = ""
    signature_type: int = 0
    # Empty: the one that belongs to the environment.
    geoblock_url: str = ""


class PolymarketVenue:
    """One wallet at Polymarket, or at an exchange that speaks its protocol."""

    def __init__(self, signer: LocalSigner, settings: WalletSettings) -> None:
        self._signer = signer
        self._environment = settings.environment
        self._contracts = contracts_of(settings.environment)
        self._account = Account(
            settings.funder or signer.address, signer.address, settings.signature_type
        )
        self._client: AsyncSecureClient | None = None
        self._reads = PublicReads(hosts_of(settings.environment, settings.geoblock_url))
        self._heartbeat_id = ""
        self._heartbeats = asyncio.Lock()

    @property
    def capabilities(self) -> Capabilities:
        return POLYMARKET

    @property
    def wallet(self) -> str:
        return self._account.maker.lower()

    async def connect(self) -> None:
        """Log in. Raises VenueUnavailable, VenueStop."""
        if self._client is None:
            account = self._account
            self._client = await connect(
                self._signer, account.maker, account.signature_type, self._environment
            )

    async def close(self) -> None:
        """Close connections. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        await self._reads.close()

    def prepare(self, order: order_pb2.OrderAnnounced) -> str:
        return order_id(order, self._account, self._contracts)

    def fit_size(self, order: order_pb2.OrderAnnounced) -> int:
        step = size_step(order)
        return max(order.order.size_micro, 0) // step * step

    async def submit(
        self,
        approval: VerifiedApproval,
        order: order_pb2.OrderAnnounced,
        *,
        before_send: Callable[[], None] | None = None,
    ) -> Placement:
        approval.require_cover(order)
        signed = await self._signed(order)
        if before_send is not None:
            before_send()
        try:
            answer = await self._connected.post_order(signed)
        except PolymarketError as error:
            raise answers.of_placing(error) from error
        if isinstance(answer, RejectedOrder):
            raise answers.of_refused_answer(answer)
        known = order.order.order_id
        if answer.order_id.lower() != known:
            raise OutcomeUnknown(f"the venue calls order {known} {answer.order_id}")
        status = answer.status
        return Placement(known, status, status == "matched", is_delayed=status == "delayed")

    async def cancel(self, order_id: str) -> Cancellation:
        try:
            answer = await self._connected.cancel_order(order_id=order_id)
        except PolymarketError as error:
            raise answers.of_placing(error) from error
        return translate.cancellation_of(answer, order_id)

    async def cancel_all(self) -> list[Cancellation]:
        try:
            return translate.cancellations_of(await self._connected.cancel_all())
        except PolymarketError as error:
            raise answers.of_placing(error) from error

    async def cancel_market(self, condition_id: str, token_id: str = "") -> list[Cancellation]:
        try:
            answer = await self._connected.cancel_market_orders(
                market=condition_id, asset_id=token_id or None
            )
        except PolymarketError as error:
            raise answers.of_placing(error) from error
        return translate.cancellations_of(answer)

    async def heartbeat(self) -> Heartbeat:
        # One at a time: each carries the id that the one before it was answered with.
        async with self._heartbeats:
            has_lapsed = False
            try:
                try:
                    beat = await self._connected.send_order_heartbeat(
                        heartbeat_id=self._heartbeat_id
                    )
                except OrderHeartbeatMismatchError as error:
                    # An empty id: the chain is over there, and with it our orders.
                    has_lapsed = bool(self._heartbeat_id) and not error.heartbeat_id
                    beat = await self._connected.send_order_heartbeat(
                        heartbeat_id=error.heartbeat_id
                    )
            except PolymarketError as error:
                raise answers.of_placing(error) from error
            self._heartbeat_id = beat.heartbeat_id
            return Heartbeat(has_lapsed)

    async def order(self, order_id: str) -> VenueOrder | None:
        try:
            return translate.order_of(await self._connected.get_order(order_id=order_id))
        except RequestRejectedError as error:
            if error.status != 404:
                raise answers.of_reading(error) from error
        except UnexpectedResponseError:
            # An order that is gone is answered with an empty body, which the client cannot
            # read: the list of open orders says whether it is one of them.
            pass
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        found = [order for order in await self._open_orders(order_id) if order.order_id == order_id]
        return found[0] if found else None

    async def open_orders(self) -> list[VenueOrder]:
        return await self._open_orders(None)

    async def fills(self, *, condition_id: str = "", after_ns: int = 0) -> list[VenueFill]:
        # Whole seconds on the wire: round down, so that none of that second is missed.
        after = str(after_ns // 1_000_000_000) if after_ns else None
        return await self._fills(market=condition_id or None, after=after)

    async def fills_of_trade(self, trade_id: str) -> list[VenueFill]:
        return await self._fills(trade_id=trade_id)

    async def cash_micro(self) -> int:
        return (await self.collateral()).balance_micro

    async def collateral(self) -> Collateral:
        try:
            found = await self._connected.get_balance_allowance(asset_type="COLLATERAL")
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        return translate.collateral_of(found)

    async def shares_micro(self, token_id: str) -> int:
        try:
            found = await self._connected.get_balance_allowance(
                asset_type="CONDITIONAL", asset_id=token_id
            )
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        return found.balance

    async def positions(self, also: Collection[str] = ()) -> dict[str, int]:
        tokens = dict.fromkeys(also)
        try:
            for status in _HELD:
                pages = self._connected.list_positions(user=self.wallet, status=status)
                async for row in pages.iter_items():
                    tokens[str(row.asset_id)] = None
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        slots = asyncio.Semaphore(_BALANCE_READS_MAX)

        async def held(token_id: str) -> int:
            async with slots:
                return await self.shares_micro(token_id)

        amounts = await asyncio.gather(*(held(token_id) for token_id in tokens))
        found = dict(zip(tokens, amounts, strict=True))
        return {token_id: found[token_id] for token_id in sorted(found) if found[token_id]}

    async def book(self, token_id: str) -> OrderBook:
        try:
            return translate.book_of(await self._connected.get_order_book(asset_id=token_id))
        except RequestRejectedError as error:
            if error.status in (400, 404):
                raise VenueRefused(str(error), Refusal.UNKNOWN_TOKEN) from error
            raise answers.of_reading(error) from error
        except PolymarketError as error:
            raise answers.of_reading(error) from error

    async def terms(self, condition_id: str) -> MarketTerms:
        terms = await self._reads.terms(condition_id)
        try:
            rebate = await self._reads.maker_rebate_micro(condition_id)
        except (VenueRefused, VenueUnavailable):
            # A rebate only makes making look cheaper: none is the safe answer.
            rebate = 0
        return replace(terms, fees=replace(terms.fees, maker_rebate_micro=rebate))

    async def server_time_ns(self) -> int:
        return await self._reads.server_time_ns()

    async def region(self) -> Region:
        return await self._reads.region()

    async def is_closed_only(self) -> bool:
        try:
            return await self._connected.get_closed_only_mode()
        except PolymarketError as error:
            raise answers.of_reading(error) from error

    async def events(self) -> AsyncIterator[StreamEvent]:
        while True:
            try:
                handle = await self._connected.subscribe(UserSpec())
            except TransportError:
                await asyncio.sleep(_RESUBSCRIBE_S)
                continue
            try:
                async for event in self._follow(handle):
                    yield event
            finally:
                await handle.close()

    async def _follow(self, handle: SubscriptionHandle[UserEvent]) -> AsyncIterator[StreamEvent]:
        client = self._connected
        owner = client.credentials.key
        mark = stream_mark(client, handle)
        yield StreamOpened()
        waiting: asyncio.Task[UserEvent] | None = None
        try:
            while True:
                if waiting is None:
                    waiting = asyncio.ensure_future(anext(handle))
                done, _ = await asyncio.wait({waiting}, timeout=_STREAM_LOOK_S)
                now = stream_mark(client, handle)
                if now != mark and now.socket is not None:
                    mark = now
                    yield StreamOpened()
                if done:
                    event = waiting.result()
                    waiting = None
                    for translated in translate.events_of(event, self.wallet, owner):
                        yield translated
        except StopAsyncIteration:
            return
        finally:
            if waiting is not None:
                waiting.cancel()

    async def _open_orders(self, order_id: str | None) -> list[VenueOrder]:
        try:
            pages = self._connected.list_open_orders(id=order_id)
            return [translate.order_of(order) async for order in pages.iter_items()]
        except PolymarketError as error:
            raise answers.of_reading(error) from error

    async def _fills(
        self, *, trade_id: str | None = None, market: str | None = None, after: str | None = None
    ) -> list[VenueFill]:
        client = self._connected
        owner = client.credentials.key
        found: list[VenueFill] = []
        try:
            pages = client.list_account_trades(id=trade_id, market=market, after=after)
            async for trade in pages.iter_items():
                found += translate.fills_of_row(trade, self.wallet, owner)
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        return sorted(found, key=lambda fill: (fill.matched_ns, fill.fill_id, fill.order_id))

    async def _signed(self, order: order_pb2.OrderAnnounced) -> SignedOrder:
        """Build and sign. With a local key nothing is awaited in here."""
        fields = fields_of(order, self._account, self._contracts)
        chain_id = self._contracts.chain_id
        known = "0x" + digest_of(fields, chain_id).hex()
        if known != order.order.order_id:
            raise VenueRefused(
                f"announced as {order.order.order_id}, but its hash is {known}", Refusal.UNSENT
            )
        signature = await self._signer.sign(signed_digest(fields, chain_id))
        return _signed(order, fields, wire_signature(fields, chain_id, signature))

    @property
    def _connected(self) -> AsyncSecureClient:
        if self._client is None:
            raise VenueUnavailable("not logged in at the venue")
        return self._client


def _signed(order: order_pb2.OrderAnnounced, fields: OrderFields, signature: str) -> SignedOrder:
    order_type = _ORDER_TYPES.get(order.order_type)
    if order_type is None:
        raise VenueRefused("the order has no type", Refusal.UNSENT)
    return SignedOrder(
        builder=HexString(BYTES32_ZERO),
        expiration=order.expiration_s,
        maker=EvmAddress(fields.maker),
        maker_amount=fields.maker_amount,
        metadata=HexString(BYTES32_ZERO),
        order_type=order_type,
        salt=fields.salt,
        side="BUY" if order.order.side == common_pb2.SIDE_BUY else "SELL",
        signature=HexString(signature),
        signature_type=fields.signature_type,
        signer=EvmAddress(fields.signer),
        taker_amount=fields.taker_amount,
        timestamp=fields.timestamp_ms,
        token_id=TokenId(order.order.token_id),
        post_only=order.post_only,
    )
