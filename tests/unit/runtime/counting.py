"""A small agent for the runtime's tests: it counts what wallets trade and says so."""

import msgspec

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Agent, Decision
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Record
from whaletrader.schemas import agent_pb2, signal_pb2, wallet_pb2

READS = "wallet.trades"
SAYS = "signal.raised"


class Counted(msgspec.Struct):
    trades: int = 0
    timers: int = 0
    told: int = 0
    facts: dict[str, bool] = {}


class Seen(msgspec.Struct):
    wallets: dict[str, int] = {}


class CountingAgent(Agent[Counted, Seen]):
    """Says a signal for each trade.

    A trade of size 5 asks for a person to be told, one of 7 sets a timer, one of 13 is poison,
    and one of 99 is a defect: its event cannot be folded. A trade of the market "fact" comes from
    a source, which tells it again after a restart: it counts once.
    """

    name = "discovery"
    reads = (READS,)

    def __init__(self) -> None:
        super().__init__(Counted(), Seen())
        self.decides = {
            wallet_pb2.WalletTraded: self.on_trade,
            agent_pb2.TimerFired: self.on_timer,
            agent_pb2.PersonNotified: self.on_told,
        }
        self.evolves = {
            signal_pb2.SignalRaised: self.count,
            agent_pb2.PersonNotified: self.count_outcome,
        }
        self.observes = {wallet_pb2.WalletTraded: self.see}

    def on_trade(self, message: wallet_pb2.WalletTraded) -> Decision:
        if message.meta.id in self.state.facts:
            return Decision()
        if message.size_micro == 13:
            raise ValueError("thirteen")
        decision = Decision().emit(
            SAYS,
            signal_pb2.SignalRaised(
                condition_id=message.condition_id,
                strategy=f"{self.state.trades}/{self.views.wallets[message.wallet]}",
            ),
        )
        if message.size_micro == 7:
            decision.ask(agent_pb2.SetTimer(timer_id="t", due_ns=self.now_ns + 10))
        if message.size_micro == 5:
            decision.ask(agent_pb2.NotifyPerson(dedup_key=message.meta.id))
        if message.size_micro == 99:
            decision.keep(agent_pb2.PersonNotified(channel="defect"))
        decision.reply = signal_pb2.SignalRaised(strategy=f"reply {self.state.trades}")
        return decision

    def on_timer(self, _: agent_pb2.TimerFired) -> Decision:
        return Decision().keep(agent_pb2.PersonNotified(channel="timer"))

    def on_told(self, _: agent_pb2.PersonNotified) -> Decision:
        return Decision().keep(agent_pb2.PersonNotified(channel="told"))

    def count(self, signal: signal_pb2.SignalRaised) -> None:
        self.state.trades += 1
        if signal.condition_id == "fact":
            self.state.facts[signal.meta.cause] = True

    def count_outcome(self, outcome: agent_pb2.PersonNotified) -> None:
        if outcome.channel == "defect":
            raise RuntimeError("this event cannot be folded")
        if outcome.channel == "timer":
            self.state.timers += 1
        else:
            self.state.told += 1

    def see(self, message: wallet_pb2.WalletTraded) -> None:
        self.views.wallets[message.wallet] = self.views.wallets.get(message.wallet, 0) + 1


def trade(number: int, wallet: str = "w", size_micro: int = 1) -> wallet_pb2.WalletTraded:
    message = wallet_pb2.WalletTraded(wallet=wallet, condition_id="c", size_micro=size_micro)
    message.meta.id = derived_id("trade", number)
    message.meta.correlation = message.meta.id
    message.meta.event_time_ns = number
    return message


def trade_record(number: int, wallet: str = "w", size_micro: int = 1) -> Record:
    return to_record(Envelope(READS, wallet, trade(number, wallet, size_micro)))
