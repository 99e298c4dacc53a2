"""API credentials and where they come from: environment, file, AWS Secrets Manager, or a login.

A source is read again when the venue refuses what it gave, and now and then, so that credentials
can be changed while we trade. Whatever fails, no text, cause or repr says what they are.
"""

import asyncio
import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from whaletrader.venues.errors import CredentialsRefused, VenueUnavailable
from whaletrader.venues.polymarket.kms_signer import CLIENT_CONFIG, is_passing
from whaletrader.venues.polymarket.wire_logs import keep_secrets_from_wire_logs

FILE_BYTES_MAX: Final = 4_096
_FIELDS: Final = ("apiKey", "secret", "passphrase")
_SHAPE: Final = '{"apiKey": "...", "secret": "...", "passphrase": "..."}'


@dataclass(frozen=True, slots=True)
class ApiCredentials:
    """What the venue gave for a login (L2). Prints as a fingerprint only."""

    key: SecretStr
    secret: SecretStr
    passphrase: SecretStr

    @property
    def fingerprint(self) -> str:
        """Eight digits that tell two credentials apart and nothing else."""
        return hashlib.sha256(self.key.get_secret_value().encode()).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"ApiCredentials({self.fingerprint})"

    __str__ = __repr__


class CredentialSource(Protocol):
    """Gives the newest credentials whenever it is asked."""

    @property
    def name(self) -> str:
        """What to call the source to a person; holds no secret."""

    async def read(self) -> ApiCredentials:
        """Return the newest. Raises VenueUnavailable (later), CredentialsRefused, VenueStop."""


@dataclass(frozen=True, slots=True)
class GivenCredentials:
    """From the environment, as the settings read them; they change with the process only."""

    credentials: ApiCredentials
    name: str = "the environment"

    async def read(self) -> ApiCredentials:
        return self.credentials


@dataclass(frozen=True, slots=True)
class FileCredentials:
    """From a JSON file that nobody else may read. Replace it by renaming a new one over it."""

    path: Path

    @property
    def name(self) -> str:
        return f"the file {self.path}"

    async def read(self) -> ApiCredentials:
        text = private_text(self.path)
        return parsed(_json(text, self.name), self.name)


class SecretsClient(Protocol):
    """The one call of boto3's Secrets Manager client that is used."""

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class SecretsManagerCredentials:
    """From AWS Secrets Manager: always the version that is current there (AWSCURRENT)."""

    client: SecretsClient
    secret_id: str

    @property
    def name(self) -> str:
        return f"the secret {self.secret_id}"

    async def read(self) -> ApiCredentials:
        try:
            answer = await asyncio.to_thread(self.client.get_secret_value, SecretId=self.secret_id)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if is_passing(code):
                raise VenueUnavailable(f"{self.name}: {code}") from None
            raise CredentialsRefused(
                f"{self.name}: {code}; allow secretsmanager:GetSecretValue, check id and region"
            ) from None
        except BotoCoreError as error:
            raise VenueUnavailable(f"{self.name}: {type(error).__name__}") from None
        return parsed(_json(answer.get("SecretString", ""), self.name), self.name)


def secrets_client(region: str = "", endpoint_url: str = "") -> SecretsClient:
    """Return boto3's client with bounded retries. Raises CredentialsRefused without a region."""
    import boto3

    keep_secrets_from_wire_logs()
    try:
        client: SecretsClient = boto3.client(
            "secretsmanager",
            region_name=region or None,
            endpoint_url=endpoint_url or None,
            config=CLIENT_CONFIG,
        )
    except (BotoCoreError, ValueError) as error:
        raise CredentialsRefused(f"no client for Secrets Manager: {error}") from None
    return client


def parsed(value: Any, source: str) -> ApiCredentials:
    """Return credentials in the venue's own shape. Raises CredentialsRefused, saying no value."""
    row = value if isinstance(value, Mapping) else {}
    parts = [row.get(name) for name in _FIELDS]
    missing = [n for n, p in zip(_FIELDS, parts, strict=True) if not (isinstance(p, str) and p)]
    if missing:
        raise CredentialsRefused(f"{source} lacks {', '.join(missing)}: it must be {_SHAPE}")
    key, secret, passphrase = (str(part) for part in parts)
    try:
        base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except (binascii.Error, ValueError):
        raise CredentialsRefused(f"the secret in {source} is no URL-safe base64") from None
    return ApiCredentials(SecretStr(key), SecretStr(secret), SecretStr(passphrase))


def private_text(path: Path) -> str:
    """Return a small file's text. Raises CredentialsRefused if anybody else may read it.

    Looked at and read through one descriptor, so that it is not exchanged in between.
    """
    try:
        # Without O_NONBLOCK a pipe would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise CredentialsRefused(f"{path} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CredentialsRefused(f"{path} is no regular file")
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise CredentialsRefused(f"others may read {path} ({mode:04o}): chmod 600 {path}")
        if status.st_uid not in (os.geteuid(), 0):
            raise CredentialsRefused(f"{path} belongs to somebody else: chown it")
        raw = os.read(descriptor, FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(raw) > FILE_BYTES_MAX:
        raise CredentialsRefused(f"{path} is larger than {FILE_BYTES_MAX} bytes")
    try:
        return raw.decode("ascii").strip()
    except UnicodeDecodeError:
        raise CredentialsRefused(f"{path} holds something else than ASCII text") from None


def _json(text: str, source: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # The cause quotes the document: it is cut off on purpose.
        raise CredentialsRefused(f"{source} is no JSON: it must be {_SHAPE}") from None
