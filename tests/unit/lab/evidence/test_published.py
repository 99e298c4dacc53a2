"""The ledger against published profit: on a real excerpt, and each kind of explanation."""

from pathlib import Path

import pytest

from tests.unit.lab.evidence.folder import Folder
from whaletrader.lab.evidence.books import build_books
from whaletrader.lab.evidence.evidence import Comparison
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.overview import names_of
from whaletrader.lab.evidence.published import Published, compare
from whaletrader.lab.evidence.scope import board_of, category_of, counts_for

EXCERPT = Path(__file__).resolve().parents[3] / "resources" / "wallet-activity"


def compared(folder: Path) -> dict[str, Comparison]:
    inputs = read_inputs(folder)
    books = build_books(inputs, 30, lambda done, of: None)
    names = names_of(inputs)
    return {
        row["proxyWallet"]: compare(
            Published(
                row["proxyWallet"],
                row["published_pnl_usd"],
                row["published_source"],
                bool(row["history_capped"]),
            ),
            books,
            names,
        )
        for row in inputs.wallets.to_dict("records")
    }


def one_wallet(folder: Folder, path: Path, **published: object) -> Comparison:
    """The first wallet of the folder against what was published of it."""
    first = next(iter(folder.wallets))
    folder.wallets[first].update(published)
    for other in list(folder.wallets)[1:]:
        folder.wallets[other].update(published_pnl_usd=0.0, published_source="")
    return compared(folder.write(path))[first]


def test_real_wallets_come_out_as_published() -> None:
    found = compared(EXCERPT)
    assert len(found) == 6
    assert sum(comparison.matches for comparison in found.values()) == 5
    worst = max(abs(c.difference / c.published) for c in found.values() if c.matches)
    assert worst < 0.0005


def test_a_real_miss_is_traced_to_the_market_on_the_other_side_of_the_border() -> None:
    (miss,) = [comparison for comparison in compared(EXCERPT).values() if not comparison.matches]
    assert "will-elon-tweet-less-than-450-times" in miss.explanation
    assert "11 from the published figure" in miss.explanation


def test_a_real_conversion_is_no_cash() -> None:
    converter = "0xaaab8bf3bd469688d5e09bffeae8f8bf780a8eb2"
    assert compared(EXCERPT)[converter].difference == pytest.approx(-8, abs=1)


def trader(path: Path, **published: object) -> Comparison:
    """A wallet that made 600 dollars with elections and 5,000 with bitcoin."""
    folder = Folder()
    wallet = folder.wallet("ann")
    for slug, size in (("presidential-election-x", 1_000.0), ("bitcoin-above-90k", 10_000.0)):
        market = folder.market(slug)
        price = 0.4 if "election" in slug else 0.5
        folder.trade(wallet, market, 0, price, size=size)
        folder.row(wallet, market, "REDEEM", 60, size=size, usdcSize=size)
    folder.row(wallet, "", "REWARD", 70, size=900.0, usdcSize=900.0)
    return one_wallet(folder, path, **published)


def test_a_topics_figure_is_held_against_that_topic(tmp_path: Path) -> None:
    found = trader(tmp_path, published_pnl_usd=5_010.0, published_source="crypto leaderboard")
    assert (found.board, found.computed, found.matches) == ("crypto", 5_000.0, True)
    assert "crypto markets only" in found.explanation


def test_rewards_that_close_the_gap_are_named(tmp_path: Path) -> None:
    found = trader(tmp_path, published_pnl_usd=6_500.0, published_source="main leaderboard")
    assert not found.matches
    assert "Rewards and yield of 900" in found.explanation


def test_a_cut_history_is_not_compared(tmp_path: Path) -> None:
    found = trader(
        tmp_path, published_pnl_usd=5_600.0, published_source="seeds", history_capped=True
    )
    assert (found.is_compared, found.matches) == (False, False)


def test_a_round_undated_figure_is_looked_for_in_the_wallets_past(tmp_path: Path) -> None:
    found = trader(tmp_path, published_pnl_usd=4_000.0, published_source="seed list")
    assert "rounded to thousands" in found.explanation
    assert "The books pass it on 2025-12-01" in found.explanation


def test_a_figure_beyond_the_record_is_said_to_be(tmp_path: Path) -> None:
    found = trader(tmp_path, published_pnl_usd=90_000.0, published_source="seed list")
    assert "never stand above" in found.explanation


def test_open_positions_that_could_close_the_gap_are_named(tmp_path: Path) -> None:
    folder = Folder()
    wallet = folder.wallet("ann")
    market = folder.market("rain", winner=None)
    folder.trade(wallet, market, 0, 0.1, size=10_000.0)
    folder.trade(folder.wallet("ben"), market, 60, 0.5, size=1.0)
    found = one_wallet(
        folder, tmp_path, published_pnl_usd=5_000.0, published_source="main leaderboard"
    )
    assert "depends on the price of 1 open positions" in found.explanation


def test_what_nothing_explains_is_said_to_be_unexplained(tmp_path: Path) -> None:
    found = trader(tmp_path, published_pnl_usd=90_000.0, published_source="main leaderboard")
    assert found.explanation == "Not explained by anything in these rows."


@pytest.mark.parametrize(
    ("source", "board"),
    [
        ("politics leaderboard", "politics"),
        ("Crypto Leaderboard", "crypto"),
        ("main leaderboard", ""),
        ("repo seed list", ""),
        ("", ""),
    ],
)
def test_the_board_is_read_off_the_source(source: str, board: str) -> None:
    assert board_of(source) == board


def test_a_coins_window_is_crypto_and_a_coin_fund_is_finance_too() -> None:
    assert category_of("x", "bitcoin-up-or-down-on-january-11") == "crypto"
    fund = "ethereum-etf-approved-by-may-31"
    category = category_of(fund, fund)
    assert counts_for("finance", category, fund)
    assert counts_for("crypto", category, fund)
    assert not counts_for("politics", category, fund)
