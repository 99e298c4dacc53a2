"""What the orchestrator has proposed, and what became of it."""

import msgspec

from whaletrader.domain.money import notional
from whaletrader.schemas import common_pb2, decision_pb2

_VERDICTS = {
    decision_pb2.DECISION_OUTCOME_APPROVED: "approved",
    decision_pb2.DECISION_OUTCOME_REJECTED: "rejected",
    decision_pb2.DECISION_OUTCOME_UNANSWERED: "unanswered",
}


class Asked(msgspec.Struct, frozen=True):
    """A proposal that risk has not answered yet."""

    proposal_id: str
    leader: str
    strategy: str
    condition_id: str
    token_id: str


class OrchestratorState(msgspec.Struct):
    """The fold of the orchestrator's own decisions."""

    # By "leader/token/side": when it was last proposed, event time.
    proposed_ns: dict[str, int] = {}
    # By the id of the trade that was proposed to copy.
    asked: dict[str, Asked] = {}
    # By proposal id: the verdict, empty while risk has not answered.
    verdicts: dict[str, str] = {}

    def follow(self, decision: decision_pb2.DecisionMade) -> None:
        """Fold one decision."""
        proposal = decision.proposal
        if decision.outcome == decision_pb2.DECISION_OUTCOME_PROPOSED:
            key = signal_key(proposal.leader, proposal.token_id, proposal.side)
            self.proposed_ns[key] = decision.meta.event_time_ns
            self.verdicts[proposal.meta.id] = ""
            self.asked[decision.meta.cause] = Asked(
                proposal.meta.id,
                decision.leader,
                decision.strategy,
                decision.condition_id,
                decision.token_id,
            )
        elif decision.outcome in _VERDICTS:
            self.verdicts[proposal.meta.id] = _VERDICTS[decision.outcome]
            # The chain's first id is the trade's.
            self.asked.pop(decision.meta.correlation, None)


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


class OrchestratorViews(msgspec.Struct):
    """What the orchestrator has seen of the world."""

    markets: dict[str, Market] = {}
    decided: dict[str, str] = {}
    # Followed wallet -> its shrunk edge a share.
    whales: dict[str, int] = {}
    # Market -> recent trades of followed wallets, oldest first.
    convictions: dict[str, list[WhaleTrade]] = {}
    # "leader/token" -> shares that copies of the leader hold.
    held: dict[str, int] = {}

    def note_trade(self, trade: WhaleTrade, condition_id: str, window_ns: int) -> None:
        """Remember a whale's trade and forget those that are older than the window."""
        recent = self.convictions.setdefault(condition_id, [])
        recent.append(trade)
        horizon = trade.at_ns - window_ns
        self.convictions[condition_id] = [one for one in recent if one.at_ns >= horizon]

    def hold(self, leader: str, token_id: str, change_micro: int) -> None:
        """Follow a fill of one of our copies."""
        key = holding_key(leader, token_id)
        left = self.held.get(key, 0) + change_micro
        if left > 0:
            self.held[key] = left
        else:
            self.held.pop(key, None)


def signal_key(leader: str, token_id: str, side: common_pb2.Side.ValueType) -> str:
    """Return the key under which repeated signals are one."""
    return f"{leader}/{token_id}/{side}"


def holding_key(leader: str, token_id: str) -> str:
    """Return the key of what copies of a leader hold of a token."""
    return f"{leader}/{token_id}"


def conviction(trades: list[WhaleTrade], tokens: set[str]) -> int:
    """Return the micro-dollars that were put into any of the tokens, sales taken off."""
    return sum(trade.notional_micro for trade in trades if trade.token_id in tokens)


def signed_notional(side: common_pb2.Side.ValueType, price_micro: int, size_micro: int) -> int:
    """Return what a trade adds to its token's conviction: a sale takes it away."""
    amount = notional(price_micro, size_micro)
    return amount if side == common_pb2.SIDE_BUY else -amount
