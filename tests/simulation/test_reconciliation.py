"""What the venue's stream lost, the next reconciliation finds, whatever was read in between."""

from random import Random

from google.protobuf.message import Message

from tests.simulation.faults import Faults, Rates
from tests.simulation.venue import WALLET, Exchange, SimVenue
from whaletrader.schemas import order_pb2
from whaletrader.services.exchange.engine.exchange import Window
from whaletrader.services.exchange.engine.model import (
    EngineSettings,
    Market,
    NewOrder,
    OrderType,
    Print,
    Side,
    Token,
)
from whaletrader.services.execution.desk import Desk, LiveOrder
from whaletrader.services.execution.news import News
from whaletrader.services.execution.reconcile import Reconciler

SIZE = 100_000_000


def _exchange() -> Exchange:
    """Two orders rest, each was filled in part: the first's fill is the older one."""
    exchange = Exchange.opened(EngineSettings(), 1_000_000_000)
    for name in ("a", "b"):
        tokens = (Token(f"{name}-yes", "Yes"), Token(f"{name}-no", "No"))
        market = Market(name, "?", name, name, "", tokens, 10_000, 5_000_000, 0, False, 0)
        exchange.engine.list_market(market)
        exchange.place(
            NewOrder(
                name, WALLET, WALLET, "us", WALLET, f"{name}-yes", Side.BUY, OrderType.GTC,
                SIZE // 2, SIZE,
            )
        )  # fmt: skip
    prints = tuple(
        Print(name, f"{name}-yes", 400_000, SIZE, Side.SELL, at_ns)
        for name, at_ns in (("a", 100), ("b", 200))
    )
    exchange.engine.play(Window(1, 1_000, prints))
    exchange.publish()
    return exchange


async def test_a_lost_fill_of_a_resting_order_is_found_after_a_look_at_another() -> None:
    faults = Faults(Random(1), Rates())
    faults.is_on = False

    async def no_submit(*_: object) -> None:
        return

    venue = SimVenue(_exchange(), faults, no_submit)
    told: list[Message] = []
    desk = Desk()
    news = News(WALLET, desk)
    news.attach(told.append)
    reconciler = Reconciler(venue, desk, news, lambda: 1_000)
    await reconciler.order(LiveOrder("b", "b", SIZE))
    await reconciler.all()
    seen = [it.order_id for it in told if isinstance(it, order_pb2.VenueTradeSeen)]
    assert sorted(seen) == ["a", "b"]
