"""Which folders are refused, and that everything wrong is told at once."""

from pathlib import Path

import pytest
from pyarrow import parquet

from tests.unit.lab.evidence.folder import Folder
from whaletrader.lab.evidence.layout import LayoutError, read_inputs


def one_trade() -> Folder:
    folder = Folder()
    folder.trade(folder.wallet("ann"), folder.market("rain"), 0, 0.4)
    return folder


def problems(folder: Path) -> list[str]:
    with pytest.raises(LayoutError) as refused:
        read_inputs(folder)
    assert "docs/evidence.md" in str(refused.value)
    return refused.value.problems


def test_a_folder_in_the_layout_is_read_with_the_hashes_of_its_files(tmp_path: Path) -> None:
    inputs = read_inputs(one_trade().write(tmp_path))
    assert [file.rows for file in inputs.files] == [1, 1, 1]
    assert all(len(file.sha256) == 64 for file in inputs.files)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path / "nowhere") == ["there is no such folder"]


def test_every_missing_file_column_and_type_is_told_at_once(tmp_path: Path) -> None:
    one_trade().write(tmp_path)
    (tmp_path / "wallets.parquet").unlink()
    (tmp_path / "resolutions.parquet").write_text("no parquet")
    table = parquet.read_table(tmp_path / "activity.parquet").drop_columns(["usdcSize"])
    place = table.schema.get_field_index("timestamp")
    table = table.set_column(place, "timestamp", table["timestamp"].cast("string"))
    parquet.write_table(table, tmp_path / "activity.parquet")
    told = problems(tmp_path)
    assert len(told) == 4
    for words in (
        "usdcSize (number) is missing",
        "timestamp (whole number) holds string",
        "wallets.parquet: the file is missing",
        "resolutions.parquet: not readable",
    ):
        assert any(words in problem for problem in told), words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "GIFT"}, "type is none of"),
        ({"side": "HOLD"}, "side is neither"),
        ({"outcomeIndex": 2}, "outcomeIndex is neither"),
        ({"price": 65.0}, "price is not between"),
        ({"size": -1.0}, "size is negative"),
        ({"size": 0.0}, "less than a millionth of a share"),
        ({"type": "CONVERSION", "eventSlug": ""}, "CONVERSION without eventSlug"),
        ({"type": "MERGE", "conditionId": ""}, "REDEEM without conditionId"),
        ({"timestamp": None}, "timestamp is missing"),
        ({"usdcSize": float("nan")}, "usdcSize negative or missing"),
        ({"timestamp": 1_764_547_200_000}, "seconds are meant"),
        ({"usdcSize": float("inf")}, "infinite or above 1e12"),
        ({"size": 1e13}, "infinite or above 1e12"),
        ({"type": "REDEEM"}, "holds no row of type TRADE"),
        ({"proxyWallet": "0xstranger"}, "lacks 1 wallets"),
        ({"conditionId": "0xelsewhere"}, "lacks 1 traded markets"),
    ],
)
def test_a_row_that_cannot_be_is_told(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    folder = one_trade()
    folder.activity[0].update(changes)
    told = problems(folder.write(tmp_path))
    assert any(words in problem for problem in told), told


def test_a_known_result_needs_a_winner(tmp_path: Path) -> None:
    folder = one_trade()
    next(iter(folder.markets.values()))["winning_outcome_index"] = None
    assert any("winning_outcome_index" in problem for problem in problems(folder.write(tmp_path)))


def test_what_a_traded_market_lacks_is_told(tmp_path: Path) -> None:
    folder = one_trade()
    next(iter(folder.markets.values())).update(last_trade_ts=None, last_price_outcome0=None)
    told = problems(folder.write(tmp_path))
    assert [problem.split(" missing")[0].split()[-1] for problem in told] == [
        "last_price_outcome0",
        "last_trade_ts",
    ]


def test_a_market_that_nobody_traded_needs_no_price(tmp_path: Path) -> None:
    folder = one_trade()
    folder.market("snow", last_trade_ts=None, last_price_outcome0=None)
    assert read_inputs(folder.write(tmp_path)).files[2].rows == 2


def test_an_empty_activity_is_told(tmp_path: Path) -> None:
    folder = one_trade()
    folder.activity.clear()
    assert problems(folder.write(tmp_path)) == ["activity.parquet: holds no rows"]
