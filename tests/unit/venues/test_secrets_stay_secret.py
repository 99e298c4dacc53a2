"""No key, secret or passphrase in any text: errors, their causes, reprs, settings, logs."""

import asyncio
import importlib
import json
import logging
import pkgutil
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings

import whaletrader
from whaletrader.runtime.settings import Mode
from whaletrader.venues.errors import VenueError
from whaletrader.venues.polymarket.access import VenueAccess
from whaletrader.venues.polymarket.client import environment_at, open_client
from whaletrader.venues.polymarket.credentials import (
    ApiCredentials,
    FileCredentials,
    SecretsManagerCredentials,
    parsed,
    secrets_client,
)
from whaletrader.venues.polymarket.login import Login
from whaletrader.venues.polymarket.order_hash import Account
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner

CANARY = "c4n4ry-" + "5ecret" * 4
GOOD = {"apiKey": f"key-{CANARY}", "secret": "Y2FuYXJ5", "passphrase": f"pass-{CANARY}"}
SIGNER = LocalSigner(SecretStr(DEVELOPMENT_KEY))
# Whatever a source may hold by mistake: each contains the canary.
BROKEN = [
    CANARY,
    json.dumps(CANARY),
    json.dumps([CANARY]),
    json.dumps({"apiKey": CANARY}),
    json.dumps(GOOD | {"secret": f"not base64 {CANARY} é"}),
    json.dumps(GOOD | {"secret": {"nested": CANARY}}),
    json.dumps(GOOD | {"passphrase": ""}),
    '{"apiKey": "' + CANARY,
]


def silent(error: BaseException, *secrets: str) -> None:
    """Fail if anything that a person or a log could be shown of an error holds a secret."""
    shown = "".join(traceback.format_exception(error))
    chain: list[BaseException | None] = [error]
    while chain[-1] is not None:
        one = chain[-1]
        shown += repr(one) + str(one) + repr(one.args)
        chain.append(one.__cause__ or (None if one.__suppress_context__ else one.__context__))
    for secret in secrets or (CANARY,):
        assert secret not in shown


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", BROKEN)
async def test_a_file_that_holds_no_credentials(tmp_path: Path, text: str) -> None:
    with pytest.raises(VenueError) as raised:
        await FileCredentials(written(tmp_path / "api.json", text)).read()
    silent(raised.value)
    assert str(tmp_path / "api.json") in str(raised.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o622])
async def test_a_file_that_others_may_touch_is_not_even_read(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path / "api.json", json.dumps(GOOD), mode)
    with pytest.raises(VenueError, match="chmod 600") as raised:
        await FileCredentials(file).read()
    silent(raised.value)


async def test_other_things_than_a_small_private_file(tmp_path: Path) -> None:
    too_large = written(tmp_path / "large", CANARY * 1_000)
    for path in (tmp_path, tmp_path / "missing", too_large):
        with pytest.raises(VenueError) as raised:
            await FileCredentials(path).read()
        silent(raised.value)


async def test_a_good_file_is_read_whatever_else_it_holds(tmp_path: Path) -> None:
    file = written(tmp_path / "api.json", json.dumps(GOOD | {"note": "made on Monday"}))
    found = await FileCredentials(file).read()
    assert found.passphrase.get_secret_value() == GOOD["passphrase"]
    assert found == parsed(GOOD, "here")


async def test_a_secret_that_holds_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-central-1")
        client.create_secret(Name="venue/api", SecretString="first")
        for text in BROKEN:
            client.put_secret_value(SecretId="venue/api", SecretString=text)
            with pytest.raises(VenueError) as raised:
                await SecretsManagerCredentials(client, "venue/api").read()
            silent(raised.value)
        with pytest.raises(VenueError, match="ResourceNotFoundException") as raised:
            await SecretsManagerCredentials(client, "another").read()
        silent(raised.value)


