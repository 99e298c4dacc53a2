"""An exchange of agents (price and time, on the wall clock) and venue adapters of its wallets."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from tests.contract.venues.faulty_line import Line, line_to
from whaletrader.domain.approval import ApprovalSigner, ApprovalVerifier, signing_bytes
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import running
from whaletrader.services.exchange.wire.account import expire_heartbeats
from whaletrader.venues.approval import VerifiedApproval, verify_approval
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.credentials import ApiCredentials, CredentialSource, parsed
from whaletrader.venues.polymarket.login import login_digest
from whaletrader.venues.polymarket.signer import LocalSigner
from whaletrader.venues.polymarket.venue import PolymarketVenue, WalletSettings
from whaletrader.venues.port import Placement

CONDITION = "0x" + "ab" * 32
YES = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
NO = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
POSITION_CONDITION = "0x" + "00" * 30 + "0100"
NS = 1_000_000_000
ALICE = "0x" + "11" * 32
BOB = "0x" + "22" * 32
RISK = ApprovalSigner(
    Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)
VERIFIER = ApprovalVerifier([RISK.public_pem()])
BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL

MARKET: dict[str, Any] = {
    "condition_id": CONDITION,
    "question": "Will it rain?",
    "slug": "will-it-rain",
    "event_slug": "weather",
    "category": "weather",
    "tokens": [{"token_id": YES, "outcome": "Yes"}, {"token_id": NO, "outcome": "No"}],
    "tick_size_micro": 10_000,
    "min_size_micro": 5_000_000,
    "fee_rate_micro": 50_000,
    "neg_risk": False,
    "end_ns": (int(time.time()) + 86_400) * NS,
}


def order_of(
    venue: PolymarketVenue,
    price_micro: int,
    size_micro: int,
    *,
    token: str = YES,
    side: int = BUY,
    kind: int = order_pb2.ORDER_TYPE_GTC,
    **extra: Any,
) -> order_pb2.OrderAnnounced:
    """Return an order announced under its hash."""
    made = order_pb2.OrderAnnounced(
        order=order_pb2.OrderRef(
            approval_id="a",
            proposal_id="p",
            portfolio="main",
            condition_id=CONDITION,
            token_id=token,
            outcome_index=0 if token == YES else 1,
            side=side,
            price_micro=price_micro,
            size_micro=size_micro,
        ),
        order_type=kind,
        salt=time.time_ns() % (1 << 53),
        timestamp_ms=time.time_ns() // 1_000_000,
        **extra,
    )
    made.order.order_id = venue.prepare(made)
    return made


def proof_of(order: order_pb2.OrderAnnounced) -> VerifiedApproval:
    """Return risk's verified approval of exactly this order."""
    ref = order.order
    approval = risk_pb2.ApprovedTrade(
        approval_id=ref.approval_id,
        proposal_id=ref.proposal_id,
        portfolio=ref.portfolio,
        condition_id=ref.condition_id,
        token_id=ref.token_id,
        outcome_index=ref.outcome_index,
        side=ref.side,
        limit_price_micro=ref.price_micro,
        size_micro=ref.size_micro,
        expires_ns=time.time_ns() + 60 * NS,
        key_id=RISK.key_id,
    )
    approval.signature = RISK.sign(signing_bytes(approval))
    return verify_approval(approval, VERIFIER.verify, time.time_ns())


async def place(
    venue: PolymarketVenue,
    price_micro: int,
    size_micro: int,
    *,
    before_send: Callable[[], None] | None = None,
    **terms: Any,
) -> Placement:
    order = order_of(venue, price_micro, size_micro, **terms)
    return await venue.submit(proof_of(order), order, before_send=before_send)


@dataclass
class Site:
    """A running exchange with one market, and a faulty line to it."""

    url: str
    http: httpx.AsyncClient
    line: Line
    exchange: Any
    open_venues: list[PolymarketVenue] = field(default_factory=list)

    async def admin(self, path: str, body: Any) -> Any:
        answer = await self.http.post(f"/admin/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def fund(self, address: str, collateral: str = "1000") -> None:
        await self.admin("accounts", {"address": address, "collateral": collateral})

    async def venue(
        self,
        key: str = ALICE,
        *,
        source: CredentialSource | None = None,
        wallet: tuple[str, int] = ("", 0),
        recheck_s: float = 60.0,
        is_connected: bool = True,
    ) -> PolymarketVenue:
        """Return a funded, connected adapter; it is closed with the site."""
        signer = LocalSigner(SecretStr(key))
        settings = WalletSettings(
            environment_at(self.line.url),
            *wallet,
            credentials=source,
            credentials_recheck_s=recheck_s,
        )
        made = PolymarketVenue(signer, settings)
        self.open_venues.append(made)
        await self.fund(made.wallet)
        if is_connected:
            await made.connect()
        return made

    async def api_key(self, key: str, nonce: int) -> ApiCredentials:
        """Make further API credentials for a key, as an operator would who rotates them."""
        signer = LocalSigner(SecretStr(key))
        now_s = int(time.time())
        signature = signer.sign_now(login_digest(signer.address, now_s, nonce, 137))
        headers = {
            "POLY_ADDRESS": signer.address,
            "POLY_NONCE": str(nonce),
            "POLY_SIGNATURE": "0x" + signature.hex(),
            "POLY_TIMESTAMP": str(now_s),
        }
        answer = await self.http.post("/auth/api-key", headers=headers)
        answer.raise_for_status()
        return parsed(answer.json(), "the exchange")

    def hear_nothing_for(self, seconds: int) -> None:
        """Let the exchange's clock of heartbeats run ahead, and have it look."""
        for key, (following, heard_ns) in list(self.exchange.heartbeats.items()):
            self.exchange.heartbeats[key] = (following, heard_ns - seconds * NS)
        expire_heartbeats(self.exchange)

    def revoke(self, credentials: ApiCredentials) -> None:
        """Take a key back at the exchange."""
        keys = self.exchange.keys
        keys.delete(keys.find_by_id(credentials.key.get_secret_value()))


def write_credentials(path: Path, credentials: ApiCredentials) -> None:
    """Replace a credentials file in one step, as the documentation says."""
    row = {
        "apiKey": credentials.key.get_secret_value(),
        "secret": credentials.secret.get_secret_value(),
        "passphrase": credentials.passphrase.get_secret_value(),
    }
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(row))
    fresh.replace(path)


@contextlib.asynccontextmanager
async def site(market: dict[str, Any] | None = None, **config: Any) -> AsyncIterator[Site]:
    """Run an exchange."""
    async with (
        running(ExchangeConfig(**{"mode": "agents", "traders": 0} | config)) as (url, exchange),
        httpx.AsyncClient(base_url=url) as http,
        line_to(url) as line,
    ):
        made = Site(url, http, line, exchange)
        await made.admin("markets", {"markets": [MARKET | (market or {})]})
        try:
            yield made
        finally:
            for venue in made.open_venues:
                await venue.close()
