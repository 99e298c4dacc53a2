"""The venue port on the official client: the only place that talks to Polymarket.

Orders are built and signed here, because their id has to be known before they are sent; they
leave through the client's public `post_order`, which takes a signed order as it is. Everything
else is the client's own doing. Used by execution's composition root.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from polymarket import AsyncSecureClient
from polymarket.environments import Environment
from polymarket.errors import (
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
from whaletrader.venues.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from whaletrader.venues.polymarket import answers, translate
from whaletrader.venues.polymarket.client import connect, contracts_of, stream_mark
from whaletrader.venues.polymarket.order_hash import (
    BYTES32_ZERO,
    Account,
    OrderFields,
    digest_of,
    fields_of,
    order_id,
)
from whaletrader.venues.polymarket.signer import LocalSigner
from whaletrader.venues.port import (
    Cancellation,
    Placement,
    StreamEvent,
    StreamOpened,
    VenueFill,
    VenueOrder,
)

_ORDER_TYPES: Final[dict[int, OrderType]] = {
    order_pb2.ORDER_TYPE_GTC: "GTC",
    order_pb2.ORDER_TYPE_GTD: "GTD",
    order_pb2.ORDER_TYPE_FOK: "FOK",
    order_pb2.ORDER_TYPE_FAK: "FAK",
}
# The client reconnects within a second; looking more often than that misses nothing.
_STREAM_LOOK_S: Final = 0.2
_RESUBSCRIBE_S: Final = 0.5
_GONE_WORDS: Final = ("not found", "already canceled", "already matched", "canceled or matched")


@dataclass(frozen=True, slots=True)
class WalletSettings:
    """Whose wallet: `funder` pays; empty means the signer's own address."""

    environment: Environment
    funder: str = ""
    signature_type: int = 0


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

    def prepare(self, order: order_pb2.OrderAnnounced) -> str:
        return order_id(order, self._account, self._contracts)

    async def submit(
        self, approval: VerifiedApproval, order: order_pb2.OrderAnnounced
    ) -> Placement:
        approval.require_cover(order)
        fields = fields_of(order, self._account, self._contracts)
        digest = digest_of(fields, self._contracts.chain_id)
        known = "0x" + digest.hex()
        if known != order.order.order_id:
            raise VenueRefused(f"announced as {order.order.order_id}, but its hash is {known}")
        signed = _signed(order, fields, self._signer.sign(digest))
        try:
            answer = await self._connected.post_order(signed)
        except PolymarketError as error:
            raise answers.of_placing(error) from error
        if isinstance(answer, RejectedOrder):
            raise answers.of_refused_answer(answer)
        if answer.order_id.lower() != known:
            raise OutcomeUnknown(f"the venue calls order {known} {answer.order_id}")
        return Placement(known, answer.status, answer.status != "live")

    async def cancel(self, order_id: str) -> Cancellation:
        try:
            answer = await self._connected.cancel_order(order_id=order_id)
        except PolymarketError as error:
            raise answers.of_placing(error) from error
        if order_id in answer.canceled:
            return Cancellation(order_id, True, "canceled")
        reasons = {str(name): reason for name, reason in answer.not_canceled.items()}
        reason = reasons.get(order_id, "the venue said neither yes nor no")
        is_gone = any(word in reason.lower() for word in _GONE_WORDS)
        return Cancellation(order_id, is_gone, reason)

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
        try:
            found = await self._connected.get_balance_allowance(asset_type="COLLATERAL")
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        return found.balance

    async def shares_micro(self, token_id: str) -> int:
        try:
            found = await self._connected.get_balance_allowance(
                asset_type="CONDITIONAL", asset_id=token_id
            )
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        return found.balance

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

    @property
    def _connected(self) -> AsyncSecureClient:
        if self._client is None:
            raise VenueUnavailable("not logged in at the venue")
        return self._client


def _signed(order: order_pb2.OrderAnnounced, fields: OrderFields, signature: str) -> SignedOrder:
    order_type = _ORDER_TYPES.get(order.order_type)
    if order_type is None:
        raise VenueRefused("the order has no type")
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
    )
