"""The tape's files: their columns, and reading them row by row into checked values.

Owns the format (shared with the builder of the sample) and every check of a single row or of
its order. Never repairs a row: what is wrong is refused with file and line. Called by `tape`.
"""

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from whaletrader.services.feeds.tape_values import (
    Side,
    TapeError,
    TapeMarket,
    TapeResolution,
    TapeTrade,
    TapeWallet,
)

MARKETS_FILE = "markets.csv.gz"
TRADES_FILE = "trades.csv.gz"
WALLETS_FILE = "wallets.csv"

MARKET_COLUMNS = (
    "condition_id",
    "slug",
    "event_slug",
    "title",
    "category",
    "fee_rate_micro",
    "tick_micro",
    "min_size_micro",
    "token0",
    "token1",
    "outcome0",
    "outcome1",
    "opens_at_s",
    "resolves_at_s",
    "winning_index",
    "neg_risk",
    "winner_basis",
    "time_basis",
)
TRADE_COLUMNS = (
    "wallet",
    "at_s",
    "market",
    "outcome",
    "side",
    "size_micro",
    "price_micro",
    "tx_hash",
)
WALLET_COLUMNS = ("address", "name")

MICRO = 1_000_000
NS_PER_S = 1_000_000_000
# A tape is read whole into memory; 64 MB is twenty times the shipped sample unpacked.
FILE_BYTES_MAX = 64 * 1024 * 1024
TRADE_ID_HEX = 32

_HASH = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")

Row = tuple[int, list[str]]


def read_wallets(folder: Path) -> list[TapeWallet]:
    """Return the wallets in file order; trades refer to them by position."""
    wallets: list[TapeWallet] = []
    seen: set[str] = set()
    for line, (address, name) in _rows(folder, WALLETS_FILE, WALLET_COLUMNS):
        if _ADDRESS.fullmatch(address) is None:
            raise TapeError(WALLETS_FILE, line, f"address {address!r} is not 0x and 40 hex digits")
        if address in seen:
            raise TapeError(WALLETS_FILE, line, f"address {address} is listed twice")
        seen.add(address)
        wallets.append(TapeWallet(address, name))
    return wallets


def read_markets(folder: Path) -> tuple[list[TapeMarket], list[TapeResolution]]:
    """Return the markets in file order (opening time) and how each of them ended."""
    markets: list[TapeMarket] = []
    resolutions: list[TapeResolution] = []
    taken: set[str] = set()
    for row in _rows(folder, MARKETS_FILE, MARKET_COLUMNS):
        market, resolution = _market(row)
        line = row[0]
        if markets and market.opens_at_ns < markets[-1].opens_at_ns:
            raise TapeError(MARKETS_FILE, line, "opens before the market above it: not sorted")
        for identifier in (market.condition_id, *market.token_ids):
            if identifier in taken:
                raise TapeError(MARKETS_FILE, line, f"id {identifier} is used twice")
            taken.add(identifier)
        markets.append(market)
        resolutions.append(resolution)
    return markets, resolutions


def read_trades(
    folder: Path,
    wallets: list[TapeWallet],
    markets: list[TapeMarket],
    resolutions: list[TapeResolution],
) -> list[TapeTrade]:
    """Return the trades in file order, each inside the life of its market.

    `resolutions` holds the end of the market at the same position of `markets`.
    """
    trades: list[TapeTrade] = []
    occurrences: dict[str, int] = {}
    latest_ns = 0
    for row in _rows(folder, TRADES_FILE, TRADE_COLUMNS):
        line, fields = row
        wallet = wallets[_index(TRADES_FILE, line, "wallet", fields[0], len(wallets))]
        market_index = _index(TRADES_FILE, line, "market", fields[2], len(markets))
        market = markets[market_index]
        at_ns = _integer(TRADES_FILE, line, "at_s", fields[1]) * NS_PER_S
        if at_ns < latest_ns:
            raise TapeError(TRADES_FILE, line, "is earlier than the trade above it: not sorted")
        if not market.opens_at_ns <= at_ns < resolutions[market_index].at_ns:
            raise TapeError(TRADES_FILE, line, f"is outside the life of {market.condition_id}")
        latest_ns = at_ns
        trades.append(_trade(row, wallet, market, occurrences))
    return trades


def _trade(
    row: Row, wallet: TapeWallet, market: TapeMarket, occurrences: dict[str, int]
) -> TapeTrade:
    line, (_, at_s, _, outcome, side_text, size, price, tx_hash) = row
    outcome_index = _index(TRADES_FILE, line, "outcome", outcome, 2)
    size_micro = _integer(TRADES_FILE, line, "size_micro", size)
    price_micro = _integer(TRADES_FILE, line, "price_micro", price)
    if size_micro <= 0:
        raise TapeError(TRADES_FILE, line, f"size {size_micro} is not above 0")
    if not 0 < price_micro < MICRO:
        raise TapeError(TRADES_FILE, line, f"price {price_micro} is not between 0 and {MICRO}")
    if _HASH.fullmatch(tx_hash) is None:
        raise TapeError(TRADES_FILE, line, f"tx hash {tx_hash!r} is not 0x and 64 hex digits")
    content = "|".join(
        (wallet.address, at_s, market.condition_id, outcome, side_text, size, price, tx_hash)
    )
    occurrence = occurrences.get(content, 0)
    occurrences[content] = occurrence + 1
    return TapeTrade(
        id=trade_id(content, occurrence),
        at_ns=int(at_s) * NS_PER_S,
        wallet=wallet.address,
        condition_id=market.condition_id,
        token_id=market.token_ids[outcome_index],
        outcome_index=outcome_index,
        side=_side(line, side_text),
        size_micro=size_micro,
        price_micro=price_micro,
        tx_hash=tx_hash,
    )


