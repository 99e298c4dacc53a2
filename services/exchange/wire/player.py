"""Plays a file of recorded trades as the tape, for whoever has no operator to post windows.

A line is a JSON object: the body of `POST /admin/markets`, a resolution, or a trade as the Data
API answers it, v1 or v2. Trades of one second are one window; the pauses between windows are those
of the recording, divided by the speed. The whole file is checked before the exchange starts.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from whaletrader.services.exchange.engine.errors import BadInstruction
from whaletrader.services.exchange.engine.exchange import Window
from whaletrader.services.exchange.engine.model import MICRO, NS, Print, Resolution, Side
from whaletrader.services.exchange.wire import admin
from whaletrader.services.exchange.wire.answers import BAD_JSON, WireError
from whaletrader.services.exchange.wire.venue import Venue

_log: Final = logging.getLogger(__name__)


class BadTape(Exception):
    """A file that cannot be played; the text names the line and what is wrong with it."""


class TapeTrade(msgspec.Struct):
    """A trade as the Data API answers it; both APIs' names of the token are read."""

    price: float
    size: float
    side: Literal["BUY", "SELL"]
    timestamp: int
    asset: str = ""
    token_id: str = ""

    @property
    def token(self) -> str:
        return self.asset or self.token_id


class TapeResolution(msgspec.Struct, forbid_unknown_fields=True):
    """Outcome `winning_index` (0 or 1) won at `timestamp`, UTC epoch seconds."""

    condition_id: str
    winning_index: int
    timestamp: int


Entry = TapeTrade | TapeResolution


def list_markets(venue: Venue, path: Path) -> None:
    """List the tape's markets, and check that its trades are theirs. Raises `BadTape`."""
    markets, entries = _read(path)
    for line, body in markets:
        try:
            admin.add_markets(venue, body)
        except WireError as error:
            raise BadTape(f"{path}:{line}: {error.text}") from error
    state = venue.exchange.state
    for line, entry in entries:
        if isinstance(entry, TapeTrade) and entry.token not in state.market_of_token:
            raise BadTape(f"{path}:{line}: no market above has the token {entry.token or '(none)'}")
        if isinstance(entry, TapeResolution) and entry.condition_id not in state.markets:
            raise BadTape(f"{path}:{line}: no market above has the id {entry.condition_id}")


async def play(venue: Venue, path: Path, speed: float) -> None:
    """Play what is later than the exchange's clock, to the end of the file."""
    _, entries = _read(path)
    for second, due in itertools.groupby(sorted(entries, key=_second), key=_second):
        now_ns = venue.exchange.now_ns
        if second * NS <= now_ns:
            continue
        # The clock stands at 0 before the first window: nothing is waited for then.
        await asyncio.sleep((second - now_ns / NS) / speed if speed and now_ns else 0)
        happened = list(due)
        try:
            venue.exchange.play(_window((venue.exchange.window or 0) + 1, second, happened))
        except BadInstruction as error:
            _log.error("the tape stops at %s:%d: %s", path, happened[0][0], error)
            return
        venue.publish()


def _second(numbered: tuple[int, Entry]) -> int:
    return numbered[1].timestamp


def _window(number: int, second: int, entries: list[tuple[int, Entry]]) -> Window:
    prints, resolutions = [], []
    for line, entry in entries:
        if isinstance(entry, TapeTrade):
            price, size = round(entry.price * MICRO), round(entry.size * MICRO)
            made = Print(f"tape-{line}", entry.token, price, size, Side(entry.side), second * NS)
            prints.append(made)
        else:
            resolutions.append(Resolution(entry.condition_id, entry.winning_index, second * NS))
    return Window(number, second * NS, tuple(prints), tuple(resolutions))


def _read(path: Path) -> tuple[list[tuple[int, admin.MarketsBody]], list[tuple[int, Entry]]]:
    """Return markets and what happened in them, each with its line. Raises `BadTape`."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadTape(f"cannot read {path}: {error.strerror}") from error
    markets: list[tuple[int, admin.MarketsBody]] = []
    entries: list[tuple[int, Entry]] = []
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        try:
            raw = msgspec.json.decode(row)
            kind = _kind(raw)
            found = msgspec.convert(raw, kind)
        except BAD_JSON as error:
            raise BadTape(f"{path}:{line}: {error}") from error
        if isinstance(found, admin.MarketsBody):
            markets.append((line, found))
        else:
            _check(f"{path}:{line}", found)
            entries.append((line, found))
    if not markets:
        raise BadTape(f'{path}: has no line {{"markets":[…]}}')
    return markets, entries


def _kind(raw: Any) -> type[admin.MarketsBody | Entry]:
    names = raw if isinstance(raw, dict) else {}
    if "markets" in names:
        return admin.MarketsBody
    return TapeResolution if "winning_index" in names else TapeTrade


def _check(where: str, entry: Entry) -> None:
    if entry.timestamp <= 0:
        raise BadTape(f"{where}: timestamp must be UTC epoch seconds")
    if isinstance(entry, TapeResolution):
        if entry.winning_index not in (0, 1):
            raise BadTape(f"{where}: winning_index must be 0 or 1")
    elif not (0 <= entry.price <= 1 and 0 < entry.size < admin.COLLATERAL_MICRO_MAX / MICRO):
        raise BadTape(f"{where}: price must be from 0 to 1 and size positive")
