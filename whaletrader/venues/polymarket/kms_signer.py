"""A key that lives in AWS KMS: digests go there, signatures come back, the key never does.

Owns what KMS leaves to its callers: DER to r and s, low s (EIP-2), and the recovery id, which KMS
does not give and which is found by recovering. Must not retry without bound: botocore does so a few
times, within the time-outs below. Made by `access.signer_of`, from the settings.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from whaletrader.venues.errors import SignerFailed, VenueUnavailable
from whaletrader.venues.polymarket.signer import require_fast_curve
from whaletrader.venues.polymarket.wire_logs import keep_secrets_from_wire_logs

KEY_SPEC: Final = "ECC_SECG_P256K1"
ALGORITHM: Final = "ECDSA_SHA_256"
# The order of the curve's group (SEC 2, secp256k1).
CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

# A signature takes some 20 ms inside a region. Three attempts within these limits end after at
# most 15 s and their pauses, below execution's deadline for a send.
CLIENT_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=3,
    retries={"total_max_attempts": 3, "mode": "standard"},
)
# Errors of KMS that pass. All others need a person.
_PASSING: Final = frozenset(
    {
        "DependencyTimeoutException",
        "InternalFailure",
        "InternalServiceError",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_STEPS: Final = "allow kms:Sign and kms:GetPublicKey on this key, and check its id and region"


class KmsClient(Protocol):
    """The two calls of boto3's KMS client that are used; no other needs to be allowed."""

    def get_public_key(self, *, KeyId: str) -> dict[str, Any]: ...  # noqa: N803 - boto3's names

    def sign(
        self,
        *,
        KeyId: str,  # noqa: N803
        Message: bytes,  # noqa: N803
        MessageType: str,  # noqa: N803
        SigningAlgorithm: str,  # noqa: N803
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of the curve, uncompressed without its leading byte, and its address."""

    point: bytes
    address: str


class KmsSigner:
    """Signs with one KMS key of spec ECC_SECG_P256K1."""

    def __init__(self, client: KmsClient, key_id: str, address: str = "") -> None:
        """`address` is what the key is expected to be; empty means whatever it is.

        Given, nothing is asked of KMS before the first signature.
        """
        require_fast_curve()
        self._client = client
        self._key_id = key_id
        self._expected = to_checksum_address(address) if address else ""
        self._public: PublicKey | None = None

    def __repr__(self) -> str:
        known = self._expected or (self._public.address if self._public else "not read yet")
        return f"KmsSigner(address={known})"

    @property
    def address(self) -> str:
        """The key's own address. Reads the public key if it was not given: that blocks.

        Raises VenueUnavailable, SignerFailed.
        """
        return self._expected or self.public_key().address

    def public_key(self) -> PublicKey:
        """Return the public key, read once. Blocks. Raises VenueUnavailable, SignerFailed."""
        if self._public is None:
            try:
                answer = self._client.get_public_key(KeyId=self._key_id)
            except (BotoCoreError, ClientError) as error:
                raise _translated(error, "GetPublicKey") from None
            found = public_key_of(answer)
            if self._expected not in ("", found.address):
                raise SignerFailed(
                    f"the KMS key is {found.address}, the settings expect {self._expected}"
                )
            self._public = found
        return self._public

    async def sign(self, digest: bytes) -> bytes:
        """Return r, s (low), v (27 or 28). Raises VenueUnavailable, SignerFailed."""
        return await asyncio.to_thread(self.sign_now, digest)

    def sign_now(self, digest: bytes) -> bytes:
        """The same; blocks for a network round trip."""
        if len(digest) != 32:
            raise SignerFailed(f"a digest has 32 bytes, not {len(digest)}")
        public = self.public_key()
        try:
            answer = self._client.sign(
                KeyId=self._key_id,
                Message=digest,
                # KMS must not hash what is a hash already.
                MessageType="DIGEST",
                SigningAlgorithm=ALGORITHM,
            )
        except (BotoCoreError, ClientError) as error:
            raise _translated(error, "Sign") from None
        return recoverable(answer["Signature"], digest, public.point)


def kms_client(region: str = "", endpoint_url: str = "") -> KmsClient:
    """Return boto3's client with bounded retries; its credentials are AWS's own affair.

    Raises SignerFailed where no region is configured or boto3 is missing.
    """
    try:
        import boto3
    except ModuleNotFoundError as error:
        raise SignerFailed("signing with KMS needs boto3: pip install boto3") from error
    keep_secrets_from_wire_logs()
    try:
        client: KmsClient = boto3.client(
            "kms",
            region_name=region or None,
            endpoint_url=endpoint_url or None,
            config=CLIENT_CONFIG,
        )
    except (BotoCoreError, ValueError) as error:
        raise SignerFailed(f"no client for KMS: {error}") from None
    return client


def public_key_of(answer: dict[str, Any]) -> PublicKey:
    """Return the key in an answer to GetPublicKey. Raises SignerFailed if it cannot sign orders.

    The address is the last 20 bytes of the Keccak-256 hash of the point (Wood, Ethereum yellow
    paper, appendix F).
    """
    # KMS gives the spec under its old name too, and older endpoints under that alone.
    spec = answer.get("KeySpec") or answer.get("CustomerMasterKeySpec")
    usage = answer.get("KeyUsage")
    if spec != KEY_SPEC or usage != "SIGN_VERIFY":
        raise SignerFailed(
            f"the KMS key is a {spec} for {usage}: orders need {KEY_SPEC} for SIGN_VERIFY"
        )
    try:
        key = load_der_public_key(answer["PublicKey"])
    except (UnsupportedAlgorithm, ValueError) as error:
        raise SignerFailed("KMS answered with a public key that cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256K1):
        raise SignerFailed("KMS answered with a key of another curve")
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    return PublicKey(point, to_checksum_address(keccak(point)[-20:]))


def recoverable(der: bytes, digest: bytes, point: bytes) -> bytes:
    """Return r, s (low), v of a DER signature. Raises SignerFailed if the key did not make it.

    s and n - s sign the same; EIP-2 and the venue's contracts take the lower half only. v says
    which of the two points with abscissa r was used: the one that gives our key back.
    """
    require_fast_curve()
    import coincurve

    try:
        r, s = decode_dss_signature(der)
    except ValueError as error:
        raise SignerFailed("KMS answered with a signature that is no DER") from error
    if not (0 < r < CURVE_ORDER and 0 < s < CURVE_ORDER):
        raise SignerFailed("KMS answered with a signature out of range")
    raw = r.to_bytes(32, "big") + min(s, CURVE_ORDER - s).to_bytes(32, "big")
    for parity in (0, 1):
        try:
            found = coincurve.PublicKey.from_signature_and_message(
                raw + bytes([parity]), digest, hasher=None
            )
        except ValueError:
            # No point of this parity has such an abscissa.
            continue
        if found.format(compressed=False)[1:] == point:
            return raw + bytes([27 + parity])
    raise SignerFailed("KMS answered with a signature that another key made")


def is_passing(code: str) -> bool:
    """Whether an error code of AWS is worth another try later."""
    return code in _PASSING


def _translated(error: BotoCoreError | ClientError, call: str) -> VenueUnavailable | SignerFailed:
    if not isinstance(error, ClientError):
        name = type(error).__name__
        if name in ("NoCredentialsError", "PartialCredentialsError", "NoRegionError"):
            return SignerFailed(f"KMS {call}: no AWS credentials or region in this process")
        # Time-outs and lost connections. Whether KMS signed is no matter: nothing was sent.
        return VenueUnavailable(f"KMS {call}: {name}")
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    if is_passing(code):
        return VenueUnavailable(f"KMS {call}: {code}")
    return SignerFailed(f"KMS {call}: {code}; {_STEPS}")
