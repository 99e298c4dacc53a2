"""The venue port on the official client: the only place that talks to Polymarket.

Orders are built and signed here, because their id has to be known before they are sent; they
leave through the client's public `post_order`, which takes a signed order as it is. Everything
else is the client's own doing, under credentials that may change meanwhile. Used by execution's
composition root and by the pre-flight.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

from polymarket import AsyncSecureClient
from polymarket.environments import Environment
from polymarket.errors import (
    PolymarketError,
    RequestRejectedError,
    UnexpectedResponseError,
)
from polymarket.models.clob.account import ClobTrade, OpenOrder
from polymarket.models.clob.cancel import CancelOrdersResponse
from polymarket.models.clob.order_response import RejectedOrder
from polymarket.models.clob.orders import OrderType, SignedOrder
from polymarket.models.types import TokenId
from polymarket.types import EvmAddress, HexString

from whaletrader.runtime.clock import WallClock
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.venues.approval import VerifiedApproval
from whaletrader.venues.capabilities import POLYMARKET, Capabilities
from whaletrader.venues.errors import OutcomeUnknown, Refusal, VenueRefused, VenueUnavailable
from whaletrader.venues.polymarket import answers, translate
from whaletrader.venues.polymarket.balances import balances_of
from whaletrader.venues.polymarket.client import (
    contracts_of,
    hosts_of,
    open_client,
    wallet_type_of,
)
from whaletrader.venues.polymarket.credentials import CredentialSource
from whaletrader.venues.polymarket.heartbeats import Asking, Heartbeats
from whaletrader.venues.polymarket.login import Login, LoginCredentials
from whaletrader.venues.polymarket.order_hash import (
    BYTES32_ZERO,
    Account,
    Contracts,
    OrderFields,
    digest_of,
    fields_of,
    order_id,
    signed_digest,
    size_step,
    wire_signature,
)
from whaletrader.venues.polymarket.reads import PublicReads
from whaletrader.venues.polymarket.sessions import Sessions
from whaletrader.venues.polymarket.signer import Signer
from whaletrader.venues.polymarket.stream import user_events
from whaletrader.venues.port import (
    Cancellation,
    Heartbeat,
    Placement,
    StreamEvent,
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
_HELD: Final[tuple[Literal["OPEN", "REDEEMABLE", "REDEEMABLE_LOST"], ...]] = (
    "OPEN",
    "REDEEMABLE",
    "REDEEMABLE_LOST",
)


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class WalletSettings:
    """Whose wallet: `funder` pays; empty means the signer's own address."""

    environment: Environment
    funder: str = ""
    signature_type: int = 0
    # Empty: the one that belongs to the environment.
    geoblock_url: str = ""
    # Where API credentials come from; None: a login with the key itself.
    credentials: CredentialSource | None = None
    # How often the source is looked at for newer ones.
    credentials_recheck_s: float = 60.0


