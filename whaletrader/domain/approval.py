"""The signature on an approval: what is signed, how it is made, how it is checked.

Ed25519 over the message without its signature, serialized deterministically; the same approval
always gives the same signature, so signing is pure. Risk signs, execution checks. Reading and
making key files is left to the composition roots.
"""

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from google.protobuf.message import Message


class ApprovalError(Exception):
    """Base: KeyUnreadable (stop: a person must look), ForgedApproval (refuse the approval)."""


class KeyUnreadable(ApprovalError):
    """The PEM holds no Ed25519 key."""


class ForgedApproval(ApprovalError):
    """The signature is missing, by a key that is not trusted, or not over these bytes."""


def signing_bytes(approval: Message) -> bytes:
    """Return what is signed: the canonical bytes of the message without its signature.

    Fields that this build does not know are covered too. Raises ValueError for a message that
    has no field of that name.
    """
    unsigned = type(approval)()
    unsigned.CopyFrom(approval)
    unsigned.ClearField("signature")
    return unsigned.SerializeToString(deterministic=True)


class ApprovalSigner:
    """Holds the private key. `sign` is a pure function of the bytes."""

    def __init__(self, private_pem: bytes) -> None:
        self._key = _private_key(private_pem)
        self.key_id = key_id_of(self._key.public_key())

    def sign(self, payload: bytes) -> bytes:
        return self._key.sign(payload)

    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def __repr__(self) -> str:
        return f"ApprovalSigner(key_id={self.key_id!r})"


class ApprovalVerifier:
    """Trusts the given public keys; more than one while a key is being replaced."""

    def __init__(self, public_pems: Iterable[bytes]) -> None:
        keys = [_public_key(pem) for pem in public_pems]
        self._keys = {key_id_of(key): key for key in keys}

    @property
    def key_ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._keys))

    def verify(self, payload: bytes, signature: bytes, key_id: str) -> None:
        """Return if that key signed these bytes. Raises ForgedApproval."""
        key = self._keys.get(key_id)
        if key is None:
            raise ForgedApproval(f"no trusted key is called {key_id!r}")
        try:
            key.verify(signature, payload)
        except InvalidSignature as error:
            raise ForgedApproval(f"key {key_id} did not sign this") from error


def key_id_of(key: Ed25519PublicKey) -> str:
    """Return the name of a public key: 16 hex digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _private_key(pem: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable("no private key could be read from the PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnreadable(f"{type(key).__name__} is no Ed25519 private key")
    return key


def _public_key(pem: bytes) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable("no public key could be read from the PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnreadable(f"{type(key).__name__} is no Ed25519 public key")
    return key
