"""Keccak, address recovery and address spelling: the secp256k1 floor under all signatures.

Uses libsecp256k1 (coincurve); a pure-Python curve would make signature checks the slowest part of
the exchange. Raises `BadSignature` and nothing else.
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

SIGNATURE_BYTES = 65
# Half the order of secp256k1: contracts refuse the mirrored, larger s of a signature.
S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class BadSignature(Exception):
    """The bytes are not a signature of the message by anyone, or not in canonical form."""


def recover(message_hash: bytes, signature: bytes) -> str:
    """Return the address (lower case, 0x) whose key signed a 32-byte hash."""
    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature(f"{len(signature)} bytes")
    recovery_id = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if recovery_id not in (0, 1) or int.from_bytes(signature[32:64], "big") > S_MAX:
        raise BadSignature("not canonical")
    compact = signature[:64] + bytes([recovery_id])
    try:
        key = PublicKey.from_signature_and_message(compact, message_hash, hasher=None)
    except ValueError as error:
        raise BadSignature("no such point") from error
    except Exception as error:
        raise BadSignature("not recoverable") from error
    return "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()


def address_of(private_key: bytes) -> str:
    """Return the address (lower case, 0x) of a 32-byte private key."""
    public = PrivateKey(private_key).public_key.format(compressed=False)
    return "0x" + keccak(public[1:])[12:].hex()


def checksum(address: str) -> str:
    """Spell an address with EIP-55 capitals."""
    digits = address.lower().removeprefix("0x")
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        d.upper() if int(m, 16) >= 8 else d for d, m in zip(digits, marks, strict=False)
    )


def is_address(text: str) -> bool:
    """Whether the text is 0x and 40 hex digits, in any case."""
    if len(text) != 42 or not text.startswith("0x"):
        return False
    try:
        int(text[2:], 16)
    except ValueError:
        return False
    return True


__all__ = ["BadSignature", "address_of", "checksum", "is_address", "keccak", "recover"]
