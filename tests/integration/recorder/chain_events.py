"""A chain of events as the agents would say it: from a wallet's trade to the fill."""

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Record
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    portfolio_pb2,
    risk_pb2,
    wallet_pb2,
)

MARKET = "0x" + "cd" * 32
TOKEN = "7" * 77
LEADER = "0x" + "ab" * 20


def meta(event_id: str, cause: str, chain: str, source: str, at_ns: int) -> common_pb2.Meta:
    return common_pb2.Meta(
        id=event_id, cause=cause, correlation=chain, source=source, event_time_ns=at_ns
    )


def reason(rule: str, value: int, limit: int, *, passed: bool = True) -> common_pb2.Reason:
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=common_pb2.UNIT_MICRO_USD, passed=passed
    )


def trade(number: int) -> Record:
    """A wallet's trade that nobody follows."""
    event_id = derived_id("trade", number)
    message = wallet_pb2.WalletTraded(
        meta=meta(event_id, "", event_id, "feeds", 1_700_000_000_000_000_000 + number),
        wallet=f"0x{number % 97:040x}",
        condition_id=MARKET,
        token_id=TOKEN,
        side=common_pb2.SIDE_BUY,
        price_micro=400_000,
        size_micro=1_000_000 + number,
        trade_id=str(number),
    )
    return to_record(Envelope("wallet.trades", message.wallet, message))


