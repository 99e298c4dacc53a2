"""How much risk buys: the Kelly stake, the budget, rounding to lot and tick."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.risk.risk_room import (
    GENEROUS,
    MARKETS,
    SELL,
    SETTINGS,
    SHARE,
    USD,
    Room,
    listing,
)
from whaletrader.domain.money import MICRO, MoneyError, notional, taker_fee
from whaletrader.services.risk import sizing
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.policy_terms import micro, policy_of
from whaletrader.services.risk.rules import Rule
from whaletrader.services.risk.views import Market


def market(rate_micro: int = 70_000, exponent: int = 1) -> Market:
    return Market(("y", "n"), 10_000, 5 * SHARE, rate_micro, exponent, 0, 0)


@pytest.mark.parametrize(
    ("fair", "cost", "fraction", "stake_usd"),
    [
        (600_000, 500_000, MICRO, 2_000),  # (0.6 - 0.5) / 0.5 of 10,000
        (600_000, 500_000, 250_000, 500),
        (950_000, 900_000, 250_000, 1_250),
        (500_000, 500_000, MICRO, 0),
        (400_000, 500_000, MICRO, 0),
        (999_999, MICRO, MICRO, 0),
    ],
)
def test_the_stake_is_the_binary_kelly_fraction_of_the_capital(
    fair: int, cost: int, fraction: int, stake_usd: int
) -> None:
    assert sizing.kelly_stake(fair, cost, 10_000 * USD, fraction) == stake_usd * USD


def test_nothing_is_staked_without_capital() -> None:
    assert sizing.kelly_stake(600_000, 500_000, 0, MICRO) == 0
    assert sizing.kelly_stake(600_000, 500_000, -USD, MICRO) == 0


@given(
    fair=st.integers(1, MICRO - 1),
    cost=st.integers(1, MICRO - 1),
    capital=st.integers(0, 10**13),
    fraction=st.integers(1, MICRO),
)
def test_the_stake_never_exceeds_its_fraction_of_the_capital(
    fair: int, cost: int, capital: int, fraction: int
) -> None:
    assert 0 <= sizing.kelly_stake(fair, cost, capital, fraction) <= capital * fraction // MICRO


@given(
    price=st.integers(1, 99).map(lambda cents: cents * 10_000),
    budget=st.integers(0, 10**10),
    rate=st.integers(0, 100_000),
    exponent=st.integers(0, 3),
)
def test_the_largest_size_fits_the_budget_and_one_lot_more_does_not(
    price: int, budget: int, rate: int, exponent: int
) -> None:
    terms = market(rate, exponent)
    size = sizing.largest_size(terms, price, budget)
    assert size % sizing.LOT_MICRO == 0
    assert sizing.reserve_for(terms, price, size) <= budget
    assert sizing.reserve_for(terms, price, size + sizing.LOT_MICRO) > budget


@given(
    limit=st.integers(1, 99).map(lambda cents: cents * 10_000),
    parts=st.lists(st.tuples(st.integers(1, 10**8), st.integers(1, 99)), min_size=1, max_size=40),
    rate=st.integers(0, 100_000),
)
def test_no_way_of_filling_an_order_costs_more_than_was_set_aside(
    limit: int, parts: list[tuple[int, int]], rate: int
) -> None:
    terms = market(rate)
    total = sum(size for size, _ in parts)
    paid = 0
    for size, cents in parts:
        price = min(limit, cents * 10_000)
        paid += notional(price, size, up=True) + taker_fee(price, size, rate)
    assert paid <= sizing.reserve_for(terms, limit, total)


def test_an_unknown_market_is_set_aside_for_at_a_high_fee() -> None:
    assert sizing.worst_cost(None, 500_000, SHARE) > sizing.worst_cost(market(), 500_000, SHARE)


def test_a_buy_is_rounded_down_to_the_tick_and_a_sale_up() -> None:
    room = Room(GENEROUS)
    bought = room.buy(limit_price_micro=509_999)
    assert bought.limit_price_micro == 500_000
    assert room.ask(room.proposal(side=SELL, limit_price_micro=501_000)).limit_price_micro == (
        510_000
    )


def test_a_sale_that_rounds_up_to_a_dollar_is_refused() -> None:
    room = Room(GENEROUS)
    room.buy()
    proposal = room.proposal(side=SELL, limit_price_micro=990_001)
    assert room.refusal(proposal) == Rule.PRICE_ON_TICK


def test_the_size_is_whole_lots_and_never_more_than_asked() -> None:
    room = Room(GENEROUS)
    assert room.ask(room.proposal(max_size_micro=12_349_999)).size_micro == 12_340_000


def test_the_fee_is_part_of_the_cost_that_kelly_sees() -> None:
    free, dear = Room(), Room(fee_rate_micro=70_000)
    proposal = {"fair_value_micro": 510_000}
    assert free.ask(free.proposal(**proposal)).size_micro
    # 0.07 * 0.25 a share costs more than the cent of edge.
    assert dear.refusal(dear.proposal(**proposal)) == Rule.EDGE


def test_kelly_counts_what_is_held_already() -> None:
    # (0.51 - 0.5) / 0.5 * 0.25 of 10,000 dollars is 50.
    room = Room()
    first = room.ask(room.proposal(fair_value_micro=510_000))
    assert 99 * SHARE < first.size_micro <= 100 * SHARE
    assert room.refusal(room.proposal(fair_value_micro=510_000)) == Rule.KELLY


def test_the_markets_own_minimum_holds() -> None:
    room = Room(GENEROUS)
    room.tell(listing(MARKETS[0], min_size_micro=50 * SHARE))
    assert room.refusal(room.proposal(max_size_micro=49 * SHARE)) == Rule.MINIMUM_SIZE
    assert room.ask(room.proposal(max_size_micro=50 * SHARE)).size_micro == 50 * SHARE


def test_a_buy_is_worth_the_venues_smallest_amount() -> None:
    room = Room(GENEROUS)
    cheap = {"limit_price_micro": 50_000, "fair_value_micro": 100_000}
    assert room.refusal(room.proposal(max_size_micro=19 * SHARE, **cheap)) == Rule.MINIMUM_SIZE
    assert room.ask(room.proposal(max_size_micro=20 * SHARE, **cheap)).size_micro == 20 * SHARE


@pytest.mark.parametrize(
    "changes",
    [
        {"trade_usd_max": 600, "position_usd_max": 500},
        {"position_usd_max": 800},
        {"market_usd_max": 10_000},
        {"total_usd_max": 0},
        {"kelly_ratio": "1.1"},
        {"day_loss_usd_max": -1},
        {"approval_ttl_s": 0},
        {"unheard_of": 1},
        {"name": ""},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        policy_of({**SETTINGS.model_dump(), **changes})


def test_settings_come_from_the_environment_in_dollars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHALETRADER_RISK_STARTING_CASH_USD", "12.5")
    assert RiskSettings().starting_cash_usd == Decimal("12.5")
    with pytest.raises(ValueError, match="frozen"):
        SETTINGS.name = "other"  # type: ignore[misc]


def test_money_finer_than_a_millionth_is_refused() -> None:
    with pytest.raises(ValueError, match="finer"):
        micro(Decimal("0.0000001"))
    with pytest.raises(MoneyError):
        sizing.ceil_to(1, 0)
