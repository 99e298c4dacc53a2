"""Each generation's orders hash, recover and bind to their contract as the published clients have
it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from whaletrader.services.exchange.signing import legacy
from whaletrader.services.exchange.signing.contracts import (
    EXCHANGE_V1,
    EXCHANGE_V1_NEG_RISK,
    order_domain,
)
from whaletrader.services.exchange.signing.keys import BadSignature
from whaletrader.services.exchange.signing.orders import SignedFields, order_hash, verify

RESOURCES = Path(__file__).parents[4] / "resources" / "polymarket"
OWNER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
VECTORS = json.loads((RESOURCES / "order_signing.json").read_text())
RETIRED = [v for v in VECTORS if v["version"] == 1]
CURRENT = [v for v in VECTORS if v["version"] > 1]


def name(vector: dict[str, Any]) -> str:
    return f"v{vector['version']}-type{vector['signature_type']}-negrisk{vector['neg_risk']}"


def legacy_fields(order: dict[str, Any]) -> legacy.LegacyFields:
    return legacy.LegacyFields(
        salt=int(order["salt"]),
        maker=order["maker"],
        signer=order["signer"],
        taker=order["taker"],
        token_id=int(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        expiration=int(order["expiration"]),
        nonce=int(order["nonce"]),
        fee_rate_bps=int(order["feeRateBps"]),
        side=0 if order["side"] == "BUY" else 1,
        signature_type=order["signatureType"],
    )


def fields(order: dict[str, Any]) -> SignedFields:
    return SignedFields(
        salt=int(order["salt"]),
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


def signature_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["wire_body"]["order"]["signature"][2:])


@pytest.mark.parametrize("vector", RETIRED, ids=name)
def test_the_retired_generation_agrees_with_its_client(vector: dict[str, Any]) -> None:
    order = legacy_fields(vector["wire_body"]["order"])
    version, contract = order_domain(str(order.token_id), neg_risk=vector["neg_risk"], generation=1)
    assert (version, contract) == ("1", vector["domain"]["verifyingContract"])
    order_id, signer = legacy.verify(order, signature_of(vector), contract)
    assert "0x" + order_id.hex() == vector["order_hash"]
    assert signer == OWNER


@pytest.mark.parametrize("field", legacy.LegacyFields._fields)
def test_no_field_of_a_retired_order_can_be_changed_after_signing(field: str) -> None:
    vector = RETIRED[0]
    order = legacy_fields(vector["wire_body"]["order"])
    value = getattr(order, field)
    other = "0x" + "77" * 20 if isinstance(value, str) else value + 1
    changed = order._replace(**{field: other})
    assert legacy.order_hash(changed, EXCHANGE_V1) != legacy.order_hash(order, EXCHANGE_V1)
    try:
        signer = legacy.verify(changed, signature_of(vector), EXCHANGE_V1)[1]
    except BadSignature:
        return
    assert signer != OWNER


def test_a_signature_for_one_contract_is_none_for_another() -> None:
    vector = RETIRED[0]
    order = legacy_fields(vector["wire_body"]["order"])
    try:
        signer = legacy.verify(order, signature_of(vector), EXCHANGE_V1_NEG_RISK)[1]
    except BadSignature:
        return
    assert signer != OWNER


@pytest.mark.parametrize("vector", CURRENT, ids=name)
def test_one_pass_gives_the_id_and_the_signer(vector: dict[str, Any]) -> None:
    order = fields(vector["wire_body"]["order"])
    domain = vector["domain"]["version"], vector["domain"]["verifyingContract"]
    order_id, signer = verify(order, signature_of(vector), *domain)
    assert order_id == order_hash(order, *domain)
    assert ("0x" + order_id.hex(), signer) == (vector["order_hash"], OWNER)


@pytest.mark.parametrize("field", SignedFields._fields)
def test_no_field_of_an_order_can_be_changed_after_signing(field: str) -> None:
    vector = CURRENT[0]
    order = fields(vector["wire_body"]["order"])
    domain = vector["domain"]["version"], vector["domain"]["verifyingContract"]
    value = getattr(order, field)
    if isinstance(value, str):
        other: object = "0x" + "77" * 20
    else:
        other = b"\x01" * 32 if isinstance(value, bytes) else value + 1
    changed = order._replace(**{field: other})
    assert order_hash(changed, *domain) != order_hash(order, *domain)


@pytest.mark.parametrize(
    ("generation", "neg_risk", "version"),
    [(1, False, "1"), (1, True, "1"), (2, False, "2"), (2, True, "2"), (3, False, "3")],
)
def test_a_generation_can_be_asked_for(generation: int, neg_risk: bool, version: str) -> None:
    hashed = str((1 << 255) - 12345)
    assert order_domain(hashed, neg_risk=neg_risk, generation=generation)[0] == version
