"""The few reads of a Polygon node that clients make: balances, approvals, chain id, block time.

`eth_call` answers from the engine's books. Nothing can be broadcast: what changes the chain goes
through the relayer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_abi.abi import encode
from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import NS
from whaletrader.services.exchange.signing.contracts import CHAIN_ID
from whaletrader.services.exchange.wire import chain
from whaletrader.services.exchange.wire.answers import WireError, ok, read_json
from whaletrader.services.exchange.wire.chain_calls import BadCall, arguments, selector
from whaletrader.services.exchange.wire.venue import Venue, venue_of

UINT256_MAX = (1 << 256) - 1
METHOD_NOT_FOUND = -32601
REVERTED = 3
# Polygon makes a block every two seconds.
BLOCK_S = 2


async def rpc(request: Request) -> Response:
    """Answer one JSON-RPC call, or a batch of them."""
    body = await read_json(request)
    venue = venue_of(request)
    if isinstance(body, list):
        return ok([_answer(venue, call) for call in body])
    return ok(_answer(venue, body))


def _answer(venue: Venue, call: Any) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise WireError(400, "a call is an object")
    head = {"jsonrpc": "2.0", "id": call.get("id")}
    params = call.get("params") or []
    block = venue.wall_ns() // NS // BLOCK_S
    match call.get("method"):
        case "eth_chainId":
            return {**head, "result": hex(CHAIN_ID)}
        case "eth_blockNumber":
            return {**head, "result": hex(block)}
        case "eth_getBlockByNumber":
            found = {"number": hex(block), "timestamp": hex(venue.wall_ns() // NS)}
            return {**head, "result": found}
        case "eth_call":
            try:
                return {**head, "result": "0x" + _call(venue, params[0]).hex()}
            except (BadCall, IndexError, ValueError, AttributeError) as error:
                problem = {"code": REVERTED, "message": f"execution reverted: {error}"}
                return {**head, "error": problem}
        case other:
            text = f"the method {other} is not served: this venue has no chain"
            return {**head, "error": {"code": METHOD_NOT_FOUND, "message": text}}


def _call(venue: Venue, params: dict[str, Any]) -> bytes:
    data = bytes.fromhex((params.get("data") or params["input"]).removeprefix("0x"))
    reader = _READERS.get(data[:4])
    if reader is None:
        raise BadCall(f"unknown read 0x{data[:4].hex()}")
    signature, types, read = reader
    return encode(types, [read(venue, str(params.get("to", "")), *arguments(signature, data))])


def _cash(venue: Venue, contract: str, owner: str) -> int:
    account = venue.exchange.state.ledger.find(owner.lower())
    if account is None or contract.lower() != chain.COLLATERAL.lower():
        return 0
    return max(0, account.settled_cash_micro)


def _allowance(venue: Venue, contract: str, owner: str, spender: str) -> int:
    if contract.lower() != chain.COLLATERAL.lower():
        return 0
    return venue.exchange.allowance(owner.lower(), spender)[0]


def _approved(venue: Venue, _: str, owner: str, spender: str) -> bool:
    return venue.exchange.allowance(owner.lower(), spender)[1]


def _shares(venue: Venue, _: str, owner: str, token_id: int) -> int:
    account = venue.exchange.state.ledger.find(owner.lower())
    return max(0, account.settled_shares_micro(str(token_id))) if account is not None else 0


def _many_shares(
    venue: Venue, contract: str, owners: tuple[str, ...], tokens: tuple[int, ...]
) -> list[int]:
    pairs = zip(owners, tokens, strict=True)
    return [_shares(venue, contract, owner, token_id) for owner, token_id in pairs]


_Reader = tuple[str, list[str], Callable[..., Any]]
_READERS: dict[bytes, _Reader] = {
    selector(signature): (signature, types, read)
    for signature, types, read in (
        ("balanceOf(address)", ["uint256"], _cash),
        ("allowance(address,address)", ["uint256"], _allowance),
        ("isApprovedForAll(address,address)", ["bool"], _approved),
        ("balanceOf(address,uint256)", ["uint256"], _shares),
        ("balanceOfBatch(address[],uint256[])", ["uint256[]"], _many_shares),
    )
}
