"""A key in KMS signs what a local key signs: the same addresses, forms and refusals.

moto plays KMS; `playing_kms` says what it does otherwise.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any

import coincurve
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.venues.kms_play import playing_kms
from whaletrader.venues.errors import SignerFailed, VenueUnavailable
from whaletrader.venues.polymarket.kms_signer import (
    CLIENT_CONFIG,
    CURVE_ORDER,
    KmsSigner,
    kms_client,
    public_key_of,
    recoverable,
)

DIGEST = keccak(text="an order")


@pytest.fixture(scope="module")
def kms() -> Iterator[Any]:
    with playing_kms() as client:
        yield client


def made(kms: Any, spec: str = "ECC_SECG_P256K1", usage: str = "SIGN_VERIFY") -> str:
    key_id: str = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    return key_id


def broken(error: Exception) -> KmsSigner:
    """Return a signer whose KMS fails."""

    class Broken:
        def get_public_key(self, **_: Any) -> dict[str, Any]:
            raise error

        def sign(self, **_: Any) -> dict[str, Any]:
            raise error

    return KmsSigner(Broken(), "k")


async def test_a_signature_recovers_to_the_address_that_the_public_key_has(kms: Any) -> None:
    signer = KmsSigner(kms, made(kms))
    for number in range(24):
        digest = keccak(number.to_bytes(4, "big"))
        signature = await signer.sign(digest)
        assert len(signature) == 65
        assert signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64], "big") <= CURVE_ORDER // 2
        assert Account._recover_hash(digest, signature=signature) == signer.address


async def test_both_recovery_ids_and_both_halves_of_s_occur_and_are_right(kms: Any) -> None:
    key_id = made(kms)
    signer = KmsSigner(kms, key_id)
    ends, highs = set(), set()
    for number in range(40):
        digest = keccak(number.to_bytes(4, "big"))
        der = kms.sign(
            KeyId=key_id, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        )["Signature"]
        highs.add(decode_dss_signature(der)[1] > CURVE_ORDER // 2)
        ends.add(recoverable(der, digest, signer.public_key().point)[64])
    assert (ends, highs) == ({27, 28}, {True, False})


@settings(max_examples=60, deadline=None)
@given(secret=st.integers(1, CURVE_ORDER - 1), digest=st.binary(min_size=32, max_size=32))
def test_whatever_the_key_der_becomes_exactly_what_the_local_curve_signs(
    secret: int, digest: bytes
) -> None:
    key = coincurve.PrivateKey(secret.to_bytes(32, "big"))
    raw = key.sign_recoverable(digest, hasher=None)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")
    point = key.public_key.format(compressed=False)[1:]
    for other in (s, CURVE_ORDER - s):
        assert recoverable(encode_dss_signature(r, other), digest, point) == raw[:64] + bytes(
            [raw[64] + 27]
        )


def test_a_signature_of_another_key_or_another_digest_is_refused(kms: Any) -> None:
    signer = KmsSigner(kms, made(kms))
    stranger = coincurve.PrivateKey(b"\x07" * 32).sign(DIGEST, hasher=None)
    with pytest.raises(SignerFailed, match="another key"):
        recoverable(stranger, DIGEST, signer.public_key().point)
    own = signer.sign_now(DIGEST)
    der = encode_dss_signature(int.from_bytes(own[:32], "big"), int.from_bytes(own[32:64], "big"))
    with pytest.raises(SignerFailed, match="another key"):
        recoverable(der, keccak(text="another order"), signer.public_key().point)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30\x00",
        encode_dss_signature(0, 1),
        encode_dss_signature(1, 0),
        encode_dss_signature(CURVE_ORDER, 1),
        encode_dss_signature(1, CURVE_ORDER),
    ],
)
def test_a_signature_out_of_form_or_range_is_refused(der: bytes) -> None:
    point = coincurve.PrivateKey(b"\x07" * 32).public_key.format(compressed=False)[1:]
    with pytest.raises(SignerFailed):
        recoverable(der, DIGEST, point)


@pytest.mark.parametrize(
    ("spec", "usage"), [("ECC_NIST_P256", "SIGN_VERIFY"), ("RSA_2048", "SIGN_VERIFY")]
)
def test_a_key_of_another_kind_is_refused_with_what_is_needed(
    kms: Any, spec: str, usage: str
) -> None:
    with pytest.raises(SignerFailed, match="orders need ECC_SECG_P256K1"):
        _ = KmsSigner(kms, made(kms, spec, usage)).address


def test_a_public_key_of_another_curve_under_the_right_name_is_refused(kms: Any) -> None:
    answer = kms.get_public_key(KeyId=made(kms, "ECC_NIST_P256"))
    for der in (answer["PublicKey"], b"not DER"):
        with pytest.raises(SignerFailed):
            public_key_of(answer | {"KeySpec": "ECC_SECG_P256K1", "PublicKey": der})


def test_another_key_than_the_expected_one_signs_nothing(kms: Any) -> None:
    signer = KmsSigner(kms, made(kms), address="0x" + "11" * 20)
    with pytest.raises(SignerFailed, match="expect"):
        signer.sign_now(DIGEST)


def test_an_expected_address_is_known_without_asking(kms: Any) -> None:
    known = KmsSigner(kms, made(kms)).address

    class Unreachable:
        def get_public_key(self, **_: Any) -> dict[str, Any]:
            raise AssertionError("asked")

        sign = get_public_key

    assert KmsSigner(Unreachable(), "k", known.lower()).address == known


def test_a_digest_of_another_length_is_never_sent(kms: Any) -> None:
    with pytest.raises(SignerFailed, match="32 bytes"):
        KmsSigner(kms, made(kms)).sign_now(DIGEST + b"\0")


async def test_a_key_that_is_disabled_or_gone_stops_and_says_what_to_allow(kms: Any) -> None:
    with pytest.raises(SignerFailed, match=r"NotFoundException.*kms:Sign"):
        await KmsSigner(kms, "00000000-0000-0000-0000-000000000000").sign(DIGEST)


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("ThrottlingException", VenueUnavailable),
        ("KMSInternalException", VenueUnavailable),
        ("KeyUnavailableException", VenueUnavailable),
        ("DependencyTimeoutException", VenueUnavailable),
        ("AccessDeniedException", SignerFailed),
        ("DisabledException", SignerFailed),
        ("KMSInvalidStateException", SignerFailed),
        ("InvalidKeyUsageException", SignerFailed),
        ("SomethingNew", SignerFailed),
    ],
)
def test_what_passes_is_tried_later_and_what_does_not_stops(
    code: str, meaning: type[Exception]
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "arn:aws:kms:secret-words"}}, "Sign")
    with pytest.raises(meaning) as raised:
        broken(error).sign_now(DIGEST)
    assert code in str(raised.value)
    assert "secret-words" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (EndpointConnectionError(endpoint_url="https://kms"), VenueUnavailable),
        (NoCredentialsError(), SignerFailed),
    ],
)
def test_no_way_to_kms_is_told_from_no_credentials(
    error: Exception, meaning: type[Exception]
) -> None:
    with pytest.raises(meaning):
        broken(error).sign_now(DIGEST)


def test_a_throttled_call_is_repeated_by_the_client_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert CLIENT_CONFIG.retries == {"total_max_attempts": 3, "mode": "standard"}
    client: Any = kms_client("eu-central-1", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(VenueUnavailable, match="EndpointConnectionError"):
        KmsSigner(client, "k").sign_now(DIGEST)
    assert time.monotonic() - started < 10


def test_without_a_region_the_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(SignerFailed, match="region"):
        kms_client()


async def test_the_digest_and_the_signature_stay_out_of_the_logs(
    kms: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    signer = KmsSigner(kms, made(kms))
    signature = await signer.sign(DIGEST)
    assert signature.hex() not in caplog.text
    assert "key" not in repr(signer).replace("KmsSigner", "")
