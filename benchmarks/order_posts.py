"""Signed orders at the exchange's socket: verified orders a second, on one connection and on eight.

The exchange runs in a process of its own; orders are signed and requests built beforehand, so what
is measured is the exchange: HTTP, API key, signature recovery, checks, book, answer. No two orders
meet. The floor is a server that answers the same requests without looking at them.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from coincurve import PrivateKey

from benchmarks.figures import Better, Figure, Samples, Section, latency_figures, rate_per_s
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.services.exchange.signing.contracts import order_domain
from whaletrader.services.exchange.signing.keys import address_of, checksum, keccak
from whaletrader.services.exchange.signing.login import request_signature
from whaletrader.services.exchange.signing.orders import EOA, SignedFields, order_hash

KEY: Final = b"\x11" * 32
CONDITION: Final = "0x" + "ab" * 32
YES: Final = str((1 << 255) - 12345)
NO: Final = str((1 << 255) - 54321)
ZERO: Final = "0x" + "00" * 32
CONNECTIONS: Final = (1, 8)
# What one core is asked for, signature recovery included.
_AIM: Final = 1_000.0
START_S_MAX: Final = 60.0


@dataclass(frozen=True)
class Login:
    """An API key, as the exchange answered it."""

    address: str
    key: str
    secret: str
    passphrase: str


def run(_: Servers, sizes: Sizes) -> list[Section]:
    """Measure over loopback; the client shares the machine."""
    return [asyncio.run(_measured(sizes.posts))]


async def _measured(orders: int) -> Section:
    ours = [sys.executable, "-m", "whaletrader", "exchange", "--mode", "agents"]
    ours += ["--markets", "none", "--port", "0"]
    floor = [sys.executable, "-m", "benchmarks.floors.posts"]
    section = Section(
        "Signed orders over HTTP",
        "How many signed orders a second a client gets verified and resting.",
        "Each is posted over a kept connection, on one and on eight at once; every answer must say "
        "live. The floor: the same requests to a bare server on the same HTTP stack.",
    )
    async with _serving(ours) as url, _serving(floor) as bare_url:
        login = await _prepare(url)
        for number, connections in enumerate(CONNECTIONS):
            requests = [_request(login, number * orders + n) for n in range(orders)]
            bare_ns, bare = await _run(bare_url, requests, connections)
            taken_ns, samples = await _run(url, requests, connections)
            name = f"{connections} connection{'s' if connections > 1 else ''}"
            rate, bare_rate = rate_per_s(orders, taken_ns), rate_per_s(orders, bare_ns)
            section.figures += [
                Figure(name, rate, "/s", bare_rate, Better.HIGHER, value_aim=_AIM),
                *latency_figures(name, samples, bare),
            ]
    return section


@asynccontextmanager
async def _serving(command: list[str]) -> AsyncIterator[str]:
    """Run a server that prints its URL first."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        url = (await process.stdout.readline()).decode().strip()
        await _wait(url)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _prepare(url: str) -> Login:
    address = checksum(address_of(KEY))
    market: dict[str, Any] = {
        "condition_id": CONDITION,
        "question": "?",
        "slug": "bench",
        "event_slug": "bench",
        "category": "weather",
        "tokens": [{"token_id": YES, "outcome": "Yes"}, {"token_id": NO, "outcome": "No"}],
        "tick_size_micro": 10_000,
        "min_size_micro": 5_000_000,
        "fee_rate_micro": 50_000,
        "neg_risk": False,
        "end_ns": 2_000_000_000_000_000_000,
    }
    await _post(url, "/admin/markets", {"markets": [market]})
    await _post(url, "/admin/accounts", {"address": address, "collateral": "100000000"})
    stamp = str(int(time.time()))
    headers = {
        "POLY_ADDRESS": address,
        "POLY_TIMESTAMP": stamp,
        "POLY_NONCE": "0",
        "POLY_SIGNATURE": "0x" + _login_signature(address, stamp).hex(),
    }
    made = await _post(url, "/auth/api-key", None, headers)
    return Login(address, made["apiKey"], made["secret"], made["passphrase"])


