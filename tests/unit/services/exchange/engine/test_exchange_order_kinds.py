"""Market orders in dollars, taker delays, what a market takes at the moment, ticks that change."""

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
    Venue,
    market,
    venue,
)
from whaletrader.services.exchange.engine import rules
from whaletrader.services.exchange.engine.errors import BadInstruction, OrderRefused
from whaletrader.services.exchange.engine.events import OrderEvent, TickChanged
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    Acceptance,
    CloseReason,
    NewOrder,
    OrderStatus,
    OrderType,
    Restriction,
)

FREE = {"follows_tape": False, "fee_rate_micro": 0}
MS = 1_000_000


def dollars(
    v: Venue, account: str, token: str, usd: float, worst_cents: int, kind: str
) -> NewOrder:
    cost = round(usd * MICRO)
    least = cost * 100 // worst_cents // 100 * 100
    return v.order(
        account,
        BUY,
        token,
        worst_cents,
        0,
        maker_amount=cost,
        taker_amount=least,
        order_type=OrderType(kind),
    )


def test_a_market_buy_spends_dollars_and_gets_more_shares_at_better_prices() -> None:
    v = venue(**FREE)
    v.exchange.split(ALICE, CONDITION, 200 * MICRO, 0)
    v.place(ALICE, SELL, YES, 40, 50)
    v.place(ALICE, SELL, YES, 50, 100)
    placed = v.exchange.place(dollars(v, BOB, YES, 50, 60, "FOK"), 0)
    # 20 dollars for the first fifty, 30 for sixty more; at the limit it would have been 83.
    assert (placed.shares_micro, placed.paid_micro) == (110 * MICRO, 50 * MICRO)
    assert placed.order.status is OrderStatus.MATCHED
    assert placed.order.size_micro == placed.order.matched_micro == 110 * MICRO
    assert (v.cash(BOB), v.held(BOB, YES)) == (950 * MICRO, 110 * MICRO)
    v.check()


def test_a_market_buy_leaves_less_than_a_lot_unspent() -> None:
    v = venue(**FREE)
    v.exchange.split(ALICE, CONDITION, 200 * MICRO, 0)
    v.place(ALICE, SELL, YES, 30, 200)
    placed = v.exchange.place(dollars(v, BOB, YES, 10, 60, "FOK"), 0)
    assert placed.shares_micro == 33_330_000
    assert placed.paid_micro == 9_999_000
    assert placed.order.status is OrderStatus.MATCHED


def test_a_fok_in_dollars_is_killed_when_the_book_is_too_small_and_a_fak_takes_it() -> None:
    v = venue(**FREE)
    v.exchange.split(ALICE, CONDITION, 10 * MICRO, 0)
    v.place(ALICE, SELL, YES, 50, 10)
    with pytest.raises(OrderRefused, match="couldn't be fully filled"):
        v.exchange.place(dollars(v, BOB, YES, 6, 60, "FOK"), 0)
    placed = v.exchange.place(dollars(v, BOB, YES, 6, 60, "FAK"), 0)
    assert (placed.paid_micro, placed.shares_micro) == (5 * MICRO, 10 * MICRO)
    assert placed.order.close_reason is CloseReason.KILLED
    assert placed.order.remaining_micro == 1_660_000  # what the last dollar would have bought
    assert v.exchange.state.ledger.account(BOB).reserved_cash_micro == 0


def test_a_market_buy_must_afford_the_fee_on_top_of_its_dollars() -> None:
    v = venue(follows_tape=False, cash=10 * MICRO)
    v.exchange.deposit(ALICE, 100 * MICRO, "more")
    v.place(ALICE, BUY, NO, 50, 40)
    with pytest.raises(OrderRefused, match="order amount: 10250000"):
        v.exchange.place(dollars(v, BOB, YES, 10, 60, "FOK"), 0)
    placed = v.exchange.place(dollars(v, BOB, YES, 9.75, 60, "FOK"), 0)
    assert v.cash(BOB) == 10 * MICRO - 9_750_000 - placed.order.fee_micro
    with pytest.raises(OrderRefused, match=r"marketable BUY order \(\$0.5\)"):
        v.exchange.place(dollars(v, BOB, YES, 0.5, 60, "FOK"), 0)


