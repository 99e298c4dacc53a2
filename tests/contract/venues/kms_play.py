"""KMS as moto plays it, with one step corrected: it hashes what it is told is a digest already."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto import mock_aws
from moto.kms.utils import ECDSAPrivateKey


def _sign_digest(self: ECDSAPrivateKey, message: bytes, signing_algorithm: str) -> bytes:
    return self.private_key.sign(message, ec.ECDSA(Prehashed(hashes.SHA256())))


@contextlib.contextmanager
def playing_kms() -> Iterator[Any]:
    """Yield a client of an empty KMS. AWS credentials are made up."""
    made_up = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with (
        patch.dict("os.environ", made_up),
        patch.object(ECDSAPrivateKey, "sign", _sign_digest),
        mock_aws(),
    ):
        yield boto3.client("kms", region_name="eu-central-1")
