"""Settings of a wallet at the venue: which hosts, whose key, whose API credentials.

One frozen type, read from the environment by execution's composition root and by the pre-flight, so
that both look at the same wallet. Also makes the signer, the source of credentials and the adapter
that the settings name. Secrets are never printed; they come from the environment, from files that
nobody else may read, or stay in AWS.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.runtime.settings import Mode
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.credentials import (
    CredentialSource,
    FileCredentials,
    GivenCredentials,
    SecretsManagerCredentials,
    parsed,
    private_text,
    secrets_client,
)
from whaletrader.venues.polymarket.kms_signer import KmsSigner, kms_client
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner, Signer
from whaletrader.venues.polymarket.venue import PolymarketVenue, WalletSettings

PREFIX: Final = "WHALETRADER_EXECUTION_"

Address = Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{40})?$")]


def _http(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/]\S*", url):
        raise ValueError("give a whole address, such as http://127.0.0.1:8080")
    return url


Url = Annotated[str, AfterValidator(_http)]


class VenueAccess(BaseSettings):
    """Whose orders go where. Production needs two explicit settings: the mode, and
    `live_confirmed`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        populate_by_name=True,
        # A refused setting is named; its value could be a key and is not shown.
        hide_input_in_errors=True,
    )

    mode: Annotated[Mode, Field(validation_alias="WHALETRADER_MODE")] = Mode.DEMO
    # An exchange that serves every host; empty means Polymarket itself, and needs live mode.
    exchange_url: Annotated[Url, Field(validation_alias="WHALETRADER_EXCHANGE_URL")] = ""
    live_confirmed: bool = False
    # The region gate, if it is not the one that belongs to the hosts.
    geoblock_url: Url = ""

    # The key that signs: one of these, or the development key in a demo.
    private_key: SecretStr = SecretStr("")
    private_key_file: Path | None = None
    kms_key_id: str = ""
    kms_region: str = ""
    kms_endpoint_url: Url = ""
    # What the KMS key's address is expected to be; given, a start asks KMS for nothing.
    kms_address: Address = ""

    # The wallet that pays, if it is not the key's own address (signature types 1 to 3).
    funder: Address = ""
    signature_type: Annotated[int, Field(ge=0, le=3)] = 0

    # API credentials: one of these three, or none for a login with the key.
    api_key: SecretStr = SecretStr("")
    api_secret: SecretStr = SecretStr("")
    api_passphrase: SecretStr = SecretStr("")
    api_credentials_file: Path | None = None
    api_credentials_secret_id: str = ""
    secrets_region: str = ""
    secrets_endpoint_url: Url = ""
    # How often file or secret are looked at for newer ones.
    credentials_recheck_s: Annotated[float, Field(ge=1, le=3_600)] = 60.0

    @model_validator(mode="after")
    def _production_is_asked_for_twice(self) -> Self:
        if not self.exchange_url and not (self.mode is Mode.LIVE and self.live_confirmed):
            raise ValueError(
                "without WHALETRADER_EXCHANGE_URL orders go to Polymarket itself: that needs "
                f"WHALETRADER_MODE=live and {PREFIX}LIVE_CONFIRMED=true"
            )
        return self

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = [
            bool(self.private_key.get_secret_value()),
            self.private_key_file is not None,
            bool(self.kms_key_id),
        ]
        if sum(given) > 1:
            raise ValueError(
                f"give one private key, not several: {PREFIX}PRIVATE_KEY_FILE, "
                f"{PREFIX}PRIVATE_KEY or {PREFIX}KMS_KEY_ID"
            )
        if not any(given) and self.mode is not Mode.DEMO:
            raise ValueError(
                f"a private key is needed: set {PREFIX}PRIVATE_KEY_FILE, {PREFIX}PRIVATE_KEY or "
                f"{PREFIX}KMS_KEY_ID; the development key is for the demo only"
            )
        if self.signature_type and not self.funder:
            raise ValueError(f"signature type {self.signature_type} needs {PREFIX}FUNDER")
        return self

    @model_validator(mode="after")
    def _one_source_of_credentials(self) -> Self:
        parts = (self.api_key, self.api_secret, self.api_passphrase)
        given = [bool(part.get_secret_value()) for part in parts]
        if any(given) and not all(given):
            raise ValueError(
                f"{PREFIX}API_KEY, {PREFIX}API_SECRET and {PREFIX}API_PASSPHRASE are needed "
                "together"
            )
        sources = [
            any(given),
            self.api_credentials_file is not None,
            bool(self.api_credentials_secret_id),
        ]
        if sum(sources) > 1:
            raise ValueError(
                f"give API credentials once, not twice: {PREFIX}API_KEY with the two others, "
                f"{PREFIX}API_CREDENTIALS_FILE or {PREFIX}API_CREDENTIALS_SECRET_ID"
            )
        return self

    def key(self) -> SecretStr:
        """Return the private key. Raises CredentialsRefused if its file is not private."""
        if self.private_key_file is not None:
            return SecretStr(private_text(self.private_key_file))
        if self.private_key.get_secret_value():
            return self.private_key
        if self.mode is not Mode.DEMO:
            raise ValueError("the development key is for the demo only")
        return SecretStr(DEVELOPMENT_KEY)

    def signer(self) -> Signer:
        """Return what signs. Raises VenueStop."""
        if self.kms_key_id:
            client = kms_client(self.kms_region, self.kms_endpoint_url)
            return KmsSigner(client, self.kms_key_id, self.kms_address)
        return LocalSigner(self.key())

    def credentials(self) -> CredentialSource | None:
        """Return where API credentials come from; None means a login. Raises VenueStop."""
        if self.api_credentials_file is not None:
            return FileCredentials(self.api_credentials_file)
        if self.api_credentials_secret_id:
            client = secrets_client(self.secrets_region, self.secrets_endpoint_url)
            return SecretsManagerCredentials(client, self.api_credentials_secret_id)
        if not self.api_key.get_secret_value():
            return None
        row = {
            "apiKey": self.api_key.get_secret_value(),
            "secret": self.api_secret.get_secret_value(),
            "passphrase": self.api_passphrase.get_secret_value(),
        }
        return GivenCredentials(parsed(row, "the environment"))

    def venue(self, signer: Signer | None = None) -> PolymarketVenue:
        """Return the adapter, not connected. Raises VenueStop, VenueUnavailable (KMS)."""
        return PolymarketVenue(
            signer or self.signer(),
            WalletSettings(
                environment_at(self.exchange_url),
                self.funder,
                self.signature_type,
                self.geoblock_url,
                self.credentials(),
                self.credentials_recheck_s,
            ),
        )
