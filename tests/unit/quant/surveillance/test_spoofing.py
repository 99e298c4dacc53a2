"""Spoofing: each part of the rule, with and without."""

import numpy as np
import pytest

from whaletrader.quant.surveillance.spoofing import Fills, Orders, find_spoofing

EPISODES = 12


def world(*, life_s: float = 10.0, filled: float = 0.0, size: float = 1000.0, fill_side: int = -1):
    """Twelve shown buys of wallet 1, each with a fill; ten small orders of others and its own."""
    orders, fills = [], []
    for number in range(EPISODES):
        at = 1_000.0 * number
        orders.append((1, 0, 1, size, filled * size, at, at + life_s))
        fills.append((1, 0, fill_side, at + 5.0))
    for wallet in range(1, 11):
        orders += [(wallet, 0, 1, 50.0, 50.0, 5e5 + n, 5e5 + 60.0 + n) for n in range(4)]
    return orders, fills


def found(orders: list[tuple[float, ...]], fills: list[tuple[float, ...]]) -> list[int]:
    o, f = np.array(orders, dtype=float), np.array(fills, dtype=float).reshape(-1, 4)
    wallet, market, side = (o[:, column].astype(np.int64) for column in range(3))
    owner, place, way = (f[:, column].astype(np.int64) for column in range(3))
    report = find_spoofing(
        Orders(wallet, market, side, o[:, 3], o[:, 4], o[:, 5], o[:, 6]),
        Fills(owner, place, way, f[:, 3]),
    )
    assert report.is_episode.sum() >= report.episodes.sum()
    return [int(it) for it in report.wallets]


def test_large_fleeting_unfilled_and_filled_on_the_other_side() -> None:
    assert found(*world()) == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"life_s": 61.0},
        {"filled": 0.06},
        {"size": 240.0},
        {"fill_side": 1},
    ],
)
def test_without_one_of_them_it_is_no_spoof(change: dict[str, float]) -> None:
    assert found(*world(**change)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"life_s": 60.0}, {"filled": 0.05}, {"size": 250.0}])
def test_at_its_edge_each_part_still_counts(change: dict[str, float]) -> None:
    assert found(*world(**change)) == [1]  # type: ignore[arg-type]


def test_a_fill_just_after_counts_and_a_later_one_does_not() -> None:
    orders, fills = world()
    after = [(w, m, s, t + 5.0 + 4.9) for w, m, s, t in fills]
    assert found(orders, after) == [1]
    late = [(w, m, s, t + 5.0 + 5.1) for w, m, s, t in fills]
    assert found(orders, late) == []


def test_another_market_or_wallet_is_no_opposite_fill() -> None:
    orders, fills = world()
    assert found(orders, [(w, 7, s, t) for w, m, s, t in fills]) == []
    assert found(orders, [(2, m, s, t) for w, m, s, t in fills]) == []
    assert found(orders, []) == []


def test_a_market_maker_is_filled_on_either_side() -> None:
    orders, fills = world()
    either = [(w, m, s if number % 2 else -s, t) for number, (w, m, s, t) in enumerate(fills)]
    assert found(orders, either) == []
    both = fills + [(w, m, -s, t) for w, m, s, t in fills]
    assert found(orders, both) == []


def test_a_few_episodes_are_no_habit() -> None:
    orders, fills = world()
    assert found(orders[6:], fills[6:]) == [], "six of six happen by chance once in 64"


def test_no_orders_are_no_spoofs() -> None:
    none, no_times = np.zeros(0, dtype=np.int64), np.zeros(0)
    report = find_spoofing(
        Orders(none, none, none, *[no_times] * 4), Fills(none, none, none, no_times)
    )
    assert report.wallets.size == 0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((1, 0, 0, 1.0, 0.0, 0.0, 1.0), "side"),
        ((1, 0, 1, 0.0, 0.0, 0.0, 1.0), "size"),
        ((1, 0, 1, 1.0, -1.0, 0.0, 1.0), "fill"),
        ((1, 0, 1, 1.0, 0.0, 2.0, 1.0), "before it is placed"),
    ],
)
def test_orders_that_cannot_be_are_refused(row: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        found([row], [])
