"""Monte Carlo on binary contracts: it agrees with what can be written down, and leaves no trace."""

from time import perf_counter_ns

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from whaletrader.quant.risk.binary import MICRO, EventExposure, Stake, exposure
from whaletrader.quant.risk.exact import (
    independent_distribution,
    vasicek_quantile,
    vasicek_shortfall,
)
from whaletrader.quant.risk.scenarios import FACTORS_MAX, ScenarioBook, ScenarioOptions
from whaletrader.quant.risk.tail import tail_of_pnl

FREE = ScenarioOptions(seed=3, scenarios=20_000, group_correlation=0.0, common_correlation=0.0)


def portfolio(events: int, seed: int = 5) -> list[EventExposure]:
    """Plain markets and exclusive ones, YES and NO, sizes and prices drawn."""
    chance = np.random.default_rng(seed)
    found = []
    for number in range(events):
        prices = chance.dirichlet(np.ones(4))[:3] if number % 3 else chance.uniform(0.1, 0.9, 1)
        stakes = []
        for outcome in range(min(2, len(prices))):
            is_yes = bool(chance.integers(2))
            size = int(chance.integers(10, 200)) * MICRO
            price = prices[outcome] if is_yes else 1 - prices[outcome]
            stakes.append(Stake(outcome, is_yes, size, int(size * price)))
        found.append(exposure(f"event-{number}", f"group-{number % 4}", prices.tolist(), stakes))
    return found


def book_of(exposures: list[EventExposure], options: ScenarioOptions) -> ScenarioBook:
    book = ScenarioBook(options)
    for it in exposures:
        book.put(it)
    return book


@pytest.mark.parametrize("events", [1, 5, 40])
@pytest.mark.parametrize("confidence", [0.95, 0.975])
def test_independent_events_agree_with_the_convolution(events: int, confidence: float) -> None:
    held = portfolio(events)
    book = book_of(held, FREE)
    exact = independent_distribution(held).tail(confidence)
    # Four standard errors: once in some 15,000 seeds; the seed is fixed.
    margin = 4 * book.error(confidence) + 1
    assert abs(book.tail(confidence).cvar - exact.cvar) < margin
    assert margin < 0.15 * exact.cvar or events == 1


def test_like_positions_under_one_factor_agree_with_vasicek() -> None:
    # 400 positions lost with 10 % each, latents correlated by 0.2.
    options = ScenarioOptions(seed=11, group_correlation=0.2, common_correlation=0.2)
    one_dollar = [Stake(0, True, MICRO, MICRO)]
    book = book_of([exposure(f"e{n}", "", [0.9], one_dollar) for n in range(400)], options)
    share = 400 * MICRO
    found = book.tail(0.975)
    # The formula is of infinitely many: at 400 the quantile is some thousandths above it.
    assert found.var / share == pytest.approx(vasicek_quantile(0.1, 0.2, 0.975), abs=0.02)
    assert found.cvar / share == pytest.approx(vasicek_shortfall(0.1, 0.2, 0.975), abs=0.02)
    free = book_of([exposure(f"e{n}", "", [0.9], one_dollar) for n in range(400)], FREE)
    assert free.tail(0.975).cvar < 0.6 * found.cvar


def test_two_events_lose_together_as_often_as_the_bivariate_normal_says() -> None:
    for groups, correlation in ((("g", "g"), 0.5), (("g", "h"), 0.1), (("", ""), 0.1)):
        book = ScenarioBook(ScenarioOptions(seed=2, scenarios=100_000))
        stake = [Stake(0, True, MICRO, MICRO)]
        for number, group in enumerate(groups):
            book.put(exposure(f"e{number}", group, [0.7], stake))
        both = float((book.pnl_micro == -2 * MICRO).mean())
        z = -0.5244005127080407  # Phi^-1(0.3)
        matrix = [[1, correlation], [correlation, 1]]
        truth = float(multivariate_normal([0, 0], matrix).cdf([z, z]))
        assert both == pytest.approx(truth, abs=5 * (truth * (1 - truth) / 100_000) ** 0.5)


def test_losses_go_together_whichever_side_is_held_only_if_adverse() -> None:
    def cvar(is_adverse: bool, second_is_yes: bool) -> float:
        options = ScenarioOptions(seed=4, group_correlation=0.9, is_adverse=is_adverse)
        sides = (True, second_is_yes)
        stakes = [[Stake(0, side, 100 * MICRO, 50 * MICRO)] for side in sides]
        held = [exposure(f"e{n}", "g", [0.5], it) for n, it in enumerate(stakes)]
        return book_of(held, options).tail(0.6).cvar

    assert cvar(is_adverse=True, second_is_yes=True) == cvar(True, False)
    assert cvar(is_adverse=False, second_is_yes=False) < 0.6 * cvar(False, True)


def test_each_outcome_comes_as_often_as_its_probability() -> None:
    book = ScenarioBook(ScenarioOptions(seed=9, scenarios=100_000))
    book.put(EventExposure("e", "g", (0.5, 0.2, 0.25), (30, 10, 20, 40)))
    values, counts = np.unique(book.pnl_micro, return_counts=True)
    assert values.tolist() == [10, 20, 30, 40]
    assert counts / 100_000 == pytest.approx([0.2, 0.25, 0.5, 0.05], abs=0.01)


