"""Which wallets a key owns: contract wallets live at addresses derived from it (CREATE2).

So a deposit wallet, proxy or Safe can trade without having been registered here first.
"""

from __future__ import annotations

from functools import lru_cache

from whaletrader.services.exchange.signing import contracts
from whaletrader.services.exchange.signing.keys import keccak

# Creation code of the three kinds of minimal proxy, around the addresses that they point to.
_PROXY_HEAD = bytes.fromhex("3d3d606380380380913d393d73")
_PROXY_MIDDLE = bytes.fromhex("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73")
_PROXY_TAIL = bytes.fromhex("5af43d82803e903d91602b57fd5bf352e831dd" + "00" * 31 + "20" + "00" * 32)
_UUPS_HEAD = 0x61003D3D8160233D3973
_UUPS_TAIL = bytes.fromhex(
    "6009"
    "5155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_HEAD = 0x6100523D8160233D3973
_BEACON_TAIL = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)
PROXY = 1
SAFE = 2
DEPOSIT = 3


@lru_cache(maxsize=4096)
def wallets_of(owner: str) -> dict[str, int]:
    """Return the contract wallets of an address (lower case) with their signature types."""
    raw = bytes.fromhex(owner.removeprefix("0x"))
    return {
        _proxy(raw): PROXY,
        _safe(raw): SAFE,
        _deposit(raw, _UUPS_HEAD, contracts.DEPOSIT_WALLET_IMPLEMENTATION, _UUPS_TAIL): DEPOSIT,
        _deposit(raw, _BEACON_HEAD, contracts.DEPOSIT_WALLET_BEACON, _BEACON_TAIL): DEPOSIT,
    }


def wallets_for(owner: str, signature_type: int) -> list[str]:
    """Return the addresses an owner can trade from under a signature type, newest kind last."""
    if signature_type == 0:
        return [owner]
    return [wallet for wallet, kind in wallets_of(owner).items() if kind == signature_type]


def _create2(factory: str, salt: bytes, code_hash: bytes) -> str:
    return "0x" + keccak(b"\xff" + _raw(factory) + salt + code_hash)[12:].hex()


def _proxy(owner: bytes) -> str:
    code = (
        _PROXY_HEAD
        + _raw(contracts.PROXY_FACTORY)
        + _PROXY_MIDDLE
        + _raw(contracts.PROXY_IMPLEMENTATION)
        + _PROXY_TAIL
    )
    return _create2(contracts.PROXY_FACTORY, keccak(owner), keccak(code))


def _safe(owner: bytes) -> str:
    salt = keccak(bytes(12) + owner)
    return _create2(contracts.SAFE_FACTORY, salt, _raw(contracts.SAFE_INIT_CODE_HASH))


def _deposit(owner: bytes, head: int, target: str, tail: bytes) -> str:
    arguments = bytes(12) + _raw(contracts.DEPOSIT_WALLET_FACTORY) + bytes(12) + owner
    prefix = (head + (len(arguments) << 56)).to_bytes(10, "big")
    code = prefix + _raw(target) + tail + arguments
    return _create2(contracts.DEPOSIT_WALLET_FACTORY, keccak(arguments), keccak(code))


def _raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])
