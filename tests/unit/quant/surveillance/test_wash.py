"""Wash and circular trading in graphs small enough to see through."""

import numpy as np
import pytest

from whaletrader.quant.surveillance.wash import DAY_S, HOUR_S, Matches, Ring, WashRules, find_wash

Row = tuple[int, int, int, float, float]


def matches(*rows: Row) -> Matches:
    table = np.array(rows, dtype=float).reshape(-1, 5)
    buyer, seller, market = (table[:, column].astype(np.int64) for column in range(3))
    return Matches(buyer, seller, market, table[:, 3], table[:, 4])


def there_and_back(one: int, other: int, times: int, size: float = 100.0) -> list[Row]:
    rows: list[Row] = []
    for number in range(times):
        start_s = number * DAY_S + 100.0
        rows += [(one, other, 0, size, start_s), (other, one, 0, size, start_s + 60)]
    return rows


def test_two_wallets_there_and_back_are_a_pair() -> None:
    report = find_wash(matches(*there_and_back(1, 2, 3)))
    [ring] = report.rings
    assert (ring.kind, ring.wallets, ring.size) == (Ring.PAIR, (1, 2), 600.0)
    assert report.is_wash.all()


def test_a_circle_of_three_is_found_by_its_direction() -> None:
    circle = [
        (buyer, seller, 0, 50.0, day * DAY_S + step * 60.0)
        for day in range(2)
        for step, (buyer, seller) in enumerate(((2, 1), (3, 2), (1, 3)))
    ]
    [ring] = find_wash(matches(*circle)).rings
    assert (ring.kind, ring.wallets) == (Ring.CIRCLE, (1, 2, 3))
    # The last leg the other way round: 3 ends up with more, 1 with less.
    broken = [(b, s, m, x, t) if (b, s) != (1, 3) else (s, b, m, x, t) for b, s, m, x, t in circle]
    assert not find_wash(matches(*broken)).is_wash.any()


def test_a_trade_with_oneself_is_wash_even_once() -> None:
    report = find_wash(matches((5, 5, 0, 10.0, 0.0), (5, 6, 0, 10.0, 10.0)))
    assert report.is_wash.tolist() == [True, False]
    assert report.rings[0].kind is Ring.SELF


def test_who_ends_up_with_a_position_has_traded() -> None:
    rows = [(1, 2, 0, 100.0, 100.0 * number) for number in range(8)]
    assert find_wash(matches(*rows)).rings == ()
    # Back at half the size: 2 got rid of the rest.
    half = [(b, s, m, x * (0.5 if b == 2 else 1), t) for b, s, m, x, t in there_and_back(1, 2, 3)]
    assert not find_wash(matches(*half)).is_wash.any()


def test_the_balanced_beginning_counts_and_the_rest_does_not() -> None:
    rows = [*there_and_back(1, 2, 4), (1, 2, 0, 70.0, 3 * DAY_S + 600.0)]
    report = find_wash(matches(*rows))
    assert report.is_wash.tolist() == [True] * 8 + [False]


def test_a_leg_left_out_hides_nothing_but_its_own_pair() -> None:
    rows = [row for number in range(5) for row in there_and_back(1, 2, 1, size=100.0 + number)]
    rows = [(b, s, m, x, 50.0 * place) for place, (b, s, m, x, _) in enumerate(rows)]
    del rows[1]
    report = find_wash(matches(*rows))
    assert report.is_wash.tolist() == [False] + [True] * 8


def test_within_the_margin_and_just_beyond_it() -> None:
    def off_by(share: float) -> bool:
        rows = there_and_back(1, 2, 3)
        slipped = [(b, s, m, x * (1 + share * (b == 2)), t) for b, s, m, x, t in rows]
        return bool(find_wash(matches(*slipped)).is_wash.any())

    assert off_by(0.009)
    assert not off_by(0.02)


def test_a_customer_of_a_busy_market_maker_is_no_ring() -> None:
    rows: list[Row] = there_and_back(1, 9, 4)
    for wallet in range(20, 60):
        rows += [(wallet, 9, 0, 400.0, wallet * 300.0 + day * DAY_S) for day in range(4)]
    assert not find_wash(matches(*rows)).is_wash.any()


def test_a_maker_whom_all_trade_with_does_not_hide_a_ring() -> None:
    rows = there_and_back(1, 2, 3)
    for day in range(3):
        for place, wallet in enumerate([1, 2, *range(20, 32)]):
            # In and half out again: through the maker all are one component.
            at = day * DAY_S + 20.0 * place
            rows += [(wallet, 9, 0, 20.0, at), (9, wallet, 0, 10.0, at + 300.0)]
    report = find_wash(matches(*rows))
    assert [ring.wallets for ring in report.rings] == [(1, 2)]
    assert report.is_wash.tolist() == [True] * 6 + [False] * (len(rows) - 6)


def test_a_few_trades_are_no_habit() -> None:
    assert find_wash(matches(*there_and_back(1, 2, 2))).rings == ()
    assert len(find_wash(matches(*there_and_back(1, 2, 2)), WashRules(trades_min=4)).rings) == 1


def test_slow_circles_need_the_longer_window_and_shifted_ones_the_shift() -> None:
    slow = [
        (b, s, m, x, t + (3 * HOUR_S if b == 2 else 0.0))
        for b, s, m, x, t in there_and_back(1, 2, 3)
    ]
    assert find_wash(matches(*slow)).is_wash.all()
    assert not find_wash(matches(*slow), WashRules(windows_s=(HOUR_S,))).is_wash.any()
    # Each pair astride the full hour.
    astride = [
        (b, s, 0, 10.0, number * DAY_S + HOUR_S + (30 if b == 1 else -30))
        for number in range(3)
        for b, s in ((2, 1), (1, 2))
    ]
    assert find_wash(matches(*astride), WashRules(windows_s=(HOUR_S,))).is_wash.all()


def test_markets_are_apart() -> None:
    rows = [(b, s, b, x, t) for b, s, _, x, t in there_and_back(1, 2, 3)]
    assert not find_wash(matches(*rows)).is_wash.any()


def test_no_trades_are_no_rings() -> None:
    report = find_wash(matches())
    assert (report.is_wash.size, report.rings) == (0, ())


CODES = np.zeros(2, dtype=np.int64)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: matches((1, 2, 0, 0.0, 0.0)), "above 0"),
        (lambda: matches((1, 2, 0, 1.0, float("nan"))), "times"),
        (
            lambda: Matches(*[np.zeros(n, dtype=np.int64) for n in (1, 2, 1)], *[np.ones(1)] * 2),
            "one",
        ),
        (lambda: WashRules(windows_s=()), "window"),
        (lambda: WashRules(margin=1.0), "margin"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
