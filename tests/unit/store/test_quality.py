"""Execution quality in groups, held against figures worked out by hand."""

import msgspec
import pytest

from whaletrader.store.execution_rows import ExecutionQuality, Part, PhaseTime
from whaletrader.store.quality import MARKETS_MIN, summaries

_NOTHING = {
    str: "",
    int: 0,
    bool: False,
}


def work(name: str, **figures: object) -> ExecutionQuality:
    """A work of ten shares with these figures and nothing else."""
    given = {
        field.name: _NOTHING.get(field.type, ())
        for field in msgspec.structs.fields(ExecutionQuality)
    }
    usual = {"approval_id": name, "side": "buy", "size_micro": 10_000_000, "tactic": "adaptive"}
    return ExecutionQuality(**{**given, **usual, **figures})  # type: ignore[arg-type]


def filled(name: str, market: str, slippage_micro: int, **figures: object) -> ExecutionQuality:
    usual: dict[str, object] = {
        "condition_id": market,
        "result": "filled",
        "filled_size_micro": 10_000_000,
        "arrival_mid_micro": 500_000,
        "average_price_micro": 500_000 + slippage_micro,
        "limit_price_micro": 520_000,
        "has_slippage": True,
        "slippage_micro": slippage_micro,
    }
    return work(name, **{**usual, **figures})


def test_nothing_finished_is_no_group() -> None:
    assert summaries([], "market") == []


def test_two_trades_of_one_market_are_one_observation_of_the_interval() -> None:
    # In A 1 % and 3 %, in B 8 %: mean 4 %. Scores of the clusters (1 - 4) + (3 - 4) = -4 and
    # 8 - 4 = 4; error = sqrt(2 / 1 * (16 + 16)) / 3 = 2.6667 %; t(1) = 12.7062.
    works = [filled("1", "A", 5_000), filled("2", "A", 15_000), filled("3", "B", 40_000)]
    whole = summaries(works, "tactic")[-1]
    assert whole.mean_slippage == pytest.approx(0.04)
    assert whole.lower == pytest.approx(0.04 - 12.7062 * 0.0266667, abs=1e-5)
    assert whole.upper == pytest.approx(0.04 + 12.7062 * 0.0266667, abs=1e-5)
    assert (whole.markets, whole.slippages, whole.median_slippage) == (2, 3, 0.03)
    # 10 shares each at 0.5, 1.5 and 4 cents.
    assert whole.slippage_cost_micro == 600_000


def test_one_market_has_a_mean_and_no_interval() -> None:
    (group, whole) = summaries([filled("1", "A", 5_000), filled("2", "A", 7_000)], "market")
    assert group.mean_slippage == pytest.approx(0.012)
    assert (group.lower, group.upper) == (None, None)
    assert whole.is_little


@pytest.mark.parametrize(("markets", "is_little"), [(MARKETS_MIN - 1, True), (MARKETS_MIN, False)])
def test_little_data_is_counted_in_markets_and_not_in_trades(markets: int, is_little: bool) -> None:
    works = [filled(f"{i}", f"m{i % markets}", 1_000 * i) for i in range(40)]
    assert summaries(works, "tactic")[-1].is_little is is_little


def test_what_nobody_filled_lowers_the_fill_rate_and_no_other_figure() -> None:
    works = [filled("1", "A", 5_000), work("2", condition_id="B", result="unfilled")]
    whole = summaries(works, "leader")[-1]
    assert (whole.works, whole.filled_works, whole.fill_rate) == (2, 1, 0.5)
    assert whole.mean_slippage == pytest.approx(0.01)
    assert (whole.first_fill_s, whole.full_fill_s) == (0.0, 0.0)


def test_without_a_fill_there_is_no_time_and_no_price() -> None:
    (_, whole) = summaries([work("1", result="skipped")], "tactic")
    assert whole.fill_rate == 0
    assert whole.mean_slippage is None
    assert whole.first_fill_s is None
    assert whole.maker_share is None
    assert whole.mean_better_than_limit_micro is None


def test_an_unread_book_is_no_slippage_but_the_limit_is_known() -> None:
    unread = filled("1", "A", 0, has_slippage=False, arrival_mid_micro=0)
    (_, whole) = summaries([unread], "tactic")
    assert (whole.slippages, whole.mean_slippage, whole.markets) == (0, None, 0)
    assert whole.mean_better_than_limit_micro == 20_000


def test_a_sale_above_its_limit_is_better() -> None:
    sold = filled("1", "A", -10_000, side="sell", average_price_micro=510_000)
    sold = msgspec.structs.replace(sold, limit_price_micro=480_000)
    assert summaries([sold], "tactic")[-1].mean_better_than_limit_micro == 30_000


def test_only_a_full_fill_has_a_time_to_it() -> None:
    works = [
        filled("1", "A", 0, time_to_first_fill_ns=10**9, time_to_full_fill_ns=9 * 10**9),
        filled("2", "A", 0, time_to_first_fill_ns=3 * 10**9, result="partial"),
    ]
    whole = summaries(works, "tactic")[-1]
    assert (whole.first_fill_s, whole.full_fill_s) == (2.0, 9.0)


def part(phase: int, liquidity: str, filled_micro: int, price_micro: int) -> Part:
    return Part(
        tactic="adaptive",
        phase=phase,
        liquidity=liquidity,
        orders=1,
        ordered_size_micro=10_000_000,
        filled_size_micro=filled_micro,
        average_price_micro=price_micro,
        fees_micro=100,
    )


def test_phases_are_told_apart_in_their_order_with_their_own_price() -> None:
    parts = (
        part(10, "taker", 4_000_000, 520_000),
        part(2, "maker", 1_000_000, 490_000),
        part(2, "taker", 1_000_000, 500_000),
    )
    times = [PhaseTime(approval_id="1", phase=10, announced_ns=10**9, first_fill_ns=3 * 10**9)]
    late, early = filled("1", "A", 1, parts=parts, phases=(2, 10)), filled("2", "B", 1)
    two, ten, whole = summaries([late, early], "phase", times)
    assert (two.group, ten.group, whole.group) == ("2", "10", "all")
    # Both halves of phase 2 repeat the ten shares that it ordered.
    assert (two.fill_rate, ten.fill_rate) == (0.2, 0.4)
    assert two.mean_slippage == pytest.approx(-0.01)
    assert ten.mean_slippage == pytest.approx(0.04)
    assert (two.maker_share, two.fees_micro) == (0.5, 200)
    assert (two.first_fill_s, ten.first_fill_s) == (None, 2.0)
    assert whole.works == 2


def test_groups_come_largest_first_and_all_comes_last() -> None:
    works = [filled("1", "A", 1), filled("2", "B", 1), filled("3", "B", 1)]
    assert [(it.group, it.works) for it in summaries(works, "market")] == [
        ("B", 2),
        ("A", 1),
        ("all", 3),
    ]
