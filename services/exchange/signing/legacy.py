"""Orders of the retired first generation: what old clients sign, under domain version 1.

Only for an exchange that is told to take them; the live venue has refused them since 2026-04-28.
"""

from __future__ import annotations

from typing import NamedTuple

from whaletrader.services.exchange.signing.keys import keccak, recover
from whaletrader.services.exchange.signing.words import address_word, domain_separator, uint_word

VERSION = "1"
_ORDER_TYPE_HASH = keccak(
    b"Order(uint256 salt,address maker,address signer,address taker,uint256 tokenId,"
    b"uint256 makerAmount,uint256 takerAmount,uint256 expiration,uint256 nonce,"
    b"uint256 feeRateBps,uint8 side,uint8 signatureType)"
)


class LegacyFields(NamedTuple):
    """The fields that the signature covers; `side` is 0 for BUY and 1 for SELL."""

    salt: int
    maker: str
    signer: str
    taker: str
    token_id: int
    maker_amount: int
    taker_amount: int
    expiration: int
    nonce: int
    fee_rate_bps: int
    side: int
    signature_type: int


def order_hash(order: LegacyFields, contract: str) -> bytes:
    """Return the order's id."""
    contents = keccak(
        b"".join(
            (
                _ORDER_TYPE_HASH,
                uint_word(order.salt),
                address_word(order.maker),
                address_word(order.signer),
                address_word(order.taker),
                *map(uint_word, order[4:]),
            )
        )
    )
    return keccak(b"\x19\x01" + domain_separator(VERSION, contract) + contents)


def verify(order: LegacyFields, signature: bytes, contract: str) -> tuple[bytes, str]:
    """Return (order id, address in lower case of the key that signed); raise `BadSignature`."""
    digest = order_hash(order, contract)
    return digest, recover(digest, signature)
