"""A second opinion on what we sign: the official client's own builder, and the reference hashing.

The adapter hashes orders itself, because it is on the trading path; here the same order goes
through the client's typed data and eth_account's EIP-712, which share no code with it. Used by
the pre-flight's dry order.
"""

from eth_account import Account as EthAccount
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from polymarket._internal.actions.orders.typed_data import build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket.models.clob.orders import SignedOrder
from polymarket.types import EvmAddress, HexString

from whaletrader.venues.errors import VenueRefused
from whaletrader.venues.polymarket.order_hash import BYTES32_ZERO, OrderFields


def official_digest(signed: SignedOrder, fields: OrderFields, chain_id: int) -> bytes:
    """Return the 32 bytes that the official client would have the key sign for an order."""
    if fields.domain_version not in ("2", "3"):
        raise VenueRefused(f"the client knows no orders of generation {fields.domain_version}")
    unsigned = UnsignedOrder(
        builder=HexString(BYTES32_ZERO),
        chain_id=chain_id,
        exchange_address=EvmAddress(fields.contract),
        expiration=signed.expiration,
        maker=signed.maker,
        maker_amount=signed.maker_amount,
        metadata=HexString(BYTES32_ZERO),
        order_type=signed.order_type,
        protocol_version="3" if fields.domain_version == "3" else "2",
        salt=signed.salt,
        side=signed.side,
        signature_type=signed.signature_type,
        signer=signed.signer,
        taker_amount=signed.taker_amount,
        timestamp=signed.timestamp,
        token_id=signed.token_id,
    )
    message = encode_typed_data(full_message=build_order_typed_data(unsigned))
    return keccak(b"\x19" + message.version + message.header + message.body)


def recovered(digest: bytes, signature: bytes) -> str:
    """Return the checksummed address of the key that made a 65-byte signature."""
    return str(EthAccount._recover_hash(digest, signature=signature))