def trade_id(content: str, occurrence: int) -> str:
    """Return 32 hex digits from a trade's content and how many equal ones stand before it."""
    return hashlib.sha256(f"{content}|{occurrence}".encode()).hexdigest()[:TRADE_ID_HEX]


def _market(row: Row) -> tuple[TapeMarket, TapeResolution]:
    line, fields = row
    value = dict(zip(MARKET_COLUMNS, fields, strict=True))

    def integer(name: str) -> int:
        return _integer(MARKETS_FILE, line, name, value[name])

    market = TapeMarket(
        condition_id=value["condition_id"],
        slug=value["slug"],
        event_slug=value["event_slug"],
        title=value["title"],
        category=value["category"],
        fee_rate_micro=integer("fee_rate_micro"),
        tick_micro=integer("tick_micro"),
        min_size_micro=integer("min_size_micro"),
        token_ids=(value["token0"], value["token1"]),
        outcomes=(value["outcome0"], value["outcome1"]),
        is_neg_risk=_index(MARKETS_FILE, line, "neg_risk", value["neg_risk"], 2) == 1,
        opens_at_ns=integer("opens_at_s") * NS_PER_S,
    )
    winning_index = _index(MARKETS_FILE, line, "winning_index", value["winning_index"], 2)
    resolution = TapeResolution(
        condition_id=market.condition_id,
        at_ns=integer("resolves_at_s") * NS_PER_S,
        winning_index=winning_index,
        winning_token_id=market.token_ids[winning_index],
        winner_basis=value["winner_basis"],
        time_basis=value["time_basis"],
    )
    reason = _market_fault(market, resolution)
    if reason is not None:
        raise TapeError(MARKETS_FILE, line, reason)
    return market, resolution


def _market_fault(market: TapeMarket, resolution: TapeResolution) -> str | None:
    if _HASH.fullmatch(market.condition_id) is None:
        return f"condition id {market.condition_id!r} is not 0x and 64 hex digits"
    if any(_DECIMAL.fullmatch(token) is None for token in market.token_ids):
        return "a token id is not a decimal number of at most 78 digits"
    if not all((market.slug, market.title, market.category, *market.outcomes)):
        return "slug, title, category and both outcomes must not be empty"
    if market.outcomes[0] == market.outcomes[1]:
        return f"both outcomes are called {market.outcomes[0]!r}"
    if market.fee_rate_micro >= MICRO:
        return f"fee rate {market.fee_rate_micro} is not below {MICRO}"
    if market.tick_micro == 0 or MICRO % market.tick_micro:
        return f"tick {market.tick_micro} does not divide {MICRO}"
    if market.min_size_micro == 0:
        return "minimum size is 0"
    if resolution.at_ns <= market.opens_at_ns:
        return "resolves before it opens"
    return None


def _side(line: int, text: str) -> Side:
    if text == "BUY":
        return "BUY"
    if text == "SELL":
        return "SELL"
    raise TapeError(TRADES_FILE, line, f"side {text!r} is neither BUY nor SELL")


def _integer(file: str, line: int, name: str, text: str) -> int:
    # Canonical digits only: no sign, no spaces, no leading zero, so equal rows have equal ids.
    if _DECIMAL.fullmatch(text) is None or len(text) > 18:
        raise TapeError(file, line, f"{name} {text!r} is not a whole number of at most 18 digits")
    return int(text)


def _index(file: str, line: int, name: str, text: str, count: int) -> int:
    index = _integer(file, line, name, text)
    if index >= count:
        raise TapeError(file, line, f"{name} {index} is unknown: there are {count}")
    return index


def _rows(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(_text(folder, name), newline=""), strict=True)
    try:
        header = next(reader, [])
        if tuple(header) != columns:
            raise TapeError(name, 1, f"header is {header}, expected {list(columns)}")
        for fields in reader:
            if len(fields) != len(columns):
                raise TapeError(
                    name, reader.line_num, f"has {len(fields)} fields, expected {len(columns)}"
                )
            yield reader.line_num, fields
    except csv.Error as error:
        raise TapeError(name, reader.line_num, f"is not CSV: {error}") from error


def _text(folder: Path, name: str) -> str:
    path = folder / name
    try:
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise TapeError(name, 0, f"is missing in {folder}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TapeError(name, 0, f"cannot be read: {error}") from error
    if len(content) > FILE_BYTES_MAX:
        raise TapeError(name, 0, f"is larger than {FILE_BYTES_MAX} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TapeError(name, 0, f"is not UTF-8: {error}") from error
