"""The order's id and signature against vectors produced by the official clients."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from whaletrader.domain.money import MoneyError
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.venues.errors import VenueRefused, VenueStop
from whaletrader.venues.polymarket.client import contracts_of, environment_at
from whaletrader.venues.polymarket.order_hash import (
    Account,
    OrderFields,
    digest_of,
    fields_of,
    order_id,
)
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "order_vectors.json").read_text()
)
CONTRACTS = contracts_of(environment_at(""))
SIGNER = LocalSigner(SecretStr(DEVELOPMENT_KEY))
TOKEN = VECTORS[0]["token_id"]
# All 64 reserved bits of a Protocol V2 position id are empty.
POSITION = str((1 << 248) + 1)


def announced(**changes: Any) -> order_pb2.OrderAnnounced:
    terms = {"token_id": TOKEN, "price_micro": 490_000, "size_micro": 10_000_000} | changes
    return order_pb2.OrderAnnounced(
        order=order_pb2.OrderRef(
            token_id=terms["token_id"],
            side=terms.get("side", common_pb2.SIDE_BUY),
            price_micro=terms["price_micro"],
            size_micro=terms["size_micro"],
        ),
        order_type=order_pb2.ORDER_TYPE_GTC,
        salt=terms.get("salt", 7),
        timestamp_ms=1_713_398_400_000,
        neg_risk=terms.get("neg_risk", False),
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["order_hash"][:10])
def test_hash_and_signature_are_those_of_the_official_clients(vector: dict[str, Any]) -> None:
    fields = OrderFields(
        salt=vector["salt"],
        maker=vector["maker"],
        signer=vector["signer"],
        token_id=int(vector["token_id"]),
        maker_amount=int(vector["maker_amount"]),
        taker_amount=int(vector["taker_amount"]),
        is_sell=vector["side"] == "SELL",
        signature_type=vector["signature_type"],
        timestamp_ms=vector["timestamp_ms"],
        domain_version=str(vector["generation"]),
        contract=vector["contract"],
    )
    digest = digest_of(fields, 137)
    assert "0x" + digest.hex() == vector["order_hash"]
    assert "0x" + SIGNER.sign_now(digest).hex() == vector["signature"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["generation"] == 2])
def test_announced_terms_give_the_vectors_amounts_contract_and_id(vector: dict[str, Any]) -> None:
    side = common_pb2.SIDE_SELL if vector["side"] == "SELL" else common_pb2.SIDE_BUY
    order = announced(
        side=side,
        price_micro=vector["price_micro"],
        size_micro=vector["size_micro"],
        salt=vector["salt"],
        neg_risk=vector["neg_risk"],
    )
    account = Account(vector["maker"], vector["signer"], vector["signature_type"])
    fields = fields_of(order, account, CONTRACTS)
    assert str(fields.maker_amount) == vector["maker_amount"]
    assert str(fields.taker_amount) == vector["taker_amount"]
    assert fields.contract == vector["contract"]
    assert order_id(order, account, CONTRACTS) == vector["order_hash"]


def test_a_position_of_protocol_v2_is_signed_for_the_third_exchange() -> None:
    fields = fields_of(
        announced(token_id=POSITION, neg_risk=True),
        Account("0x" + "1" * 40, "0x" + "1" * 40),
        CONTRACTS,
    )
    assert (fields.domain_version, fields.contract) == ("3", CONTRACTS.positions)


@given(
    ticks=st.integers(1, 9_999),
    lots=st.integers(1, 10**9),
    side=st.sampled_from([common_pb2.SIDE_BUY, common_pb2.SIDE_SELL]),
)
def test_amounts_are_exact_for_every_tick_and_lot(
    ticks: int, lots: int, side: common_pb2.Side.ValueType
) -> None:
    price, size = ticks * 100, lots * 10_000
    order = announced(price_micro=price, size_micro=size, side=side)
    fields = fields_of(order, Account("0x" + "1" * 40, "0x" + "1" * 40), CONTRACTS)
    cost = fields.taker_amount if fields.is_sell else fields.maker_amount
    shares = fields.maker_amount if fields.is_sell else fields.taker_amount
    assert shares == size
    assert cost * 1_000_000 == price * size


@pytest.mark.parametrize(
    "changes",
    [
        {"size_micro": 10_000_001},
        {"size_micro": 0},
        {"size_micro": -10_000},
        {"price_micro": 490_001, "size_micro": 10_010_000},
        {"token_id": "0x12"},
        {"token_id": str(1 << 256)},
        {"side": common_pb2.SIDE_UNSPECIFIED},
        {"salt": 1 << 53},
    ],
)
def test_terms_that_the_venue_cannot_express_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VenueRefused):
        order_id(announced(**changes), Account("0x" + "1" * 40, "0x" + "1" * 40), CONTRACTS)


@pytest.mark.parametrize("price", [0, 1_000_000, 65_000_000, -1])
def test_a_price_outside_zero_to_one_dollar_is_an_error(price: int) -> None:
    with pytest.raises(MoneyError):
        order_id(announced(price_micro=price), Account("0x" + "1" * 40, "0x" + "1" * 40), CONTRACTS)


def test_the_id_the_venue_gave_before_does_not_change_the_hash() -> None:
    order = announced()
    account = Account(SIGNER.address, SIGNER.address)
    before = order_id(order, account, CONTRACTS)
    order.order.order_id = before
    assert order_id(order, account, CONTRACTS) == before


def test_the_private_key_shows_in_no_text() -> None:
    assert DEVELOPMENT_KEY[2:] not in repr(SIGNER) + str(SIGNER)
    secret = "0x" + "zz" * 32
    with pytest.raises(VenueStop) as caught:
        LocalSigner(SecretStr(secret))
    assert "zz" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_slow_curve_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "whaletrader.venues.polymarket.signer.is_coincurve_available", lambda: False
    )
    with pytest.raises(VenueStop, match="slow"):
        LocalSigner(SecretStr(DEVELOPMENT_KEY))