def test_certain_and_impossible_outcomes_are_so_in_every_scenario() -> None:
    book = ScenarioBook(ScenarioOptions(seed=1))
    book.put(EventExposure("sure", "g", (1.0,), (7, -100)))
    book.put(EventExposure("never", "g", (0.0,), (-100, 5)))
    assert set(book.pnl_micro.tolist()) == {12}


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_the_book_is_a_function_of_what_it_holds(order: list[int], removed: set[int]) -> None:
    held = portfolio(8)
    options = ScenarioOptions(seed=6, scenarios=500)
    book = book_of([held[place] for place in order], options)
    for place in removed:
        book.remove(held[place].event)
    fresh = book_of([it for n, it in enumerate(held) if n not in removed], options)
    assert np.array_equal(book.pnl_micro, fresh.pnl_micro)
    assert book.events == fresh.events
    assert book.contributions(0.9) == fresh.contributions(0.9)


def test_a_what_if_is_what_would_be_and_changes_nothing() -> None:
    held = portfolio(20)
    options = ScenarioOptions(seed=8, scenarios=2_000)
    book = book_of(held, options)
    before, tail_before = book.pnl_micro, book.tail(0.975)
    stake = [Stake(0, True, 500 * MICRO, 250 * MICRO)]
    added = exposure("new", "group-1", [0.5], stake)
    instead = exposure(held[3].event, held[3].group, held[3].probabilities, stake)
    moved = EventExposure(held[4].event, "elsewhere", held[4].probabilities, held[4].pnl_micro)
    asked = book.tail_with([added, instead, moved], 0.975)
    assert np.array_equal(book.pnl_micro, before)
    assert book.tail(0.975) == tail_before
    for it in (added, instead, moved):
        book.put(it)
    assert book.tail(0.975) == asked
    assert len(book.events) == 21


def test_contributions_add_up_and_a_hedge_takes_away() -> None:
    book = book_of(portfolio(30), ScenarioOptions(seed=10))
    parts = book.contributions(0.975)
    assert sum(parts.values()) == pytest.approx(book.tail(0.975).cvar, rel=1e-9)
    assert len(parts) == 30
    assert all(book.tail(0.975).cvar >= part - 1e-6 for part in parts.values()), (
        "no part is larger than a whole of adverse events"
    )


def test_factors_kept_are_bounded_and_come_again_as_they_were() -> None:
    options = ScenarioOptions(seed=1, scenarios=100)
    book = ScenarioBook(options)
    stake = [Stake(0, True, MICRO, MICRO // 2)]
    asked = [exposure("e", f"group-{number}", [0.5], stake) for number in range(FACTORS_MAX + 10)]
    before = [book.tail_with([it], 0.9) for it in asked]
    assert len(book._factors) == FACTORS_MAX
    assert [book.tail_with([it], 0.9) for it in asked] == before


def test_an_empty_book_loses_nothing() -> None:
    book = ScenarioBook(ScenarioOptions(seed=0))
    assert book.tail(0.975).cvar == 0.0
    assert book.contributions(0.975) == {}
    book.remove("unknown")
    assert book.events == []


def test_another_seed_is_another_draw_of_the_same_truth() -> None:
    first = book_of(portfolio(10), ScenarioOptions(seed=1))
    second = book_of(portfolio(10), ScenarioOptions(seed=2))
    assert not np.array_equal(first.pnl_micro, second.pnl_micro)
    margin = 4 * (first.error(0.95) + second.error(0.95))
    assert abs(first.tail(0.95).cvar - second.tail(0.95).cvar) < margin


def test_the_error_is_the_spread_over_seeds() -> None:
    books = [
        book_of(portfolio(6), ScenarioOptions(seed=seed, scenarios=1_000)) for seed in range(60)
    ]
    spread = float(np.std([tail_of_pnl(it.pnl_micro, 0.9).cvar for it in books], ddof=1))
    stated = float(np.mean([it.error(0.9) for it in books]))
    assert stated == pytest.approx(spread, rel=0.35)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scenarios": 99},
        {"scenarios": 100_001},
        {"group_correlation": 1.0},
        {"group_correlation": 0.05},
        {"common_correlation": -0.1},
        {"seed": -1},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"scenarios|correlation|seed"):
        ScenarioOptions(**{"seed": 1, **wrong})  # type: ignore[arg-type]


def test_a_what_if_beside_two_hundred_positions_takes_less_than_a_millisecond() -> None:
    book = book_of(portfolio(200), ScenarioOptions(seed=1))
    stake = [Stake(0, True, 100 * MICRO, 50 * MICRO)]
    times_ns = []
    for number in range(30):
        added = exposure(f"new-{number}", "group-1", [0.5], stake)
        start_ns = perf_counter_ns()
        book.tail_with([added], 0.975)
        times_ns.append(perf_counter_ns() - start_ns)
    # The fastest: what the machine does meanwhile is not ours.
    assert min(times_ns) < 1_000_000
