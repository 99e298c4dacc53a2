"""The wallets among each other: what was planted is found, and chance is not."""

from pathlib import Path

import pytest

from tests.unit.lab.evidence.folder import HOUR_S, Folder, universe
from tests.unit.lab.evidence.test_record import DAY_S, WON, bettor, window_slug
from whaletrader.lab.evidence import StudyOptions
from whaletrader.lab.evidence.evidence import Evidence
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.report.crowd import crowd as crowd_words
from whaletrader.lab.evidence.report.crowd import track_records
from whaletrader.lab.evidence.run import study

QUICK = StudyOptions(draws=200)


def studied(folder: Folder, path: Path) -> Evidence:
    return study(read_inputs(folder.write(path)), QUICK, lambda _stage, _done, _of: None)


def names(evidence: Evidence, wallets: list[str]) -> set[str]:
    called = {row.wallet: row.name for row in evidence.wallets}
    return {called[wallet] for wallet in wallets}


def test_planted_skill_passes_every_correction_and_its_absence_none(tmp_path: Path) -> None:
    skilled = studied(universe(wallets=20, markets=40, skill=0.3, skilled=10), tmp_path / "a")
    passing = {one.name: one.passing for one in skilled.crowd.corrections}
    assert passing["Bonferroni"] >= 5
    assert passing["Bonferroni"] <= passing["Holm"] <= passing["Benjamini-Hochberg"]
    assert passing["Benjamini-Yekutieli"] <= passing["Benjamini-Hochberg"] <= passing["none"]
    fair = studied(universe(wallets=12, markets=24, skill=0.0), tmp_path / "b")
    assert {one.name: one.passing for one in fair.crowd.corrections}["Bonferroni"] == 0


def test_the_ranking_is_held_against_each_third_of_what_followed(tmp_path: Path) -> None:
    found = studied(universe(wallets=20, markets=40, skill=0.3, skilled=10), tmp_path).crowd.fading
    assert found is not None
    assert found.wallets == 20
    assert found.horizon_days == sorted(found.horizon_days)
    assert all(ic is not None and ic > 0.2 for ic in found.information_coefficient)


def test_the_best_of_all_is_named_and_held_against_chance(tmp_path: Path) -> None:
    folder = Folder()
    bettor(folder, "ann", WON * 3)
    bettor(folder, "bob", [not won for won in WON * 3], number=1)
    best = studied(folder, tmp_path).crowd.best_of_all
    assert best is not None
    assert best.best == next(
        key for key, row in folder.wallets.items() if row["pseudonym"] == "ann"
    )
    assert (best.wallets, best.days) == (2, 36)
    assert 0 < best.spa_p_lower <= best.spa_p <= best.spa_p_upper <= 1
    assert 0 < best.reality_check_p <= 1


def test_wallets_in_the_same_markets_move_together_and_are_told(tmp_path: Path) -> None:
    folder = Folder()
    bettor(folder, "ann", WON * 6)
    twin = folder.wallet("twin")
    for day in range(len(WON) * 6):
        condition = "0x" + window_slug(day).encode().hex()[-64:].rjust(64, "0")
        folder.trade(twin, condition, day * DAY_S + 2 * HOUR_S, 0.5)
    stranger = folder.wallet("stranger")
    for day in range(72):
        condition = folder.market(window_slug(day, 1), day % 2)
        folder.trade(stranger, condition, day * DAY_S + HOUR_S, 0.4)
    found = studied(folder, tmp_path)
    assert found.crowd.pairs_tested == 3
    assert [names(found, [one.first, one.second]) for one in found.crowd.shared_markets] == [
        {"ann", "twin"}
    ]
    assert found.crowd.shared_markets[0].jaccard == 1.0
    assert [names(found, group) for group in found.crowd.moving_together] == [{"ann", "twin"}]
    closest = found.crowd.closest
    assert closest is not None
    assert names(found, [closest.first, closest.second]) == {"ann", "twin"}
    assert closest.scale_days == [8, 16]
    assert closest.coefficients == pytest.approx([1.0, 1.0])
    assert closest.hurst is not None
    assert closest.correlation == pytest.approx(1.0)
    words = crowd_words(found)
    assert "1 of 3 pairs" in words
    assert "+1.00 over 8, +1.00 over 16 days" in words
    assert "ann" in track_records(found)


@pytest.mark.parametrize(("gap", "is_churn"), [(0.0, True), (0.05, False)])
def test_round_trips_that_only_pay_fees_are_churn(
    tmp_path: Path, gap: float, is_churn: bool
) -> None:
    folder = Folder()
    wallet = folder.wallet("busy")
    for market in range(8):
        condition = folder.market(window_slug(market), market % 2)
        for trip in range(6):
            at_s = market * DAY_S + trip * 600
            folder.trade(wallet, condition, at_s, 0.5)
            # A hair up, a hair down: no gain that a fee of 1.75 cents could be meant for.
            price = 0.5 + gap + (0.001 if trip % 2 else -0.001)
            folder.trade(wallet, condition, at_s + 60, price, side="SELL")
    assert bool(studied(folder, tmp_path).crowd.churning) is is_churn
