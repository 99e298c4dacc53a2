"""Each fact is told once to each agent, and counted once."""

from dataclasses import replace

from google.protobuf.message import Message

from tests.unit.services.execution.execution_bench import T0, Bench, trade, venue_closed
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.news import News
from whaletrader.venues.port import FillState, OrderState, VenueFill, VenueOrder

WALLET = "0xours"


def desk_of(bench: Bench) -> Desk:
    desk = Desk()
    desk.restored(bench.core)
    return desk


def fill(order_id: str, state: FillState, trade_id: str = "t1") -> VenueFill:
    return VenueFill(order_id, trade_id, trade_id, 500_000, 4_000_000, False, state, T0, T0 + 1)


def gone(order_id: str, state: OrderState = OrderState.CANCELLED) -> VenueOrder:
    return VenueOrder(order_id, "0xc", state, 0, "CANCELED", T0)


def test_a_fact_is_told_once_however_often_it_is_met() -> None:
    bench = Bench()
    order_id = bench.live()
    news, told = News(WALLET, desk_of(bench)), list[Message]()
    news.attach(told.append)
    for _ in range(3):
        news.tell_fill(fill(order_id, FillState.PROVISIONAL))
    for _ in range(3):
        news.tell_fill(fill(order_id, FillState.CONFIRMED))
        news.tell_fill(fill(order_id, FillState.PROVISIONAL))
        news.tell_order(gone(order_id), T0)
    assert [type(m).__name__ for m in told] == [
        "VenueTradeSeen",
        "VenueTradeSeen",
        "VenueOrderClosed",
    ]
    assert news.facts() == {WALLET: 2}
    assert len({m.meta.id for m in told}) == 3  # type: ignore[attr-defined]


def test_a_trade_at_several_prices_is_one_fact() -> None:
    bench = Bench()
    order_id = bench.live()
    news = News(WALLET, desk_of(bench))
    news.attach(lambda message: None)
    whole = fill(order_id, FillState.CONFIRMED)
    news.tell_fill(replace(whole, fill_id="t1:a"))
    news.tell_fill(replace(whole, fill_id="t1:b"))
    assert news.facts() == {WALLET: 1}


def test_nothing_is_told_or_counted_before_there_is_an_agent_to_tell() -> None:
    bench = Bench()
    order_id = bench.live()
    news = News(WALLET, desk_of(bench))
    news.tell_fill(fill(order_id, FillState.CONFIRMED))
    news.tell_order(gone(order_id), T0)
    assert news.facts() == {WALLET: 0}
    told: list[Message] = []
    news.attach(told.append)
    news.tell_fill(fill(order_id, FillState.CONFIRMED))
    assert len(told) == 1


def test_what_the_agent_should_know_and_does_not_is_told_again_when_in_doubt() -> None:
    bench = Bench()
    order_id = bench.live()
    news, told = News(WALLET, desk_of(bench)), list[Message]()
    news.attach(told.append)
    known, missed = (
        fill(order_id, FillState.PROVISIONAL),
        fill(order_id, FillState.PROVISIONAL, "t2"),
    )
    bench.tell(trade(order_id, "t1", order_pb2.TRADE_STATUS_MATCHED, 4_000_000))
    for one in (known, missed):
        news.tell_fill(one)
    news.mark_read(T0 + 5)
    assert len(told) == 1
    news.tell_fill(missed)
    assert len(told) == 1
    assert news.read_from_ns == T0
    news.doubt()
    assert news.read_from_ns == 0
    for one in (known, missed):
        news.tell_fill(one)
    # What the agent booked is no news; what it was told and did not book is.
    assert [it.fill.trade_id for it in told] == ["t2", "t2"]  # type: ignore[attr-defined]


def test_what_an_agent_did_not_commit_before_it_was_restored_is_told_again() -> None:
    bench = Bench()
    order_id = bench.live()
    news, lost, told = News(WALLET, desk_of(bench)), list[Message](), list[Message]()
    news.attach(lost.append)
    news.tell_fill(fill(order_id, FillState.CONFIRMED))
    news.tell_order(gone(order_id), T0)
    news.attach(told.append)
    assert news.facts() == {WALLET: 0}
    news.tell_fill(fill(order_id, FillState.CONFIRMED))
    news.tell_order(gone(order_id), T0)
    assert told == lost
    assert news.facts() == {WALLET: 2}


def test_what_the_agent_knows_already_is_counted_and_not_told() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", order_pb2.TRADE_STATUS_CONFIRMED, 4_000_000))
    bench.tell(venue_closed(order_id, 4_000_000))
    news, told = News(WALLET, desk_of(bench)), list[Message]()
    news.attach(told.append)
    assert news.facts() == {WALLET: 1}
    news.tell_fill(fill(order_id, FillState.CONFIRMED))
    news.tell_order(gone(order_id), T0)
    assert not told
    assert news.facts() == {WALLET: 2}


def test_an_order_on_the_book_is_news_only_if_it_was_not_expected_there() -> None:
    bench = Bench()
    live = bench.live()
    announced = bench.announce(approval_id="a2")
    given_up = bench.announce(approval_id="a3")
    bench.tell(
        order_pb2.OrderPlacement(order_id=given_up, status=order_pb2.PLACEMENT_STATUS_REFUSED)
    )
    news, told = News(WALLET, desk_of(bench)), list[Message]()
    news.attach(told.append)
    for order_id in (live, announced, given_up):
        news.tell_order(gone(order_id, OrderState.OPEN), T0)
    assert [m.order_id for m in told] == [given_up]  # type: ignore[attr-defined]


def test_the_next_read_reaches_back_to_the_oldest_fill_that_is_not_final() -> None:
    bench = Bench()
    order_id = bench.live()
    news = News(WALLET, desk_of(bench))
    news.attach(lambda message: None)
    news.tell_fill(replace(fill(order_id, FillState.PROVISIONAL), matched_ns=T0 - 5))
    news.tell_fill(fill(order_id, FillState.CONFIRMED, "t2"))
    assert news.read_from_ns == 0, "only a whole read says that nothing older is missing"
    news.mark_read(T0)
    assert news.read_from_ns == T0 - 5
    news.tell_fill(replace(fill(order_id, FillState.CONFIRMED), matched_ns=T0 - 5))
    assert news.read_from_ns == T0
