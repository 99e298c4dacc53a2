"""Discovery: which wallets are worth copying, on what was known at the time.

Reads wallets' trades, listings and resolutions; says a wallet's score whenever one of its
markets settles, and whether it became a whale or stopped being one. Only settled markets count:
a wallet that takes its gains and lets its losses run would look skilled in between. Must not
know what a market will pay before its resolution is on the log.
"""

from typing import Final

from whaletrader.domain.ids import id_prefix
from whaletrader.domain.money import MICRO
from whaletrader.quant.shrinkage import Prior
from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import agent_pb2, common_pb2, market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery import state as fold
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.discovery.errors import InvalidResolution, InvalidTrade
from whaletrader.services.discovery.scoring import base_rate, has_moved, reasons_for, score_of
from whaletrader.services.discovery.state import DiscoveryState, DiscoveryViews, WalletRecord
from whaletrader.services.discovery.statistics import BaseSums, WalletStats

RESCORE_TIMER: Final = "discovery.rescore"


class DiscoveryAgent(Agent[DiscoveryState, DiscoveryViews]):
    """The three functions of discovery."""

    name = "discovery"
    # Listings before trades before resolutions, where their times are the same.
    reads = ("market.catalog", "wallet.trades", "market.data")

    def __init__(self, settings: DiscoverySettings) -> None:
        super().__init__(DiscoveryState(), DiscoveryViews())
        self.settings = settings
        self.decides = {
            market_pb2.MarketListed: self._decide_listed,
            wallet_pb2.WalletTraded: self._decide_traded,
            market_pb2.MarketResolved: self._decide_resolved,
            agent_pb2.TimerFired: self._decide_timer,
            agent_pb2.EffectFailed: self._decide_timer_lost,
        }
        self.evolves = {
            market_pb2.MarketListed: lambda event: fold.on_listed(self.state, event),
            wallet_pb2.WalletTraded: lambda event: fold.on_traded(self.state, event, self.settings),
            market_pb2.MarketResolved: lambda event: fold.on_resolved(self.state, event),
            whale_pb2.WhaleScored: lambda event: fold.on_scored(self.state, event),
            agent_pb2.TimerFired: self._evolve_timer,
        }

    def _decide_listed(self, message: market_pb2.MarketListed) -> Decision:
        if message.condition_id in self.state.resolved:
            return Decision()
        return Decision().keep(
            market_pb2.MarketListed(
                condition_id=message.condition_id,
                fee_rate_micro=message.fee_rate_micro,
                fee_exponent=message.fee_exponent,
            )
        )

    def _decide_traded(self, message: wallet_pb2.WalletTraded) -> Decision:
        _check_trade(message)
        if message.condition_id in self.state.resolved:
            return Decision()  # Too late to have been copied.
        holding = self.state.holdings.get(message.condition_id, {}).get(message.wallet)
        if holding is not None and id_prefix(message.meta.id) in holding.trade_ids:
            return Decision()
        decision = Decision().keep(
            wallet_pb2.WalletTraded(
                wallet=message.wallet,
                condition_id=message.condition_id,
                token_id=message.token_id,
                side=message.side,
                price_micro=message.price_micro,
                size_micro=message.size_micro,
            )
        )
        if self.state.rescore_due_ns == 0:
            due_ns = fold.first_due_ns(message, self.settings)
            decision.ask(agent_pb2.SetTimer(timer_id=RESCORE_TIMER, due_ns=due_ns))
        return decision

    def _decide_resolved(self, message: market_pb2.MarketResolved) -> Decision:
        if not message.condition_id or not message.winning_token_id:
            raise InvalidResolution(f"market {message.condition_id!r} resolved without a winner")
        if message.condition_id in self.state.resolved:
            return Decision()
        decision = Decision().keep(
            market_pb2.MarketResolved(
                condition_id=message.condition_id, winning_token_id=message.winning_token_id
            )
        )
        after = fold.settlement(self.state, message.condition_id, message.winning_token_id)
        prior = base_rate(after.base, self.settings)
        for wallet, stats in after.wallets.items():
            self._say(decision, wallet, score_of(stats, prior, self.settings), after.base)
        return decision

    def _decide_timer(self, message: agent_pb2.TimerFired) -> Decision:
        if message.timer_id != RESCORE_TIMER:
            return Decision()
        decision = Decision()
        prior = base_rate(self.state.base, self.settings)
        for wallet, record in self.state.wallets.items():
            self._say_if_moved(decision, wallet, record, prior)
        return self._next_timer(decision, message.due_ns)

    def _decide_timer_lost(self, message: agent_pb2.EffectFailed) -> Decision:
        if message.type != agent_pb2.SetTimer.DESCRIPTOR.full_name:
            return Decision()
        return self._next_timer(Decision(), self.state.rescore_due_ns)

    def _evolve_timer(self, event: agent_pb2.TimerFired) -> None:
        self.state.rescore_due_ns = event.due_ns

    def _next_timer(self, decision: Decision, last_ns: int) -> Decision:
        # Kept on the grid of the first trade, so that a late timer does not shift the rest.
        step = self.settings.rescore_interval_ns
        due_ns = last_ns + step * max(1, -((last_ns - self.now_ns) // step))
        decision.keep(agent_pb2.TimerFired(timer_id=RESCORE_TIMER, due_ns=due_ns))
        return decision.ask(agent_pb2.SetTimer(timer_id=RESCORE_TIMER, due_ns=due_ns))

    def _say_if_moved(
        self, decision: Decision, wallet: str, record: WalletRecord, prior: Prior | None
    ) -> None:
        if record.stats == WalletStats():
            return
        said = whale_pb2.Score(
            edge_micro=record.said_edge_micro, edge_lower_micro=record.said_edge_lower_micro
        )
        score = score_of(record.stats, prior, self.settings)
        reasons = reasons_for(score, self.state.base.wallets, record.is_whale, self.settings)
        turns = all(reason.passed for reason in reasons) != record.is_whale
        if turns or has_moved(said, score, self.settings):
            self._say(decision, wallet, score, self.state.base)

    def _say(self, decision: Decision, wallet: str, score: whale_pb2.Score, base: BaseSums) -> None:
        was_whale = self.state.wallets[wallet].is_whale
        reasons = reasons_for(score, base.wallets, was_whale, self.settings)
        is_whale = all(reason.passed for reason in reasons)
        decision.emit(
            "whale.scored",
            whale_pb2.WhaleScored(wallet=wallet, score=score, is_whale=is_whale),
        )
        if is_whale and not was_whale:
            discovered = whale_pb2.WhaleDiscovered(wallet=wallet, score=score, reasons=reasons)
            decision.emit("whale.discovered", discovered)
        elif was_whale and not is_whale:
            pruned = whale_pb2.WhalePruned(wallet=wallet, score=score, reasons=reasons)
            decision.emit("whale.pruned", pruned)


def _check_trade(message: wallet_pb2.WalletTraded) -> None:
    if not (message.wallet and message.condition_id and message.token_id):
        raise InvalidTrade("a trade needs a wallet, a market and a token")
    if message.side not in (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL):
        raise InvalidTrade(f"side {message.side} is neither buy nor sell")
    if message.size_micro <= 0 or not 0 < message.price_micro < MICRO:
        raise InvalidTrade(f"{message.size_micro} at {message.price_micro} is no trade")
