"""What feeds is told where markets are live: whom to follow, at which venue, how often."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.venues.polymarket.history import data_api, gamma, rtds

_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")


class BadRoster(ValueError):
    """The list of wallets cannot be read; the text says what is wrong with it."""


class FollowSettings(BaseSettings):
    """Frozen; unknown fields are refused. Environment prefix WHALETRADER_FEEDS_."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="WHALETRADER_FEEDS_")

    # Addresses, separated by commas; and a file with one a line.
    wallets: str = ""
    wallets_file: Path | None = None
    # A local exchange; empty for the real venue, of which feeds only ever reads.
    venue_url: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    # How much of the past of a wallet is read when it is new.
    history_days: Annotated[int, Field(ge=0, le=3_650)] = 90
    poll_s: Annotated[float, Field(ge=1, le=3_600)] = 15.0
    # How often markets are asked whether they are decided.
    ends_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    requests_per_s: Annotated[float, Field(gt=0, le=20)] = 10.0

    def roster(self) -> tuple[str, ...]:
        """Return the addresses in lower case, each once. Raises BadRoster."""
        texts = self.wallets.split(",")
        if self.wallets_file is not None:
            try:
                texts += self.wallets_file.read_text(encoding="utf-8").split()
            except OSError as error:
                raise BadRoster(f"the wallets' file cannot be read: {error}") from error
        found = [text.strip().lower() for text in texts if text.strip()]
        wrong = [text for text in found if not _ADDRESS.fullmatch(text)]
        if wrong:
            raise BadRoster(f"no wallet's address (0x and 40 hex digits): {', '.join(wrong[:5])}")
        return tuple(dict.fromkeys(found))

    @property
    def data_url(self) -> str:
        return f"{self._local}/data-api" if self._local else data_api.PRODUCTION

    @property
    def gamma_url(self) -> str:
        return f"{self._local}/gamma" if self._local else gamma.PRODUCTION

    @property
    def stream_url(self) -> str:
        return f"{self._local.replace('http', 'ws', 1)}/rtds" if self._local else rtds.PRODUCTION

    @property
    def _local(self) -> str:
        return self.venue_url.rstrip("/")
