"""An order from its announcement to the socket: build, sign, authenticate, hand over.

The whole of the adapter's `submit` and of the official client's request is measured, up to the call
that would write to a connection; a transport that answers from memory stands in for the connection.
Beside it, in alternating blocks, the bare signature, and the official client's own order builder.
"""

import asyncio
import json
import time
from typing import Final

import coincurve
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from eth_account import Account as EthAccount
from polymarket import AsyncSecureClient
from polymarket._internal.actions.orders.typed_data import (
    build_order_signature,
    build_order_typed_data,
)
from polymarket._internal.actions.orders.types import BYTES32_ZERO, UnsignedOrder
from polymarket.models.types import TokenId
from polymarket.types import EvmAddress, HexString
from pydantic import SecretStr

from benchmarks.figures import Figure, Samples, Section, latency_figures
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.domain.approval import ApprovalSigner, ApprovalVerifier, signing_bytes
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.venues.approval import VerifiedApproval, verify_approval
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.credentials import GivenCredentials, parsed
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner
from whaletrader.venues.polymarket.venue import PolymarketVenue, WalletSettings

TITLE: Final = "Order: build, sign, ready to send"
_WARM_UP: Final = 50
# The aim: p99 below a millisecond before the socket.
_P99_MS_MAX: Final = 1.0
_TOKEN: Final = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
_NOW_NS: Final = 1_713_398_400_000_000_000
_RISK: Final = ApprovalSigner(
    Ed25519PrivateKey.from_private_bytes(b"b" * 32).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)
_VERIFIER: Final = ApprovalVerifier([_RISK.public_pem()])


def run(_: Servers, sizes: Sizes) -> list[Section]:
    """Measure in this process; no server is involved."""
    return [asyncio.run(_measured(sizes.signing_blocks, sizes.signing_block))]


class _Socket(httpx.AsyncBaseTransport):
    """Notes when a request reaches it; answers in the venue's shape."""

    def __init__(self) -> None:
        self.order_id = ""
        self.reached_ns = 0
        self.worked_ns = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reached_ns = time.perf_counter_ns()
        self.worked_ns = time.thread_time_ns()
        if request.method == "GET":
            return httpx.Response(200, json={"apiKeys": []})
        body = {"errorMsg": "", "takingAmount": "", "makingAmount": "", "success": True}
        return httpx.Response(200, json=body | {"status": "live", "orderID": self.order_id})


class _Desk:
    """A connected adapter whose requests end at the stand-in for a socket."""

    def __init__(self) -> None:
        credentials = parsed(
            {"apiKey": "00000000-0000-4000-8000-000000000001", "secret": "c2Vj", "passphrase": "a"},
            "the benchmark",
        )
        self.signer = LocalSigner(SecretStr(DEVELOPMENT_KEY))
        environment = environment_at("http://127.0.0.1:9")
        self.venue = PolymarketVenue(
            self.signer, WalletSettings(environment, credentials=GivenCredentials(credentials))
        )
        self.socket = _Socket()
        self._plain_open = self.venue._sessions._open
        self.venue._sessions._open = self._open

    def _open(self, credentials: object) -> AsyncSecureClient:
        client = self._plain_open(credentials)  # type: ignore[arg-type]
        client._ctx.secure_clob._client = httpx.AsyncClient(
            base_url="http://127.0.0.1:9", transport=self.socket
        )
        return client

    async def submit(self, number: int, *, verifies: bool) -> tuple[int, int]:
        """Send one order; return the nanoseconds until it reached the socket, and those of them
        in which the processor worked for it."""
        order = _order(self.venue, number)
        approval = _approval(order)
        proof = verify_approval(approval, _VERIFIER.verify, _NOW_NS)
        self.socket.order_id = order.order.order_id
        began_ns, started_ns = time.thread_time_ns(), time.perf_counter_ns()
        if verifies:
            proof = verify_approval(approval, _VERIFIER.verify, _NOW_NS)
        await self._send(proof, order)
        return self.socket.reached_ns - started_ns, self.socket.worked_ns - began_ns

    async def _send(self, proof: VerifiedApproval, order: order_pb2.OrderAnnounced) -> None:
        placed = await self.venue.submit(proof, order)
        if placed.order_id != order.order.order_id:
            raise RuntimeError("the stand-in answered another order")


