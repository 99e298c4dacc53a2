"""The EIP-712 hash of a Polymarket order: its id at the venue, known before it is sent.

Pure. Generation 2 (CTF tokens) and 3 (Protocol V2 positions) sign the same struct under domains
that differ in version and contract; generation 1 is gone since 2026-04-28. Checked against the
vectors of the official clients. Used by the venue adapter and by execution's composition root.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from eth_utils.crypto import keccak

from whaletrader.domain.money import MICRO, checked_price
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.venues.errors import Refusal, VenueRefused

DOMAIN_NAME: Final = "Polymarket CTF Exchange"
BYTES32_ZERO: Final = "0x" + "00" * 32
# A number above this is not exact in the JSON of JavaScript clients and the venue's own server.
SALT_MAX: Final = (1 << 53) - 1
# Two decimals of a share: the venue's lot.
LOT_MICRO: Final = 10_000

_DOMAIN_TYPE: Final = keccak(
    text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_ORDER_TEXT: Final = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    "uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    "bytes32 builder)"
)
_ORDER_TYPE: Final = keccak(text=_ORDER_TEXT)
# ERC-7739: a deposit wallet's owner signs the order nested in a message of the wallet's own.
_NESTED_TYPE: Final = keccak(
    text="TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    "address verifyingContract,bytes32 salt)" + _ORDER_TEXT
)
_DEPOSIT_NAME: Final = keccak(text="DepositWallet")
_DEPOSIT_VERSION: Final = keccak(text="1")
DEPOSIT_WALLET: Final = 3
# A buy that must not rest is sized in whole cents: the venue takes two decimals of its dollars.
_CENT_MICRO: Final = 10_000
_TAKES_ONLY: Final = (order_pb2.ORDER_TYPE_FOK, order_pb2.ORDER_TYPE_FAK)
# Protocol V2 position ids leave these 64 bits empty; a CTF token id is a hash and does not.
_POSITION_RESERVED_BITS: Final = ((1 << 64) - 1) << 40


@dataclass(frozen=True, slots=True)
class Contracts:
    """The chain and the exchange contracts that orders are signed for."""

    chain_id: int
    standard: str
    neg_risk: str
    positions: str


@dataclass(frozen=True, slots=True)
class Account:
    """Whose orders they are: `maker` pays, `key_address` is the key's own address.

    Signature types: 0 a plain wallet (EOA), 1 a proxy, 2 a Safe, 3 a deposit wallet, which signs
    for itself (EIP-1271).
    """

    maker: str
    key_address: str
    signature_type: int = 0

    @property
    def signer(self) -> str:
        """What the order names as its signer."""
        return self.maker if self.signature_type == DEPOSIT_WALLET else self.key_address


@dataclass(frozen=True, slots=True)
class OrderFields:
    """The signed fields of an order, amounts in base units (1e-6)."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    is_sell: bool
    signature_type: int
    timestamp_ms: int
    domain_version: str
    contract: str


def fields_of(
    order: order_pb2.OrderAnnounced, account: Account, contracts: Contracts
) -> OrderFields:
    """Return what is signed for an announced order. Raises VenueRefused, MoneyError."""
    ref = order.order
    price = checked_price(ref.price_micro)
    size = ref.size_micro
    step = size_step(order)
    if size <= 0 or size % step:
        raise _unsent(f"size {size} is not a positive multiple of {step} micro-shares")
    cost, rest = divmod(price * size, MICRO)
    if rest:
        # Every tick of the venue times a lot is a whole number of base units.
        raise _unsent(f"price {price} times size {size} is no whole number of micro-dollars")
    if not 0 <= order.salt <= SALT_MAX:
        raise _unsent(f"salt {order.salt} does not fit 53 bits")
    if ref.side not in (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL):
        raise _unsent("the order has no side")
    token = _token(ref.token_id)
    is_sell = ref.side == common_pb2.SIDE_SELL
    is_position = token & _POSITION_RESERVED_BITS == 0
    legacy = contracts.neg_risk if order.neg_risk else contracts.standard
    return OrderFields(
        salt=order.salt,
        maker=account.maker,
        signer=account.signer,
        token_id=token,
        maker_amount=size if is_sell else cost,
        taker_amount=cost if is_sell else size,
        is_sell=is_sell,
        signature_type=account.signature_type,
        timestamp_ms=order.timestamp_ms,
        domain_version="3" if is_position else "2",
        contract=contracts.positions if is_position else legacy,
    )


