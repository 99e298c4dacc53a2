"""Money is conserved under any order flow: the property that everything else rests on."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.exchange.exchange_venue import (
    ALICE,
    BOB,
    CONDITION,
    NO,
    YES,
    Venue,
    market,
    venue,
)
from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    OrderType,
    Print,
    Resolution,
    Side,
)

CAROL = "0x" + "ca" * 20
TRADERS = (ALICE, BOB, CAROL)

order_step = st.tuples(
    st.just("order"),
    st.sampled_from(TRADERS),
    st.sampled_from(Side),
    st.sampled_from((YES, NO)),
    st.integers(1, 99),
    st.integers(500, 20_000),
    st.sampled_from(OrderType),
)
print_step = st.tuples(
    st.just("print"),
    st.sampled_from((YES, NO)),
    st.integers(0, 1_000_000),
    st.integers(1, 2_000_000_000),
    st.sampled_from(Side),
)
cancel_step = st.tuples(st.just("cancel"), st.sampled_from(TRADERS))
steps = st.lists(st.one_of(order_step, order_step, print_step, cancel_step), max_size=40)


def _play(v: Venue, step: tuple, now_s: int) -> None:  # type: ignore[type-arg]
    if step[0] == "order":
        _, who, side, token, cents, hundredths, kind = step
        expiration = now_s + 65 if kind is OrderType.GTD else 0
        try:
            v.place(
                who, side, token, cents, hundredths / 100, order_type=kind, expiration_s=expiration
            )
        except OrderRefused:
            return
    elif step[0] == "print":
        _, token, price, size, side = step
        recorded = Print(f"p{now_s}", token, price, size, side, now_s * NS)
        v.play(now_s, recorded)
    else:
        v.exchange.cancel_open(step[1], v.exchange.now_ns)


@settings(max_examples=150, deadline=None)
@given(
    flow=steps,
    tick=st.sampled_from((10_000, 1_000)),
    winner=st.integers(0, 1),
    rate=st.integers(0, 250_000),
)
def test_any_flow_conserves_money_and_shares_to_the_micro_unit(
    flow: list,
    tick: int,
    winner: int,
    rate: int,  # type: ignore[type-arg]
) -> None:
    v = venue(cash=100 * MICRO, fee_rate_micro=rate)
    v.exchange.deposit(CAROL, 100 * MICRO, "initial")
    v.exchange.list_market(market(fee_rate_micro=rate, tick_size_micro=tick))
    for number, step in enumerate(flow):
        _play(v, step, 100 + number)
        v.check()
    v.play(1_000, resolve=Resolution(CONDITION, winner, 1_000 * NS))
    v.check()
    for account in v.exchange.state.ledger.traders():
        assert account.reserved_cash_micro == 0
        assert not any(account.reserved_shares.values())
        assert not any(account.positions.values())


@settings(max_examples=100, deadline=None)
@given(flow=steps)
def test_fills_from_a_print_never_exceed_its_share(flow: list) -> None:  # type: ignore[type-arg]
    v = venue(cash=10_000 * MICRO)
    v.exchange.deposit(CAROL, 10_000 * MICRO, "initial")
    sizes: dict[int, int] = {}
    for number, step in enumerate(flow):
        now_s = 100 + number
        if step[0] == "print":
            sizes[now_s * NS] = step[3]
        _play(v, step, now_s)
    taken: dict[int, int] = {}
    for trade in v.exchange.state.trades.values():
        if any(leg.account == "tape" for leg in trade.legs):
            taken[trade.match_ns] = taken.get(trade.match_ns, 0) + trade.taker.size_micro
    for at_ns, size in taken.items():
        assert size * 10 <= sizes[at_ns]