async def _measured(blocks: int, block: int) -> Section:
    desk = _Desk()
    await desk.venue.connect()
    ours, worked, verified, bare, official = (Samples() for _ in range(5))
    try:
        for number in range(_WARM_UP):
            await desk.submit(number, verifies=True)
            _official_ns(desk, number)
        for start in range(_WARM_UP, _WARM_UP + blocks * block, block):
            for number in range(start, start + block):
                taken_ns, worked_ns = await desk.submit(number, verifies=False)
                ours.taken_ns.append(taken_ns)
                worked.taken_ns.append(worked_ns)
            for number in range(start, start + block):
                verified.taken_ns.append((await desk.submit(number, verifies=True))[0])
            bare.taken_ns += [_bare_ns(number) for number in range(start, start + block)]
            official.taken_ns += [
                _official_ns(desk, number) for number in range(start, start + block)
            ]
    finally:
        await desk.venue.close()
    return Section(
        TITLE,
        "What an approved order costs in this process before a byte of it can leave.",
        "An announced order through the adapter and the official client to the call that would "
        "write to the connection: cover checked, hash built and compared, signed, the request "
        "encoded and authenticated. The floor is libsecp256k1's signature alone. The official "
        "builder makes typed data, hashes and signs the same order. Processor time leaves out what "
        f"a busy machine gave to others in between. {blocks} blocks of {block}.",
        [
            *_with_aim(latency_figures("announced order at the socket", ours, bare)),
            *_with_aim(latency_figures("the same, processor time only", worked, bare)),
            *_with_aim(latency_figures("the same, risk's signature verified", verified, bare)),
            *latency_figures("official client's builder alone", official, bare),
        ],
    )


def _with_aim(figures: list[Figure]) -> list[Figure]:
    return [
        Figure(f.name, f.value, f.unit, f.floor, value_aim=_P99_MS_MAX if "p99" in f.name else None)
        for f in figures
    ]


def _bare_ns(number: int) -> int:
    key = _CURVE_KEY
    digest = number.to_bytes(32, "big")
    started_ns = time.perf_counter_ns()
    key.sign_recoverable(digest, hasher=None)
    return time.perf_counter_ns() - started_ns


def _official_ns(desk: _Desk, number: int) -> int:
    """Return how long the official client's builder takes for an order of the same terms."""
    contracts = desk.venue.contracts
    address = EvmAddress(desk.signer.address)
    started_ns = time.perf_counter_ns()
    unsigned = UnsignedOrder(
        builder=HexString(BYTES32_ZERO),
        chain_id=contracts.chain_id,
        exchange_address=EvmAddress(contracts.standard),
        expiration=0,
        maker=address,
        maker_amount=4_900_000,
        metadata=HexString(BYTES32_ZERO),
        order_type="GTC",
        salt=number,
        side="BUY",
        signature_type=0,
        signer=address,
        taker_amount=10_000_000,
        timestamp=_NOW_NS // 1_000_000,
        token_id=TokenId(_TOKEN),
    )
    signed = _ETH_KEY.sign_typed_data(full_message=build_order_typed_data(unsigned))
    signature = build_order_signature(unsigned, HexString("0x" + signed.signature.hex()))
    json.dumps({"signature": signature, "salt": unsigned.salt}, separators=(",", ":"))
    return time.perf_counter_ns() - started_ns


def _order(venue: PolymarketVenue, number: int) -> order_pb2.OrderAnnounced:
    order = order_pb2.OrderAnnounced(
        order=order_pb2.OrderRef(
            approval_id=f"a{number}",
            proposal_id=f"p{number}",
            portfolio="main",
            condition_id="0x" + "ab" * 32,
            token_id=_TOKEN,
            side=common_pb2.SIDE_BUY,
            price_micro=490_000,
            size_micro=10_000_000,
        ),
        order_type=order_pb2.ORDER_TYPE_GTC,
        salt=number,
        timestamp_ms=_NOW_NS // 1_000_000,
    )
    order.order.order_id = venue.prepare(order)
    return order


def _approval(order: order_pb2.OrderAnnounced) -> risk_pb2.ApprovedTrade:
    ref = order.order
    approval = risk_pb2.ApprovedTrade(
        approval_id=ref.approval_id,
        proposal_id=ref.proposal_id,
        portfolio=ref.portfolio,
        condition_id=ref.condition_id,
        token_id=ref.token_id,
        side=ref.side,
        limit_price_micro=ref.price_micro,
        size_micro=ref.size_micro,
        expires_ns=_NOW_NS + 60 * 1_000_000_000,
        key_id=_RISK.key_id,
    )
    approval.signature = _RISK.sign(signing_bytes(approval))
    return approval


_CURVE_KEY: Final = coincurve.PrivateKey(bytes.fromhex(DEVELOPMENT_KEY[2:]))
_ETH_KEY: Final = EthAccount.from_key(DEVELOPMENT_KEY)
