"""The loader: what it refuses, how it names trades, how it cuts time."""

import csv
import gzip
import io
from itertools import pairwise
from pathlib import Path

import pytest

from whaletrader.services.feeds.tape import Tape, TapeError, Window, load_tape
from whaletrader.services.feeds.tape_files import (
    MARKET_COLUMNS,
    MARKETS_FILE,
    TRADE_COLUMNS,
    TRADES_FILE,
    WALLET_COLUMNS,
    WALLETS_FILE,
)

NS = 1_000_000_000
WALLETS = [["0x" + "a" * 40, "alice"], ["0x" + "b" * 40, ""]]
TX = "0x" + "1" * 64


def market_row(number: int, opens_s: int, resolves_s: int, /, **changes: str) -> list[str]:
    row = {
        "condition_id": f"0x{number:064x}",
        "slug": f"market-{number}",
        "event_slug": "event",
        "title": f'Will it, or "not", {number}?',
        "category": "crypto",
        "fee_rate_micro": "70000",
        "tick_micro": "10000",
        "min_size_micro": "5000000",
        "token0": str(1000 + 2 * number),
        "token1": str(1001 + 2 * number),
        "outcome0": "Yes",
        "outcome1": "No",
        "opens_at_s": str(opens_s),
        "resolves_at_s": str(resolves_s),
        "winning_index": "1",
        "neg_risk": "0",
        "winner_basis": "published",
        "time_basis": "first_redeem",
    }
    return list((row | changes).values())


def trade_row(at_s: int, market: int = 0, /, **changes: str) -> list[str]:
    row = {
        "wallet": "0",
        "at_s": str(at_s),
        "market": str(market),
        "outcome": "0",
        "side": "BUY",
        "size_micro": "7000000",
        "price_micro": "350000",
        "tx_hash": TX,
    }
    return list((row | changes).values())


MARKETS = [market_row(1, 1000, 2000), market_row(2, 1200, 4000)]
TRADES = [trade_row(1000), trade_row(1000), trade_row(1250, 1, side="SELL"), trade_row(1999)]


def write(path: Path, columns: tuple[str, ...], rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([list(columns), *rows])
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)


def write_tape(
    folder: Path,
    markets: list[list[str]] = MARKETS,
    trades: list[list[str]] = TRADES,
    wallets: list[list[str]] = WALLETS,
) -> Path:
    write(folder / MARKETS_FILE, MARKET_COLUMNS, markets)
    write(folder / TRADES_FILE, TRADE_COLUMNS, trades)
    write(folder / WALLETS_FILE, WALLET_COLUMNS, wallets)
    return folder


def refusal(folder: Path) -> TapeError:
    with pytest.raises(TapeError) as caught:
        load_tape(folder)
    return caught.value


def test_a_sound_folder_loads_with_every_value_in_place(tmp_path: Path) -> None:
    tape = load_tape(write_tape(tmp_path))

    first, _, sale, _ = tape.trades
    assert [wallet.name for wallet in tape.wallets] == ["alice", ""]
    assert tape.markets[0].title == 'Will it, or "not", 1?'
    assert tape.markets[0].token_ids == ("1002", "1003")
    assert (first.wallet, first.at_ns, first.token_id) == ("0x" + "a" * 40, 1000 * NS, "1002")
    assert (first.size_micro, first.price_micro, first.side) == (7_000_000, 350_000, "BUY")
    assert (sale.side, sale.condition_id) == ("SELL", tape.markets[1].condition_id)
    assert tape.resolutions[0].winning_token_id == "1003"
    assert (tape.start_ns, tape.end_ns) == (1000 * NS, 4000 * NS)


def test_a_neg_risk_market_is_told_from_a_plain_one(tmp_path: Path) -> None:
    markets = [market_row(1, 1000, 2000, neg_risk="1"), MARKETS[1]]
    tape = load_tape(write_tape(tmp_path, markets))
    assert [market.is_neg_risk for market in tape.markets] == [True, False]


@pytest.mark.parametrize("name", [MARKETS_FILE, TRADES_FILE, WALLETS_FILE])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write_tape(tmp_path) / name).unlink()
    error = refusal(tmp_path)
    assert (error.file, error.line) == (name, 0)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (MARKETS_FILE, MARKET_COLUMNS),
        (TRADES_FILE, TRADE_COLUMNS),
        (WALLETS_FILE, WALLET_COLUMNS),
    ],
)
def test_a_header_with_two_columns_swapped_is_refused(
    tmp_path: Path, name: str, columns: tuple[str, ...]
) -> None:
    write(write_tape(tmp_path) / name, (columns[1], columns[0], *columns[2:]), [])
    error = refusal(tmp_path)
    assert (error.file, error.line) == (name, 1)


