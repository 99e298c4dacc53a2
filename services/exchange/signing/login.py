"""The two ways in: a wallet's signature (L1, makes API keys) and a request's HMAC (L2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from whaletrader.services.exchange.signing.contracts import CHAIN_ID
from whaletrader.services.exchange.signing.keys import keccak, recover

_MESSAGE = b"This message attests that I control the given wallet"
_LOGIN_TYPE = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_DOMAIN = keccak(
    keccak(b"EIP712Domain(string name,string version,uint256 chainId)")
    + keccak(b"ClobAuthDomain")
    + keccak(b"1")
    + CHAIN_ID.to_bytes(32, "big")
)


def login_signer(address: str, timestamp: str, nonce: int, signature: bytes) -> str:
    """Return the address (lower case) that signed a login; raises `BadSignature`."""
    contents = keccak(
        keccak(_LOGIN_TYPE)
        + bytes(12)
        + bytes.fromhex(address[2:])
        + keccak(timestamp.encode())
        + nonce.to_bytes(32, "big")
        + keccak(_MESSAGE)
    )
    return recover(keccak(b"\x19\x01" + _DOMAIN + contents), signature)


def request_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Return the HMAC that a request must carry; `path` is without the query.

    Raises `ValueError` for a secret that is not URL-safe base64.
    """
    try:
        key = base64.urlsafe_b64decode(secret)
    except binascii.Error as error:
        raise ValueError("the secret is not base64") from error
    message = f"{timestamp}{method}{path}".encode() + body
    digest = hmac.new(key, message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()