def test_a_market_sell_is_in_shares() -> None:
    v = venue(**FREE)
    v.exchange.split(ALICE, CONDITION, 10 * MICRO, 0)
    v.place(BOB, BUY, YES, 50, 6)
    placed = v.place(ALICE, SELL, YES, 40, 10, order_type=OrderType.FAK)
    assert (placed.shares_micro, placed.paid_micro) == (6 * MICRO, 3 * MICRO)


def test_the_maker_of_the_other_token_sees_its_own_token_price_and_no_fee() -> None:
    v = venue(follows_tape=False)
    v.place(ALICE, BUY, YES, 60, 10)
    trade = v.place(BOB, BUY, NO, 45, 10).trade
    assert trade is not None
    (maker,) = trade.makers
    assert (maker.token_id, maker.side, maker.price_micro, maker.fee_micro) == (
        YES,
        BUY,
        600_000,
        0,
    )
    taker = trade.taker
    assert (taker.token_id, taker.side, taker.price_micro) == (NO, BUY, 400_000)
    assert taker.fee_micro == 120_000
    assert maker.money_micro + taker.money_micro == 10 * MICRO


def test_a_marketable_order_in_a_crypto_market_waits_and_then_matches() -> None:
    v = venue(**FREE, taker_delay_ns=50 * MS)
    v.exchange.list_market(market(category="crypto", fee_rate_micro=0))
    passive = v.place(ALICE, BUY, YES, 60, 10)
    assert passive.order.status is OrderStatus.LIVE
    placed = v.place(BOB, BUY, NO, 40, 10)
    assert (placed.is_delayed, placed.trade) == (True, None)
    assert v.exchange.next_due_ns == 50 * MS
    assert v.exchange.state.ledger.account(BOB).reserved_cash_micro == 4 * MICRO
    v.exchange.advance(50 * MS - 1)
    assert placed.order.is_open
    v.exchange.advance(50 * MS)
    assert placed.order.status is OrderStatus.MATCHED
    assert v.held(BOB, NO) == 10 * MICRO


def test_a_delayed_order_can_be_cancelled_or_find_that_the_book_has_gone() -> None:
    v = venue(**FREE)
    v.exchange.list_market(market(taker_delay_ns=NS, fee_rate_micro=0))
    v.place(ALICE, BUY, YES, 60, 10)
    canceled = v.place(BOB, BUY, NO, 40, 10).order
    assert v.exchange.cancel(BOB, canceled.order_id, 0) is None
    rests = v.place(BOB, BUY, NO, 40, 10).order
    killed = v.place(BOB, BUY, NO, 40, 10, order_type=OrderType.FOK).order
    v.exchange.cancel_open(ALICE, 0)
    v.exchange.take_events()
    v.exchange.advance(NS)
    assert canceled.close_reason is CloseReason.USER
    assert rests.status is OrderStatus.LIVE
    assert killed.close_reason is CloseReason.KILLED
    told = [e.status for e in v.exchange.take_events() if isinstance(e, OrderEvent)]
    assert f"CANCELED_{rules.FOK_KILLED}" in told
    assert v.exchange.state.ledger.account(BOB).reserved_cash_micro == 4 * MICRO


def test_a_delayed_order_may_spend_what_it_had_set_aside_itself() -> None:
    v = venue(**FREE, cash=4 * MICRO)
    v.exchange.deposit(ALICE, 100 * MICRO, "more")
    v.exchange.list_market(market(taker_delay_ns=NS, fee_rate_micro=0))
    v.place(ALICE, BUY, YES, 60, 10)
    order = v.place(BOB, BUY, NO, 40, 10).order
    v.exchange.advance(NS)
    assert order.status is OrderStatus.MATCHED
    assert v.cash(BOB) == v.exchange.state.ledger.account(BOB).reserved_cash_micro == 0


def test_a_delayed_order_goes_with_its_market() -> None:
    v = venue(**FREE)
    v.exchange.list_market(market(taker_delay_ns=NS, fee_rate_micro=0))
    v.place(ALICE, BUY, YES, 60, 10)
    order = v.place(BOB, BUY, NO, 40, 10).order
    v.exchange.resolve(CONDITION, 0, 1)
    assert order.status is OrderStatus.CANCELED_MARKET_RESOLVED
    v.exchange.advance(NS)
    assert order.matched_micro == 0


