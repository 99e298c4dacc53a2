"""The builder as a whole: what it chooses from a folder, what it refuses, the bytes it writes."""

import random
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from tests.unit.lab.sample_folder import BOB, DAY_S, START_S, Folder
from whaletrader.lab.sample.__main__ import build, main
from whaletrader.lab.sample.report import SampleReport
from whaletrader.lab.sample.selection import SampleRules
from whaletrader.lab.sample.source import SourceError
from whaletrader.lab.sample.tokens import (
    NEG_RISK_WRAPPED,
    USDC_E,
    TokenMismatch,
    token_id,
)
from whaletrader.services.feeds.tape import Tape, load_tape

NS = 1_000_000_000
RULES = SampleRules(from_s=START_S, to_s=START_S + 90 * DAY_S, trades_enough=1000)
FILES = ("ATTRIBUTION.md", "markets.csv.gz", "trades.csv.gz", "wallets.csv")


def built(folder: Folder, path: Path, rules: SampleRules = RULES) -> tuple[SampleReport, Tape]:
    report = build(folder.write(path / "in"), path / "out", rules)
    return report, load_tape(path / "out")


def two_markets() -> Folder:
    folder = Folder()
    folder.simple(1)
    folder.simple(2, proxyWallet=BOB, outcomeIndex=1, side="BUY")
    return folder


def test_values_of_the_source_arrive_as_micro_units(tmp_path: Path) -> None:
    folder = Folder()
    folder.simple(1, size=2460.9375, price=0.4980750395, usdcSize=1250.0)
    report, tape = built(folder, tmp_path)

    (trade,) = tape.trades
    assert (trade.size_micro, trade.price_micro) == (2_460_937_500, 498_075)
    assert trade.at_ns == (START_S + 1) * NS
    assert tape.markets[0].opens_at_ns == trade.at_ns
    assert tape.markets[0].outcomes == ("Yes", "No")
    assert tape.resolutions[0].at_ns == (START_S + 1 + DAY_S) * NS
    assert report.usdc_deviations == 1


def test_names_are_brought_to_one_line(tmp_path: Path) -> None:
    _, tape = built(two_markets(), tmp_path)
    assert [wallet.name for wallet in tape.wallets] == ["alice, the first", ""]


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    data = two_markets().write(tmp_path / "in")
    build(data, tmp_path / "one", RULES)
    build(data, tmp_path / "two", RULES)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_order_of_rows_in_the_source_does_not_matter(tmp_path: Path) -> None:
    folder = Folder()
    for number in range(1, 12):
        condition = folder.simple(number)
        folder.trade(condition, START_S + number, transactionHash="0x" + "7" * 64)
        folder.trade(condition, START_S + number, transactionHash="0x" + "7" * 64, size=3.0)
    build(folder.write(tmp_path / "a"), tmp_path / "one", RULES)
    random.Random(7).shuffle(folder.activity)
    random.Random(8).shuffle(folder.resolutions)
    build(folder.write(tmp_path / "b"), tmp_path / "two", RULES)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_who_won_changes_nothing_but_the_winner(tmp_path: Path) -> None:
    folder = Folder()
    for number in range(1, 21):
        folder.simple(number)
    rules = SampleRules(from_s=RULES.from_s, to_s=RULES.to_s, trades_enough=9)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, won = built(folder, tmp_path / "a", rules)
    for row in folder.resolutions:
        row["winning_outcome_index"] = 1
    _, lost = built(folder, tmp_path / "b", rules)

    assert won.markets == lost.markets
    assert won.trades == lost.trades
    assert [(r.condition_id, r.at_ns) for r in won.resolutions] == [
        (r.condition_id, r.at_ns) for r in lost.resolutions
    ]
    assert {r.winning_index for r in lost.resolutions} == {1}