def test_an_empty_file_has_no_header(tmp_path: Path) -> None:
    (write_tape(tmp_path) / WALLETS_FILE).write_bytes(b"")
    assert refusal(tmp_path).line == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price_micro": "0"}, "price 0"),
        ({"price_micro": "1000000"}, "price 1000000"),
        ({"price_micro": "65000000"}, "price 65000000"),
        ({"price_micro": "-350000"}, "price_micro '-350000'"),
        ({"price_micro": "0.35"}, "price_micro '0.35'"),
        ({"price_micro": "0350000"}, "price_micro '0350000'"),
        ({"size_micro": "0"}, "size 0"),
        ({"size_micro": "9" * 30}, "at most 18 digits"),
        ({"size_micro": ""}, "size_micro ''"),
        ({"market": "2"}, "market 2 is unknown"),
        ({"wallet": "2"}, "wallet 2 is unknown"),
        ({"wallet": "-1"}, "wallet '-1'"),
        ({"outcome": "2"}, "outcome 2 is unknown"),
        ({"side": "buy"}, "side 'buy'"),
        ({"tx_hash": "0x12"}, "tx hash"),
        ({"at_s": "2000"}, "outside the life"),
        ({"at_s": "1000"}, "not sorted"),
    ],
)
def test_a_wrong_trade_is_refused_with_its_line(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    error = refusal(write_tape(tmp_path, trades=[*TRADES[:3], trade_row(1999, **changes)]))
    assert (error.file, error.line) == (TRADES_FILE, 5)
    assert reason in error.reason


def test_a_trade_before_its_market_opens_is_refused(tmp_path: Path) -> None:
    error = refusal(write_tape(tmp_path, trades=[trade_row(1000), trade_row(1100, 1)]))
    assert (error.line, "outside the life" in error.reason) == (3, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"condition_id": "0x1"}, "condition id"),
        ({"condition_id": f"0x{1:064x}"}, "used twice"),
        ({"token0": "1002"}, "used twice"),
        ({"token1": "1004"}, "used twice"),
        ({"token0": "0x12"}, "token id"),
        ({"token0": ""}, "token id"),
        ({"outcome1": ""}, "must not be empty"),
        ({"outcome1": "Yes"}, "both outcomes"),
        ({"category": ""}, "must not be empty"),
        ({"fee_rate_micro": "1000000"}, "fee rate"),
        ({"tick_micro": "0"}, "tick 0"),
        ({"tick_micro": "30000"}, "tick 30000"),
        ({"min_size_micro": "0"}, "minimum size"),
        ({"winning_index": "2"}, "winning_index 2"),
        ({"winning_index": ""}, "winning_index ''"),
        ({"neg_risk": "2"}, "neg_risk 2"),
        ({"resolves_at_s": "1200"}, "resolves before it opens"),
        ({"opens_at_s": "999"}, "not sorted"),
    ],
)
def test_a_wrong_market_is_refused_with_its_line(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    markets = [MARKETS[0], market_row(2, 1200, 4000, **changes)]
    error = refusal(write_tape(tmp_path, markets))
    assert (error.file, error.line) == (MARKETS_FILE, 3)
    assert reason in error.reason


def test_a_market_without_a_trade_is_refused(tmp_path: Path) -> None:
    error = refusal(write_tape(tmp_path, trades=TRADES[:2]))
    assert (error.file, error.line) == (MARKETS_FILE, 3)


@pytest.mark.parametrize("rows", [[WALLETS[0], WALLETS[0]], [WALLETS[0], ["0xBB", "bob"]]])
def test_a_wallet_that_is_listed_twice_or_malformed_is_refused(
    tmp_path: Path, rows: list[list[str]]
) -> None:
    error = refusal(write_tape(tmp_path, wallets=rows))
    assert (error.file, error.line) == (WALLETS_FILE, 3)


def test_a_row_with_a_field_too_few_is_refused(tmp_path: Path) -> None:
    error = refusal(write_tape(tmp_path, trades=[TRADES[0], TRADES[1][:-1]]))
    assert (error.file, error.line) == (TRADES_FILE, 3)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = write_tape(tmp_path) / TRADES_FILE
    path.write_bytes(path.read_bytes()[:-9])
    assert refusal(tmp_path).file == TRADES_FILE


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    (write_tape(tmp_path) / MARKETS_FILE).write_text("condition_id,slug\n")
    assert refusal(tmp_path).file == MARKETS_FILE


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (write_tape(tmp_path) / WALLETS_FILE).write_bytes(b"address,name\n\xff\xfe,x\n")
    assert "UTF-8" in refusal(tmp_path).reason


def test_an_open_quote_is_refused(tmp_path: Path) -> None:
    (write_tape(tmp_path) / WALLETS_FILE).write_bytes(b'address,name\n"0xaa')
    assert "CSV" in refusal(tmp_path).reason


def test_equal_fills_of_one_transaction_get_ids_of_their_own(tmp_path: Path) -> None:
    first, second, *_ = load_tape(write_tape(tmp_path)).trades
    assert first.id != second.id
    assert (first.wallet, first.at_ns, first.tx_hash) == (
        second.wallet,
        second.at_ns,
        second.tx_hash,
    )


def test_ids_depend_on_content_and_not_on_positions(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "part").mkdir()
    full = load_tape(write_tape(tmp_path / "full"))
    # The second market alone, the other wallet first: every index in the file differs.
    moved = [trade_row(1250, 0, side="SELL", wallet="1")]
    part = load_tape(write_tape(tmp_path / "part", [MARKETS[1]], moved, WALLETS[::-1]))
    assert part.trades[0].id == full.trades[2].id


@pytest.mark.parametrize(
    "changes",
    [
        {"wallet": "1"},
        {"outcome": "1"},
        {"side": "SELL"},
        {"size_micro": "7000001"},
        {"price_micro": "350001"},
        {"tx_hash": "0x" + "2" * 64},
        {"at_s": "1001"},
    ],
)
def test_any_change_of_content_changes_the_id(tmp_path: Path, changes: dict[str, str]) -> None:
    trades = [TRADES[0], trade_row(1000, **changes), TRADES[2]]
    first, second, _ = load_tape(write_tape(tmp_path, trades=trades)).trades
    assert first.id != second.id
    assert len(second.id) == 32


def test_windows_hold_everything_once_and_skip_the_empty_ones(tmp_path: Path) -> None:
    tape = load_tape(write_tape(tmp_path))
    windows = list(tape.windows(100))

    assert [window.start_ns // NS for window in windows] == [1000, 1200, 1900, 2000, 4000]
    assert all(window.end_ns - window.start_ns == 100 * NS for window in windows)
    assert [len(window.trades) for window in windows] == [2, 1, 1, 0, 0]
    assert [len(window.markets) for window in windows] == [1, 1, 0, 0, 0]
    assert [r.condition_id for window in windows for r in window.resolutions] == [
        market.condition_id for market in tape.markets
    ]
    assert_holds_everything(tape, windows)


@pytest.mark.parametrize("bucket_s", [1, 7, 300, 10_000])
def test_no_width_of_window_loses_or_reorders_a_trade(tmp_path: Path, bucket_s: int) -> None:
    tape = load_tape(write_tape(tmp_path))
    assert_holds_everything(tape, list(tape.windows(bucket_s)))


def test_a_bucket_boundary_belongs_to_the_later_window(tmp_path: Path) -> None:
    trades = [trade_row(1000), trade_row(1199), trade_row(1200, 1)]
    windows = list(load_tape(write_tape(tmp_path, trades=trades)).windows(600))
    assert [[trade.at_ns // NS for trade in window.trades] for window in windows[:2]] == [
        [1000, 1199],
        [1200],
    ]


@pytest.mark.parametrize("bucket_s", [0, -60])
def test_a_bucket_without_width_is_refused(tmp_path: Path, bucket_s: int) -> None:
    tape = load_tape(write_tape(tmp_path))
    with pytest.raises(ValueError, match="bucket"):
        next(tape.windows(bucket_s))


def test_a_slice_takes_only_markets_that_lie_wholly_inside(tmp_path: Path) -> None:
    tape = load_tape(write_tape(tmp_path))

    early = tape.between(1000 * NS, 2001 * NS)
    assert [market.slug for market in early.markets] == ["market-1"]
    assert early.trades == tuple(t for t in tape.trades if t.token_id == "1002")
    assert [wallet.name for wallet in early.wallets] == ["alice"]
    assert len(early.resolutions) == 1
    assert tape.between(1000 * NS, 2000 * NS).markets == ()
    assert [m.slug for m in tape.between(1001 * NS, 9000 * NS).markets] == ["market-2"]
    assert tape.between(0, 9000 * NS).trades == tape.trades


def test_an_empty_slice_has_no_windows(tmp_path: Path) -> None:
    empty = load_tape(write_tape(tmp_path)).between(0, 1)
    assert list(empty.windows(60)) == []
    assert (empty.start_ns, empty.end_ns) == (0, 0)


def assert_holds_everything(tape: Tape, windows: list[Window]) -> None:
    assert tuple(trade for window in windows for trade in window.trades) == tape.trades
    assert tuple(market for window in windows for market in window.markets) == tape.markets
    assert tuple(end for window in windows for end in window.resolutions) == tape.resolutions
    assert all(a.end_ns <= b.start_ns for a, b in pairwise(windows))
    for window in windows:
        for trade in window.trades:
            assert window.start_ns <= trade.at_ns < window.end_ns
