"""The relayer: transactions of contract wallets, carried out at once on the engine's books.

Nonces count a wallet's transactions. The batch's own signature is not checked, only that the sender
owns the wallet: there is no chain here that could be robbed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.errors import BadInstruction
from whaletrader.services.exchange.signing.keys import is_address
from whaletrader.services.exchange.signing.wallets import wallets_for
from whaletrader.services.exchange.wire.answers import WireError, ok, read_json
from whaletrader.services.exchange.wire.chain_calls import (
    MULTI_SEND,
    PROXY_CALLS,
    BadCall,
    Call,
    arguments,
    prepared,
    selector,
    unpacked_sends,
)
from whaletrader.services.exchange.wire.order_body import owned_wallet
from whaletrader.services.exchange.wire.venue import Venue, venue_of

KINDS = ("SAFE", "PROXY", "SAFE-CREATE", "WALLET", "WALLET-CREATE")
_WALLET_TYPES = {"PROXY": 1, "SAFE": 2, "WALLET": 3}
CONFIRMED = "STATE_CONFIRMED"
FAILED = "STATE_FAILED"


@dataclass(frozen=True, slots=True)
class Relayed:
    """One submitted transaction and what became of it."""

    transaction_id: str
    sender: str
    wallet: str
    kind: str
    state: str
    error: str
    transaction_hash: str


async def deployed(request: Request) -> Response:
    """Say that a wallet is there: signatures are checked here without a chain."""
    _address(request)
    return ok({"deployed": True})


async def nonce(request: Request) -> Response:
    return ok({"nonce": str(_nonce(venue_of(request), _address(request)))})


async def payload(request: Request) -> Response:
    """Answer the wallet and the nonce that the next transaction must carry."""
    venue = venue_of(request)
    sender = _address(request)
    kind = request.query_params.get("type", "")
    if kind not in _WALLET_TYPES:
        raise WireError(400, "type must be PROXY, SAFE or WALLET")
    wallet = wallets_for(sender, _WALLET_TYPES[kind])[0]
    return ok({"address": wallet, "nonce": str(_nonce(venue, sender))})


async def submit(request: Request) -> Response:
    """Carry a transaction out; the answer names it, `/transaction` tells how it went."""
    venue = venue_of(request)
    body = await read_json(request)
    if not isinstance(body, dict) or body.get("type") not in KINDS:
        raise WireError(400, f"type must be one of {', '.join(KINDS)}")
    sender = str(body.get("from", "")).lower()
    if not is_address(sender):
        raise WireError(400, "from must be an address")
    given, expected = str(body.get("nonce") or "0"), _nonce(venue, sender)
    is_creation = body["type"].endswith("-CREATE")
    if not is_creation and body["type"] != "PROXY" and given != str(expected):
        raise WireError(400, f"batch nonce {given} does not match on-chain nonce {expected}")
    wallet = sender if is_creation else _wallet(venue, sender, body)
    error = ""
    if not is_creation:
        try:
            for act in prepared(venue, wallet, _calls(body)):
                act()
        except BadCall as problem:
            raise WireError(400, str(problem)) from problem
        except BadInstruction as refused:
            error = str(refused)
        venue.publish()
    made = _remember(venue, (sender, wallet, body["type"]), error)
    return ok({"transactionID": made.transaction_id, "state": "STATE_NEW"})


async def transaction(request: Request) -> Response:
    """Answer one transaction by id, as a list of one."""
    return ok([_row(_found(request, request.query_params.get("id", "")))])


async def account_transaction(request: Request) -> Response:
    return ok(_row(_found(request, request.path_params["transaction_id"])))


def _calls(body: dict[str, Any]) -> list[Call]:
    if body["type"] == "WALLET":
        params = body.get("depositWalletParams")
        rows = params.get("calls") if isinstance(params, dict) else None
        if not isinstance(rows, list):
            raise BadCall("depositWalletParams.calls is missing")
        return [Call(str(row.get("target")), _bytes(row.get("data"))) for row in rows]
    data = _bytes(body.get("data"))
    if body["type"] == "PROXY":
        if data[:4] != selector(PROXY_CALLS):
            raise BadCall("a proxy transaction calls proxy(...)")
        (rows,) = arguments(PROXY_CALLS, data)
        return [Call(row[1], row[3]) for row in rows]
    if data[:4] == selector(MULTI_SEND):
        return unpacked_sends(data)
    return [Call(str(body.get("to")), data)]


def _bytes(text: Any) -> bytes:
    try:
        return bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError as error:
        raise BadCall("call data is not hex") from error


def _wallet(venue: Venue, sender: str, body: dict[str, Any]) -> str:
    params = body.get("depositWalletParams")
    named = params.get("depositWallet") if isinstance(params, dict) else body.get("proxyWallet")
    wallet = str(named or "").lower()
    if not is_address(wallet) or not owned_wallet(venue, wallet, sender):
        raise WireError(400, f"wallet {wallet or '(none)'} does not belong to {sender}")
    return wallet


def _remember(venue: Venue, who: tuple[str, str, str], error: str) -> Relayed:
    sender, wallet, kind = who
    number = len(venue.relayed)
    digest = hashlib.sha256(f"relayed:{sender}:{number}".encode()).hexdigest()
    name = f"{digest[:8]}-{digest[8:12]}-7{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    state = FAILED if error else CONFIRMED
    made = Relayed(name, sender, wallet, kind, state, error, "0x" + digest)
    venue.relayed[name] = made
    return made


def _nonce(venue: Venue, sender: str) -> int:
    return sum(
        r.sender == sender and not r.kind.endswith("-CREATE") for r in venue.relayed.values()
    )


def _address(request: Request) -> str:
    address = request.query_params.get("address", "").lower()
    if not is_address(address):
        raise WireError(400, "address must be 0x and 40 hex digits")
    return address


def _found(request: Request, name: str) -> Relayed:
    found = venue_of(request).relayed.get(name)
    if found is None:
        raise WireError(404, "transaction not found")
    return found


def _row(made: Relayed) -> dict[str, Any]:
    return {
        "transaction_id": made.transaction_id,
        "transactionID": made.transaction_id,
        "transaction_hash": made.transaction_hash,
        "transactionHash": made.transaction_hash,
        "from": made.sender,
        "proxyAddress": made.wallet,
        "type": made.kind,
        "state": made.state,
        "error_msg": made.error or None,
    }
