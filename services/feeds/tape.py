"""The tape: recorded trades of real wallets, whole markets with their results, in time order.

Owns loading a folder (checked as a whole, or refused with a TapeError) and cutting it by event
time. It reads no clock and publishes nothing: the pacer of feeds plays the windows.
`SAMPLE_FOLDER` is the tape that ships with the project; its ATTRIBUTION.md says what is in it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from whaletrader.services.feeds import tape_files
from whaletrader.services.feeds.tape_values import (
    Side,
    TapeError,
    TapeMarket,
    TapeResolution,
    TapeTrade,
    TapeWallet,
    Window,
)

__all__ = [
    "SAMPLE_FOLDER",
    "Side",
    "Tape",
    "TapeError",
    "TapeMarket",
    "TapeResolution",
    "TapeTrade",
    "TapeWallet",
    "Window",
    "load_tape",
]

SAMPLE_FOLDER = Path(__file__).parent / "sample"

T = TypeVar("T")


class Tape(msgspec.Struct, frozen=True):
    """Markets by opening time, trades and resolutions by event time, all in strict order."""

    wallets: tuple[TapeWallet, ...]
    markets: tuple[TapeMarket, ...]
    trades: tuple[TapeTrade, ...]
    resolutions: tuple[TapeResolution, ...]

    @property
    def start_ns(self) -> int:
        """Opening time of the first market; 0 on an empty tape."""
        return self.markets[0].opens_at_ns if self.markets else 0

    @property
    def end_ns(self) -> int:
        """Time of the last resolution; 0 on an empty tape."""
        return self.resolutions[-1].at_ns if self.resolutions else 0

    def windows(self, bucket_s: int) -> Iterator[Window]:
        """Cut the tape into buckets of `bucket_s` seconds since the epoch, empty ones skipped.

        Every market, trade and resolution is in exactly one window. Raises ValueError when
        the bucket is not a positive number of seconds.
        """
        if bucket_s <= 0:
            raise ValueError(f"a bucket of {bucket_s} s cannot hold time")
        width_ns = bucket_s * tape_files.NS_PER_S
        markets = _by_bucket(self.markets, lambda market: market.opens_at_ns, width_ns)
        trades = _by_bucket(self.trades, lambda trade: trade.at_ns, width_ns)
        resolutions = _by_bucket(self.resolutions, lambda ended: ended.at_ns, width_ns)
        for bucket in sorted(markets.keys() | trades.keys() | resolutions.keys()):
            yield Window(
                start_ns=bucket * width_ns,
                end_ns=(bucket + 1) * width_ns,
                markets=tuple(markets.get(bucket, ())),
                trades=tuple(trades.get(bucket, ())),
                resolutions=tuple(resolutions.get(bucket, ())),
            )

    def between(self, from_ns: int, to_ns: int) -> "Tape":
        """Return the markets that open and resolve inside [from_ns, to_ns), whole.

        Wallets without a trade left are dropped; ids stay what they are in the full tape.
        """
        ends = {ended.condition_id: ended.at_ns for ended in self.resolutions}
        markets = tuple(
            market
            for market in self.markets
            if from_ns <= market.opens_at_ns and ends[market.condition_id] < to_ns
        )
        kept = {market.condition_id for market in markets}
        trades = tuple(trade for trade in self.trades if trade.condition_id in kept)
        active = {trade.wallet for trade in trades}
        return Tape(
            wallets=tuple(wallet for wallet in self.wallets if wallet.address in active),
            markets=markets,
            trades=trades,
            resolutions=tuple(r for r in self.resolutions if r.condition_id in kept),
        )


def load_tape(folder: Path = SAMPLE_FOLDER) -> Tape:
    """Load and check a tape. Raises TapeError at the first thing that is wrong."""
    wallets = tape_files.read_wallets(folder)
    markets, resolutions = tape_files.read_markets(folder)
    trades = tape_files.read_trades(folder, wallets, markets, resolutions)
    _require_a_trade_in_each(markets, trades)
    return Tape(
        wallets=tuple(wallets),
        markets=tuple(markets),
        trades=tuple(trades),
        resolutions=tuple(sorted(resolutions, key=lambda r: (r.at_ns, r.condition_id))),
    )


def _require_a_trade_in_each(markets: list[TapeMarket], trades: list[TapeTrade]) -> None:
    # A market that nobody trades means that the two files do not belong together.
    traded = {trade.condition_id for trade in trades}
    for position, market in enumerate(markets):
        if market.condition_id not in traded:
            raise TapeError(
                tape_files.MARKETS_FILE, position + 2, f"{market.condition_id} has no trade"
            )


def _by_bucket(
    items: Iterable[T], time_ns: Callable[[T], int], width_ns: int
) -> dict[int, list[T]]:
    buckets: dict[int, list[T]] = defaultdict(list)
    for item in items:
        buckets[time_ns(item) // width_ns].append(item)
    return buckets