def test_the_draw_takes_whole_markets_and_stops_when_there_are_enough(tmp_path: Path) -> None:
    folder = Folder()
    for number in range(1, 21):
        condition = folder.simple(number)
        folder.trade(condition, START_S + 500)
    rules = SampleRules(from_s=RULES.from_s, to_s=RULES.to_s, trades_enough=7)
    report, tape = built(folder, tmp_path, rules)
    assert (report.trades, report.markets) == (8, 4)
    assert report.left_out == {"not drawn (enough trades)": (16, 32)}
    # Not the first four by number: the order is a hash's.
    assert [int(market.condition_id, 16) for market in tape.markets] != [1, 2, 3, 4]


def refused_market(name: str) -> Folder:
    """Folder with two sound markets and a third one with the fault that is named."""
    folder = two_markets()
    condition = folder.market(3)
    trade = folder.trade(condition, START_S + 50)
    folder.row(condition, "REDEEM", START_S + DAY_S)
    if name == "early":
        trade["timestamp"] = START_S - 1
    elif name == "late":
        folder.trade(condition, RULES.to_s)
    elif name == "unknown":
        folder.resolutions[-1].update(basis="unknown", winning_outcome_index=None)
    elif name == "undated":
        folder.activity.pop()
    elif name == "redeemed late":
        folder.activity[-1]["timestamp"] = RULES.to_s
    elif name in ("SPLIT", "MERGE"):
        folder.row(condition, name, START_S + 60, proxyWallet=BOB)
    elif name == "CONVERSION":
        folder.row("0x" + "9" * 64, name, START_S + 60, eventSlug=trade["eventSlug"])
    elif name == "short":
        folder.trade(condition, START_S + 60, "SELL", size=10.01)
    elif name == "short for a while":
        folder.trade(condition, START_S + 40, "SELL")
    elif name == "edge":
        trade["price"] = 0.9999999
    elif name == "dust":
        trade["size"] = 0.0000001
    return folder


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("early", "first trade before the window"),
        ("late", "last trade after the window"),
        ("unknown", "result not known"),
        ("undated", "nothing says when it resolved"),
        ("redeemed late", "resolved after the window"),
        ("SPLIT", "has SPLIT or MERGE rows"),
        ("MERGE", "has SPLIT or MERGE rows"),
        ("CONVERSION", "its event has CONVERSION rows"),
        ("short", "a wallet sells more than it bought"),
        ("short for a while", "a wallet sells more than it bought"),
        ("edge", "a price or size rounds to the edge"),
        ("dust", "a price or size rounds to the edge"),
    ],
)
def test_a_market_that_breaks_a_rule_is_left_out_and_counted(
    tmp_path: Path, fault: str, reason: str
) -> None:
    report, tape = built(refused_market(fault), tmp_path)
    assert sorted(int(market.condition_id, 16) for market in tape.markets) == [1, 2]
    assert list(report.left_out) == [reason]
    assert reason in (tmp_path / "out" / "ATTRIBUTION.md").read_text()


def test_a_sale_of_all_that_was_bought_is_kept(tmp_path: Path) -> None:
    folder = refused_market("none")
    # In the same second as the purchase: their order is not known, so it is not a short sale.
    folder.trade(f"0x{3:064x}", START_S + 50, "SELL", size=10.0)
    report, _ = built(folder, tmp_path)
    assert (report.markets, report.trades) == (3, 4)


def test_a_redemption_before_the_last_trade_moves_the_resolution(tmp_path: Path) -> None:
    folder = Folder()
    condition = folder.simple(1)
    folder.trade(condition, START_S + 2 * DAY_S)
    _, tape = built(folder, tmp_path)
    assert len(tape.trades) == 2
    assert tape.resolutions[0].at_ns == (START_S + 2 * DAY_S + 1) * NS


def test_rows_equal_in_everything_stay_separate_fills(tmp_path: Path) -> None:
    folder = Folder()
    condition = folder.simple(1, transactionHash="0x" + "5" * 64)
    folder.trade(condition, START_S + 1, transactionHash="0x" + "5" * 64)
    _, tape = built(folder, tmp_path)
    first, second = tape.trades
    assert first.id != second.id


