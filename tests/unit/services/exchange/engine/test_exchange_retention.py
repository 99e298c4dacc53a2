"""What a crowd finished is forgotten; what others took part in, and every balance, stays."""

from __future__ import annotations

import pytest

from tests.unit.services.exchange.exchange_venue import (
    ALICE,
    BOB,
    BUY,
    CONDITION,
    NO,
    SELL,
    YES,
    venue,
)
from whaletrader.services.exchange.engine.model import MICRO, NS
from whaletrader.services.exchange.engine.plans import SettlementPlan
from whaletrader.services.exchange.engine.rebates import DAY_NS
from whaletrader.services.exchange.engine.snapshot import dump, load
from whaletrader.services.exchange.traders import crowd as crowd_module
from whaletrader.services.exchange.traders.crowd import Crowd, CrowdSettings

FREE = {"follows_tape": False, "fee_rate_micro": 0}
CAROL = "0x" + "ca" * 20


def test_profit_is_the_same_before_and_after_forgetting() -> None:
    v = venue(**FREE)
    v.give(ALICE, YES, 10)
    v.place(BOB, BUY, YES, 60, 6)
    v.place(ALICE, SELL, YES, 60, 10)
    v.exchange.split(ALICE, CONDITION, 3 * MICRO, 0)
    before = {who: v.exchange.positions(who) for who in (ALICE, BOB)}
    v.exchange.advance(100)
    # Two trades, and all four orders but the one that still rests.
    assert v.exchange.forget([ALICE, BOB], 50) == 2 + 3
    assert not v.exchange.state.trades
    assert {who: v.exchange.positions(who) for who in (ALICE, BOB)} == before
    assert [a.kind.value for a in v.exchange.activity(ALICE)] == ["DEPOSIT"]
    v.place(BOB, BUY, YES, 60, 5)
    assert v.exchange.positions(ALICE) != before[ALICE]
    v.check()


def test_what_an_outsider_took_part_in_stays_with_the_outsider() -> None:
    v = venue(**FREE)
    v.exchange.deposit(CAROL, 100 * MICRO, "x")
    v.place(ALICE, BUY, YES, 60, 10)
    trade = v.place(CAROL, BUY, NO, 40, 10).trade
    assert trade is not None
    v.exchange.advance(100)
    v.exchange.forget([ALICE, BOB], 50)
    state = v.exchange.state
    assert state.trades_by_account[CAROL] == [trade]
    assert state.trades_by_principal[ALICE] == []
    assert trade.trade_id in state.trades
    v.exchange.take_events()
    again = load(dump(v.exchange))
    assert [t.trade_id for t in again.state.trades_by_account[CAROL]] == [trade.trade_id]
    assert again.positions(ALICE)[0].size_micro == 10 * MICRO


def test_nothing_is_forgotten_from_the_first_unsettled_trade_on() -> None:
    v = venue(**FREE)
    v.place(ALICE, BUY, YES, 60, 10)
    v.exchange.hold_next(BOB, SettlementPlan(mined_ns=10 * NS, fails=True))
    v.place(BOB, BUY, NO, 40, 10)
    v.place(ALICE, BUY, YES, 60, 10)
    v.place(BOB, BUY, NO, 40, 10)
    v.exchange.advance(5 * NS)
    v.exchange.forget([ALICE, BOB], 4 * NS)
    assert len(v.exchange.state.trades) == 2
    v.exchange.advance(10 * NS)
    assert v.held(ALICE, YES) == 10 * MICRO
    v.check()


def test_a_trade_that_paid_a_fee_is_kept_until_its_day_is_over() -> None:
    v = venue(follows_tape=False)
    v.place(ALICE, BUY, YES, 60, 10)
    v.place(BOB, BUY, NO, 40, 10)
    v.exchange.advance(NS)
    v.exchange.forget([ALICE, BOB], NS)
    assert v.exchange.rebates("1970-01-01", ALICE)
    v.exchange.advance(2 * DAY_NS)
    v.exchange.forget([ALICE, BOB], DAY_NS)
    assert not v.exchange.state.trades


def test_a_crowd_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd_module, "KEPT_NS", 10 * NS)
    monkeypatch.setattr(crowd_module, "FORGET_EVERY_ORDERS", 500)
    v = venue(**FREE)
    crowd = Crowd(CrowdSettings(limit_per_s=20, market_per_s=5, cancel_share_per_s=0.5))
    crowd.join(v.exchange, [CONDITION])
    placed = most = 0
    for second in range(240):
        placed += crowd.drive(v.exchange, second * NS).placed
        v.exchange.take_events()
        most = max(most, len(v.exchange.state.orders))
    assert placed > 2_500
    assert most < 1_200
    v.check()
