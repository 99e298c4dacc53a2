"""Snapshots on disk: the engine's own, and what the wire keeps beside it, in one file.

Written to a new file and moved into place, so that a crash leaves the old one or the new one.
After a clean stop the venue is the same one (same boot id); a snapshot from before a crash lacks
what came after it, so the venue says that it is another one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from whaletrader.services.exchange.engine import snapshot
from whaletrader.services.exchange.engine.errors import SnapshotError
from whaletrader.services.exchange.wire import trade_weather
from whaletrader.services.exchange.wire.rewards import RewardTerms
from whaletrader.services.exchange.wire.venue import Venue

FILE: Final = "exchange.snapshot"
VERSION: Final = 1


class _Saved(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    is_clean: bool
    boot_id: str
    mode: str
    keys: list[tuple[str, int, str]]
    heartbeats: dict[str, tuple[str, int]]
    wallet_owners: dict[str, str]
    rewards: dict[str, RewardTerms]
    engine: bytes


_decoder = msgspec.msgpack.Decoder(_Saved)


class BadState(Exception):
    """A folder that cannot be used; the text says what to do."""


def prepare(folder: Path) -> None:
    """Make sure that the folder is there and takes files, before anything is promised."""
    probe = folder / f"{FILE}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadState(f"cannot write to {folder}: {error.strerror}") from error


def save(venue: Venue, folder: Path, *, is_clean: bool) -> None:
    """Write everything down; call it between requests."""
    venue.publish()
    # The scoped weather holds on to this process: it is set again from the rules, not restored.
    venue.exchange.settlement_weather(None)
    try:
        saved = _Saved(
            version=VERSION,
            is_clean=is_clean,
            boot_id=venue.boot_id,
            mode=venue.config.mode,
            keys=venue.keys.dump(),
            heartbeats=venue.heartbeats,
            wallet_owners=venue.wallet_owners,
            rewards=venue.rewards,
            engine=snapshot.dump(venue.exchange),
        )
    finally:
        trade_weather.apply(venue)
    fresh = folder / f"{FILE}.new"
    with fresh.open("wb") as file:
        file.write(msgspec.msgpack.encode(saved))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / FILE)


def restore(venue: Venue, folder: Path) -> bool:
    """Take up what was saved; return whether there was anything. Raises `BadState`."""
    path = folder / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BadState(f"cannot read {path}: {error.strerror}") from error
    try:
        saved = _decoder.decode(data)
        if saved.version != VERSION:
            raise BadState(f"{path} is of version {saved.version}, this is {VERSION}: move it away")
        exchange = snapshot.load(saved.engine, venue.config.engine_settings())
    except (msgspec.DecodeError, SnapshotError) as error:
        raise BadState(f"{path} is damaged ({error}): move it away to start empty") from error
    if saved.mode != venue.config.mode:
        raise BadState(
            f"{path} is of mode {saved.mode}: give --mode {saved.mode} or another folder"
        )
    venue.exchange = exchange
    venue.keys.load(saved.keys)
    venue.wallet_owners = saved.wallet_owners
    venue.rewards = saved.rewards
    # Nobody could send heartbeats meanwhile: their time begins anew.
    now_ns = venue.wall_ns()
    venue.heartbeats = {
        key: (following, now_ns) for key, (following, _) in saved.heartbeats.items()
    }
    if saved.is_clean:
        venue.boot_id = saved.boot_id
        _mark_used(path, saved)
    return True


def _mark_used(path: Path, saved: _Saved) -> None:
    """From now on the file is older than the venue: a crash must not pass for a clean stop."""
    saved.is_clean = False
    fresh = path.with_name(f"{FILE}.new")
    fresh.write_bytes(msgspec.msgpack.encode(saved))
    fresh.replace(path)
