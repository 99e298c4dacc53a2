"""When an edge changed: planted falls are told, steady wallets are not."""

from pathlib import Path

import numpy as np

from tests.unit.lab.evidence.folder import START_S, Folder
from tests.unit.lab.evidence.test_record import DAY_S, bettor
from whaletrader.lab.evidence.description import Turns
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.markets import market_table, trade_table
from whaletrader.lab.evidence.turning import MARKETS_MIN, turns_of


def turns(folder: Folder, path: Path) -> dict[str, Turns]:
    inputs = read_inputs(folder.write(path))
    wallets = sorted(inputs.wallets["proxyWallet"])
    markets = market_table(inputs)
    found = turns_of(trade_table(inputs, markets, wallets), markets)
    names = {row["proxyWallet"]: str(row["pseudonym"]) for row in folder.wallets.values()}
    return {names[wallets[code]]: told for code, told in found.items()}


def test_an_edge_that_ends_is_told_by_every_detector_and_in_hindsight(tmp_path: Path) -> None:
    folder = Folder()
    lucky, unlucky = [True] * 9 + [False], [False] * 9 + [True]
    bettor(folder, "ann", lucky * 6 + unlucky * 6)
    told = turns(folder, tmp_path)["ann"]
    fell = np.datetime64("1970-01-01") + np.timedelta64(START_S // DAY_S + 60, "D")
    assert told.markets == 120
    assert len(told.breaks) == 1
    assert abs((np.datetime64(told.breaks[0]) - fell).astype(int)) <= 2
    assert told.sup_f is not None
    assert told.sup_f > 50
    for day in (told.cusum, told.page_hinkley, told.adwin):
        assert day is not None
        assert 0 <= (np.datetime64(day) - fell).astype(int) <= 30


def test_a_steady_wallet_has_no_turns_and_a_short_one_is_not_asked(tmp_path: Path) -> None:
    folder = Folder()
    bettor(folder, "steady", [place % 2 == 0 for place in range(80)])
    bettor(folder, "short", [True] * (MARKETS_MIN - 1), number=1)
    told = turns(folder, tmp_path)
    assert set(told) == {"steady"}
    assert told["steady"].breaks == []
    assert (told["steady"].cusum, told["steady"].adwin) == (None, None)
