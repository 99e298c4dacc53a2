"""Holdings that are watched: each stop, what it waits for, and who is told."""

import pytest

from tests.unit.services.risk.risk_room import (
    DAY,
    FLATTEN,
    HALT,
    MARKETS,
    NOW,
    RESUME,
    SELL,
    SHARE,
    SIGNER,
    WHALES,
    Room,
    S,
    alerts,
    closed,
    listing,
    order_of,
    said,
    tight,
    yes,
)
from whaletrader.domain.approval import ApprovalVerifier, signing_bytes
from whaletrader.runtime.core import Step
from whaletrader.schemas import order_pb2, risk_pb2, whale_pb2
from whaletrader.services.risk import watch
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.policy_terms import RiskPolicy
from whaletrader.services.risk.rules import Rule
from whaletrader.services.risk.views import Bars
from whaletrader.services.risk.volatility import day_move, true_range

HOUR = 3_600 * S


def desk(**limits: object) -> RiskPolicy:
    return tight(price_age_s_max=30 * 86_400, **limits)


def holding(policy: RiskPolicy) -> Room:
    """Hold a hundred shares that cost a half each."""
    room = Room(policy)
    room.buy(max_size_micro=100 * SHARE, fair_value_micro=999_999)
    return room


def at(room: Room, price_micro: int, after_ns: int = S) -> Step:
    room.now_ns += after_ns
    room.print_price(MARKETS[0], yes(MARKETS[0]), price_micro)
    return room.steps[-1]


def exits(step: Step) -> list[str]:
    """Return the rules by which holdings were put up for sale."""
    return [ordered.reasons[0].rule for ordered in said(step, risk_pb2.DeriskOrdered)]


@pytest.mark.parametrize(("price", "goes"), [(300_001, False), (300_000, True), (299_999, True)])
def test_a_stop_loss_sells_when_the_set_share_of_the_price_paid_is_lost(
    price: int, goes: bool
) -> None:
    room = holding(desk(stop_loss_ratio="0.4"))
    step = at(room, price)
    assert exits(step) == ([watch.STOP_LOSS] if goes else [])
    if goes:
        sale = said(step, risk_pb2.ApprovedTrade)[0]
        verifier = ApprovalVerifier([SIGNER.public_pem()])
        verifier.verify(signing_bytes(sale), sale.signature, sale.key_id)
        assert (sale.side, sale.size_micro) == (SELL, 100 * SHARE)
        assert alerts(step) == [Alert.EXIT]
        room.work(sale)
        assert not room.state.lots
    assert room.restored() == room.state


@pytest.mark.parametrize(("price", "goes"), [(749_999, False), (750_000, True), (750_001, True)])
def test_a_profit_is_taken_at_the_set_share(price: int, goes: bool) -> None:
    room = holding(desk(take_profit_ratio="0.5"))
    assert exits(at(room, price)) == ([watch.TAKE_PROFIT] if goes else [])


@pytest.mark.parametrize(("price", "goes"), [(600_001, False), (600_000, True)])
def test_a_trailing_stop_ratchets_from_the_best_price(price: int, goes: bool) -> None:
    room = holding(desk(trailing_ratio="0.25"))
    # Below what was paid it is no trailing stop: nothing was gained yet.
    assert not exits(at(room, 380_000))
    assert not exits(at(room, 800_000))
    assert not exits(at(room, 650_000))
    step = at(room, price)
    assert exits(step) == ([watch.TRAILING] if goes else [])
    assert room.state.lots or goes
    assert room.restored() == room.state


def test_a_new_holding_starts_its_ratchet_anew() -> None:
    room = holding(desk(trailing_ratio="0.25"))
    at(room, 900_000)
    room.work(room.ask(room.proposal(side=SELL, limit_price_micro=890_000)))
    room.buy(max_size_micro=100 * SHARE, limit_price_micro=500_000, fair_value_micro=999_999)
    assert not exits(at(room, 550_000))


def test_an_atr_stop_counts_average_changes_from_the_best_price() -> None:
    room = holding(desk(atr_multiple="3"))
    for hour in range(20):
        at(room, 600_000 + 10_000 * (hour % 2), HOUR)
    # The mean change is a cent: three of them below the best price, and no sooner.
    assert not exits(at(room, 590_000))
    assert exits(at(room, 580_000, HOUR)) == [watch.ATR]


@pytest.mark.parametrize(("price", "goes"), [(210_000, False), (200_000, True)])
def test_a_crash_within_two_bars_is_an_emergency(price: int, goes: bool) -> None:
    room = holding(desk(emergency_drop_usd="0.3"))
    at(room, 500_000, HOUR)
    assert exits(at(room, price, HOUR)) == ([watch.EMERGENCY] if goes else [])


