"""Only a verified approval can be shown to a venue, and it covers nothing but itself."""

import copy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from mypy.api import run as mypy

from whaletrader.domain.approval import ApprovalSigner, ApprovalVerifier, signing_bytes
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.venues.approval import ApprovalInvalid, VerifiedApproval, verify_approval

NOW = 1_000
PEM = Ed25519PrivateKey.from_private_bytes(b"k" * 32).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER = ApprovalSigner(PEM)
VERIFY = ApprovalVerifier([SIGNER.public_pem()]).verify


def approval(**changes: Any) -> risk_pb2.ApprovedTrade:
    terms: dict[str, Any] = {
        "approval_id": "a1",
        "proposal_id": "p1",
        "portfolio": "main",
        "condition_id": "0xc",
        "token_id": "111",
        "side": common_pb2.SIDE_BUY,
        "limit_price_micro": 500_000,
        "size_micro": 10_000_000,
        "expires_ns": NOW + 1,
        "key_id": SIGNER.key_id,
    }
    made = risk_pb2.ApprovedTrade(**terms | changes)
    made.signature = SIGNER.sign(signing_bytes(made))
    return made


def order(**changes: Any) -> order_pb2.OrderAnnounced:
    terms: dict[str, Any] = {
        "approval_id": "a1",
        "proposal_id": "p1",
        "portfolio": "main",
        "condition_id": "0xc",
        "token_id": "111",
        "side": common_pb2.SIDE_BUY,
        "price_micro": 500_000,
        "size_micro": 10_000_000,
    }
    return order_pb2.OrderAnnounced(order=order_pb2.OrderRef(**terms | changes))


def test_nobody_else_can_make_the_proof() -> None:
    with pytest.raises(TypeError):
        VerifiedApproval(approval(), object())
    with pytest.raises(TypeError):
        VerifiedApproval(approval())  # type: ignore[call-arg]


def test_an_unapproved_order_does_not_even_pass_the_type_checker(tmp_path: Path) -> None:
    refused = [
        "venue.submit(trade, order)",
        "venue.submit(None, order)",
        "venue.submit(order)",
        "venue.submit(VerifiedApproval(trade), order)",
    ]
    head = [
        "from whaletrader.schemas import order_pb2, risk_pb2",
        "from whaletrader.venues.approval import VerifiedApproval",
        "from whaletrader.venues.port import Venue",
        "async def send(venue: Venue, proof: VerifiedApproval, trade: risk_pb2.ApprovedTrade,",
        "               order: order_pb2.OrderAnnounced) -> None:",
        "    await venue.submit(proof, order)",
    ]
    file = tmp_path / "sends.py"
    file.write_text("\n".join([*head, *(f"    await {call}" for call in refused)]) + "\n")
    said, errors, _ = mypy(
        ["--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}", str(file)]
    )
    lines = {int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line}
    assert lines == {len(head) + 1 + number for number in range(len(refused))}, said + errors
    assert said.count('expected "VerifiedApproval"') >= len(refused) - 1


def test_the_proof_keeps_its_own_copy() -> None:
    message = approval()
    proof = verify_approval(message, VERIFY, NOW)
    message.size_micro *= 100
    proof.require_cover(order())
    with pytest.raises(ApprovalInvalid):
        proof.require_cover(order(size_micro=1_000_000_000))


@pytest.mark.parametrize(
    "field",
    ["size_micro", "limit_price_micro", "token_id", "condition_id", "expires_ns", "approval_id"],
)
def test_an_altered_approval_is_refused(field: str) -> None:
    message = copy.deepcopy(approval())
    value = getattr(message, field)
    setattr(message, field, value + 1 if isinstance(value, int) else value + "0")
    with pytest.raises(ApprovalInvalid, match="signature"):
        verify_approval(message, VERIFY, NOW)


@pytest.mark.parametrize("signature", [b"", b"x" * 64, b"x" * 63])
def test_a_forged_approval_is_refused(signature: bytes) -> None:
    message = approval()
    message.signature = signature
    with pytest.raises(ApprovalInvalid, match="signature"):
        verify_approval(message, VERIFY, NOW)


def test_a_key_that_is_not_trusted_is_refused() -> None:
    message = approval(key_id="other")
    with pytest.raises(ApprovalInvalid, match="trusted"):
        verify_approval(message, VERIFY, NOW)


@pytest.mark.parametrize("late", [1, 2, 10**18])
def test_an_expired_approval_is_refused_from_its_last_moment_on(late: int) -> None:
    verify_approval(approval(), VERIFY, NOW)
    with pytest.raises(ApprovalInvalid, match="unexpired"):
        verify_approval(approval(), VERIFY, NOW + late)


@pytest.mark.parametrize(
    "changes",
    [
        {"size_micro": 10_000_001},
        {"size_micro": 0},
        {"price_micro": 500_001},
        {"price_micro": 0},
        {"token_id": "112"},
        {"condition_id": "0xd"},
        {"portfolio": "other"},
        {"approval_id": "a2"},
        {"side": common_pb2.SIDE_SELL},
        {"outcome_index": 1},
    ],
)
def test_nothing_larger_worse_or_other_is_covered(changes: dict[str, Any]) -> None:
    with pytest.raises(ApprovalInvalid):
        verify_approval(approval(), VERIFY, NOW).require_cover(order(**changes))


def test_smaller_and_cheaper_is_covered_and_a_sale_may_be_dearer() -> None:
    verify_approval(approval(), VERIFY, NOW).require_cover(
        order(size_micro=5_000_000, price_micro=400_000)
    )
    sale = verify_approval(approval(side=common_pb2.SIDE_SELL), VERIFY, NOW)
    sale.require_cover(order(side=common_pb2.SIDE_SELL, price_micro=600_000))
    with pytest.raises(ApprovalInvalid):
        sale.require_cover(order(side=common_pb2.SIDE_SELL, price_micro=499_999))