async def test_a_secret_is_fetched_in_silence_at_every_level(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client: Any = secrets_client("eu-central-1")
        client.create_secret(Name="venue/api", SecretString=json.dumps(GOOD))
        caplog.set_level(logging.DEBUG)
        loud: Any = secrets_client("eu-central-1")
        logging.getLogger("tests").debug("heard")
        assert await SecretsManagerCredentials(loud, "venue/api").read() == parsed(GOOD, "here")
    assert "heard" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
async def test_an_error_of_aws_is_told_by_its_code_and_not_by_its_words(code: str) -> None:
    class Client:
        def get_secret_value(self, **_: Any) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": code, "Message": CANARY}}, "GetSecretValue")

    with pytest.raises(VenueError, match=code) as raised:
        await SecretsManagerCredentials(Client(), "venue/api").read()
    silent(raised.value)


@pytest.mark.parametrize(
    "text", ["", "0x12", CANARY, "0x" + "zz" * 32, "0x" + "00" * 32, "ff" * 33]
)
def test_a_key_that_is_none(text: str) -> None:
    with pytest.raises(VenueError) as raised:
        LocalSigner(SecretStr(text))
    silent(raised.value, *([text] if text else [CANARY]))


async def answering(body: str, status: int) -> tuple[str, Callable[[], Awaitable[None]]]:
    """Serve one fixed answer; return its address and what ends it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        raw = body.encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(raw)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]

    async def end() -> None:
        server.close()
        await server.wait_closed()

    return f"http://{host}:{port}", end


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("body", [BROKEN[3], BROKEN[4], "{" + CANARY])
async def test_a_login_that_is_answered_with_something_else(body: str, status: int) -> None:
    url, end = await answering(body if status == 200 else "no", status)
    try:
        with pytest.raises(VenueError) as raised:
            await Login(SIGNER, url, 137, lambda: 1_700_000_000 * 10**9).credentials()
    finally:
        await end()
    silent(raised.value, CANARY, DEVELOPMENT_KEY[2:])


def test_credentials_and_signers_print_as_nothing_of_value() -> None:
    credentials = parsed(GOOD, "here")
    for text in (repr(credentials), str(credentials), f"{credentials!r}", repr([credentials])):
        assert CANARY not in text
        assert GOOD["secret"] not in text
    assert credentials.fingerprint in repr(credentials)
    assert DEVELOPMENT_KEY[2:] not in repr(SIGNER) + str(SIGNER) + repr(vars(SIGNER))


async def test_the_official_client_holds_the_address_and_never_the_key() -> None:
    account = Account(SIGNER.address, SIGNER.address)
    client = open_client(account, environment_at("http://127.0.0.1:9"), parsed(GOOD, "here"))
    try:
        assert not hasattr(client._ctx.signer, "key")
        assert CANARY not in repr(client) + repr(client.credentials) + repr(client._ctx)
        with pytest.raises(VenueError, match="must not sign"):
            client._ctx.signer.sign_typed_data(full_message={})
    finally:
        await client.close()


async def test_loggers_that_write_headers_and_frames_are_kept_above_debug() -> None:
    names = ("botocore", "h2", "hpack", "httpcore", "websockets")
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    account = Account(SIGNER.address, SIGNER.address)
    client = open_client(account, environment_at("http://127.0.0.1:9"), parsed(GOOD, "here"))
    await client.close()
    for name in names:
        assert not logging.getLogger(f"{name}.some.module").isEnabledFor(logging.DEBUG)


# -- settings ---------------------------------------------------------------------------------

# Names of settings whose value is a secret, wherever they are.
SECRET_NAME = re.compile(
    r"(^|_)(private_key|secret|passphrase|password|api_key|routing_key|bot_token|auth_token|"
    r"dsn|webhook_url|seed)$"
)
# Not secrets: where one is, what it is called, or how it is chosen.
HARMLESS = {"seed": "a number for a generator"}


def settings_types() -> list[type[BaseModel]]:
    """Every settings type of the product: what a process reads, wherever it is defined."""
    found: dict[str, type[BaseModel]] = {}
    for module in pkgutil.walk_packages(whaletrader.__path__, "whaletrader."):
        if re.search(r"\.(config|settings|access)$", module.name):
            for value in vars(importlib.import_module(module.name)).values():
                if (
                    isinstance(value, type)
                    and issubclass(value, BaseSettings | BaseModel)
                    and value.__module__ == module.name
                ):
                    found[f"{value.__module__}.{value.__qualname__}"] = value
    return [found[name] for name in sorted(found)]


def secret_fields(kind: type[BaseModel]) -> list[str]:
    return [
        name for name, field in kind.model_fields.items() if "SecretStr" in str(field.annotation)
    ]


TYPES = settings_types()


def test_the_settings_of_the_services_are_among_those_that_are_looked_at() -> None:
    names = {kind.__name__ for kind in TYPES}
    assert {"VenueAccess", "ExecutionSettings", "RuntimeSettings"} <= names
    assert len(names) > 8


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__qualname__)
def test_a_setting_with_a_secret_name_is_a_secret(kind: type[BaseModel]) -> None:
    open_ones = [
        name
        for name, field in kind.model_fields.items()
        if SECRET_NAME.search(name)
        and name not in HARMLESS
        and "SecretStr" not in str(field.annotation)
    ]
    assert not open_ones, f"make these SecretStr: {open_ones}"


@pytest.mark.parametrize(
    "kind", [kind for kind in TYPES if secret_fields(kind)], ids=lambda kind: kind.__qualname__
)
def test_no_form_of_printed_settings_shows_a_secret(kind: type[BaseModel]) -> None:
    made = kind.model_construct(**{name: SecretStr(CANARY) for name in secret_fields(kind)})
    for text in (repr(made), str(made), repr(made.model_dump()), repr(vars(made))):
        assert CANARY not in text
    assert CANARY not in made.model_dump_json(include=set(secret_fields(kind)))


@pytest.mark.parametrize(
    "given",
    [
        {"private_key": CANARY, "private_key_file": "/key"},
        {"private_key": CANARY, "kms_key_id": "k"},
        {"api_key": CANARY},
        {"api_secret": CANARY, "api_credentials_file": "/file"},
        {"private_key": CANARY, "signature_type": 9},
        {"private_key": CANARY, "funder": "nonsense"},
        {"private_key": CANARY, "unknown": 1},
        {"private_key": CANARY, "signature_type": 2},
        {"private_key": ["0x", CANARY]},
        {"private_key": CANARY, "exchange_url": "", "mode": Mode.LIVE},
    ],
)
def test_settings_that_are_refused_do_not_show_what_they_were(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        VenueAccess(**{"exchange_url": "http://127.0.0.1:9"} | given)
    shown = str(raised.value) + repr(raised.value)
    shown += repr(raised.value.errors(include_input=False, include_context=False))
    assert CANARY not in shown


async def test_what_the_settings_name_is_what_is_made(tmp_path: Path) -> None:
    key_file = written(tmp_path / "key", DEVELOPMENT_KEY + "\n")
    api_file = written(tmp_path / "api.json", json.dumps(GOOD))
    access = VenueAccess(
        mode=Mode.LIVE,
        exchange_url="http://127.0.0.1:9",
        private_key_file=key_file,
        api_credentials_file=api_file,
    )
    assert access.signer().address == SIGNER.address
    source = access.credentials()
    assert source is not None
    assert await source.read() == parsed(GOOD, "here")
    venue = access.venue()
    assert venue.wallet == SIGNER.address.lower()
    await venue.close()


async def test_credentials_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("KEY", "apiKey"), ("SECRET", "secret"), ("PASSPHRASE", "passphrase")):
        monkeypatch.setenv(f"WHALETRADER_EXECUTION_API_{name}", GOOD[value])
    source = VenueAccess(exchange_url="http://127.0.0.1:9").credentials()
    assert source is not None
    assert await source.read() == parsed(GOOD, "here")


async def test_a_login_is_the_source_where_none_is_named() -> None:
    assert VenueAccess(exchange_url="http://127.0.0.1:9").credentials() is None


def test_production_needs_the_mode_and_the_confirmation() -> None:
    key = SecretStr(DEVELOPMENT_KEY)
    for given in ({"mode": Mode.LIVE}, {"live_confirmed": True}, {"mode": Mode.PAPER}):
        with pytest.raises(ValidationError, match="LIVE_CONFIRMED"):
            VenueAccess(exchange_url="", private_key=key, **given)
    assert VenueAccess(exchange_url="", private_key=key, mode=Mode.LIVE, live_confirmed=True)


def test_two_credentials_are_told_apart() -> None:
    other = parsed(GOOD | {"apiKey": "another"}, "here")
    first = parsed(GOOD, "here")
    assert isinstance(first, ApiCredentials)
    assert first != other
    assert first.fingerprint != other.fingerprint


@pytest.fixture(autouse=True)
async def levels_restored() -> AsyncIterator[None]:
    names = ("boto3", "botocore", "h2", "hpack", "httpcore", "s3transfer", "urllib3", "websockets")
    before = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
