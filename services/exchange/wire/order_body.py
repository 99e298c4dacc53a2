"""From the bytes of a posted order to a verified `NewOrder`.

Checks shape, ownership and signature, each with the venue's own text; the engine checks the rest.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.model import NewOrder, OrderType, Side
from whaletrader.services.exchange.engine.rules import INVALID_PAYLOAD, UNKNOWN_TOKEN
from whaletrader.services.exchange.signing import legacy
from whaletrader.services.exchange.signing.contracts import order_domain
from whaletrader.services.exchange.signing.keys import BadSignature, is_address
from whaletrader.services.exchange.signing.orders import (
    DEPOSIT_WALLET,
    EOA,
    SignedFields,
    verify,
)
from whaletrader.services.exchange.signing.wallets import SAFE, wallets_of
from whaletrader.services.exchange.wire.credentials import ApiKey
from whaletrader.services.exchange.wire.venue import Venue

VERSION_MISMATCH = "order_version_mismatch"
INVALID_SIGNATURE = "invalid signature"
NOT_THE_OWNER = "the order owner has to be the owner of the API KEY"
NOT_THE_SIGNER = "the order signer address has to be the address of the API KEY"
UINT256_MAX = (1 << 256) - 1
UINT256_DIGITS = 78
ZERO_BYTES32 = "0x" + "00" * 32


class OrderFields(msgspec.Struct, rename="camel"):
    """The signed order; clients write numbers as text or as numbers."""

    salt: int | str
    maker: str
    signer: str
    token_id: str
    maker_amount: int | str
    taker_amount: int | str
    side: Literal["BUY", "SELL"]
    signature_type: int
    signature: str
    expiration: int | str = "0"
    timestamp: int | str | None = None
    metadata: str = ZERO_BYTES32
    builder: str = ZERO_BYTES32
    fee_rate_bps: int | str | None = None
    taker: str = "0x" + "00" * 20
    nonce: int | str = "0"


class OrderBody(msgspec.Struct, rename="camel"):
    """One element of what `POST /order` and `POST /orders` carry."""

    order: OrderFields
    owner: str
    order_type: OrderType = OrderType.GTC
    defer_exec: bool = False
    post_only: bool = False


def verified(venue: Venue, key: ApiKey, body: OrderBody) -> NewOrder:
    """Return the order for the engine, or raise `OrderRefused`."""
    order = body.order
    if body.owner != key.key:
        raise OrderRefused(NOT_THE_OWNER)
    # The retired generation signs a fee rate and no timestamp.
    is_retired = order.fee_rate_bps is not None or order.timestamp is None
    if is_retired != (venue.config.generation == 1):
        raise OrderRefused(VERSION_MISMATCH)
    market = venue.exchange.state.market_of_token.get(order.token_id)
    if market is None:
        raise OrderRefused(UNKNOWN_TOKEN)
    if body.post_only and not body.order_type.rests:
        raise OrderRefused("invalid post-only order type: only GTC and GTD can be post-only")
    if not (is_address(order.maker) and is_address(order.signer) and is_address(order.taker)):
        raise OrderRefused(INVALID_PAYLOAD)
    if not 0 <= order.signature_type <= (SAFE if is_retired else DEPOSIT_WALLET):
        raise OrderRefused(INVALID_PAYLOAD)
    _check_parties(venue, key, order)
    order_id = _order_id(key, order, neg_risk=market.neg_risk, is_retired=is_retired)
    return NewOrder(
        order_id="0x" + order_id.hex(),
        account=order.maker.lower(),
        principal=key.address,
        owner=key.key,
        maker_address=order.maker,
        token_id=order.token_id,
        side=Side(order.side),
        order_type=body.order_type,
        maker_amount=_uint(order.maker_amount),
        taker_amount=_uint(order.taker_amount),
        post_only=body.post_only,
        expiration_s=_uint(order.expiration),
        builder="" if order.builder == ZERO_BYTES32 else order.builder.lower(),
        generation=1 if is_retired else 2,
    )


def _order_id(key: ApiKey, order: OrderFields, *, neg_risk: bool, is_retired: bool) -> bytes:
    """Return the order's hash once its signature is found to be the key owner's."""
    try:
        signature = bytes.fromhex(order.signature.removeprefix("0x"))
        if is_retired:
            contract = order_domain(order.token_id, neg_risk=neg_risk, generation=1)[1]
            order_id, signer = legacy.verify(_legacy_fields(order), signature, contract)
        else:
            version, contract = order_domain(order.token_id, neg_risk=neg_risk)
            order_id, signer = verify(_fields(order), signature, version, contract)
    except (BadSignature, ValueError) as error:
        raise OrderRefused(INVALID_SIGNATURE) from error
    if signer != key.address:
        raise OrderRefused(INVALID_SIGNATURE)
    return order_id


def owned_wallet(venue: Venue, address: str, owner: str) -> bool:
    """Whether an owner may trade from a wallet: derived from its key, or bound by the operator."""
    return address in wallets_of(owner) or venue.wallet_owners.get(address) == owner


def _fields(order: OrderFields) -> SignedFields:
    return SignedFields(
        salt=_uint(order.salt),
        maker=order.maker,
        signer=order.signer,
        token_id=_uint(order.token_id),
        maker_amount=_uint(order.maker_amount),
        taker_amount=_uint(order.taker_amount),
        side=0 if order.side == "BUY" else 1,
        signature_type=order.signature_type,
        timestamp_ms=_uint(order.timestamp or 0),
        metadata=_bytes32(order.metadata),
        builder=_bytes32(order.builder),
    )


def _legacy_fields(order: OrderFields) -> legacy.LegacyFields:
    return legacy.LegacyFields(
        salt=_uint(order.salt),
        maker=order.maker,
        signer=order.signer,
        taker=order.taker,
        token_id=_uint(order.token_id),
        maker_amount=_uint(order.maker_amount),
        taker_amount=_uint(order.taker_amount),
        expiration=_uint(order.expiration),
        nonce=_uint(order.nonce),
        fee_rate_bps=_uint(order.fee_rate_bps or 0),
        side=0 if order.side == "BUY" else 1,
        signature_type=order.signature_type,
    )


def _check_parties(venue: Venue, key: ApiKey, order: OrderFields) -> None:
    maker, signer = order.maker.lower(), order.signer.lower()
    if order.signature_type == DEPOSIT_WALLET:
        if maker != signer or not owned_wallet(venue, maker, key.address):
            raise OrderRefused(INVALID_SIGNATURE)
        return
    if signer != key.address:
        raise OrderRefused(NOT_THE_SIGNER)
    if order.signature_type == EOA:
        if maker != signer:
            raise OrderRefused(INVALID_SIGNATURE)
    elif not owned_wallet(venue, maker, key.address):
        raise OrderRefused(INVALID_SIGNATURE)


def _uint(value: int | str) -> int:
    if isinstance(value, str):
        if not value.isascii() or not value.isdecimal() or len(value) > UINT256_DIGITS:
            raise OrderRefused(INVALID_PAYLOAD)
        value = int(value)
    if not 0 <= value <= UINT256_MAX:
        raise OrderRefused(INVALID_PAYLOAD)
    return value


def _bytes32(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise OrderRefused(INVALID_PAYLOAD) from error
    if len(raw) != 32:
        raise OrderRefused(INVALID_PAYLOAD)
    return raw
