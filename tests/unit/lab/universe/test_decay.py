"""How soon a dead edge is flagged in simulated universes."""

from whaletrader.lab.universe.decay import measure_decay


def test_a_wallet_whose_edge_dies_is_flagged_within_a_week_in_the_median() -> None:
    case = measure_decay(edge=0.12, markets_a_day=20, wallets=40, seed=1)
    assert case.median_days <= 7
    assert len(case.delays_days) == case.wallets


def test_a_wallet_that_keeps_its_edge_is_seldom_flagged() -> None:
    case = measure_decay(edge=0.12, markets_a_day=20, wallets=40, seed=2)
    assert case.days_between_false_flags > 30


def test_a_smaller_edge_takes_longer() -> None:
    small = measure_decay(edge=0.06, markets_a_day=20, wallets=40, seed=3)
    large = measure_decay(edge=0.16, markets_a_day=20, wallets=40, seed=3)
    assert small.median_days > large.median_days
