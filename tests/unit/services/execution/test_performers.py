"""What is asked right before an order leaves, and what each answer of the venue comes to."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.unit.services.execution.execution_bench import T0, VERIFY, Bench, S, control
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import common_pb2, control_pb2, order_pb2
from whaletrader.services.execution.claims import NO_RIVAL, ClaimLost, WalletClaim
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.news import News
from whaletrader.services.execution.outside import ANYWHERE, Outside
from whaletrader.services.execution.performers import CancelPerformer, Guards, SubmitPerformer
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.venues.approval import VerifiedApproval
from whaletrader.venues.errors import (
    AlreadyPlaced,
    OutcomeUnknown,
    Refusal,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.port import (
    Cancellation,
    OrderState,
    Placement,
    Venue,
    VenueFill,
    VenueOrder,
)

LIVE = order_pb2.PLACEMENT_STATUS_LIVE
DELAYED = order_pb2.PLACEMENT_STATUS_DELAYED
REFUSED = order_pb2.PLACEMENT_STATUS_REFUSED
UNKNOWN = order_pb2.PLACEMENT_STATUS_UNKNOWN


@dataclass
class Scripted:
    """A venue that answers as a test says and counts what it is sent."""

    answer: Any = None
    has_order: bool = False
    wallet: str = "0xours"
    sent: list[VerifiedApproval] = field(default_factory=list)
    looked: int = 0

    async def submit(self, approval: VerifiedApproval, order: Any, *, before_send: Any) -> Any:
        before_send()
        self.sent.append(approval)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or Placement(order.order.order_id, "live", False)

    async def cancel(self, order_id: str) -> Cancellation:
        return Cancellation(order_id, True, "")

    async def order(self, order_id: str) -> VenueOrder | None:
        self.looked += 1
        found = VenueOrder(order_id, "0xc", OrderState.OPEN, 0, "LIVE")
        return found if self.has_order else None

    async def fills(self, *, condition_id: str = "") -> list[VenueFill]:
        return []


class Lost:
    """A claim that another process may have by now."""

    async def confirm(self) -> None:
        return

    def require(self) -> None:
        raise ClaimLost("the claim was lost")


class Abroad:
    forbids = "region: blocked"


@dataclass
class Edge:
    """An announced order, and what carries it out."""

    venue: Scripted
    bench: Bench
    guards: Guards
    message: order_pb2.SubmitOrder

    async def submit(self, *, again: bool = False) -> order_pb2.OrderPlacement:
        performer = SubmitPerformer(cast("Venue", self.venue), self.reconciler(), self.guards)
        made = await performer(Effect(self.message, "lane", "x"), again)
        assert isinstance(made, order_pb2.OrderPlacement)
        return made

    def reconciler(self) -> Reconciler:
        news = News("0xours", self.guards.desk)
        return Reconciler(cast("Venue", self.venue), self.guards.desk, news, lambda: T0)


def edge(
    answer: Any = None,
    *,
    now_ns: int = T0,
    claim: WalletClaim = NO_RIVAL,
    outside: Outside = ANYWHERE,
    has_order: bool = False,
) -> Edge:
    bench = Bench()
    bench.announce()
    desk = Desk()
    desk.restored(bench.core)
    guards = Guards(desk, VERIFY, lambda: now_ns, claim, outside)
    [message] = bench.asked(order_pb2.SubmitOrder)
    return Edge(Scripted(answer, has_order), bench, guards, message)


async def test_an_approved_order_leaves_once_with_its_proof() -> None:
    made = edge()
    placed = await made.submit()
    assert (placed.status, placed.order_id) == (LIVE, made.message.order.order.order_id)
    [proof] = made.venue.sent
    assert proof.approval == made.message.approval
    assert made.venue.looked == 0


@pytest.mark.parametrize(
    "stop", [control_pb2.CONTROL_ACTION_HALT, control_pb2.CONTROL_ACTION_FLATTEN]
)
async def test_nothing_leaves_after_a_stop(stop: Any) -> None:
    made = edge()
    made.bench.tell(control(stop))
    placed = await made.submit()
    assert (placed.status, made.venue.sent) == (REFUSED, [])
    assert placed.detail == "withheld: trading is stopped"


async def test_nothing_leaves_for_an_approved_trade_that_is_over_though_trading_goes_on() -> None:
    made = edge()
    made.bench.fire("leg", made.message.order.order.order_id, after_s=60)
    placed = await made.submit()
    assert (placed.status, made.venue.sent) == (REFUSED, [])
    assert placed.detail.startswith("withheld")


async def test_nothing_leaves_from_where_trading_is_not_allowed() -> None:
    made = edge(outside=Abroad())
    placed = await made.submit()
    assert (placed.status, made.venue.sent) == (REFUSED, [])
    assert "region: blocked" in placed.detail


async def test_nothing_leaves_without_the_claim_to_the_wallet() -> None:
    made = edge(claim=Lost())
    with pytest.raises(EffectRetry):
        await made.submit()
    assert not made.venue.sent


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("size_micro", 10_010_000),
        ("price_micro", 510_000),
        ("token_id", "5"),
        ("side", common_pb2.SIDE_SELL),
    ],
)
async def test_nothing_leaves_that_the_approval_does_not_cover(field_name: str, value: Any) -> None:
    made = edge()
    setattr(made.message.order.order, field_name, value)
    placed = await made.submit()
    assert (placed.status, made.venue.sent) == (REFUSED, [])


async def test_nothing_leaves_under_a_forged_or_an_expired_approval() -> None:
    forged = edge()
    forged.message.approval.size_micro += 1
    late = edge(now_ns=T0 + 30 * S)
    for made in (forged, late):
        placed = await made.submit()
        assert (placed.status, made.venue.sent) == (REFUSED, [])
    assert placed.detail == "not sent: the approval has expired"


async def test_what_may_have_been_sent_is_looked_for_before_it_is_sent() -> None:
    for again, look_first in ((True, False), (False, True)):
        made = edge(has_order=True)
        made.message.look_first = look_first
        assert (await made.submit(again=again)).status == LIVE
        assert (made.venue.sent, made.venue.looked) == ([], 1)
        made = edge()
        made.message.look_first = look_first
        assert (await made.submit(again=again)).status == LIVE
        assert (len(made.venue.sent), made.venue.looked) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "status", "status_again"),
    [
        (VenueRefused("no money", Refusal.BALANCE), REFUSED, UNKNOWN),
        (VenueStop("banned"), REFUSED, UNKNOWN),
        (AlreadyPlaced("duplicate"), LIVE, LIVE),
        (Placement("0x1", "delayed", False, is_delayed=True), DELAYED, DELAYED),
    ],
)
async def test_only_what_cannot_have_been_sent_before_is_refused_for_good(
    answer: Any, status: Any, status_again: Any
) -> None:
    assert (await edge(answer).submit()).status == status
    assert (await edge(answer).submit(again=True)).status == status_again


@pytest.mark.parametrize("answer", [OutcomeUnknown("lost"), VenueUnavailable("425")])
async def test_a_lost_answer_is_no_answer(answer: Exception) -> None:
    with pytest.raises(EffectRetry):
        await edge(answer).submit()


async def test_a_match_is_looked_at_before_the_next_decision() -> None:
    made = edge(Placement("0x1", "matched", True))
    await made.submit()
    assert made.venue.looked == 1
    never_rests = edge()
    never_rests.message.order.order_type = order_pb2.ORDER_TYPE_FAK
    await never_rests.submit()
    assert never_rests.venue.looked == 1


async def test_a_cancel_is_followed_by_a_look() -> None:
    made = edge()
    ref = made.message.order.order
    performer = CancelPerformer(cast("Venue", made.venue), made.reconciler())
    told = await performer(Effect(order_pb2.CancelOrder(order=ref), "lane", "x"), False)
    assert isinstance(told, order_pb2.OrderCancellation)
    assert (told.gone, made.venue.looked) == (True, 1)
