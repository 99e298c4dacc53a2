"""The venue in the same process: the exchange's own engine behind the venue port.

`Exchange` holds the engine and what is still on its way to it; each process has its own
`SimVenue`, which dies with it. Calls time out with and without having been done; the stream
loses, repeats and reorders.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.simulation.faults import Crashed, CrashPoint, Fate, Faults
from whaletrader.domain.ids import derived_id
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.events import OrderEvent, OrderEventKind, TradeEvent
from whaletrader.services.exchange.engine.exchange import Exchange as Engine
from whaletrader.services.exchange.engine.model import (
    MICRO,
    CloseReason,
    EngineSettings,
    NewOrder,
    Order,
    OrderStatus,
    OrderType,
    Side,
    Trade,
    TradeStatus,
)
from whaletrader.venues.approval import VerifiedApproval
from whaletrader.venues.errors import (
    AlreadyPlaced,
    OutcomeUnknown,
    VenueRefused,
    VenueUnavailable,
)
from whaletrader.venues.port import (
    Cancellation,
    FillState,
    OrderPlaced,
    OrderState,
    Placement,
    StreamEvent,
    StreamOpened,
    VenueFill,
    VenueOrder,
)
from whaletrader.venues.terms import BookLevel, OrderBook

DEPTH_MICRO = 5_000 * MICRO
WALLET = "0x00000000000000000000000000000000000000aa"
_TYPES = {order_pb2.ORDER_TYPE_GTC: OrderType.GTC, order_pb2.ORDER_TYPE_GTD: OrderType.GTD}

_FILL_STATES = {
    TradeStatus.MATCHED: FillState.PROVISIONAL,
    TradeStatus.RETRYING: FillState.RETRYING,
    TradeStatus.MINED: FillState.MINED,
    TradeStatus.CONFIRMED: FillState.CONFIRMED,
    TradeStatus.FAILED: FillState.FAILED,
}


@dataclass(slots=True)
class Exchange:
    """The engine, who listens to it, and requests that are still on the wire."""

    engine: Engine
    streams: list[list[StreamEvent]] = field(default_factory=list)
    on_the_wire: list[NewOrder] = field(default_factory=list)

    @classmethod
    def opened(cls, settings: EngineSettings, deposit_micro: int) -> "Exchange":
        engine = Engine(settings)
        engine.deposit(WALLET, deposit_micro, "start")
        return cls(engine)

    def place(self, new: NewOrder) -> bool:
        """Take an order; return whether it was matched on arrival. Raises OrderRefused."""
        try:
            return self.engine.place(new, self.engine.now_ns).trade is not None
        finally:
            self.publish()

    def deliver_late(self) -> None:
        """Let everything that is still on the wire arrive."""
        arrived, self.on_the_wire = self.on_the_wire, []
        for new in arrived:
            try:
                self.place(new)
            except OrderRefused:
                # Nobody waits for the answer any more.
                continue

    def publish(self) -> None:
        """Tell every open stream what has happened."""
        told = [event for it in self.engine.take_events() for event in _stream_events(it)]
        for stream in self.streams:
            stream.extend(told)


class SimVenue:
    """One process's connection to the exchange."""

    def __init__(
        self,
        exchange: Exchange,
        faults: Faults,
        on_submit: Callable[[VerifiedApproval, order_pb2.OrderAnnounced], Awaitable[None]],
    ) -> None:
        self._exchange = exchange
        self._faults = faults
        self._on_submit = on_submit
        self._stream: list[StreamEvent] = []
        self._batch: list[StreamEvent] = []
        self.reconnect()

    @property
    def wallet(self) -> str:
        return WALLET

    @property
    def has_news(self) -> bool:
        return bool(self._stream)

    def close(self) -> None:
        """The process is gone: nobody hears the stream any more."""
        self._exchange.streams = [s for s in self._exchange.streams if s is not self._stream]

    def reconnect(self) -> None:
        """Lose what was not delivered; a new stream begins with StreamOpened."""
        self.close()
        self._stream = [StreamOpened()]
        self._exchange.streams.append(self._stream)

    def take(self, limit: int) -> None:
        """Choose what `events` yields next: some of the stream, in some order, some twice."""
        rng, rates = self._faults.rng, self._faults.rates
        if self._faults.happens("stream lost", rates.stream_lost):
            self.reconnect()
        batch = self._stream[:limit]
        del self._stream[:limit]
        batch += [
            event
            for event in batch
            if self._faults.happens("stream told twice", rates.stream_twice)
        ]
        if self._faults.is_on:
            rng.shuffle(batch)
        self._batch = batch

    async def events(self) -> AsyncIterator[StreamEvent]:
        batch, self._batch = self._batch, []
        for event in batch:
            yield event

    def prepare(self, order: order_pb2.OrderAnnounced) -> str:
        return order_id_of(order)

    async def submit(
        self,
        approval: VerifiedApproval,
        order: order_pb2.OrderAnnounced,
        *,
        before_send: Callable[[], None] | None = None,
    ) -> Placement:
        if before_send is not None:
            before_send()
        fate = self._faults.fate("submit", self._faults.rates.submit)
        self._before(fate)
        await self._on_submit(approval, order)
        new = _new_order(order)
        if fate is Fate.LATE:
            self._exchange.on_the_wire.append(new)
            raise OutcomeUnknown("no answer")
        try:
            matched = self._exchange.place(new)
        except OrderRefused as error:
            self._after(fate)
            if "Duplicated" in str(error):
                raise AlreadyPlaced(str(error)) from error
            raise VenueRefused(str(error)) from error
        self._after(fate)
        return Placement(new.order_id, "matched" if matched else "live", matched)

    async def cancel(self, order_id: str) -> Cancellation:
        fate = self._faults.fate("cancel", self._faults.rates.cancel)
        self._before(fate)
        engine = self._exchange.engine
        refusal = engine.cancel(WALLET, order_id, engine.now_ns)
        self._exchange.publish()
        self._after(fate)
        order = engine.state.orders.get(order_id)
        is_gone = order is None or not order.is_open
        return Cancellation(order_id, is_gone, refusal or "cancelled")

    async def order(self, order_id: str) -> VenueOrder | None:
        self._read()
        found = self._exchange.engine.state.orders.get(order_id)
        return _venue_order(found) if found is not None else None

    async def open_orders(self) -> list[VenueOrder]:
        self._read()
        orders = self._exchange.engine.state.open_by_principal[WALLET].values()
        return [_venue_order(order) for order in orders]

    async def fills(self, *, condition_id: str = "", after_ns: int = 0) -> list[VenueFill]:
        self._read()
        trades = self._exchange.engine.state.trades_by_principal[WALLET]
        return [
            fill
            for trade in trades
            if condition_id in ("", trade.market.condition_id) and trade.match_ns >= after_ns
            for fill in fills_of(trade, trade.status, trade.last_update_ns)
        ]

    async def fills_of_trade(self, trade_id: str) -> list[VenueFill]:
        self._read()
        trade = self._exchange.engine.state.trades.get(trade_id)
        return fills_of(trade, trade.status, trade.last_update_ns) if trade is not None else []

    async def cash_micro(self) -> int:
        self._read()
        return self._exchange.engine.state.ledger.account(WALLET).cash_micro

    async def shares_micro(self, token_id: str) -> int:
        self._read()
        account = self._exchange.engine.state.ledger.account(WALLET)
        return account.positions.get(token_id, 0)

    async def book(self, token_id: str) -> OrderBook:
        """A book one tick around the last print: the tape itself shows none."""
        self._read()
        state = self._exchange.engine.state
        market = state.market_of_token[token_id]
        last = state.last_prints.get(market.condition_id)
        price = MICRO // 2 if last is None else last.price_micro
        if last is not None and last.token_id != token_id:
            price = MICRO - price
        tick = market.tick_size_micro
        levels = [
            (BookLevel(at, DEPTH_MICRO),) if tick <= at <= MICRO - tick else ()
            for at in (price // tick * tick - tick, price // tick * tick + tick)
        ]
        return OrderBook(
            token_id, market.condition_id, *levels, tick, market.min_size_micro, market.neg_risk
        )

    def _read(self) -> None:
        if self._faults.fate("read", self._faults.rates.read) is Fate.UNAVAILABLE:
            raise VenueUnavailable("restarting")

    def _before(self, fate: Fate) -> None:
        if fate is Fate.CRASH_BEFORE:
            raise Crashed(CrashPoint.IN_EFFECT_BEFORE)
        if fate is Fate.UNAVAILABLE:
            raise VenueUnavailable("restarting")
        if fate is Fate.LOST:
            raise OutcomeUnknown("no answer")

    def _after(self, fate: Fate) -> None:
        if fate is Fate.CRASH_AFTER:
            raise Crashed(CrashPoint.IN_EFFECT_AFTER)
        if fate is Fate.ANSWER_LOST:
            raise OutcomeUnknown("no answer")


def order_id_of(order: order_pb2.OrderAnnounced) -> str:
    """Return the id that the venue gives to these terms: a digest of all of them."""
    named = order_pb2.OrderAnnounced()
    named.CopyFrom(order)
    named.ClearField("meta")
    named.order.ClearField("order_id")
    return "0x" + derived_id("order", named.SerializeToString(deterministic=True).hex())


def fills_of(trade: Trade, status: TradeStatus, at_ns: int) -> list[VenueFill]:
    """Return our parts in a trade, priced leg by leg as the money moved."""

    def fill(order_id: str, fill_id: str, money: tuple[int, int], *, is_taker: bool) -> VenueFill:
        state = _FILL_STATES[status]
        return VenueFill(
            order_id, trade.trade_id, fill_id, *money, is_taker, state, trade.match_ns, at_ns
        )

    fills = []
    taker = trade.taker
    if taker.principal == WALLET and len(trade.makers) == 1:
        money = (taker.price_micro, taker.size_micro)
        fills.append(fill(taker.order_id, trade.trade_id, money, is_taker=True))
    elif taker.principal == WALLET:
        for leg in trade.makers:
            same = leg.token_id == taker.token_id
            price = leg.price_micro if same else MICRO - leg.price_micro
            name = f"{trade.trade_id}:{leg.order_id}"
            fills.append(fill(taker.order_id, name, (price, leg.size_micro), is_taker=True))
    for leg in trade.makers:
        if leg.principal == WALLET:
            money = (leg.price_micro, leg.size_micro)
            fills.append(fill(leg.order_id, trade.trade_id, money, is_taker=False))
    return fills


def _stream_events(event: object) -> list[StreamEvent]:
    if isinstance(event, TradeEvent):
        return list(fills_of(event.trade, event.status, event.at_ns))
    if isinstance(event, OrderEvent) and event.order.terms.principal == WALLET:
        if event.kind is OrderEventKind.PLACEMENT:
            return [OrderPlaced(event.order.order_id, event.at_ns)]
        if event.kind is OrderEventKind.CANCELLATION:
            closed = _venue_order(event.order)
            return [
                VenueOrder(
                    closed.order_id,
                    closed.condition_id,
                    closed.state,
                    event.matched_micro,
                    event.status,
                    event.at_ns,
                )
            ]
    return []


def _venue_order(order: Order) -> VenueOrder:
    state = OrderState.CANCELLED
    if order.is_open:
        state = OrderState.OPEN
    elif order.status is OrderStatus.MATCHED:
        state = OrderState.FILLED
    elif order.close_reason is CloseReason.EXPIRED:
        state = OrderState.EXPIRED
    return VenueOrder(
        order.order_id, order.market.condition_id, state, order.matched_micro, order.status.value
    )


def _new_order(order: order_pb2.OrderAnnounced) -> NewOrder:
    ref = order.order
    money = ref.price_micro * ref.size_micro // MICRO
    is_buy = ref.side == common_pb2.SIDE_BUY
    return NewOrder(
        order_id=ref.order_id,
        account=WALLET,
        principal=WALLET,
        owner="us",
        maker_address=WALLET,
        token_id=ref.token_id,
        side=Side.BUY if is_buy else Side.SELL,
        order_type=_TYPES[order.order_type],
        maker_amount=money if is_buy else ref.size_micro,
        taker_amount=ref.size_micro if is_buy else money,
        expiration_s=order.expiration_s,
    )
