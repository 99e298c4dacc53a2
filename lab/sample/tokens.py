"""Outcome token ids, computed from a condition id the way the chain computes them.

Owns the arithmetic of the Conditional Tokens contract (`CTHelpers.getCollectionId` and
`getPositionId`) for binary markets. Knows nothing of files. Called by `selection`, which
checks every traded token against it, so that the id of a token nobody traded is computed
and never invented, and whether a market is neg-risk is read off its collateral.
"""

from eth_utils.crypto import keccak

# alt_bn128: y^2 = x^3 + 3 over this prime field.
FIELD_PRIME = 21888242871839275222246405745257275088696311157297823662689037894645226208583

USDC_E = bytes.fromhex("2791bca1f2de4661ed88a30c99a7a9449aa84174")
# Collateral of neg-risk markets before 2026-04: USDC.e wrapped by the neg-risk adapter.
NEG_RISK_WRAPPED = bytes.fromhex("3a3bd7bb9528e159577f7c2e685cc81a765002e2")


class TokenMismatch(ValueError):
    """A traded token id belongs to no known collateral of its condition."""


def derive_tokens(condition_id: str, seen: dict[int, str]) -> tuple[tuple[str, str], bool]:
    """Return both token ids (decimal) and whether the market is neg-risk.

    `seen` holds the ids that were traded, by outcome index; at least one is needed, because
    it alone tells which collateral backs the market. Raises TokenMismatch when any of them
    is not the id that the condition has.
    """
    for collateral, is_neg_risk in ((USDC_E, False), (NEG_RISK_WRAPPED, True)):
        tokens = (token_id(collateral, condition_id, 0), token_id(collateral, condition_id, 1))
        if seen and all(tokens[index] == token for index, token in seen.items()):
            return tokens, is_neg_risk
    raise TokenMismatch(f"{condition_id}: traded token ids {seen} are not this condition's")


def token_id(collateral: bytes, condition_id: str, outcome_index: int) -> str:
    """Return the ERC-1155 id, in decimal, of one outcome of a binary condition."""
    collection = _collection_id(bytes.fromhex(condition_id[2:]), 1 << outcome_index)
    return str(int.from_bytes(keccak(collateral + collection), "big"))


def _collection_id(condition: bytes, index_set: int) -> bytes:
    start = int.from_bytes(keccak(condition + index_set.to_bytes(32, "big")), "big")
    wants_odd = start >> 255 == 1
    x, y = _next_curve_point(start)
    if (y % 2 == 1) != wants_odd:
        y = FIELD_PRIME - y
    # The contract packs the parity of y into bit 254 of x.
    packed = x ^ (1 << 254) if y % 2 == 1 else x
    return packed.to_bytes(32, "big")


def _next_curve_point(start: int) -> tuple[int, int]:
    # Half of all x lie on the curve, so this ends after two steps on average.
    x = start % FIELD_PRIME
    while True:
        x = (x + 1) % FIELD_PRIME
        y_squared = (pow(x, 3, FIELD_PRIME) + 3) % FIELD_PRIME
        y = pow(y_squared, (FIELD_PRIME + 1) // 4, FIELD_PRIME)
        if y * y % FIELD_PRIME == y_squared:
            return x, y
