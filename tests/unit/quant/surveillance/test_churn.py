"""Churn: round trips by hand, and who is left alone."""

import numpy as np
import pytest

from whaletrader.quant.surveillance.churn import Trades, WalletChurn, find_churn

Row = tuple[int, int, float, float, float, float]


def judged(rows: list[Row]) -> list[WalletChurn]:
    table = np.array(rows, dtype=float).reshape(-1, 6)
    owner, token = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return find_churn(Trades(owner, token, *(table[:, column] for column in range(2, 6))))


def trips(
    count: int, gain: float = 0.0, *, tokens: int = 5, hold_s: float = 60.0, noise: float = 0.0
) -> list[Row]:
    chance = np.random.default_rng(1)
    rows: list[Row] = []
    for number in range(count):
        at, token = 1_000.0 * number, number % tokens
        out = 0.5 * (1 + gain + noise * float(chance.normal()))
        rows += [(1, token, 100.0, 0.5, 0.5, at), (1, token, -100.0, out, 0.5, at + hold_s)]
    return rows


def test_a_round_trip_by_hand() -> None:
    # 100 at 0.50, out 60 at 0.60 and 40 at 0.40: gains 6 and -4 on 50 dollars; fees 2 in all.
    rows = [(3, 0, 100.0, 0.5, 1.0, 0.0), (3, 0, -60.0, 0.6, 0.6, 100.0)]
    rows.append((3, 0, -40.0, 0.4, 0.4, 300.0))
    [found] = judged(rows)
    assert (found.wallet, found.trips, found.hold_s) == (3, 2, 200.0)
    assert found.gross_mean == pytest.approx(2 / 50)
    assert found.fee_mean == pytest.approx(2 / 50)
    assert found.trip_share == pytest.approx(1.0)
    assert found.gross_upper == float("inf"), "one market says nothing about chance"


def test_a_short_sale_bought_back_is_a_round_trip_and_so_is_turning_over() -> None:
    rows = [(3, 0, -10.0, 0.6, 0.0, 0.0), (3, 0, 25.0, 0.5, 0.0, 50.0)]
    rows.append((3, 0, -15.0, 0.5, 0.0, 90.0))
    [found] = judged(rows)
    assert found.trips == 2
    assert found.gross_mean == pytest.approx(1.0 / (6.0 + 7.5))


def test_first_in_is_first_out() -> None:
    rows = [(3, 0, 10.0, 0.2, 0.0, 0.0), (3, 0, 10.0, 0.8, 0.0, 1.0)]
    [found] = judged([*rows, (3, 0, -10.0, 0.5, 0.0, 2.0)])
    assert found.gross_mean == pytest.approx((0.5 - 0.2) / 0.2)


def test_out_and_in_for_nothing_is_churn() -> None:
    [found] = judged(trips(40))
    assert found.is_churn
    assert found.fee_mean == pytest.approx(0.02)


@pytest.mark.parametrize(
    "rows",
    [
        trips(29),  # too few
        trips(40, gain=0.03),  # earns more than the fee
        trips(40, gain=-0.03),  # loses more than the fee
        trips(40, tokens=2),  # two markets are no sample
        trips(40, hold_s=3_700.0),  # holds
        trips(40, noise=0.3),  # may have hoped for more
        [*trips(40), *[(1, 9, 2_000.0, 0.5, 1.0, float(n)) for n in range(10)]],  # has positions
    ],
)
def test_each_reason_to_be_left_alone(rows: list[Row]) -> None:
    [found] = judged(rows)
    assert not found.is_churn


def test_wallets_are_apart_and_sorted() -> None:
    rows = [(5, 0, 10.0, 0.5, 0.0, 0.0), (2, 0, -10.0, 0.5, 0.0, 1.0)]
    assert [(it.wallet, it.trips) for it in judged(rows)] == [(2, 0), (5, 0)]
    assert judged([]) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((1, 0, 0.0, 0.5, 0.0, 0.0), "not be 0"),
        ((1, 0, 1.0, 1.5, 0.0, 0.0), "from 0 to 1"),
        ((1, 0, 1.0, 0.5, float("nan"), 0.0), "finite"),
    ],
)
def test_bad_input_is_refused(row: Row, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        judged([row])