def size_step(order: order_pb2.OrderAnnounced) -> int:
    """Return what an order's size must be a multiple of, in micro-shares, at its price.

    A lot; for a buy that must not rest as many lots as make whole cents, so that dollars and
    shares give the announced price exactly and the approved price is never passed.
    """
    ref = order.order
    if order.order_type not in _TAKES_ONLY or ref.side != common_pb2.SIDE_BUY:
        return LOT_MICRO
    cents = _CENT_MICRO * MICRO
    return cents // math.gcd(cents, checked_price(ref.price_micro) * LOT_MICRO) * LOT_MICRO


def digest_of(fields: OrderFields, chain_id: int) -> bytes:
    """Return the order's id, which is what its owner signs, but for a deposit wallet."""
    separator = domain_separator(fields.domain_version, chain_id, fields.contract)
    return keccak(b"\x19\x01" + separator + struct_hash(fields))


def signed_digest(fields: OrderFields, chain_id: int) -> bytes:
    """Return the 32 bytes that the key signs (ERC-7739 for a deposit wallet)."""
    if fields.signature_type != DEPOSIT_WALLET:
        return digest_of(fields, chain_id)
    nested = keccak(
        _NESTED_TYPE
        + struct_hash(fields)
        + _DEPOSIT_NAME
        + _DEPOSIT_VERSION
        + _word(chain_id)
        + _address(fields.signer)
        + bytes(32)
    )
    separator = domain_separator(fields.domain_version, chain_id, fields.contract)
    return keccak(b"\x19\x01" + separator + nested)


def wire_signature(fields: OrderFields, chain_id: int, signature: bytes) -> str:
    """Return a 65-byte signature as the order carries it: 0x hex, wrapped for a deposit wallet."""
    if fields.signature_type != DEPOSIT_WALLET:
        return "0x" + signature.hex()
    text = _ORDER_TEXT.encode("ascii")
    separator = domain_separator(fields.domain_version, chain_id, fields.contract)
    wrapped = signature + separator + struct_hash(fields) + text + len(text).to_bytes(2, "big")
    return "0x" + wrapped.hex()


def order_id(order: order_pb2.OrderAnnounced, account: Account, contracts: Contracts) -> str:
    """Return the order's id at the venue: 0x and 64 hex digits. Raises VenueRefused."""
    return "0x" + digest_of(fields_of(order, account, contracts), contracts.chain_id).hex()


@lru_cache(maxsize=64)
def domain_separator(version: str, chain_id: int, contract: str) -> bytes:
    """Return the hash of the EIP-712 domain."""
    parts = (
        _DOMAIN_TYPE,
        keccak(text=DOMAIN_NAME),
        keccak(text=version),
        _word(chain_id),
        _address(contract),
    )
    return keccak(b"".join(parts))


def struct_hash(fields: OrderFields) -> bytes:
    """Return the hash of the order struct."""
    zero = bytes(32)
    parts = (
        _ORDER_TYPE,
        _word(fields.salt),
        _address(fields.maker),
        _address(fields.signer),
        _word(fields.token_id),
        _word(fields.maker_amount),
        _word(fields.taker_amount),
        _word(int(fields.is_sell)),
        _word(fields.signature_type),
        _word(fields.timestamp_ms),
        zero,
        zero,
    )
    return keccak(b"".join(parts))


def _token(text: str) -> int:
    if not text.isdecimal():
        raise _unsent(f"token id {text!r} is no decimal number")
    token = int(text)
    if token >= 1 << 256:
        raise _unsent("the token id does not fit 256 bits")
    return token


def _unsent(text: str) -> VenueRefused:
    return VenueRefused(text, Refusal.UNSENT)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address.removeprefix("0x"))
