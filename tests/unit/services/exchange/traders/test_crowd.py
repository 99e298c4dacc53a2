"""The crowd makes a two-sided book that lives, by its seed and nothing else."""

from __future__ import annotations

import pytest

from tests.unit.services.exchange.exchange_venue import (
    ALICE,
    BUY,
    CONDITION,
    NO,
    YES,
    Venue,
    market,
    venue,
)
from whaletrader.services.exchange.engine.digest import digest
from whaletrader.services.exchange.engine.events import LastTradeEvent
from whaletrader.services.exchange.engine.model import MICRO, NS
from whaletrader.services.exchange.traders.crowd import (
    CATCH_UP_NS_MAX,
    Cancel,
    Crowd,
    CrowdSettings,
    Place,
)

LIVELY = CrowdSettings(seed=3, limit_per_s=10, market_per_s=3, orders_max=60)


def crowded(settings: CrowdSettings = LIVELY, tick: int = 10_000) -> tuple[Venue, Crowd]:
    v = venue(follows_tape=False)
    v.exchange.list_market(market(tick_size_micro=tick))
    crowd = Crowd(settings)
    crowd.join(v.exchange, [CONDITION])
    return v, crowd


def drive(v: Venue, crowd: Crowd, seconds: int, start_s: int = 0) -> int:
    """Drive ten times a second; return how many orders were placed."""
    placed = 0
    for tenth in range(start_s * 10, (start_s + seconds) * 10):
        placed += crowd.drive(v.exchange, tenth * NS // 10).placed
    return placed


@pytest.mark.parametrize("tick", [100_000, 10_000, 5_000, 2_500, 1_000, 100])
def test_the_book_has_two_sides_and_trades_at_every_tick(tick: int) -> None:
    v, crowd = crowded(tick=tick)
    placed = drive(v, crowd, 60)
    bids, asks = v.exchange.state.books[CONDITION].view(0)
    assert placed > 300
    assert bids
    assert asks
    assert bids[0][0] < asks[0][0]
    assert len(v.exchange.state.trades) > 20
    v.check()


def test_equal_seeds_and_times_give_equal_histories_and_other_seeds_do_not() -> None:
    digests = []
    for seed in (1, 1, 2):
        v, crowd = crowded(CrowdSettings(seed=seed, limit_per_s=5, market_per_s=1))
        drive(v, crowd, 20)
        digests.append(digest(v.exchange.state))
    assert digests[0] == digests[1] != digests[2]


def test_prices_follow_the_fair_value_and_both_outcomes_are_traded() -> None:
    v, crowd = crowded()
    drive(v, crowd, 120)
    traded = [e for e in v.exchange.take_events() if isinstance(e, LastTradeEvent)]
    assert {e.token_id for e in traded} == {YES, NO}
    bids, asks = v.exchange.state.books[CONDITION].view(0)
    assert abs((bids[0][0] + asks[0][0]) // 2 - crowd.fair_micro(CONDITION)) < 60_000


def test_the_number_of_open_orders_stays_bounded() -> None:
    v, crowd = crowded()
    drive(v, crowd, 120)
    book = v.exchange.state.books[CONDITION]
    assert len(book.open_orders()) <= LIVELY.orders_max + 20


def test_after_a_pause_only_seconds_are_caught_up_on() -> None:
    v, crowd = crowded()
    crowd.drive(v.exchange, 0)
    wishes = crowd.step(3_600 * NS)
    placed = [wish for wish in wishes if isinstance(wish, Place)]
    assert len(placed) < 3 * 13 * CATCH_UP_NS_MAX / NS


def test_the_first_step_and_a_clock_that_stands_still_want_nothing() -> None:
    _, crowd = crowded()
    assert crowd.step(5 * NS) == []
    assert crowd.step(5 * NS) == []
    assert crowd.step(4 * NS) == []


def test_a_step_changes_nothing_on_the_exchange() -> None:
    v, crowd = crowded()
    before = digest(v.exchange.state)
    crowd.step(0)
    assert crowd.step(10 * NS)
    assert digest(v.exchange.state) == before


def test_quotes_are_cancelled_again() -> None:
    v, crowd = crowded()
    drive(v, crowd, 30)
    wishes = crowd.step(31 * NS)
    assert any(isinstance(wish, Cancel) for wish in wishes)


def test_a_resolved_market_is_left_alone() -> None:
    v, crowd = crowded()
    drive(v, crowd, 10)
    v.exchange.resolve(CONDITION, 0, 10 * NS)
    report = crowd.drive(v.exchange, 20 * NS)
    assert (report.placed, report.refused) == (0, 0)
    v.check()


def test_an_outsider_can_trade_with_the_crowd() -> None:
    v, crowd = crowded()
    drive(v, crowd, 30)
    _, asks = v.exchange.state.books[CONDITION].view(0)
    v.place(ALICE, BUY, YES, asks[0][0] // 10_000, 5)
    assert v.held(ALICE, YES) == 5 * MICRO


def test_joining_twice_funds_once() -> None:
    v, crowd = crowded()
    crowd.join(v.exchange, [CONDITION])
    trader = v.exchange.state.ledger.account(crowd.traders[0])
    assert trader.deposited_micro == LIVELY.cash_micro
    assert trader.positions[YES] == LIVELY.shares_micro


@pytest.mark.parametrize(
    "wrong",
    [{"limit_per_s": -1.0}, {"traders": 1}, {"orders_max": 0}, {"shares_mean": 0.0}],
)
def test_settings_that_make_no_crowd_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must|needed"):
        CrowdSettings(**wrong)  # type: ignore[arg-type]
