"""The local key: the fast curve or none, and nothing awaited while it signs."""

import asyncio
import subprocess
import sys

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from whaletrader.venues.errors import VenueStop
from whaletrader.venues.polymarket.kms_signer import CURVE_ORDER, KmsSigner
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner

DIGEST = keccak(text="an order")
SIGNER = LocalSigner(SecretStr(DEVELOPMENT_KEY))


@given(secret=st.integers(1, CURVE_ORDER - 1), digest=st.binary(min_size=32, max_size=32))
def test_it_signs_as_the_reference_does(secret: int, digest: bytes) -> None:
    key = secret.to_bytes(32, "big")
    signer = LocalSigner(SecretStr(key.hex()))
    signature = signer.sign_now(digest)
    assert signer.address == Account.from_key(key).address
    assert signature == Account.unsafe_sign_hash(digest, key).signature
    assert int.from_bytes(signature[32:64], "big") <= CURVE_ORDER // 2


async def test_signing_lets_nobody_else_run() -> None:
    ran: list[bool] = []
    asyncio.get_running_loop().call_soon(ran.append, True)
    assert await SIGNER.sign(DIGEST) == SIGNER.sign_now(DIGEST)
    assert not ran


@pytest.mark.parametrize("key", [" 0x" + "11" * 32 + "\n", "11" * 32])
def test_a_key_may_come_with_or_without_0x_and_with_a_line_break(key: str) -> None:
    assert LocalSigner(SecretStr(key)).address == Account.from_key("0x" + "11" * 32).address


def test_without_the_fast_curve_no_signer_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "whaletrader.venues.polymarket.signer.is_coincurve_available", lambda: False
    )
    with pytest.raises(VenueStop, match="slow pure Python curve"):
        LocalSigner(SecretStr(DEVELOPMENT_KEY))
    with pytest.raises(VenueStop, match="slow pure Python curve"):
        KmsSigner(None, "k")  # type: ignore[arg-type]


def test_a_process_without_coincurve_is_refused_with_that_reason() -> None:
    program = (
        "import sys; sys.modules['coincurve'] = None\n"
        "from pydantic import SecretStr\n"
        "from whaletrader.venues.errors import VenueStop\n"
        "from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner\n"
        "try:\n    LocalSigner(SecretStr(DEVELOPMENT_KEY))\n"
        "except VenueStop as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert "coincurve is missing" in done.stdout, done.stderr
