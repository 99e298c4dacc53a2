"""Addresses on Polygon that signatures are bound to. Facts of the venue, not settings."""

CHAIN_ID = 137
EXCHANGE_V1 = "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"
EXCHANGE_V1_NEG_RISK = "0xC5d563A36AE78145C45a50134d48A1215220f80a"
EXCHANGE_V2 = "0xE111180000d2663C0091e4f400237545B87B996B"
EXCHANGE_V2_NEG_RISK = "0xe2222d279d744050d28e00520010520000310F59"
EXCHANGE_V3 = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"
NEG_RISK_ADAPTER = "0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296"

PROXY_FACTORY = "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052"
PROXY_IMPLEMENTATION = "0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f"
SAFE_FACTORY = "0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b"
SAFE_INIT_CODE_HASH = "0x2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf"
DEPOSIT_WALLET_FACTORY = "0x00000000000Fb5C9ADea0298D729A0CB3823Cc07"
DEPOSIT_WALLET_IMPLEMENTATION = "0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB"
DEPOSIT_WALLET_BEACON = "0x7A18EDfe055488A3128f01F563e5B479D92ffc3a"

# A position id of the newer protocol has these 64 bits clear; a hashed token id never has.
_POSITION_RESERVED_BITS = ((1 << 64) - 1) << 40


def is_position_id(token_id: str) -> bool:
    """Whether a token belongs to a market of the newer protocol (signing domain 3)."""
    return int(token_id) & _POSITION_RESERVED_BITS == 0


def order_domain(
    token_id: str, *, neg_risk: bool, generation: int | None = None
) -> tuple[str, str]:
    """Return (domain version, verifying contract) under which an order must be signed.

    Without a generation the token says which of 2 and 3 it is; 1 is the retired one.
    """
    if generation == 1:
        return "1", EXCHANGE_V1_NEG_RISK if neg_risk else EXCHANGE_V1
    if generation == 3 or (generation is None and is_position_id(token_id)):
        return "3", EXCHANGE_V3
    return "2", EXCHANGE_V2_NEG_RISK if neg_risk else EXCHANGE_V2
