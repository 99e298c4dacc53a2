"""A discovery agent driven record by record, with its timer, over made-up or recorded markets."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.codec import Envelope, meta_of, to_record
from whaletrader.runtime.core import Core, Inline, Input
from whaletrader.runtime.log import Stored
from whaletrader.schemas import agent_pb2, common_pb2, market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery.agent import DiscoveryAgent
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.feeds import publication
from whaletrader.services.feeds.tape import Tape

SHARE = 1_000_000
HOUR_NS = 3_600 * 10**9
START_NS = 20_000 * 24 * HOUR_NS

BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL


@dataclass
class World:
    """Steps messages one by one at their event time; fires the timer when it is due."""

    settings: DiscoverySettings = field(default_factory=DiscoverySettings)
    said: list[Message] = field(default_factory=list)
    entries: list[tuple[agent_pb2.JournalEntry, Input]] = field(default_factory=list)
    timer: Effect | None = None
    now_ns: int = START_NS

    def __post_init__(self) -> None:
        self.core = Core(DiscoveryAgent(self.settings))

    @property
    def state(self):
        return self.core.agent.state

    def tell(self, message: Message, at_ns: int | None = None, event_id: str = "") -> list[Message]:
        """Step the message as a record; return what was said because of it."""
        self.now_ns = self.now_ns + 1 if at_ns is None else at_ns
        self.fire_until(self.now_ns)
        meta = meta_of(message)
        meta.id = event_id or derived_id("test", len(self.entries))
        meta.event_time_ns = self.now_ns
        record = to_record(Envelope("market.data", "key", message))
        return self._step(
            Stored("market.data", 0, len(self.entries), "k", record.value, record.headers, 0)
        )

    def fire_until(self, now_ns: int) -> list[Message]:
        """Fire the timer as often as it falls due by then; return what was said."""
        heard: list[Message] = []
        while self.timer is not None and self.timer.message.due_ns <= now_ns:
            effect, self.timer = self.timer, None
            fired = agent_pb2.TimerFired(
                timer_id=effect.message.timer_id, due_ns=effect.message.due_ns
            )
            fired.meta.id = derived_id("timer", effect.id)
            fired.meta.event_time_ns = self.now_ns = effect.message.due_ns
            heard += self._step(Inline(fired, effect.id))
        self.now_ns = now_ns
        return heard

    def _step(self, item: Input) -> list[Message]:
        step = self.core.step([item], self.now_ns)
        self.entries.append((step.entry, item))
        for effect in step.effects:
            assert isinstance(effect.message, agent_pb2.SetTimer)
            assert self.timer is None
            self.timer = effect
        heard = [event for _, topic, event in step.events if topic]
        self.said += heard
        return heard

    def restored(self) -> Core:
        """Return a core that has only followed the journal."""
        fresh = Core(DiscoveryAgent(self.settings))
        for entry, item in self.entries:
            fresh.follow(entry, {0: item} if isinstance(item, Stored) else {})
        return fresh

    def of(self, kind: type) -> list:
        return [event for event in self.said if isinstance(event, kind)]

    def score(self, wallet: str) -> whale_pb2.Score:
        return [e for e in self.of(whale_pb2.WhaleScored) if e.wallet == wallet][-1].score


def state_bytes(core: Core) -> bytes:
    return msgspec.msgpack.encode((core.agent.state, core.agent.views))


def listed(
    market: str, rate: int = 0, exponent: int = 1, event: str = ""
) -> market_pb2.MarketListed:
    return market_pb2.MarketListed(
        condition_id=market,
        fee_rate_micro=rate,
        fee_exponent=exponent,
        event_slug=event,
        tokens=[
            market_pb2.OutcomeToken(token_id=f"{market}-{name}", outcome=name)
            for name in ("yes", "no")
        ],
    )


def traded(
    wallet: str, market: str, side: int = BUY, price: int = 500_000, size: int = 10 * SHARE, **other
) -> wallet_pb2.WalletTraded:
    return wallet_pb2.WalletTraded(
        wallet=wallet,
        condition_id=market,
        side=side,
        price_micro=price,
        size_micro=size,
        **{"token_id": f"{market}-yes", **other},
    )


def acted(wallet: str, deed: int, market: str = "", **other) -> wallet_pb2.WalletActed:
    return wallet_pb2.WalletActed(wallet=wallet, deed=deed, condition_id=market, **other)


def resolved(market: str, *, yes: bool = True, basis: int = 0) -> market_pb2.MarketResolved:
    return market_pb2.MarketResolved(
        condition_id=market,
        winning_token_id=f"{market}-{'yes' if yes else 'no'}",
        winning_index=0 if yes else 1,
        basis=basis,
    )


def ruled(wallet: str, ruling: int, operator: str = "ann") -> whale_pb2.WhaleRuled:
    return whale_pb2.WhaleRuled(wallet=wallet, ruling=ruling, operator=operator)


def play_skilled(world: World, rounds: int, win_rate: float = 0.95, seed: int = 1) -> None:
    """Twelve wallets trade at 0.5 a market a round; `skilled` wins by its rate, others by half."""
    chance = random.Random(seed)
    for number in range(rounds):
        at_ns = START_NS + number * HOUR_NS
        for wallet in ["skilled", *(f"lucky{n}" for n in range(11))]:
            market = f"{wallet}-{number}"
            world.tell(listed(market), at_ns)
            world.tell(traded(wallet, market, BUY), at_ns)
            world.tell(traded(wallet, market, BUY), at_ns)
            rate = win_rate if wallet == "skilled" else 0.5
            world.tell(resolved(market, yes=chance.random() < rate), at_ns)


def messages(tape: Tape) -> Iterator[tuple[int, Message]]:
    """Yield the tape as discovery's topics carry it, by time: listings, trades, resolutions."""
    rows: list[tuple[int, int, Message]] = [
        (market.opens_at_ns, 0, publication.listed(market)) for market in tape.markets
    ]
    rows += [(trade.at_ns, 1, publication.traded(trade)) for trade in tape.trades]
    rows += [(end.at_ns, 2, publication.resolved(end)) for end in tape.resolutions]
    for at_ns, _, message in sorted(rows, key=lambda row: row[:2]):
        yield at_ns, message
