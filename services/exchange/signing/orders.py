"""EIP-712 hashes of orders and who signed them, for all signature types in use.

The order id *is* the hash. Types 0 to 2 are plain signatures by the key's owner; type 3 (deposit
wallet) wraps the order as ERC-7739 asks. Called by the wire for every order: keep it quick.
"""

from __future__ import annotations

from typing import NamedTuple

from whaletrader.services.exchange.signing.contracts import CHAIN_ID
from whaletrader.services.exchange.signing.keys import BadSignature, keccak, recover
from whaletrader.services.exchange.signing.words import (
    address_word,
    domain_separator,
    uint_word,
)

EOA = 0
DEPOSIT_WALLET = 3

_ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    b"bytes32 builder)"
)
_WRAP_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    b"address verifyingContract,bytes32 salt)" + _ORDER_TYPE
)
_ORDER_TYPE_HASH = keccak(_ORDER_TYPE)
_WRAP_TYPE_HASH = keccak(_WRAP_TYPE)
_WALLET_NAME_HASH = keccak(b"DepositWallet")
_WALLET_VERSION_HASH = keccak(b"1")
_TRAILER_TYPE = _ORDER_TYPE + len(_ORDER_TYPE).to_bytes(2, "big")


class SignedFields(NamedTuple):
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


def contents_hash(order: SignedFields) -> bytes:
    """Return the EIP-712 struct hash of the order."""
    return keccak(
        b"".join(
            (
                _ORDER_TYPE_HASH,
                uint_word(order.salt),
                address_word(order.maker),
                address_word(order.signer),
                uint_word(order.token_id),
                uint_word(order.maker_amount),
                uint_word(order.taker_amount),
                uint_word(order.side),
                uint_word(order.signature_type),
                uint_word(order.timestamp_ms),
                order.metadata,
                order.builder,
            )
        )
    )


def order_hash(order: SignedFields, version: str, contract: str) -> bytes:
    """Return the order's id."""
    return keccak(b"\x19\x01" + domain_separator(version, contract) + contents_hash(order))


def verify(order: SignedFields, signature: bytes, version: str, contract: str) -> tuple[bytes, str]:
    """Return (order id, address in lower case of the key that signed); raise `BadSignature`.

    One pass over the order for both: the id is the hash that types 0 to 2 sign.
    """
    domain = domain_separator(version, contract)
    contents = contents_hash(order)
    digest = keccak(b"\x19\x01" + domain + contents)
    if order.signature_type != DEPOSIT_WALLET:
        return digest, recover(digest, signature)
    if signature[65:] != domain + contents + _TRAILER_TYPE:
        raise BadSignature("not a wrap of this order")
    wrapped = keccak(
        b"".join(
            (
                _WRAP_TYPE_HASH,
                contents,
                _WALLET_NAME_HASH,
                _WALLET_VERSION_HASH,
                uint_word(CHAIN_ID),
                address_word(order.signer),
                bytes(32),
            )
        )
    )
    return digest, recover(keccak(b"\x19\x01" + domain + wrapped), signature[:65])


def signer_of(order: SignedFields, signature: bytes, version: str, contract: str) -> str:
    """Return the address (lower case) whose key signed the order; raise `BadSignature`."""
    return verify(order, signature, version, contract)[1]
