"""Makes or finds API credentials by signing the venue's login (L1), with whatever holds the key.

The official client can only do this with the key itself in hand; a key in KMS never is. Must not
log what it gets. Used by the credentials' source and the pre-flight.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import httpx
from eth_utils.crypto import keccak

from whaletrader.venues.errors import CredentialsRefused, VenueStop, VenueUnavailable
from whaletrader.venues.polymarket.credentials import ApiCredentials, parsed
from whaletrader.venues.polymarket.signer import Signer

_MESSAGE: Final = "This message attests that I control the given wallet"
_DOMAIN_TYPE: Final = keccak(text="EIP712Domain(string name,string version,uint256 chainId)")
_LOGIN_TYPE: Final = keccak(
    text="ClobAuth(address address,string timestamp,uint256 nonce,string message)"
)
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=10.0, write=10.0, pool=2.0)
_NS: Final = 1_000_000_000


class Login:
    """Logs one key in. `chain_id` is what the exchange contracts live on."""

    def __init__(
        self, signer: Signer, clob_url: str, chain_id: int, now_ns: Callable[[], int]
    ) -> None:
        self._signer = signer
        self._url = clob_url
        self._chain_id = chain_id
        self._now_ns = now_ns

    async def credentials(self) -> ApiCredentials:
        """Return the key's credentials, made now if it has none.

        Raises VenueUnavailable, SignerFailed, CredentialsRefused, VenueStop.
        """
        headers = await self._headers()
        async with httpx.AsyncClient(timeout=_TIMEOUT) as http:
            found = await self._ask(http, "GET", "/auth/derive-api-key", headers)
            if found is None:
                found = await self._ask(http, "POST", "/auth/api-key", headers)
        if found is None:
            raise VenueStop("the venue neither finds nor makes API credentials for this key")
        return found

    async def _headers(self) -> dict[str, str]:
        timestamp_s, nonce = self._now_ns() // _NS, 0
        address = self._signer.address
        signature = await self._signer.sign(
            login_digest(address, timestamp_s, nonce, self._chain_id)
        )
        return {
            "POLY_ADDRESS": address,
            "POLY_NONCE": str(nonce),
            "POLY_SIGNATURE": "0x" + signature.hex(),
            "POLY_TIMESTAMP": str(timestamp_s),
        }

    async def _ask(
        self, http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
    ) -> ApiCredentials | None:
        """Return what was found, or None where the venue says that there is nothing."""
        try:
            answer = await http.request(method, self._url + path, headers=headers)
        except httpx.HTTPError as error:
            raise VenueUnavailable(f"no answer to the login: {type(error).__name__}") from None
        if answer.is_success:
            return parsed(_json(answer), "the venue's answer to the login")
        if answer.status_code == 400:
            return None
        if answer.status_code in (401, 403):
            raise CredentialsRefused(
                f"the venue refuses the login: {answer.status_code} {answer.text[:200]}; "
                "check the machine's clock and the key"
            )
        raise VenueUnavailable(f"the login was answered with {answer.status_code}")


@dataclass(frozen=True, slots=True)
class LoginCredentials:
    """From a login with the trading key itself: they need no keeping."""

    login: Login
    name: str = "a login with the trading key"

    async def read(self) -> ApiCredentials:
        return await self.login.credentials()


def login_digest(address: str, timestamp_s: int, nonce: int, chain_id: int) -> bytes:
    """Return the 32 bytes to sign (EIP-712; the domain names no contract)."""
    contents = keccak(
        _LOGIN_TYPE
        + bytes(12)
        + bytes.fromhex(address.removeprefix("0x"))
        + keccak(text=str(timestamp_s))
        + nonce.to_bytes(32, "big")
        + keccak(text=_MESSAGE)
    )
    return keccak(b"\x19\x01" + _domain(chain_id) + contents)


@lru_cache(maxsize=4)
def _domain(chain_id: int) -> bytes:
    parts = (keccak(text="ClobAuthDomain"), keccak(text="1"), chain_id.to_bytes(32, "big"))
    return keccak(_DOMAIN_TYPE + b"".join(parts))


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        # The cause could quote the body: it is cut off on purpose.
        raise VenueUnavailable("the answer to the login is no JSON") from None