def test_neg_risk_is_read_off_the_collateral_of_the_token(tmp_path: Path) -> None:
    folder = two_markets()
    condition = f"0x{1:064x}"
    folder.activity[0]["asset"] = token_id(NEG_RISK_WRAPPED, condition, 0)
    report, tape = built(folder, tmp_path)
    wrapped = next(market for market in tape.markets if market.condition_id == condition)
    assert wrapped.is_neg_risk
    assert wrapped.token_ids[1] == token_id(NEG_RISK_WRAPPED, condition, 1)
    assert report.neg_risk_markets == 1


@pytest.mark.parametrize(
    "token", ["12345", token_id(USDC_E, f"0x{1:064x}", 1), token_id(USDC_E, f"0x{2:064x}", 0)]
)
def test_a_token_of_another_market_or_outcome_stops_the_build(tmp_path: Path, token: str) -> None:
    folder = two_markets()
    folder.activity[0]["asset"] = token
    with pytest.raises(TokenMismatch):
        built(folder, tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_market_with_two_tokens_for_one_outcome_stops_the_build(tmp_path: Path) -> None:
    folder = Folder()
    condition = folder.simple(1)
    folder.trade(condition, START_S + 5)["asset"] = token_id(NEG_RISK_WRAPPED, condition, 0)
    with pytest.raises(ValueError, match=r"not its own|not this condition"):
        built(folder, tmp_path)


def test_profit_counts_todays_fee_on_every_fill(tmp_path: Path) -> None:
    folder = Folder()
    # Alice: 10 shares at 0.999 that pay 1, so 0.01 before fees. "other" pays 0.05 x p x (1 - p):
    # 10 x 0.05 x 0.000999 = 0.0005 each time, twice over the margin when traded back and forth.
    condition = folder.simple(1, price=0.9995, usdcSize=9.995)
    for turn in range(20):
        folder.trade(condition, START_S + 10 + turn, ("SELL", "BUY")[turn % 2], price=0.9995)
    # Bob loses either way.
    folder.trade(condition, START_S + 60, proxyWallet=BOB, outcomeIndex=1, price=0.5)
    report, _ = built(folder, tmp_path)
    assert report.wallets_in_profit_before_fees == 1
    assert report.wallets_in_profit_after_fees == 0
    assert report.wallets_in_loss_after_fees == 2


@pytest.mark.parametrize("name", ["activity.parquet", "wallets.parquet", "resolutions.parquet"])
def test_a_folder_without_a_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (two_markets().write(tmp_path / "in") / name).unlink()
    with pytest.raises(SourceError, match=name):
        build(tmp_path / "in", tmp_path / "out", RULES)
    assert not (tmp_path / "out").exists()


def test_every_missing_thing_is_named_at_once(tmp_path: Path) -> None:
    data = two_markets().write(tmp_path / "in")
    parquet.write_table(pa.table({"proxyWallet": ["0x"]}), data / "wallets.parquet")
    (data / "resolutions.parquet").write_text("not parquet at all")
    (data / "activity.parquet").unlink()
    with pytest.raises(SourceError) as refused:
        build(data, tmp_path / "out", RULES)
    for part in ("activity.parquet", "wallets.parquet: column name", "resolutions.parquet (not"):
        assert part in str(refused.value)


def test_the_command_refuses_an_empty_folder_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "activity.parquet" in capsys.readouterr().err


def test_a_folder_where_nothing_fits_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder()
    folder.simple(1, timestamp=5)
    data = folder.write(tmp_path / "in")
    assert main(["--data", str(data), "--out", str(tmp_path / "out")]) == 2
    assert "no market fits" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_prints_the_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = two_markets().write(tmp_path / "in")
    assert main(["--data", str(data), "--out", str(tmp_path / "out")]) == 0
    assert '"trades": 2' in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
