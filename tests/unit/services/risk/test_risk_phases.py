"""The phases of the capital: when the next one begins, and when the desk falls back a phase."""

import pytest

from tests.unit.services.risk.risk_room import (
    DAY,
    MARKETS,
    SHARE,
    Room,
    S,
    alerts,
    no,
    tight,
    yes,
)
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.policy_terms import RiskPolicy
from whaletrader.services.risk.rules import Rule


def phased(**limits: object) -> RiskPolicy:
    return tight(
        **{
            "phase_ratios": ["0.01", "0.1", "1"],
            "phase_start": 1,
            "phase_days_min": 2,
            "phase_trades_min": 1,
            "phase_drawdown_ratio_max": "0.05",
            "fallback_drawdown_ratio": "0.1",
            "measure_every_s": 60,
            "price_age_s_max": 86_400 * 7,
            **limits,
        }
    )


def gained(room: Room, won: bool) -> None:
    room.buy(max_size_micro=20 * SHARE, fair_value_micro=999_999)
    room.resolve(MARKETS[0], yes(MARKETS[0]) if won else no(MARKETS[0]))


@pytest.mark.parametrize(("days", "won", "phase"), [(1, True, 1), (2, True, 2), (2, False, 1)])
def test_a_phase_is_left_for_the_next_when_it_lasted_and_did_not_lose(
    days: int, won: bool, phase: int
) -> None:
    room = Room(phased())
    gained(room, won)
    for _ in range(2):
        room.now_ns += days * DAY // 2
        room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    room.now_ns += 61 * S
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    assert room.state.history.phase == phase
    assert room.restored() == room.state


@pytest.mark.parametrize(("trades", "phase"), [(0, 1), (1, 2)])
def test_a_phase_needs_so_many_closed_holdings(trades: int, phase: int) -> None:
    room = Room(phased(phase_trades_min=1))
    if trades:
        gained(room, won=True)
    for _ in range(3):
        room.now_ns += DAY
        room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    assert room.state.history.phase == phase


@pytest.mark.parametrize(("spare", "phase"), [(-1, 2), (0, 2), (1, 1)])
def test_a_phase_is_not_left_after_a_fall_beyond_its_limit(spare: int, phase: int) -> None:
    room = Room(phased(phase_trades_min=1))
    gained(room, won=True)
    room.state.history.phase_drawdown_micro_ratio = 50_000 + spare
    for _ in range(3):
        room.now_ns += DAY
        room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    assert room.state.history.phase == phase


def test_too_deep_a_fall_goes_back_a_phase_and_pages_somebody() -> None:
    room = Room(
        phased(
            phase_start=3,
            trade_usd_max=5_000,
            position_usd_max=5_000,
            market_usd_max=9_000,
            leader_usd_max=9_000,
        )
    )
    room.buy(max_size_micro=9_900 * SHARE, fair_value_micro=999_999)
    told: list[str] = []
    for price in (500_000, 390_000, 390_000):
        room.now_ns += 61 * S
        room.print_price(MARKETS[0], yes(MARKETS[0]), price)
        told += alerts(room.steps[-1])
    assert Alert.PHASE_DOWN in told
    assert room.state.history.phase == 2
    assert room.refusal(room.elsewhere()) == Rule.CAPITAL_PHASE
