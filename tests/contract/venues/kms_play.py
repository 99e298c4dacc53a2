"""KMS as moto plays it, with one step corrected: it hashes what it is told is a digest already.

Like real KMS it signs a digest as it is, and hashes only what it is told is a raw message.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

import boto3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto import mock_aws
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey

_message_type: ContextVar[str] = ContextVar("message_type", default="RAW")
_respond = KmsResponse.sign


def _sign_as_told(self: ECDSAPrivateKey, message: bytes, signing_algorithm: str) -> bytes:
    is_digest = _message_type.get() == "DIGEST"
    algorithm = Prehashed(hashes.SHA256()) if is_digest else hashes.SHA256()
    return self.private_key.sign(message, ec.ECDSA(algorithm))


def _respond_as_told(self: KmsResponse) -> str:
    _message_type.set(self._get_param("MessageType"))
    return _respond(self)


@contextlib.contextmanager
def playing_kms() -> Iterator[Any]:
    """Yield a client of an empty KMS. AWS credentials are made up."""
    made_up = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with (
        patch.dict("os.environ", made_up),
        patch.object(ECDSAPrivateKey, "sign", _sign_as_told),
        patch.object(KmsResponse, "sign", _respond_as_told),
        mock_aws(),
    ):
        yield boto3.client("kms", region_name="eu-central-1")
