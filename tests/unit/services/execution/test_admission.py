"""What may become an order: only a genuine, fresh, unused approval, and exactly its trade."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.execution.execution_bench import (
    CONDITION,
    NO,
    POLICY,
    T0,
    YES,
    Bench,
    S,
    approval,
    control,
    listing,
)
from whaletrader.schemas import agent_pb2, common_pb2, control_pb2, market_pb2, order_pb2
from whaletrader.services.execution.admission import Working, salt_of


def refused(bench: Bench) -> list[str]:
    """Return the rules that the newest refusal names as failed."""
    assert not bench.asked(order_pb2.SubmitOrder)
    assert not bench.said(order_pb2.OrderAnnounced)
    reasons = bench.said(order_pb2.ApprovalRefused)[-1].reasons
    return [reason.rule for reason in reasons if not reason.passed]


def test_an_approval_becomes_one_announced_order_and_one_submission() -> None:
    bench = Bench()
    order_id = bench.announce()
    [announced] = bench.said(order_pb2.OrderAnnounced)
    ref = announced.order
    assert (ref.order_id, ref.approval_id, ref.proposal_id) == (order_id, "a1", "p-a1")
    assert (ref.price_micro, ref.size_micro, ref.token_id) == (500_000, 10_000_000, YES)
    assert (announced.salt, announced.timestamp_ms) == (salt_of("a1"), T0 // 1_000_000)
    assert announced.order_type == order_pb2.ORDER_TYPE_GTC
    [submit] = bench.asked(order_pb2.SubmitOrder)
    assert submit.order.order == ref
    assert submit.approval.signature == approval().signature
    [timer] = bench.asked(agent_pb2.SetTimer)
    assert timer.due_ns == T0 + 60 * S


def test_deciding_twice_gives_the_same_order() -> None:
    assert Bench().announce() == Bench().announce()


def test_every_rule_is_named_whether_it_passed_or_not() -> None:
    bench = Bench()
    bench.tell(approval(size_micro=1_000_000))
    [refusal] = bench.said(order_pb2.ApprovalRefused)
    assert len(refusal.reasons) >= 10
    assert [r.rule for r in refusal.reasons if not r.passed] == ["order.size_minimum"]
    size = next(r for r in refusal.reasons if r.rule == "order.size_minimum")
    assert (size.value, size.limit) == (1_000_000, 5_000_000)


@pytest.mark.parametrize(
    ("field", "value"),
    [("size_micro", 20_000_000), ("limit_price_micro", 510_000), ("token_id", NO)],
)
def test_an_approval_altered_after_it_was_signed_is_refused(field: str, value: Any) -> None:
    bench = Bench()
    message = approval()
    setattr(message, field, value)
    bench.tell(message)
    assert "approval.signature" in refused(bench)


def test_a_forged_approval_is_refused() -> None:
    bench = Bench()
    message = approval()
    message.signature = bytes(64)
    bench.tell(message)
    assert refused(bench) == ["approval.signature"]


def test_an_expired_approval_is_refused() -> None:
    bench = Bench()
    bench.now_ns = T0 + 30 * S
    bench.tell(approval())
    assert refused(bench) == ["approval.unexpired"]


def test_a_replayed_approval_is_refused_and_its_order_goes_on() -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(approval())
    assert list(bench.state.orders) == [order_id]
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1
    [refusal] = bench.said(order_pb2.ApprovalRefused)
    [failed] = [r for r in refusal.reasons if not r.passed]
    assert (failed.rule, failed.detail) == ("approval.unused", order_id)


def test_an_approval_is_used_up_also_when_its_order_is_over() -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(
        order_pb2.OrderPlacement(order_id=order_id, status=order_pb2.PLACEMENT_STATUS_REFUSED)
    )
    assert bench.said(order_pb2.OrderClosed)
    bench.tell(approval())
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"token_id": "12345"}, "market.known"),
        ({"condition_id": "0x" + "cd" * 32}, "market.token"),
        ({"outcome_index": 1}, "market.token"),
        ({"size_micro": 4_990_000}, "order.size_minimum"),
        ({"size_micro": 0}, "order.size_minimum"),
        ({"limit_price_micro": 9_999}, "order.price"),
        ({"limit_price_micro": 1_000_000}, "order.price"),
        ({"limit_price_micro": 65_000_000}, "order.price"),
        ({"side": common_pb2.SIDE_UNSPECIFIED}, "order.side"),
        ({"approval_id": ""}, "approval.identified"),
    ],
)
def test_a_trade_that_the_market_does_not_allow_is_refused(
    changes: dict[str, Any], rule: str
) -> None:
    bench = Bench()
    bench.tell(approval(**changes))
    assert rule in refused(bench)


def test_no_market_is_known_before_the_catalogue_is_read() -> None:
    bench = Bench(listed=False)
    bench.tell(approval())
    assert refused(bench) == ["market.known"]


def test_a_decided_market_takes_no_order() -> None:
    bench = Bench()
    bench.tell(market_pb2.MarketResolved(condition_id=CONDITION, winning_index=0))
    bench.tell(approval())
    assert refused(bench) == ["market.open"]


@pytest.mark.parametrize(
    ("action", "side", "allowed"),
    [
        (control_pb2.CONTROL_ACTION_HALT, common_pb2.SIDE_BUY, False),
        (control_pb2.CONTROL_ACTION_HALT, common_pb2.SIDE_SELL, False),
        (control_pb2.CONTROL_ACTION_FLATTEN, common_pb2.SIDE_BUY, False),
        (control_pb2.CONTROL_ACTION_FLATTEN, common_pb2.SIDE_SELL, True),
        (control_pb2.CONTROL_ACTION_RESUME, common_pb2.SIDE_BUY, True),
    ],
)
def test_a_stopped_portfolio_announces_nothing_but_sales_to_flatten(
    action: control_pb2.ControlAction.ValueType, side: common_pb2.Side.ValueType, allowed: bool
) -> None:
    bench = Bench()
    bench.tell(control(action))
    bench.tell(approval(side=side))
    assert bool(bench.asked(order_pb2.SubmitOrder)) is allowed
    if not allowed:
        assert refused(bench) == ["trading.running"]


def test_resume_undoes_a_halt() -> None:
    bench = Bench()
    bench.tell(control(control_pb2.CONTROL_ACTION_HALT))
    bench.tell(control(control_pb2.CONTROL_ACTION_RESUME))
    assert bench.announce()


def test_one_portfolio_is_halted_and_the_other_trades() -> None:
    bench = Bench()
    bench.tell(control(control_pb2.CONTROL_ACTION_HALT))
    assert bench.announce(portfolio="other")


@given(
    limit=st.integers(10_000, 990_000),
    size=st.integers(5_000_000, 10**12),
    side=st.sampled_from([common_pb2.SIDE_BUY, common_pb2.SIDE_SELL]),
    tick=st.sampled_from([100_000, 10_000, 5_000, 2_500, 1_000, 100]),
)
def test_an_order_is_never_larger_or_worse_than_its_approval(
    limit: int, size: int, side: common_pb2.Side.ValueType, tick: int
) -> None:
    bench = Bench(listed=False)
    bench.tell(listing(tick_size_micro=tick))
    bench.tell(approval(limit_price_micro=limit, size_micro=size, side=side))
    for announced in bench.said(order_pb2.OrderAnnounced):
        ref = announced.order
        assert 0 < ref.size_micro <= size
        assert ref.size_micro % 10_000 == 0
        assert ref.price_micro % tick == 0
        better = limit - ref.price_micro if side == common_pb2.SIDE_BUY else ref.price_micro - limit
        assert 0 <= better < tick


def test_a_working_time_with_a_margin_makes_the_venue_drop_the_order_itself() -> None:
    bench = Bench(replace(POLICY, working=Working(60 * S, gtd_margin_s=120)))
    bench.announce()
    [announced] = bench.said(order_pb2.OrderAnnounced)
    assert announced.order_type == order_pb2.ORDER_TYPE_GTD
    assert announced.expiration_s == T0 // S + 60 + 120
