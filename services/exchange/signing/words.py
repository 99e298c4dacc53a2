"""Values as EIP-712 lays them out in 32-byte words, and the domain that binds a hash."""

from __future__ import annotations

from functools import lru_cache

from whaletrader.services.exchange.signing.contracts import CHAIN_ID
from whaletrader.services.exchange.signing.keys import keccak

_DOMAIN_TYPE_HASH = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_NAME_HASH = keccak(b"Polymarket CTF Exchange")


def uint_word(value: int) -> bytes:
    """Return a number below 2**256 as a word."""
    return value.to_bytes(32, "big")


# Wallets and contracts come again with every order.
@lru_cache(maxsize=8192)
def address_word(text: str) -> bytes:
    """Return an address, 0x and 40 hex digits, as a word."""
    return bytes(12) + bytes.fromhex(text[2:])


@lru_cache(maxsize=64)
def domain_separator(version: str, contract: str) -> bytes:
    """Return the hash that binds an order to one contract of one generation."""
    return keccak(
        _DOMAIN_TYPE_HASH
        + _NAME_HASH
        + keccak(version.encode())
        + uint_word(CHAIN_ID)
        + address_word(contract)
    )