def test_a_slow_fall_is_no_emergency() -> None:
    room = holding(desk(emergency_drop_usd="0.3"))
    for price in (400_000, 300_000, 200_000, 100_000):
        assert not exits(at(room, price, HOUR))


@pytest.mark.parametrize(("spare_ns", "goes"), [(1, False), (0, False), (-1, True)])
def test_a_holding_goes_before_its_market_ends(spare_ns: int, goes: bool) -> None:
    room = Room(desk(exit_before_end_s=3_600))
    room.tell(listing(MARKETS[0], ends_ns=NOW + DAY))
    room.buy(max_size_micro=100 * SHARE)
    step = at(room, 500_000, DAY - HOUR - spare_ns)
    assert exits(step) == ([watch.TIME] if goes else [])


def test_a_pruned_whales_holdings_go_and_its_trades_are_not_copied_until_it_is_back() -> None:
    room = holding(desk())
    room.buy(leader=WHALES[1], max_size_micro=40 * SHARE)
    step = room.tell(whale_pb2.WhalePruned(wallet=WHALES[0]))
    assert exits(step) == [watch.PRUNED]
    assert [s.leader for s in said(step, risk_pb2.ApprovedTrade)] == [WHALES[0]]
    assert not room.tell(whale_pb2.WhalePruned(wallet=WHALES[0])).events
    assert room.refusal(room.proposal()) == Rule.LEADER_BARRED
    room.tell(whale_pb2.WhaleDiscovered(wallet=WHALES[0]))
    assert room.ask(room.proposal())
    assert room.restored() == room.state


def test_where_the_policy_says_so_a_pruned_whales_holdings_stay() -> None:
    room = holding(desk(exit_pruned=False))
    assert not exits(room.tell(whale_pb2.WhalePruned(wallet=WHALES[0])))
    assert room.refusal(room.proposal()) == Rule.LEADER_BARRED


def test_a_holding_is_put_up_once_and_again_only_after_a_while() -> None:
    room = holding(desk(stop_loss_ratio="0.4", exit_cooldown_s=300))
    sale = order_of(said(at(room, 200_000), risk_pb2.ApprovedTrade)[0])
    assert not exits(at(room, 190_000))
    room.tell(order_pb2.OrderAnnounced(order=sale))
    room.tell(closed(sale, 0))
    assert not exits(at(room, 190_000))
    assert exits(at(room, 190_000, 300 * S)) == [watch.STOP_LOSS]


def test_after_an_operators_halt_nothing_is_put_up_and_after_resume_it_is() -> None:
    room = holding(desk(stop_loss_ratio="0.4"))
    room.control(HALT)
    assert not exits(at(room, 200_000))
    room.control(RESUME)
    assert exits(at(room, 200_000)) == [watch.STOP_LOSS]


def test_while_flattening_the_flattening_sells() -> None:
    room = holding(desk(stop_loss_ratio="0.4"))
    room.control(FLATTEN)
    assert not exits(at(room, 200_000))


def test_what_is_too_small_to_be_sold_is_told() -> None:
    room = Room(desk(stop_loss_ratio="0.4"))
    order = order_of(room.ask(room.proposal(max_size_micro=100 * SHARE)))
    fill = order_pb2.Fill(trade_id="t", price_micro=500_000, size_micro=2 * SHARE)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    step = at(room, 200_000)
    assert alerts(step) == [Alert.EXIT, Alert.NOT_EXITED]
    assert not said(step, risk_pb2.ApprovedTrade)


def test_every_exit_is_in_its_table() -> None:
    names = {value for name, value in vars(watch).items() if name.isupper() and name in NAMES}
    assert names == set(watch.EXITS)


NAMES = (
    "STOP_LOSS",
    "TAKE_PROFIT",
    "TRAILING",
    "ATR",
    "EMERGENCY",
    "TIME",
    "PRUNED",
    "DELEVERAGE",
)


def test_a_days_move_is_never_more_than_what_is_left_to_come() -> None:
    wild = Bars(list(range(20)), [100_000 + 800_000 * (n % 2) for n in range(20)])
    assert day_move(wild, 500_000) == 500_000
    assert day_move(wild, 10_000) < 100_000
    assert day_move(None, 500_000) == 50_000
    calm = Bars(list(range(20)), [500_000 + 10_000 * (n % 2) for n in range(20)])
    # A cent an hour is the root of 24 cents a day.
    assert day_move(calm, 500_000) == 48_989
    assert true_range(calm, 14) == 10_000