def _login_signature(address: str, stamp: str) -> bytes:
    domain = keccak(
        keccak(b"EIP712Domain(string name,string version,uint256 chainId)")
        + keccak(b"ClobAuthDomain")
        + keccak(b"1")
        + (137).to_bytes(32, "big")
    )
    kind = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
    contents = keccak(
        keccak(kind)
        + bytes(12)
        + bytes.fromhex(address[2:])
        + keccak(stamp.encode())
        + bytes(32)
        + keccak(b"This message attests that I control the given wallet")
    )
    return _signed(keccak(b"\x19\x01" + domain + contents))


def _signed(digest: bytes) -> bytes:
    raw = PrivateKey(KEY).sign_recoverable(digest, hasher=None)
    return raw[:64] + bytes([raw[64] + 27])


def _request(login: Login, number: int) -> bytes:
    """Return a whole signed request; bids far from each other's prices never meet."""
    fields = SignedFields(
        salt=number + 1,
        maker=login.address,
        signer=login.address,
        token_id=int(YES),
        maker_amount=(10_000 * (1 + number % 40)) * 5,
        taker_amount=5_000_000,
        side=0,
        signature_type=EOA,
        timestamp_ms=1_760_000_000_000 + number,
        metadata=bytes(32),
        builder=bytes(32),
    )
    version, contract = order_domain(YES, neg_risk=False)
    signature = _signed(order_hash(fields, version, contract))
    order = {
        "salt": fields.salt,
        "maker": login.address,
        "signer": login.address,
        "tokenId": YES,
        "makerAmount": str(fields.maker_amount),
        "takerAmount": str(fields.taker_amount),
        "side": "BUY",
        "expiration": "0",
        "signatureType": EOA,
        "timestamp": str(fields.timestamp_ms),
        "metadata": ZERO,
        "builder": ZERO,
        "signature": "0x" + signature.hex(),
    }
    envelope = {"order": order, "owner": login.key, "orderType": "GTC"}
    body = json.dumps(envelope, separators=(",", ":")).encode()
    stamp = str(int(time.time()))
    mark = request_signature(login.secret, stamp, "POST", "/order", body)
    head = (
        "POST /order HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"poly_address: {login.address}\r\npoly_api_key: {login.key}\r\n"
        f"poly_passphrase: {login.passphrase}\r\npoly_timestamp: {stamp}\r\n"
        f"poly_signature: {mark}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _run(url: str, requests: list[bytes], connections: int) -> tuple[int, Samples]:
    """Return the nanoseconds that all took, and each one's."""
    samples = Samples()
    waiting = list(reversed(requests))

    async def one() -> None:
        reader, writer = await _open(url)
        while waiting:
            sent_ns = time.perf_counter_ns()
            writer.write(waiting.pop())
            answer = await _answer(reader)
            samples.taken_ns.append(time.perf_counter_ns() - sent_ns)
            if answer.get("status") != "live":
                raise RuntimeError(f"not taken: {answer}")
        writer.close()

    began_ns = time.perf_counter_ns()
    await asyncio.gather(*(one() for _ in range(connections)))
    return time.perf_counter_ns() - began_ns, samples


async def _open(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _answer(reader: asyncio.StreamReader) -> Any:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return json.loads(await reader.readexactly(int(value)))
    raise RuntimeError(f"no length in {head!r}")


async def _post(url: str, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    reader, writer = await _open(url)
    data = b"" if body is None else json.dumps(body).encode()
    named = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{named}content-length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    try:
        return await _answer(reader)
    finally:
        writer.close()


async def _wait(url: str) -> None:
    deadline = time.monotonic() + START_S_MAX
    while True:
        try:
            _, writer = await _open(url)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
