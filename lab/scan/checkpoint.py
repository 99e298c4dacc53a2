"""What a scan has so far, on disk: one file a wallet, written whole or not at all.

Lives in the output folder as `.scan`, so that a scan that was ended in any way goes on where it
was. Another question than the one that was begun is refused. Called by `scanner`.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from whaletrader.venues.polymarket.history.rows import Deed, MarketEnd, Standing

FOLDER: Final = ".scan"
_PLAN: Final = "plan.json"
_ENDS: Final = "ends.json"

T = TypeVar("T")


class ScanError(Exception):
    """The scan cannot begin or go on; the text says what to do."""


class Plan(msgspec.Struct, frozen=True):
    """What was asked for. `wallets` in lower case, in their order."""

    base_url: str
    version: int
    wallets: tuple[str, ...]
    rows_max: int


class WalletScan(msgspec.Struct, frozen=True):
    """All of one wallet. `is_cut`: older deeds exist that the service does not give."""

    wallet: str
    deeds: tuple[Deed, ...]
    is_cut: bool
    standing: Standing | None


class Checkpoint:
    """The files of one output folder."""

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER

    def begin(self, plan: Plan) -> None:
        """Take up the plan, or the one that was begun. Raises ScanError if they differ."""
        path = self._folder / _PLAN
        if path.exists():
            begun = _read(path, Plan)
            if begun != plan:
                raise ScanError(
                    f"{self._folder} holds a scan of other wallets or settings. Give the same "
                    "ones to go on with it, another --out, or remove that folder."
                )
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(path, plan)

    def begun(self) -> Plan | None:
        """Return the plan that was begun here, if any."""
        path = self._folder / _PLAN
        return _read(path, Plan) if path.exists() else None

    def wallet(self, wallet: str) -> WalletScan | None:
        """Return what was scanned of a wallet; None if it is still to do."""
        path = self._path(wallet)
        return _read(path, WalletScan) if path.exists() else None

    def keep(self, scanned: WalletScan) -> None:
        _write(self._path(scanned.wallet), scanned)

    def ends(self) -> dict[str, MarketEnd]:
        """Return the resolutions that are known so far, by condition id."""
        path = self._folder / _ENDS
        return _read(path, dict[str, MarketEnd]) if path.exists() else {}

    def keep_ends(self, ends: dict[str, MarketEnd]) -> None:
        _write(self._folder / _ENDS, ends)

    def missing(self, wallets: Sequence[str]) -> list[str]:
        """Return the wallets that are still to do."""
        return [wallet for wallet in wallets if not self._path(wallet).exists()]

    def _path(self, wallet: str) -> Path:
        return self._folder / f"wallet-{wallet}.json"


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise ScanError(f"{path} cannot be read ({error}). Remove it to scan it again.") from error


def _write(path: Path, value: object) -> None:
    # Renamed into place when it is durable: a scan that is cut off leaves no half of a file.
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(msgspec.json.encode(value))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
