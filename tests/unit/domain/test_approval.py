"""The signature on an approval."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.message import Message

from whaletrader.domain.approval import (
    ApprovalSigner,
    ApprovalVerifier,
    ForgedApproval,
    KeyUnreadable,
    signing_bytes,
)
from whaletrader.schemas import common_pb2, risk_pb2


def pem_of(seed: int) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def approval() -> risk_pb2.ApprovedTrade:
    return risk_pb2.ApprovedTrade(
        meta=common_pb2.Meta(id="1" * 32, source="risk"),
        approval_id="a1",
        proposal_id="p1",
        portfolio="main",
        condition_id="0xc",
        token_id="7",
        side=common_pb2.SIDE_BUY,
        limit_price_micro=500_000,
        size_micro=10_000_000,
        expires_ns=99,
        reasons=[common_pb2.Reason(rule="cash", value=1, limit=2, passed=True)],
        key_id="k",
    )


SIGNER = ApprovalSigner(pem_of(1))
VERIFIER = ApprovalVerifier([SIGNER.public_pem()])


def test_a_signed_approval_verifies_and_the_signature_is_the_same_every_time() -> None:
    message = approval()
    message.signature = SIGNER.sign(signing_bytes(message))
    VERIFIER.verify(signing_bytes(message), message.signature, SIGNER.key_id)
    again = ApprovalSigner(pem_of(1)).sign(signing_bytes(approval()))
    assert again == message.signature


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("approval_id", "a2"),
        ("proposal_id", "p2"),
        ("portfolio", "other"),
        ("leader", "0x1"),
        ("condition_id", "0xd"),
        ("token_id", "8"),
        ("outcome_index", 1),
        ("side", common_pb2.SIDE_SELL),
        ("limit_price_micro", 500_001),
        ("size_micro", 10_000_001),
        ("expires_ns", 100),
        ("key_id", "k2"),
        ("strategy", "flatten"),
    ],
)
def test_any_altered_field_is_found(field: str, value: str | int) -> None:
    message = approval()
    signature = SIGNER.sign(signing_bytes(message))
    setattr(message, field, value)
    with pytest.raises(ForgedApproval):
        VERIFIER.verify(signing_bytes(message), signature, SIGNER.key_id)


def test_altered_reasons_and_meta_are_found() -> None:
    signature = SIGNER.sign(signing_bytes(approval()))
    reasoned, renamed = approval(), approval()
    reasoned.reasons[0].limit = 3
    renamed.meta.id = "2" * 32
    for message in (reasoned, renamed):
        with pytest.raises(ForgedApproval):
            VERIFIER.verify(signing_bytes(message), signature, SIGNER.key_id)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"x" * 63])
def test_a_missing_or_malformed_signature_is_a_forgery(signature: bytes) -> None:
    with pytest.raises(ForgedApproval):
        VERIFIER.verify(signing_bytes(approval()), signature, SIGNER.key_id)


def test_a_key_that_is_not_trusted_is_a_forgery_even_under_a_trusted_name() -> None:
    stranger = ApprovalSigner(pem_of(2))
    payload = signing_bytes(approval())
    for name in (stranger.key_id, SIGNER.key_id, ""):
        with pytest.raises(ForgedApproval):
            VERIFIER.verify(payload, stranger.sign(payload), name)


def test_two_keys_are_trusted_while_one_replaces_the_other() -> None:
    new = ApprovalSigner(pem_of(2))
    verifier = ApprovalVerifier([SIGNER.public_pem(), new.public_pem()])
    payload = signing_bytes(approval())
    verifier.verify(payload, SIGNER.sign(payload), SIGNER.key_id)
    verifier.verify(payload, new.sign(payload), new.key_id)
    assert verifier.key_ids == tuple(sorted((SIGNER.key_id, new.key_id)))


def test_the_signature_is_not_among_the_signed_bytes_and_the_message_stays_as_it_is() -> None:
    message = approval()
    before = signing_bytes(message)
    message.signature = b"anything"
    assert signing_bytes(message) == before
    assert message.signature == b"anything"


def test_fields_of_a_newer_schema_are_covered() -> None:
    newer = risk_pb2.ApprovedTrade.FromString(approval().SerializeToString() + b"\xfa\x07\x01x")
    assert signing_bytes(newer) != signing_bytes(approval())


def test_a_message_without_a_signature_field_cannot_be_signed() -> None:
    message: Message = risk_pb2.RejectedTrade()
    with pytest.raises(ValueError, match="signature"):
        signing_bytes(message)


def test_what_is_no_ed25519_key_is_refused() -> None:
    other = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for pem in (b"", b"not a key", other, SIGNER.public_pem()):
        with pytest.raises(KeyUnreadable):
            ApprovalSigner(pem)
    with pytest.raises(KeyUnreadable):
        ApprovalVerifier([pem_of(1)])


def test_the_signer_never_shows_its_key() -> None:
    assert repr(SIGNER) == f"ApprovalSigner(key_id={SIGNER.key_id!r})"
