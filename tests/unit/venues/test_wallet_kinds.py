"""Orders of every kind of wallet carry the signature that the official client itself makes."""

import pytest
from eth_account import Account as EthAccount
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal.actions.orders.typed_data import (
    build_order_signature,
    build_order_typed_data,
)
from polymarket._internal.actions.orders.types import BYTES32_ZERO, UnsignedOrder
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
    derive_uups_deposit_wallet_address,
)
from polymarket.types import HexString
from pydantic import SecretStr

from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.venues.errors import VenueRefused
from whaletrader.venues.polymarket.client import contracts_of, environment_at
from whaletrader.venues.polymarket.order_hash import (
    Account,
    digest_of,
    fields_of,
    signed_digest,
    size_step,
    wire_signature,
)
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner

CONTRACTS = contracts_of(environment_at(""))
SIGNER = LocalSigner(SecretStr(DEVELOPMENT_KEY))
OWNER = EthAccount.from_key(DEVELOPMENT_KEY)
_DERIVATION = PRODUCTION_CONFIG.wallet_derivation
WALLETS = [
    (SIGNER.address, 0),
    (derive_proxy_wallet_address(SIGNER.address, _DERIVATION), 1),
    (derive_safe_wallet_address(SIGNER.address, _DERIVATION), 2),
    (derive_beacon_deposit_wallet_address(SIGNER.address, _DERIVATION), 3),
    (derive_uups_deposit_wallet_address(SIGNER.address, _DERIVATION), 3),
]
CTF_TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
POSITION = str((1 << 248) + 1)
FAK = order_pb2.ORDER_TYPE_FAK
FOK = order_pb2.ORDER_TYPE_FOK
GTC = order_pb2.ORDER_TYPE_GTC
BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL


def order(
    price_micro: int, size_micro: int, *, token: str = CTF_TOKEN, side: int = BUY, kind: int = GTC
) -> order_pb2.OrderAnnounced:
    return order_pb2.OrderAnnounced(
        order=order_pb2.OrderRef(
            token_id=token, side=side, price_micro=price_micro, size_micro=size_micro
        ),
        order_type=kind,
        salt=123456789012,
        timestamp_ms=1713398400000,
    )


@pytest.mark.parametrize(("wallet", "kind"), WALLETS)
@pytest.mark.parametrize("token", [CTF_TOKEN, POSITION])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_the_signature_is_the_official_builders(
    wallet: str, kind: int, token: str, side: int
) -> None:
    account = Account(wallet, SIGNER.address, kind)
    fields = fields_of(order(490_000, 10_000_000, token=token, side=side), account, CONTRACTS)
    signature = SIGNER.sign_now(signed_digest(fields, 137))
    unsigned = UnsignedOrder(
        builder=HexString(BYTES32_ZERO),
        chain_id=137,
        exchange_address=fields.contract,
        expiration=0,
        maker=fields.maker,
        maker_amount=fields.maker_amount,
        metadata=HexString(BYTES32_ZERO),
        order_type="GTC",
        protocol_version=fields.domain_version,
        salt=fields.salt,
        side="BUY" if side == BUY else "SELL",
        signature_type=kind,
        signer=fields.signer,
        taker_amount=fields.taker_amount,
        timestamp=fields.timestamp_ms,
        token_id=token,
    )
    typed = build_order_typed_data(unsigned)
    official = OWNER.sign_typed_data(full_message=typed).signature.hex()
    expected = build_order_signature(unsigned, HexString("0x" + official.removeprefix("0x")))
    assert wire_signature(fields, 137, signature) == expected


def test_a_deposit_wallet_signs_317_bytes_and_keeps_the_plain_hash_as_its_id() -> None:
    wallet, kind = WALLETS[3]
    fields = fields_of(order(490_000, 10_000_000), Account(wallet, SIGNER.address, kind), CONTRACTS)
    assert fields.maker == fields.signer == wallet
    assert len(wire_signature(fields, 137, bytes(65))) == 2 + 2 * 317
    assert digest_of(fields, 137) != signed_digest(fields, 137)


@settings(max_examples=300, deadline=None)
@given(
    ticks=st.integers(1, 9_999),
    size=st.integers(1, 10**12),
    kind=st.sampled_from([GTC, FAK, FOK]),
    side=st.sampled_from([BUY, SELL]),
)
def test_a_fitted_size_can_be_expressed_at_exactly_the_announced_price(
    ticks: int, size: int, kind: int, side: int
) -> None:
    wanted = order(ticks * 100, size, kind=kind, side=side)
    fitted = size // size_step(wanted) * size_step(wanted)
    account = Account(SIGNER.address, SIGNER.address)
    if not fitted:
        with pytest.raises(VenueRefused):
            fields_of(wanted, account, CONTRACTS)
        return
    wanted.order.size_micro = fitted
    fields = fields_of(wanted, account, CONTRACTS)
    dollars, shares = fields.maker_amount, fields.taker_amount
    if side == SELL:
        dollars, shares = shares, dollars
    assert (shares, dollars * 1_000_000) == (fitted, ticks * 100 * fitted)
    assert shares % 10_000 == 0
    if side == BUY and kind != GTC:
        assert dollars % 10_000 == 0
        assert size - fitted < size_step(wanted)


@pytest.mark.parametrize(
    ("price", "step"), [(470_000, 1_000_000), (500_000, 20_000), (493_000, 10_000_000)]
)
def test_the_step_of_a_taking_buy_makes_whole_cents(price: int, step: int) -> None:
    assert size_step(order(price, 1, kind=FAK)) == step
    assert size_step(order(price, 1, kind=FAK, side=SELL)) == 10_000


def test_a_taking_buy_of_broken_cents_is_refused_before_it_is_sent() -> None:
    with pytest.raises(VenueRefused, match="multiple"):
        fields_of(order(470_000, 7_770_000, kind=FAK), Account("0x" + "1" * 40, ""), CONTRACTS)