@pytest.mark.parametrize("condition_id", [None, CONDITION])
def test_a_post_only_window_says_how_long_it_lasts_and_ends(condition_id: str | None) -> None:
    v = venue(**FREE)
    v.exchange.set_acceptance(Acceptance.POST_ONLY, condition_id, 79 * NS)
    with pytest.raises(OrderRefused, match="post-only mode") as refused:
        v.place(ALICE, BUY, YES, 60, 10)
    assert (refused.value.status, refused.value.code) == (503, "post_only_mode")
    assert refused.value.retry_after_s == 79
    v.place(ALICE, BUY, YES, 60, 10, post_only=True)
    v.exchange.advance(79 * NS)
    v.place(ALICE, BUY, YES, 60, 10)


@pytest.mark.parametrize(
    ("acceptance", "status", "text"),
    [
        (Acceptance.CANCEL_ONLY, 503, "cancel-only"),
        (Acceptance.DISABLED, 503, "currently disabled"),
        (Acceptance.CLOSED_ONLY, 400, "closed only mode"),
    ],
)
def test_what_is_not_taken_is_refused_in_the_venues_words_and_cancels_go_on(
    acceptance: Acceptance, status: int, text: str
) -> None:
    v = venue(**FREE)
    order_id = v.place(ALICE, BUY, YES, 60, 10).order.order_id
    v.exchange.set_acceptance(acceptance)
    with pytest.raises(OrderRefused, match=text) as refused:
        v.place(ALICE, BUY, YES, 60, 10)
    assert refused.value.status == status
    assert v.exchange.cancel(ALICE, order_id, 0) is None


def test_closed_only_lets_positions_be_sold() -> None:
    v = venue(**FREE)
    v.exchange.split(ALICE, CONDITION, 10 * MICRO, 0)
    v.exchange.restrict(ALICE, Restriction.CLOSED_ONLY)
    v.place(ALICE, SELL, YES, 60, 10)
    with pytest.raises(OrderRefused, match=f"'{ALICE}' address in closed only mode"):
        v.place(ALICE, BUY, YES, 10, 10)
    v.exchange.restrict(ALICE, Restriction.BANNED)
    with pytest.raises(OrderRefused, match=f"'{ALICE}' address banned"):
        v.place(ALICE, SELL, NO, 60, 10)
    v.exchange.restrict(ALICE, Restriction.NONE)
    v.place(ALICE, BUY, YES, 10, 10)


def test_a_coarser_tick_drops_orders_off_its_grid_only_where_settings_say_so() -> None:
    for drops in (False, True):
        v = venue(**FREE, drops_off_grid=drops)
        v.exchange.set_tick(CONDITION, 1_000, 0)
        off = v.exchange.place(v.order(ALICE, BUY, YES, 50, 10, maker_amount=4_950_000), 0).order
        on = v.place(ALICE, BUY, YES, 50, 10).order
        v.exchange.set_tick(CONDITION, 10_000, 5)
        (*_, told) = [e for e in v.exchange.take_events() if isinstance(e, TickChanged)]
        assert (told.old_tick_micro, told.new_tick_micro, told.at_ns) == (1_000, 10_000, 5)
        assert (off.is_open, on.is_open) == (not drops, True)
    assert off.close_reason is CloseReason.OFF_GRID


@pytest.mark.parametrize(("cents", "fine"), [(97, True), (3, True), (96, False), (50, False)])
def test_the_tick_becomes_finer_when_trades_are_near_an_end(cents: int, fine: bool) -> None:
    v = venue(**FREE, auto_tick=True)
    v.place(ALICE, BUY, YES, cents, 50)
    v.place(BOB, BUY, NO, 100 - cents, 50)
    tick = v.exchange.state.markets[CONDITION].tick_size_micro
    assert tick == (1_000 if fine else 10_000)


def test_a_tick_the_venue_does_not_have_is_refused() -> None:
    v = venue(**FREE)
    with pytest.raises(BadInstruction, match="unknown tick"):
        v.exchange.set_tick(CONDITION, 7, 0)
    with pytest.raises(BadInstruction, match="not listed"):
        v.exchange.set_tick("0xnone", 1_000, 0)


def test_an_expiration_beyond_all_times_is_refused() -> None:
    v = venue(**FREE)
    with pytest.raises(OrderRefused, match="invalid expiration"):
        v.place(ALICE, BUY, YES, 50, 10, order_type=OrderType.GTD, expiration_s=1 << 200)