class PolymarketVenue:
    """One wallet at Polymarket, or at an exchange that speaks its protocol."""

    def __init__(self, signer: Signer, settings: WalletSettings) -> None:
        environment = settings.environment
        hosts = hosts_of(environment, settings.geoblock_url)
        self._signer = signer
        self._contracts = contracts_of(environment)
        self._account = Account(
            settings.funder or signer.address, signer.address, settings.signature_type
        )
        login = Login(signer, hosts.clob, self._contracts.chain_id, WallClock().now_ns)
        self._sessions = Sessions(
            lambda credentials: open_client(self._account, environment, credentials),
            settings.credentials or LoginCredentials(login),
        )
        self._environment = environment
        self._recheck_s = settings.credentials_recheck_s
        self._watch: asyncio.Task[None] | None = None
        self._reads = PublicReads(hosts)
        self._heartbeats = Heartbeats(
            self._sessions, Asking(hosts.clob, signer.address, WallClock().now_ns)
        )

    @property
    def capabilities(self) -> Capabilities:
        return POLYMARKET

    @property
    def wallet(self) -> str:
        return self._account.maker.lower()

    @property
    def account(self) -> Account:
        """Whose orders these are, and how they are signed."""
        return self._account

    @property
    def contracts(self) -> Contracts:
        """What the orders are signed for, and what spends the wallet's collateral."""
        return self._contracts

    def require_own_wallet(self) -> None:
        """Raise VenueStop unless the wallet is the key's own under its signature type."""
        wallet_type_of(self._account, self._environment)

    async def connect(self) -> None:
        """Log in. Idempotent. Raises VenueUnavailable, VenueStop."""
        self.require_own_wallet()
        await self._sessions.start()
        if self._watch is None:
            self._watch = asyncio.create_task(self._sessions.watch(self._recheck_s))

    async def close(self) -> None:
        """Close connections. Idempotent."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        await self._sessions.close()
        await self._reads.close()

    async def refresh_credentials(self) -> bool:
        """Look for newer API credentials now. Return whether they changed."""
        return await self._sessions.refresh()

    def prepare(self, order: order_pb2.OrderAnnounced) -> str:
        return order_id(order, self._account, self._contracts)

    def fit_size(self, order: order_pb2.OrderAnnounced) -> int:
        step = size_step(order)
        return max(order.order.size_micro, 0) // step * step

    async def sign(self, order: order_pb2.OrderAnnounced) -> SignedOrder:
        """Build and sign an order and send nothing. With a local key nothing is awaited.

        Raises VenueRefused unless the order is announced under its own hash; VenueUnavailable
        and SignerFailed of the signer.
        """
        fields = fields_of(order, self._account, self._contracts)
        chain_id = self._contracts.chain_id
        known = "0x" + digest_of(fields, chain_id).hex()
        if known != order.order.order_id:
            raise VenueRefused(
                f"announced as {order.order.order_id}, but its hash is {known}", Refusal.UNSENT
            )
        signature = await self._signer.sign(signed_digest(fields, chain_id))
        return _signed(order, fields, wire_signature(fields, chain_id, signature))

    async def submit(
        self,
        approval: VerifiedApproval,
        order: order_pb2.OrderAnnounced,
        *,
        before_send: Callable[[], None] | None = None,
    ) -> Placement:
        approval.require_cover(order)
        signed = await self.sign(order)
        if before_send is not None:
            before_send()
        answer = await self._effect(lambda client: client.post_order(signed))
        if isinstance(answer, RejectedOrder):
            raise answers.of_refused_answer(answer)
        known = order.order.order_id
        if answer.order_id.lower() != known:
            raise OutcomeUnknown(f"the venue calls order {known} {answer.order_id}")
        status = answer.status
        return Placement(known, status, status == "matched", is_delayed=status == "delayed")

    async def cancel(self, order_id: str) -> Cancellation:
        answer = await self._effect(lambda client: client.cancel_order(order_id=order_id))
        return translate.cancellation_of(answer, order_id)

    async def cancel_all(self) -> list[Cancellation]:
        return translate.cancellations_of(await self._effect(lambda client: client.cancel_all()))

    async def cancel_market(self, condition_id: str, token_id: str = "") -> list[Cancellation]:
        def cancel(client: AsyncSecureClient) -> Awaitable[CancelOrdersResponse]:
            return client.cancel_market_orders(market=condition_id, asset_id=token_id or None)

        return translate.cancellations_of(await self._effect(cancel))

    async def heartbeat(self) -> Heartbeat:
        return await self._heartbeats.beat()

    async def order(self, order_id: str) -> VenueOrder | None:
        try:
            row = await self._sessions.call(lambda client: client.get_order(order_id=order_id))
            return translate.order_of(row)
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
        # Whole seconds on the wire, and nobody says whether the second itself is among them: the
        # one before it is asked for, so that none of it is missed.
        after = str(max(1, after_ns // 1_000_000_000 - 1)) if after_ns else None
        return await self._fills(market=condition_id or None, after=after)

    async def fills_of_trade(self, trade_id: str) -> list[VenueFill]:
        return await self._fills(trade_id=trade_id)

    async def cash_micro(self) -> int:
        return (await self.collateral()).balance_micro

    async def collateral(self) -> Collateral:
        found = await self._read(
            lambda client: client.get_balance_allowance(asset_type="COLLATERAL")
        )
        return translate.collateral_of(found)

    async def shares_micro(self, token_id: str) -> int:
        found = await self._read(
            lambda client: client.get_balance_allowance(asset_type="CONDITIONAL", asset_id=token_id)
        )
        return found.balance

    async def positions(self, also: Collection[str] = ()) -> dict[str, int]:
        listed = await self._read(self._listed_tokens)
        return await balances_of([*also, *listed], self.shares_micro)

    async def book(self, token_id: str) -> OrderBook:
        try:
            found = await self._sessions.call(
                lambda client: client.get_order_book(asset_id=token_id)
            )
        except RequestRejectedError as error:
            if error.status in (400, 404):
                raise VenueRefused(str(error), Refusal.UNKNOWN_TOKEN) from error
            raise answers.of_reading(error) from error
        except PolymarketError as error:
            raise answers.of_reading(error) from error
        return translate.book_of(found)

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
        return await self._read(lambda client: client.get_closed_only_mode())

    async def share_allowances(self, token_id: str) -> Collateral:
        """Return a token's balance and who may move it. Raises VenueUnavailable, VenueStop."""
        found = await self._read(
            lambda client: client.get_balance_allowance(asset_type="CONDITIONAL", asset_id=token_id)
        )
        return translate.collateral_of(found)

    async def listed_market(self) -> str:
        """Return some market that takes orders. Raises VenueUnavailable."""
        return await self._reads.listed_market()

    async def generation(self) -> int:
        """Return which orders the venue takes by default. Raises VenueUnavailable."""
        return await self._reads.version()

    async def is_deployed(self) -> bool:
        """Whether the wallet exists on chain; a plain wallet always does.

        Raises VenueUnavailable, VenueRefused, VenueStop.
        """
        account = self._account
        if account.signature_type == 0:
            return True
        return await self._reads.is_deployed(account.maker, account.signature_type)

    def events(self) -> AsyncGenerator[StreamEvent, None]:
        return user_events(self._sessions, self.wallet)

    async def _listed_tokens(self, client: AsyncSecureClient) -> list[str]:
        tokens: list[str] = []
        for status in _HELD:
            pages = client.list_positions(user=self.wallet, status=status)
            tokens += [str(row.asset_id) async for row in pages.iter_items()]
        return tokens

    async def _open_orders(self, order_id: str | None) -> list[VenueOrder]:
        async def listed(client: AsyncSecureClient) -> list[OpenOrder]:
            return [row async for row in client.list_open_orders(id=order_id).iter_items()]

        return [translate.order_of(row) for row in await self._read(listed)]

    async def _fills(
        self, *, trade_id: str | None = None, market: str | None = None, after: str | None = None
    ) -> list[VenueFill]:
        owner = self._sessions.current.client.credentials.key

        async def listed(client: AsyncSecureClient) -> list[ClobTrade]:
            pages = client.list_account_trades(id=trade_id, market=market, after=after)
            return [row async for row in pages.iter_items()]

        rows = await self._read(listed)
        found = [fill for row in rows for fill in translate.fills_of_row(row, self.wallet, owner)]
        return sorted(found, key=lambda fill: (fill.matched_ns, fill.fill_id, fill.order_id))

    async def _effect(self, action: Callable[[AsyncSecureClient], Awaitable[Answer]]) -> Answer:
        try:
            return await self._sessions.call(action)
        except PolymarketError as error:
            raise answers.of_placing(error) from error

    async def _read(self, action: Callable[[AsyncSecureClient], Awaitable[Answer]]) -> Answer:
        try:
            return await self._sessions.call(action)
        except PolymarketError as error:
            raise answers.of_reading(error) from error


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