class Chain:
    """The ids and records of one copied trade."""

    def __init__(self, name: str = "chain", at_ns: int = 1_700_000_000_000_000_000) -> None:
        self.root = derived_id(name, "trade")
        self.decision = derived_id(name, "decision")
        self.proposal = derived_id(name, "proposal")
        self.approved = derived_id(name, "approved")
        self.approval_id = derived_id(name, "approval")
        self.announced = derived_id(name, "announced")
        self.placement = derived_id(name, "placement")
        self.accepted = derived_id(name, "accepted")
        self.seen = derived_id(name, "seen")
        self.matched = derived_id(name, "matched")
        self.order_id = "0x" + derived_id(name, "order") * 2
        self.trade_id = derived_id(name, "fill")
        self.at_ns = at_ns
        self._order = order_pb2.OrderRef(
            order_id=self.order_id,
            approval_id=self.approval_id,
            proposal_id=self.proposal,
            portfolio="main",
            leader=LEADER,
            strategy="copy",
            condition_id=MARKET,
            token_id=TOKEN,
            side=common_pb2.SIDE_BUY,
            price_micro=420_000,
            size_micro=10_000_000,
        )

    def _meta(self, event_id: str, cause: str, source: str) -> common_pb2.Meta:
        return meta(event_id, cause, self.root, source, self.at_ns)

    def records(self) -> list[Record]:
        order = self._order
        traded = wallet_pb2.WalletTraded(
            meta=self._meta(self.root, "", "feeds"),
            wallet=LEADER,
            condition_id=MARKET,
            token_id=TOKEN,
            side=common_pb2.SIDE_BUY,
            price_micro=410_000,
            size_micro=500_000_000,
        )
        decided = decision_pb2.DecisionMade(
            meta=self._meta(self.decision, self.root, "orchestrator"),
            outcome=decision_pb2.DECISION_OUTCOME_PROPOSED,
            leader=LEADER,
            strategy="copy",
            condition_id=MARKET,
            token_id=TOKEN,
            proposal=self.request(),
            reasons=[reason("leader_edge", 40_000, 10_000)],
        )
        announced = order_pb2.OrderAnnounced(
            meta=self._meta(self.announced, self.approved, "execution"), order=order
        )
        accepted = order_pb2.OrderAccepted(
            meta=self._meta(self.accepted, self.placement, "execution"),
            order=order,
            venue_status="live",
        )
        # What the venue tells starts a chain of its own.
        matched = order_pb2.OrderMatched(
            meta=meta(self.matched, self.seen, self.seen, "execution", self.at_ns + 5),
            order=order,
            fill=order_pb2.Fill(
                trade_id=self.trade_id,
                price_micro=415_000,
                size_micro=10_000_000,
                fee_micro=1_000,
                liquidity=order_pb2.LIQUIDITY_TAKER,
            ),
        )
        return [
            to_record(Envelope("wallet.trades", LEADER, traded)),
            to_record(Envelope("decision.made", MARKET, decided)),
            to_record(Envelope("trade.approved", "main", self.approval())),
            to_record(Envelope("order.events", MARKET, announced)),
            to_record(Envelope("order.events", MARKET, accepted)),
            to_record(Envelope("order.events", MARKET, matched)),
            self.journal(),
            self.attributed(),
        ]

    def request(self) -> risk_pb2.TradeProposal:
        return risk_pb2.TradeProposal(
            meta=self._meta(self.proposal, self.root, "orchestrator"),
            portfolio="main",
            leader=LEADER,
            condition_id=MARKET,
            token_id=TOKEN,
            side=common_pb2.SIDE_BUY,
            limit_price_micro=420_000,
            max_size_micro=50_000_000,
            fair_value_micro=460_000,
        )

    def approval(self) -> risk_pb2.ApprovedTrade:
        return risk_pb2.ApprovedTrade(
            meta=self._meta(self.approved, self.proposal, "risk"),
            approval_id=self.approval_id,
            proposal_id=self.proposal,
            portfolio="main",
            leader=LEADER,
            condition_id=MARKET,
            token_id=TOKEN,
            side=common_pb2.SIDE_BUY,
            limit_price_micro=420_000,
            size_micro=10_000_000,
            reasons=[
                reason("position_notional_max", 4_200_000, 250_000_000),
                reason("kelly_size", 4_200_000, 60_000_000),
            ],
        )

    def journal(self) -> Record:
        """Execution's journal: what the venue answered is nowhere else."""
        placement = order_pb2.OrderPlacement(
            meta=self._meta(self.placement, self.approved, ""),
            order_id=self.order_id,
            status=order_pb2.PLACEMENT_STATUS_LIVE,
        )
        seen = order_pb2.VenueTradeSeen(
            meta=meta(self.seen, "", "", "", self.at_ns + 5), order_id=self.order_id
        )
        entry = agent_pb2.JournalEntry(agent="execution", sequence=1, now_ns=self.at_ns)
        for message in (placement, seen):
            entry.inputs.add(
                inline=agent_pb2.InlineInput(
                    type=message.DESCRIPTOR.full_name, payload=message.SerializeToString()
                )
            )
        headers = {"ce_id": derived_id("entry", self.root), "ce_source": "execution"}
        headers["ce_type"] = "whaletrader.agent.v1.JournalEntry"
        return Record("journal.execution", "0", entry.SerializeToString(), headers, partition=0)

    def attributed(self) -> Record:
        message = portfolio_pb2.ProfitAttributed(
            meta=meta(
                derived_id("attributed", self.root),
                self.matched,
                self.seen,
                "attribution",
                self.at_ns + 5,
            ),
            portfolio="main",
            leader=LEADER,
            condition_id=MARKET,
            token_id=TOKEN,
            day=19_675,
            size_delta_micro=10_000_000,
            cost_delta_micro=4_150_000,
            fee_delta_micro=1_000,
            order_id=self.order_id,
        )
        return to_record(Envelope("portfolio.attribution", "main", message))

    def rejected(self, rule: str = "day_loss_max") -> Record:
        message = risk_pb2.RejectedTrade(
            meta=self._meta(derived_id("rejected", self.root), self.proposal, "risk"),
            proposal_id=self.proposal,
            portfolio="main",
            leader=LEADER,
            condition_id=MARKET,
            token_id=TOKEN,
            rule=rule,
            reasons=[reason(rule, 510_000_000, 500_000_000, passed=False)],
        )
        return to_record(Envelope("trade.rejected", "main", message))


def listed() -> Record:
    message = market_pb2.MarketListed(
        meta=meta(derived_id("listed"), "", "", "feeds", 1),
        condition_id=MARKET,
        question="Will it rain?",
        tokens=[
            market_pb2.OutcomeToken(token_id=TOKEN, outcome="Yes"),
            market_pb2.OutcomeToken(token_id="8" * 77, outcome="No"),
        ],
    )
    return to_record(Envelope("market.catalog", MARKET, message))
