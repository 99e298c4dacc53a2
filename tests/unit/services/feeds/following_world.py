"""An agent that follows wallets, under its core, and rows of the venue to feed it."""

from dataclasses import dataclass, field

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Core, Inline, Step
from whaletrader.schemas import agent_pb2, follow_pb2
from whaletrader.services.feeds.following.agent import TICK, FollowAgent
from whaletrader.services.feeds.following.config import FollowSettings
from whaletrader.services.feeds.following.deeds import listed, seen
from whaletrader.venues.polymarket.history.gamma import Listing
from whaletrader.venues.polymarket.history.rows import Deed, Kind

NS = 1_000_000_000
NOW_S = 1_790_000_000
WALLET, OTHER = "0x" + "a" * 40, "0x" + "b" * 40
MARKET = "0x" + "c" * 64
YES, NO = "11", "22"


def deed(at_s: int = NOW_S, kind: Kind = Kind.TRADE, **changes: object) -> Deed:
    """Return a purchase of 10 YES at 40 cents, or another deed."""
    facts: dict[str, object] = {
        "wallet": WALLET,
        "at_s": at_s,
        "kind": kind,
        "side": "BUY" if kind is Kind.TRADE else "",
        "token_id": YES if kind is Kind.TRADE else "",
        "condition_id": MARKET,
        "outcome_index": 0,
        "outcome": "Yes",
        "size_micro": 10_000_000,
        "price_micro": 400_000,
        "usdc_micro": 4_000_000,
        "tx_hash": "0x7a",
        "slug": "rain",
        "title": "Will it rain?",
        "event_slug": "weather",
    }
    return Deed(**(facts | changes))  # type: ignore[arg-type]


def listing(condition_id: str = MARKET) -> Listing:
    return Listing(
        condition_id=condition_id,
        question="Will it rain?",
        slug="rain",
        event_slug="weather",
        category="weather",
        token_ids=(YES, NO),
        outcomes=("Yes", "No"),
        tick_micro=10_000,
        min_size_micro=5_000_000,
        fee_rate_micro=50_000,
        fee_exponent=1,
        is_neg_risk=False,
        opens_ns=(NOW_S - 1_000) * NS,
        ends_ns=(NOW_S + 1_000) * NS,
    )


@dataclass
class Follower:
    """The agent and everything that it said and asked."""

    core: Core = field(default_factory=lambda: Core(FollowAgent(FollowSettings())))
    now_s: float = NOW_S
    said: list[tuple[str, Message]] = field(default_factory=list)
    asked: list[Message] = field(default_factory=list)
    told: int = 0

    def tell(self, message: Message) -> Step:
        """Give the agent a message; return what it made of it."""
        self.told += 1
        # Stamped as the shell would: every message has an id of its own.
        message.meta.id = derived_id("told", self.told)  # type: ignore[attr-defined]
        message.meta.event_time_ns = round(self.now_s * NS)  # type: ignore[attr-defined]
        step = self.core.step([Inline(message)], round(self.now_s * NS))
        self.said += [(topic, event) for _, topic, event in step.events if topic]
        self.asked += [effect.message for effect in step.effects]
        return step

    def start(self, *wallets: str, begin_s: int = NOW_S - 10_000) -> Step:
        return self.tell(follow_pb2.RosterGiven(wallets=wallets or (WALLET,), begin_s=begin_s))

    def tick(self) -> Step:
        return self.tell(agent_pb2.TimerFired(timer_id=TICK))

    def read(self, *deeds: Deed, has_more: bool = False, until_s: int = 0) -> Step:
        last_s = max((one.at_s for one in deeds), default=0)
        read = follow_pb2.WalletRead(
            wallet=WALLET, until_s=until_s or last_s, has_more=has_more, deeds=seen(deeds)
        )
        return self.tell(read)

    def find(self, *condition_ids: str, known: bool = True) -> Step:
        wanted = condition_ids or (MARKET,)
        rows = [listed(listing(one)) for one in wanted] if known else []
        return self.tell(follow_pb2.MarketsFound(condition_ids=wanted, listed=rows))

    def end(self, *payouts_micro: int) -> Step:
        end = follow_pb2.MarketEnd(condition_id=MARKET, payouts_micro=payouts_micro)
        return self.tell(follow_pb2.EndsFound(ends=[end]))

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.said]

    def heard(self, kind: type[Message]) -> list[Message]:
        return [event for _, event in self.said if isinstance(event, kind)]

    def questions(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.asked if isinstance(message, kind)]
