"""What a wallet's calls on the chain mean here: approvals, splits, merges, redemptions.

Decodes call data by its selector and carries it out on the engine's own books. Raises `BadCall` for
what it does not know, before anything of a batch was done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from whaletrader.services.exchange.engine.model import Market
from whaletrader.services.exchange.signing.keys import keccak
from whaletrader.services.exchange.wire import chain
from whaletrader.services.exchange.wire.venue import Venue

PROXY_CALLS = "proxy((uint8,address,uint256,bytes)[])"
MULTI_SEND = "multiSend(bytes)"
_SIGNATURES = (
    "approve(address,uint256)",
    "setApprovalForAll(address,bool)",
    "splitPosition(address,bytes32,bytes32,uint256[],uint256)",
    "mergePositions(address,bytes32,bytes32,uint256[],uint256)",
    "redeemPositions(address,bytes32,bytes32,uint256[])",
    "splitPosition(bytes32,uint256)",
    "mergePositions(bytes32,uint256)",
    "redeemPositions(bytes32,uint256[])",
    "convertPositions(bytes32,uint256,uint256)",
    "split(bytes31,uint256)",
    "merge(bytes31,uint256)",
    "redeem(bytes31,uint256,uint256)",
)


class BadCall(Exception):
    """A call that this chain does not know, or whose data cannot be read."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a wallet: to which contract, with what data."""

    target: str
    data: bytes


def selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


_BY_SELECTOR = {selector(text): text for text in _SIGNATURES}


def arguments(signature: str, data: bytes) -> tuple[Any, ...]:
    """Decode call data; raise `BadCall` when it does not fit its signature."""
    inner = signature[signature.index("(") + 1 : -1]
    types = [inner] if "((" in signature else inner.split(",")
    try:
        return tuple(decode(types, data[4:]))
    except (DecodingError, ValueError, OverflowError) as error:
        raise BadCall(f"call data does not fit {signature}") from error


def unpacked_sends(data: bytes) -> list[Call]:
    """Return the calls inside a multi-send: operation, target, value, length, data, repeated."""
    (packed,) = arguments(MULTI_SEND, data)
    calls, at = [], 0
    while at < len(packed):
        length = int.from_bytes(packed[at + 53 : at + 85], "big")
        if at + 85 + length > len(packed):
            raise BadCall("a multi-send ends within a call")
        target = "0x" + packed[at + 1 : at + 21].hex()
        calls.append(Call(target, packed[at + 85 : at + 85 + length]))
        at += 85 + length
    return calls


def prepared(venue: Venue, wallet: str, calls: list[Call]) -> list[Callable[[], object]]:
    """Return what the calls would do, in order; raise `BadCall` if one is not known."""
    return [_step(venue, wallet, call) for call in calls]


def _step(venue: Venue, wallet: str, call: Call) -> Callable[[], object]:
    signature = _BY_SELECTOR.get(call.data[:4])
    if signature is None:
        raise BadCall(f"unknown call 0x{call.data[:4].hex()} to {call.target}")
    given = arguments(signature, call.data)
    exchange, now_ns = venue.exchange, venue.now_ns
    match signature.partition("(")[0]:
        case "approve":
            if call.target.lower() != chain.COLLATERAL.lower():
                raise BadCall(f"{call.target} is not the collateral")
            return lambda: exchange.allow(wallet, given[0], collateral_micro=given[1])
        case "setApprovalForAll":
            return lambda: exchange.allow(wallet, given[0], conditional=given[1])
        case "splitPosition" | "split":
            market = _market(venue, _condition(signature, given))
            return lambda: exchange.split(wallet, market.condition_id, given[-1], now_ns)
        case "mergePositions" | "merge":
            market = _market(venue, _condition(signature, given))
            return lambda: exchange.merge(wallet, market.condition_id, given[-1], now_ns)
        case "redeemPositions" | "redeem":
            market = _market(venue, _condition(signature, given))
            return lambda: exchange.redeem(wallet, market.condition_id, now_ns)
        case _:
            return _conversion(venue, wallet, given)


def _conversion(venue: Venue, wallet: str, given: tuple[Any, ...]) -> Callable[[], object]:
    event_id = "0x" + given[0].hex()
    event = venue.exchange.state.events.get(event_id)
    if event is None:
        raise BadCall(f"unknown neg-risk event {event_id}")
    # Bit i of the index set stands for the event's question i.
    chosen = [c for i, c in enumerate(event.condition_ids) if given[1] >> i & 1]
    amount, now_ns = given[2], venue.now_ns
    return lambda: venue.exchange.convert(wallet, event_id, chosen, amount, now_ns)


def _condition(signature: str, given: tuple[Any, ...]) -> str:
    raw: bytes = given[2] if "(address," in signature else given[0]
    return "0x" + raw.ljust(32, b"\0").hex()


def _market(venue: Venue, condition_id: str) -> Market:
    found = venue.exchange.state.markets.get(condition_id)
    if found is None:
        raise BadCall(f"unknown condition {condition_id}")
    return found
