"""The one topic table: what is said where, keyed how, kept how long.

Topic creation, asyncapi.yaml, the recorder and the tests all read it. Nothing else names a
topic's partitions or retention.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from whaletrader.schemas import (
    agent_pb2,
    anomaly_pb2,
    control_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    portfolio_pb2,
    risk_pb2,
    signal_pb2,
    spot_pb2,
    wallet_pb2,
    whale_pb2,
)

DAY_S: Final = 86_400
FOREVER: Final = -1

# Agents that decide, in the order in which a trade meets them.
DECIDING_AGENTS: Final = (
    "feeds",
    "discovery",
    "intelligence",
    "orchestrator",
    "risk",
    "execution",
    "attribution",
    "notifier",
)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the log. `key` names the field that must stay in order."""

    name: str
    key: str
    messages: tuple[type[Message], ...]
    partitions: int = 3
    retention_s: int = 7 * DAY_S
    compacted: bool = False
    summary: str = ""


def journal_topic(agent: str) -> str:
    """Return the name of the agent's journal; its partitions are the agent's shards."""
    return f"journal.{agent}"


SNAPSHOTS: Final = "agent.snapshot"
DEAD_LETTERS: Final = "dead.letter"

_TRADING = (
    Topic(
        "market.data",
        "condition_id",
        (market_pb2.TradePrinted, market_pb2.BookSnapshotted, market_pb2.MarketResolved),
        partitions=6,
        summary="Trades, books and resolutions of markets",
    ),
    Topic(
        "market.catalog",
        "condition_id",
        (market_pb2.MarketListed,),
        retention_s=FOREVER,
        compacted=True,
        summary="Which markets exist, and their terms",
    ),
    Topic(
        "wallet.trades",
        "wallet",
        (wallet_pb2.WalletTraded, wallet_pb2.WalletActed),
        partitions=6,
        summary="Who traded what, and what else wallets did",
    ),
    Topic("spot.prices", "symbol", (spot_pb2.SpotPriced,), summary="Prices of underlyings"),
    Topic(
        "whale.discovered",
        "wallet",
        (whale_pb2.WhaleDiscovered,),
        retention_s=FOREVER,
        summary="Wallets whose trades are worth copying from now on",
    ),
    Topic(
        "whale.scored",
        "wallet",
        (whale_pb2.WhaleScored,),
        summary="Scores of wallets, with intervals",
    ),
    Topic(
        "whale.pruned",
        "wallet",
        (whale_pb2.WhalePruned,),
        retention_s=FOREVER,
        summary="Wallets that are not worth copying any more",
    ),
    Topic(
        "whale.ruling",
        "wallet",
        (whale_pb2.WhaleRuled,),
        partitions=1,
        retention_s=FOREVER,
        compacted=True,
        summary="Wallets that a person has pinned or banned",
    ),
    Topic(
        "anomaly.alert",
        "condition_id",
        (anomaly_pb2.AnomalyRaised,),
        summary="What is unusual in a market now",
    ),
    Topic(
        "market.regime",
        "condition_id",
        (anomaly_pb2.RegimeChanged,),
        summary="The regime that a market is in",
    ),
    Topic(
        "signal.raised",
        "condition_id",
        (signal_pb2.SignalRaised,),
        summary="What a strategy of our own would do",
    ),
    Topic(
        "decision.made",
        "condition_id",
        (decision_pb2.DecisionMade,),
        retention_s=FOREVER,
        summary="What was decided and why, also when the answer was no",
    ),
    Topic(
        "trade.approved",
        "portfolio",
        (risk_pb2.ApprovedTrade, risk_pb2.QuoteMandate),
        retention_s=FOREVER,
        summary="Signed approvals: the only way to an order",
    ),
    Topic(
        "trade.rejected",
        "portfolio",
        (risk_pb2.RejectedTrade,),
        retention_s=FOREVER,
        summary="Refused proposals with the rule that failed",
    ),
    Topic(
        "risk.alert",
        "portfolio",
        (
            risk_pb2.RiskAlerted,
            risk_pb2.TradingStateChanged,
            risk_pb2.PolicyChanged,
            risk_pb2.CapitalPhaseChanged,
            risk_pb2.RiskMeasured,
        ),
        summary="Limits near or over, states of the desk, its policy and its measures",
    ),
    Topic("risk.derisk", "portfolio", (risk_pb2.DeriskOrdered,), summary="Reduce a position"),
    Topic(
        "order.events",
        "condition_id",
        (
            order_pb2.OrderAnnounced,
            order_pb2.OrderSubmitted,
            order_pb2.OrderAccepted,
            order_pb2.OrderMatched,
            order_pb2.OrderMined,
            order_pb2.OrderConfirmed,
            order_pb2.OrderReversed,
            order_pb2.OrderUnknown,
            order_pb2.OrderClosed,
            order_pb2.ApprovalRefused,
            order_pb2.WorkStarted,
            order_pb2.ChildSkipped,
            order_pb2.WorkFinished,
            order_pb2.PositionsReconciled,
            order_pb2.ReconciliationFailed,
        ),
        retention_s=FOREVER,
        summary="The life of each order at the venue, and of the approved trade it belongs to",
    ),
    Topic(
        "portfolio.attribution",
        "portfolio",
        (portfolio_pb2.ProfitAttributed, portfolio_pb2.PortfolioValued),
        retention_s=FOREVER,
        summary="Where the profit came from",
    ),
    Topic(
        "rebalance.recommended",
        "portfolio",
        (portfolio_pb2.RebalanceRecommended,),
        summary="How the weights of leaders should move",
    ),
    Topic(
        "control",
        "portfolio",
        (control_pb2.ControlOrdered,),
        partitions=1,
        retention_s=FOREVER,
        compacted=True,
        summary="Halt, resume, flatten: the truth that a starting agent reads",
    ),
)

_HOUSEKEEPING = (
    Topic("agent.health", "agent", (agent_pb2.AgentHealth,), partitions=1, retention_s=DAY_S),
    Topic(
        DEAD_LETTERS,
        "topic",
        (agent_pb2.DeadLettered,),
        partitions=1,
        retention_s=FOREVER,
        summary="What could not be read or handled, with the original bytes",
    ),
    Topic(
        SNAPSHOTS,
        "agent/shard",
        (agent_pb2.AgentSnapshot,),
        partitions=1,
        retention_s=FOREVER,
        compacted=True,
        summary="Agents' states, so that a restart need not read the whole journal",
    ),
)

_JOURNALS = tuple(
    Topic(
        journal_topic(agent),
        "shard",
        (agent_pb2.JournalEntry,),
        partitions=1,
        retention_s=FOREVER,
        summary=f"What {agent} read, in its order, and what it made of it",
    )
    for agent in DECIDING_AGENTS
)

TOPICS: Final[tuple[Topic, ...]] = _TRADING + _HOUSEKEEPING + _JOURNALS
TRADING_TOPICS: Final[tuple[str, ...]] = tuple(topic.name for topic in _TRADING)
BY_NAME: Final[dict[str, Topic]] = {topic.name: topic for topic in TOPICS}


def topics_of(message: type[Message]) -> Iterator[str]:
    """Yield the names of the topics that carry the message."""
    return (topic.name for topic in TOPICS if message in topic.messages)
