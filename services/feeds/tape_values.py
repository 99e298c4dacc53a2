"""The values a tape is made of, and the one error of reading it.

Owns the types and nothing else. What a market knew of itself while it traded (TapeMarket) and
how it ended (TapeResolution) are apart, so that a catalogue cannot tell a result early.
Imported by `tape` and `tape_files`; everyone else imports them from `tape`.
"""

from typing import Literal

import msgspec

Side = Literal["BUY", "SELL"]


class TapeError(Exception):
    """A tape file is missing or wrong: refuse the folder, nothing of it can be trusted.

    `line` counts from 1 with the header; 0 means the file as a whole.
    """

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class TapeWallet(msgspec.Struct, frozen=True, gc=False):
    """A recorded wallet: checksum-free lower-case address and its public name, maybe empty."""

    address: str
    name: str


class TapeMarket(msgspec.Struct, frozen=True):
    """A binary market as it stood at its first recorded trade, `opens_at_ns`."""

    condition_id: str
    slug: str
    event_slug: str
    title: str
    category: str
    fee_rate_micro: int
    tick_micro: int
    min_size_micro: int
    token_ids: tuple[str, str]
    outcomes: tuple[str, str]
    is_neg_risk: bool
    opens_at_ns: int


class TapeTrade(msgspec.Struct, frozen=True, gc=False):
    """One recorded fill of one wallet; `id` is the same on every load of the same content."""

    id: str
    at_ns: int
    wallet: str
    condition_id: str
    token_id: str
    outcome_index: int
    side: Side
    size_micro: int
    price_micro: int
    tx_hash: str


class TapeResolution(msgspec.Struct, frozen=True, gc=False):
    """How a market ended. `time_basis` says where the time comes from (see ATTRIBUTION.md)."""

    condition_id: str
    at_ns: int
    winning_index: int
    winning_token_id: str
    winner_basis: str
    time_basis: str


class Window(msgspec.Struct, frozen=True):
    """What happened in [start_ns, end_ns): apply markets, then trades, then resolutions.

    Each part is in time order. A resolution comes after every trade of its own market.
    """

    start_ns: int
    end_ns: int
    markets: tuple[TapeMarket, ...]
    trades: tuple[TapeTrade, ...]
    resolutions: tuple[TapeResolution, ...]
