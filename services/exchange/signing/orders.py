"""EIP-712 hashes of orders and who signed them, for all signature types in use.

The order id *is* the hash. Types 0 to 2 are plain signatures by the key's owner; type 3 (deposit
wallet) wraps the order as ERC-7739 asks. Called by the wire for every order: keep it quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from whaletrader.services.exchange.signing.contracts import CHAIN_ID
from whaletrader.services.exchange.signing.keys import BadSignature, keccak, recover

EOA = 0
DEPOSIT_WALLET = 3

_ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    b"bytes32 builder)"
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_WRAP_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    b"address verifyingContract,bytes32 salt)" + _ORDER_TYPE
)
_ORDER_TYPE_HASH = keccak(_ORDER_TYPE)
_WRAP_TYPE_HASH = keccak(_WRAP_TYPE)
_WALLET_NAME_HASH = keccak(b"DepositWallet")
_WALLET_VERSION_HASH = keccak(b"1")
_TRAILER_TYPE = _ORDER_TYPE + len(_ORDER_TYPE).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class SignedFields:
    """The fields that an order's signature covers; `side` is 0 for BUY and 1 for SELL."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp_ms: int
    metadata: bytes
    builder: bytes


@lru_cache(maxsize=64)
def domain_separator(version: str, contract: str) -> bytes:
    """Return the hash that binds an order to one contract of one generation."""
    return keccak(
        keccak(_DOMAIN_TYPE)
        + keccak(b"Polymarket CTF Exchange")
        + keccak(version.encode())
        + _uint(CHAIN_ID)
        + _address(contract)
    )


def contents_hash(order: SignedFields) -> bytes:
    """Return the EIP-712 struct hash of the order."""
    return keccak(
        b"".join(
            (
                _ORDER_TYPE_HASH,
                _uint(order.salt),
                _address(order.maker),
                _address(order.signer),
                _uint(order.token_id),
                _uint(order.maker_amount),
                _uint(order.taker_amount),
                _uint(order.side),
                _uint(order.signature_type),
                _uint(order.timestamp_ms),
                order.metadata,
                order.builder,
            )
        )
    )


def order_hash(order: SignedFields, version: str, contract: str) -> bytes:
    """Return the order's id."""
    return keccak(b"\x19\x01" + domain_separator(version, contract) + contents_hash(order))


def signer_of(order: SignedFields, signature: bytes, version: str, contract: str) -> str:
    """Return the address (lower case) whose key signed the order; raise `BadSignature`."""
    if order.signature_type != DEPOSIT_WALLET:
        return recover(order_hash(order, version, contract), signature)
    domain = domain_separator(version, contract)
    contents = contents_hash(order)
    if signature[65:] != domain + contents + _TRAILER_TYPE:
        raise BadSignature("not a wrap of this order")
    wrapped = keccak(
        _WRAP_TYPE_HASH
        + contents
        + _WALLET_NAME_HASH
        + _WALLET_VERSION_HASH
        + _uint(CHAIN_ID)
        + _address(order.signer)
        + bytes(32)
    )
    return recover(keccak(b"\x19\x01" + domain + wrapped), signature[:65])


def _uint(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address(text: str) -> bytes:
    return bytes(12) + bytes.fromhex(text[2:])
