"""API keys, and the checks that a request comes from their owner.

Keys derive from a seed, address and nonce, so that a restarted exchange knows its clients again
once they derive. Nothing here is ever logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from whaletrader.services.exchange.signing.keys import BadSignature, is_address
from whaletrader.services.exchange.signing.login import login_signer, request_signature
from whaletrader.services.exchange.wire.answers import WireError, is_whole

BAD_LOGIN = "Invalid L1 Request headers"
BAD_KEY = "Unauthorized/Invalid api key"
TRADING = "trading"
READ_ONLY = "readonly"
BUILDER = "builder"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential; `address` is the key's owner in lower case."""

    key: str
    secret: str
    passphrase: str
    address: str
    nonce: int
    kind: str = TRADING

    def answer(self) -> dict[str, str]:
        return {"apiKey": self.key, "secret": self.secret, "passphrase": self.passphrase}


class ApiKeys:
    """The credentials that were created, by key and by owner."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._by_key: dict[str, ApiKey] = {}
        self._made: dict[tuple[str, str], int] = {}

    def create(self, address: str, nonce: int) -> ApiKey:
        """Create a key; 400 when this address already has one for the nonce."""
        made = self._derive(address, nonce)
        if made.key in self._by_key:
            raise WireError(400, "Could not create api key")
        self._by_key[made.key] = made
        return made

    def derive(self, address: str, nonce: int) -> ApiKey:
        """Return a key created earlier; 400 when there is none."""
        found = self._by_key.get(self._derive(address, nonce).key)
        if found is None:
            raise WireError(400, "Could not derive api key!")
        return found

    def add(self, address: str, kind: str) -> ApiKey:
        """Make one more read-only or builder key of an address."""
        number = self._made.get((address, kind), 0)
        self._made[address, kind] = number + 1
        made = replace(self._derive(f"{kind}:{address}", number), address=address, kind=kind)
        self._by_key[made.key] = made
        return made

    def delete(self, key: ApiKey) -> None:
        self._by_key.pop(key.key, None)

    def of(self, address: str, kind: str = TRADING) -> list[str]:
        return [k.key for k in self._by_key.values() if k.address == address and k.kind == kind]

    def dump(self) -> list[tuple[str, int, str]]:
        """Return (address, nonce, kind) of every key: with the seed that makes them again."""
        return [(k.address, k.nonce, k.kind) for k in self._by_key.values()]

    def load(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Take up the keys of an earlier run of the same seed."""
        for address, nonce, kind in rows:
            name = address if kind == TRADING else f"{kind}:{address}"
            made = replace(self._derive(name, nonce), address=address, kind=kind)
            self._by_key[made.key] = made
            if kind != TRADING:
                self._made[address, kind] = max(self._made.get((address, kind), 0), nonce + 1)

    def find(self, key: str, secret: str, passphrase: str) -> ApiKey | None:
        """Return the key if all three parts are right (the user stream's login)."""
        found = self._by_key.get(key)
        if found is None:
            return None
        right = _same(found.secret, secret)
        right &= _same(found.passphrase, passphrase)
        return found if right else None

    def find_by_id(self, key: str) -> ApiKey | None:
        return self._by_key.get(key)

    def _derive(self, address: str, nonce: int) -> ApiKey:
        def part(name: str) -> bytes:
            text = f"{name}:{address}:{nonce}".encode()
            return hmac.new(self._seed, text, hashlib.sha256).digest()

        return ApiKey(
            key=str(UUID(bytes=part("key")[:16], version=4)),
            secret=base64.urlsafe_b64encode(part("secret")).decode(),
            passphrase=part("passphrase").hex(),
            address=address,
            nonce=nonce,
        )


def _same(given: str, right: str) -> bool:
    # As bytes: a header can hold letters that a comparison of texts refuses.
    return hmac.compare_digest(given.encode(), right.encode())


def check_login(headers: Mapping[str, str], now_s: int, skew_s: int) -> tuple[str, int]:
    """Return (address in lower case, nonce) of a wallet-signed request; 401 otherwise."""
    address = headers.get("poly_address", "")
    stamp = headers.get("poly_timestamp", "")
    nonce = headers.get("poly_nonce", "0")
    if not (is_address(address) and is_whole(stamp) and is_whole(nonce)):
        raise WireError(401, BAD_LOGIN)
    try:
        signature = bytes.fromhex(headers.get("poly_signature", "").removeprefix("0x"))
        signer = login_signer(address, stamp, int(nonce), signature)
    except (BadSignature, ValueError, OverflowError) as error:
        raise WireError(401, BAD_LOGIN) from error
    if signer != address.lower() or abs(now_s - int(stamp)) > skew_s:
        raise WireError(401, BAD_LOGIN)
    return signer, int(nonce)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a request's HMAC covers, and its headers (lower-case names)."""

    headers: Mapping[str, str]
    method: str
    path: str
    body: bytes


def check_request(keys: ApiKeys, request: SignedRequest, now_s: int, skew_s: int) -> ApiKey:
    """Return the API key behind a request; 401 otherwise."""
    headers = request.headers
    key = keys.find_by_id(headers.get("poly_api_key", ""))
    stamp = headers.get("poly_timestamp", "")
    if key is not None and key.kind == BUILDER:
        key = None
    if key is None or not is_whole(stamp) or abs(now_s - int(stamp)) > skew_s:
        raise WireError(401, BAD_KEY)
    given = headers.get("poly_signature", "")
    # Clients sign the body with ' turned into "; most bodies hold none.
    bodies = {request.body, request.body.replace(b"'", b'"')}
    right = any(
        _same(given, request_signature(key.secret, stamp, request.method, request.path, body))
        for body in bodies
    )
    right &= _same(key.passphrase, headers.get("poly_passphrase", ""))
    right &= key.address == headers.get("poly_address", "").lower()
    if not right or (key.kind == READ_ONLY and request.method != "GET"):
        raise WireError(401, BAD_KEY)
    return key


def check_builder(keys: ApiKeys, request: SignedRequest, now_s: int, skew_s: int) -> ApiKey:
    """Return the builder key behind a request signed with one alone; 401 otherwise."""
    headers = request.headers
    key = keys.find_by_id(headers.get("poly_builder_api_key", ""))
    stamp = headers.get("poly_builder_timestamp", "")
    if key is None or key.kind != BUILDER or not is_whole(stamp):
        raise WireError(401, BAD_KEY)
    wanted = request_signature(key.secret, stamp, request.method, request.path, request.body)
    right = _same(headers.get("poly_builder_signature", ""), wanted)
    right &= _same(key.passphrase, headers.get("poly_builder_passphrase", ""))
    if not right or abs(now_s - int(stamp)) > skew_s:
        raise WireError(401, BAD_KEY)
    return key
