"""What the orchestrator has proposed, and what became of it; and what it has seen of the world.

The state is the fold of its own decisions. The views follow catalogue, prices, whales and fills.
"""

from typing import Final, TypeVar

import msgspec

from whaletrader.domain.money import MICRO, notional
from whaletrader.schemas import common_pb2, decision_pb2

_VERDICTS = {
    decision_pb2.DECISION_OUTCOME_APPROVED: "approved",
    decision_pb2.DECISION_OUTCOME_REJECTED: "rejected",
    decision_pb2.DECISION_OUTCOME_UNANSWERED: "unanswered",
}


# Proposals whose verdict may still come, or come again: askers give up within seconds.
PROPOSALS_MAX: Final = 4_096
# Signals remembered for the cool-down; the oldest are long cold.
SIGNALS_MAX: Final = 16_384
# Trades of one market that count as conviction; more in one window is a burst of the same.
CONVICTIONS_MAX: Final = 1_024

V = TypeVar("V")


class Proposed(msgspec.Struct, frozen=True):
    """A proposal and what became of it; the verdict is empty while risk has not answered."""

    leader: str
    strategy: str
    condition_id: str
    token_id: str
    side: int
    limit_price_micro: int
    size_micro: int
    verdict: str = ""


class OrchestratorState(msgspec.Struct):
    """The fold of the orchestrator's own decisions."""

    # By "leader/token/side": when it was last proposed, event time. Latest last.
    proposed_ns: dict[str, int] = {}
    # By proposal id, oldest first.
    proposals: dict[str, Proposed] = {}


def fold(state: OrchestratorState, decision: decision_pb2.DecisionMade) -> None:
    """Fold one decision."""
    proposal = decision.proposal
    if decision.outcome == decision_pb2.DECISION_OUTCOME_PROPOSED:
        key = signal_key(proposal.leader, proposal.token_id, proposal.side)
        state.proposed_ns.pop(key, None)
        state.proposed_ns[key] = decision.meta.event_time_ns
        _trim(state.proposed_ns, SIGNALS_MAX)
        state.proposals[proposal.meta.id] = Proposed(
            decision.leader,
            decision.strategy,
            decision.condition_id,
            decision.token_id,
            proposal.side,
            proposal.limit_price_micro,
            proposal.max_size_micro,
        )
        _trim(state.proposals, PROPOSALS_MAX)
    elif decision.outcome in _VERDICTS and proposal.meta.id in state.proposals:
        asked = state.proposals[proposal.meta.id]
        verdict = _VERDICTS[decision.outcome]
        state.proposals[proposal.meta.id] = msgspec.structs.replace(asked, verdict=verdict)


def _trim(kept: dict[str, V], size_max: int) -> None:
    while len(kept) > size_max:
        del kept[next(iter(kept))]


class Market(msgspec.Struct, frozen=True):
    """Terms of a market, as the catalogue has them."""

    tokens: tuple[str, ...]
    tick_micro: int
    min_size_micro: int
    opens_ns: int
    ends_ns: int


class WhaleTrade(msgspec.Struct, frozen=True):
    """A followed wallet's trade, as conviction for one token of the market."""

    at_ns: int
    wallet: str
    token_id: str
    notional_micro: int


class Stance(msgspec.Struct, frozen=True):
    """What a followed wallet was seen to hold of a token: now, and at most."""

    net_micro: int = 0
    peak_micro: int = 0

    @property
    def sold_micro_ratio(self) -> int:
        """The share of the most it held that it has sold; all of what it was never seen to buy."""
        if not self.peak_micro:
            return MICRO
        return (self.peak_micro - self.net_micro) * MICRO // self.peak_micro


class LastPrice(msgspec.Struct, frozen=True):
    price_micro: int
    at_ns: int


class OrchestratorViews(msgspec.Struct):
    """What the orchestrator has seen of the world."""

    markets: dict[str, Market] = {}
    decided: dict[str, str] = {}
    # By token id.
    prices: dict[str, LastPrice] = {}
    # Followed wallet -> its shrunk edge a share.
    whales: dict[str, int] = {}
    # Market -> recent trades of followed wallets, oldest first.
    convictions: dict[str, list[WhaleTrade]] = {}
    # Token -> wallet -> what it was seen to hold; and token -> leader -> what copies of it hold.
    stances: dict[str, dict[str, Stance]] = {}
    held: dict[str, dict[str, int]] = {}
    # Why nothing is proposed: an operator's order; empty while there is none.
    halted_by: str = ""

    def holding(self, leader: str, token_id: str) -> int:
        """Return the micro-shares that copies of the leader hold."""
        return max(0, self.held.get(token_id, {}).get(leader, 0))

    def stance(self, wallet: str, token_id: str) -> Stance:
        return self.stances.get(token_id, {}).get(wallet, Stance())

    def note_trade(self, trade: WhaleTrade, condition_id: str, window_ns: int) -> None:
        """Remember a whale's trade and forget those that are older than the window."""
        recent = [*self.convictions.get(condition_id, ()), trade]
        horizon = trade.at_ns - window_ns
        kept = [one for one in recent if one.at_ns >= horizon]
        self.convictions[condition_id] = kept[-CONVICTIONS_MAX:]

    def note_stance(self, wallet: str, token_id: str, change_micro: int) -> None:
        """Follow what a whale holds."""
        last = self.stance(wallet, token_id)
        net = max(0, last.net_micro + change_micro)
        seen = Stance(net, max(net, last.peak_micro))
        self.stances.setdefault(token_id, {})[wallet] = seen

    def hold(self, leader: str, token_id: str, change_micro: int) -> None:
        """Follow a fill of one of our copies, or its reversal."""
        leaders = self.held.setdefault(token_id, {})
        leaders[leader] = leaders.get(leader, 0) + change_micro
        if not leaders[leader]:
            del leaders[leader]
        if not leaders:
            del self.held[token_id]

    def forget_market(self, condition_id: str) -> None:
        """Drop what nobody asks for once a market is decided."""
        self.convictions.pop(condition_id, None)
        market = self.markets.get(condition_id)
        for token in market.tokens if market else ():
            for seen in (self.prices, self.stances, self.held):
                seen.pop(token, None)


def signal_key(leader: str, token_id: str, side: common_pb2.Side.ValueType) -> str:
    """Return the key under which repeated signals are one."""
    return f"{leader}/{token_id}/{side}"


def convictions(trades: list[WhaleTrade], token_id: str) -> dict[str, int]:
    """Return by wallet the micro-dollars it has put into the token, less what it has taken out
    and put into the market's other outcomes. Below zero it is on the other side."""
    net: dict[str, int] = {}
    for trade in trades:
        amount = trade.notional_micro if trade.token_id == token_id else -trade.notional_micro
        net[trade.wallet] = net.get(trade.wallet, 0) + amount
    return net


def signed_notional(side: common_pb2.Side.ValueType, price_micro: int, size_micro: int) -> int:
    """Return what a trade adds to its token's conviction: a sale takes it away."""
    amount = notional(price_micro, size_micro)
    return amount if side == common_pb2.SIDE_BUY else -amount
