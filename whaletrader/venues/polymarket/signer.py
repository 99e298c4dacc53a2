"""A local key on the fast curve. Owns the private key; it never leaves in a log, repr or error.

Only coincurve (libsecp256k1) is accepted: the pure Python curve takes tens of milliseconds an
order, which is worth more than the edge that is being traded.
"""

from typing import Final, Protocol

from eth_keys.backends.coincurve import is_coincurve_available
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from pydantic import SecretStr

from whaletrader.venues.errors import VenueStop

# Account 0 of the test mnemonic that every Ethereum development chain funds. Public knowledge:
# it can hold nothing of value, and only the demo may use it.
DEVELOPMENT_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


_KEY_BYTES: Final = 32


class Signer(Protocol):
    """Signs 32-byte digests with one secp256k1 key."""

    @property
    def address(self) -> str:
        """The key's own address, checksummed."""

    async def sign(self, digest: bytes) -> bytes:
        """Return 65 bytes: r, s (low), v (27 or 28).

        Raises VenueUnavailable (nothing was signed, try later), SignerFailed.
        """


class LocalSigner:
    """Signs 32-byte digests with a key held in this process."""

    def __init__(self, private_key: SecretStr) -> None:
        """Take a key of 0x and 64 hex digits. Raises VenueStop without saying what it was."""
        require_fast_curve()
        # Only here, so that without it the refusal above is what is seen.
        import coincurve

        try:
            raw = bytes.fromhex(private_key.get_secret_value().strip().removeprefix("0x"))
            if len(raw) != _KEY_BYTES:
                # The curve's library would pad a short one: a mistyped key, and another wallet.
                raise ValueError("wrong length")
            self._key = coincurve.PrivateKey(raw)
        except ValueError:
            # The cause's text could hold the key: it is cut off on purpose.
            raise VenueStop("the private key is not 32 bytes of hexadecimal digits") from None
        public = self._key.public_key.format(compressed=False)[1:]
        self.address: str = to_checksum_address(keccak(public)[-20:])

    def __repr__(self) -> str:
        return f"LocalSigner(address={self.address}, key=<redacted>)"

    async def sign(self, digest: bytes) -> bytes:
        """Return r, s, v. Awaits nothing: whoever calls it is not interrupted."""
        return self.sign_now(digest)

    def sign_now(self, digest: bytes) -> bytes:
        """Return r, s (low), v (27 or 28)."""
        raw: bytes = self._key.sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes([raw[64] + 27])


def require_fast_curve() -> None:
    """Raise VenueStop unless signatures are made by libsecp256k1."""
    if not is_coincurve_available():
        raise VenueStop("coincurve is missing: refusing to sign on the slow pure Python curve")
