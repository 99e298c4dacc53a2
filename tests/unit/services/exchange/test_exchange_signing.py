"""Signatures, hashes and derived addresses agree with what the published clients produce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
    derive_uups_deposit_wallet_address,
)

from whaletrader.services.exchange.signing.contracts import is_position_id, order_domain
from whaletrader.services.exchange.signing.keys import (
    BadSignature,
    address_of,
    checksum,
    is_address,
    recover,
)
from whaletrader.services.exchange.signing.login import login_signer, request_signature
from whaletrader.services.exchange.signing.orders import SignedFields, order_hash, signer_of
from whaletrader.services.exchange.signing.wallets import wallets_for, wallets_of

RESOURCES = Path(__file__).parents[3] / "resources" / "polymarket"
OWNER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
VECTORS = [
    v for v in json.loads((RESOURCES / "order_signing.json").read_text()) if v["version"] > 1
]
LOGINS = json.loads((RESOURCES / "logins.json").read_text())


def fields(order: dict[str, Any]) -> SignedFields:
    return SignedFields(
        salt=order["salt"],
        maker=order["maker"],
        signer=order["signer"],
        token_id=int(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side=0 if order["side"] == "BUY" else 1,
        signature_type=order["signatureType"],
        timestamp_ms=int(order["timestamp"]),
        metadata=bytes.fromhex(order["metadata"][2:]),
        builder=bytes.fromhex(order["builder"][2:]),
    )


def name(vector: dict[str, Any]) -> str:
    return f"v{vector['version']}-type{vector['signature_type']}-negrisk{vector['neg_risk']}"


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_order_hash_and_signer_agree_with_the_published_client(vector: dict[str, Any]) -> None:
    order = fields(vector["wire_body"]["order"])
    signature = bytes.fromhex(vector["wire_body"]["order"]["signature"][2:])
    domain = vector["domain"]
    assert (
        "0x" + order_hash(order, domain["version"], domain["verifyingContract"]).hex()
        == (vector["order_hash"])
    )
    assert signer_of(order, signature, domain["version"], domain["verifyingContract"]) == OWNER


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_an_order_changed_after_signing_is_not_the_owners(vector: dict[str, Any]) -> None:
    wire = dict(vector["wire_body"]["order"])
    wire["takerAmount"] = str(int(wire["takerAmount"]) + 1)
    signature = bytes.fromhex(wire["signature"][2:])
    domain = vector["domain"]
    try:
        signer = signer_of(fields(wire), signature, domain["version"], domain["verifyingContract"])
    except BadSignature:
        return
    assert signer != OWNER


def test_a_deposit_wallet_signature_without_its_wrapping_is_refused() -> None:
    vector = next(v for v in VECTORS if v["signature_type"] == 3)
    order = fields(vector["wire_body"]["order"])
    signature = bytes.fromhex(vector["wire_body"]["order"]["signature"][2:])
    domain = vector["domain"]["version"], vector["domain"]["verifyingContract"]
    with pytest.raises(BadSignature):
        signer_of(order, signature[:65], *domain)
    with pytest.raises(BadSignature):
        signer_of(order, signature[:-1] + b"\x00", *domain)


def test_the_mirrored_signature_is_refused() -> None:
    login = LOGINS["clob_auth"][0]
    raw = bytes.fromhex(login["signature"][2:])
    curve_order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s = (curve_order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    mirrored = raw[:32] + high_s + bytes([55 - raw[64]])
    with pytest.raises(BadSignature, match="canonical"):
        login_signer(login["address"], str(login["timestamp"]), login["nonce"], mirrored)


@pytest.mark.parametrize("raw", [b"", bytes(65), b"\xff" * 65, bytes(64) + b"\x1b"])
def test_bytes_that_are_no_signature_are_refused(raw: bytes) -> None:
    with pytest.raises(BadSignature):
        recover(b"\x01" * 32, raw)


@pytest.mark.parametrize("login", LOGINS["clob_auth"], ids=lambda v: f"nonce{v['nonce']}")
def test_login_signatures_agree_with_the_published_client(login: dict[str, Any]) -> None:
    signature = bytes.fromhex(login["signature"][2:])
    stamp = str(login["timestamp"])
    assert login_signer(login["address"], stamp, login["nonce"], signature) == OWNER
    assert login_signer(login["address"], stamp, login["nonce"] + 1, signature) != OWNER


@pytest.mark.parametrize("vector", LOGINS["hmac"], ids=lambda v: v["method"] + v["request_path"])
def test_request_signatures_agree_with_the_published_client(vector: dict[str, Any]) -> None:
    assert vector["signature"] == request_signature(
        vector["secret"],
        str(vector["timestamp"]),
        vector["method"],
        vector["request_path"],
        (vector["body"] or "").encode(),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_derived_wallets_agree_with_the_official_client(seed: int) -> None:
    account = Account.from_key(seed.to_bytes(32, "big"))
    config = PRODUCTION_CONFIG.wallet_derivation
    owner = address_of(seed.to_bytes(32, "big"))
    assert checksum(owner) == account.address
    expected = {
        derive_proxy_wallet_address(account.address, config).lower(): 1,
        derive_safe_wallet_address(account.address, config).lower(): 2,
        derive_uups_deposit_wallet_address(account.address, config).lower(): 3,
        derive_beacon_deposit_wallet_address(account.address, config).lower(): 3,
    }
    assert wallets_of(owner) == expected
    beacon = derive_beacon_deposit_wallet_address(account.address, config).lower()
    assert wallets_for(owner, 3)[-1] == beacon
    assert wallets_for(owner, 0) == [owner]
    assert wallets_for(owner, 7) == []


def test_a_position_of_the_newer_protocol_is_signed_under_domain_three() -> None:
    position = str((1 << 248) | (7 << 120) | 1)
    hashed = str((1 << 255) - 12345)
    assert is_position_id(position)
    assert order_domain(position, neg_risk=True)[0] == "3"
    assert order_domain(hashed, neg_risk=False) != order_domain(hashed, neg_risk=True)
    assert order_domain(hashed, neg_risk=False)[0] == "2"


@pytest.mark.parametrize("text", ["", "0x", "f39f", "0x" + "g" * 40, "0x" + "a" * 39])
def test_what_is_no_address_is_told_apart(text: str) -> None:
    assert not is_address(text)
