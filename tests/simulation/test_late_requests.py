"""A request that arrives after its second try was refused has not been taken for refused."""

from random import Random

import pytest

from tests.simulation.faults import Fate, Faults, Rates
from tests.simulation.venue import WALLET, Exchange, SimVenue
from tests.unit.services.execution.execution_bench import CONDITION, NO, T0, VERIFY, YES, Bench
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import order_pb2
from whaletrader.services.exchange.engine.model import EngineSettings, Market, Token
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.news import News
from whaletrader.services.execution.performers import Guards, SubmitPerformer
from whaletrader.services.execution.reconcile import Reconciler

REFUSED = order_pb2.PLACEMENT_STATUS_REFUSED
UNKNOWN = order_pb2.PLACEMENT_STATUS_UNKNOWN


def _place() -> tuple[Exchange, SubmitPerformer, Faults]:
    """An exchange where the wallet has no money yet, and what sends orders there."""
    exchange = Exchange.opened(EngineSettings(), 0)
    tokens = (Token(YES, "Yes"), Token(NO, "No"))
    market = Market(CONDITION, "?", "m", "e", "", tokens, 10_000, 5_000_000, 0, False, 0)
    exchange.engine.list_market(market)
    faults = Faults(Random(1), Rates(submit={Fate.LATE: 1.0}, read={}))

    async def no_submit(*_: object) -> None:
        return

    venue = SimVenue(exchange, faults, no_submit)
    desk = Desk()
    reconciler = Reconciler(venue, desk, News(WALLET, desk), lambda: T0)
    return exchange, SubmitPerformer(venue, reconciler, Guards(desk, VERIFY, lambda: T0)), faults


async def test_a_refusal_of_a_second_try_says_nothing_of_the_first() -> None:
    exchange, submit, faults = _place()
    bench = Bench()
    order_id = bench.announce()
    [message] = bench.asked(order_pb2.SubmitOrder)
    with pytest.raises(EffectRetry):
        await submit(Effect(message, "lane", "x"), False)
    faults.is_on = False
    outcome = await submit(Effect(message, "lane", "x"), True)
    assert isinstance(outcome, order_pb2.OrderPlacement)
    assert outcome.status == UNKNOWN
    exchange.engine.deposit(WALLET, 100_000_000, "later")
    exchange.deliver_late()
    assert order_id in exchange.engine.state.orders, "the first try came, and was taken"


async def test_a_first_try_that_is_refused_is_refused() -> None:
    _, submit, faults = _place()
    faults.is_on = False
    bench = Bench()
    bench.announce()
    [message] = bench.asked(order_pb2.SubmitOrder)
    outcome = await submit(Effect(message, "lane", "x"), False)
    assert isinstance(outcome, order_pb2.OrderPlacement)
    assert outcome.status == REFUSED
