"""An execution agent on a bench: real core, real signatures, no venue."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.message import Message
from pydantic import SecretStr

from whaletrader.domain.approval import ApprovalSigner, ApprovalVerifier, signing_bytes
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Core, Inline, Step
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
)
from whaletrader.services.execution.agent import ExecutionAgent, ExecutionPolicy, Working
from whaletrader.services.execution.state import ExecutionState, OrderRecord
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner
from whaletrader.venues.polymarket.venue import PolymarketVenue, WalletSettings

S = 1_000_000_000
T0 = 1_760_000_000 * S
CONDITION = "0x" + "ab" * 32
YES, NO = str(7**80), str(7**81)
PEM = Ed25519PrivateKey.from_private_bytes(b"k" * 32).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER = ApprovalSigner(PEM)
VERIFY = ApprovalVerifier([SIGNER.public_pem()]).verify
VENUE = PolymarketVenue(
    LocalSigner(SecretStr(DEVELOPMENT_KEY)), WalletSettings(environment_at("http://127.0.0.1:9"))
)
POLICY = ExecutionPolicy(lane=VENUE.wallet, working=Working(working_time_ns=60 * S))


def listing(**changes: Any) -> market_pb2.MarketListed:
    terms: dict[str, Any] = {
        "condition_id": CONDITION,
        "tokens": [
            market_pb2.OutcomeToken(token_id=YES, outcome="Yes"),
            market_pb2.OutcomeToken(token_id=NO, outcome="No"),
        ],
        "tick_size_micro": 10_000,
        "min_size_micro": 5_000_000,
        "fee_rate_micro": 50_000,
        "fee_exponent": 1,
    }
    return market_pb2.MarketListed(**terms | changes)


def approval(approval_id: str = "a1", **changes: Any) -> risk_pb2.ApprovedTrade:
    """Return an approval that risk signed."""
    terms: dict[str, Any] = {
        "approval_id": approval_id,
        "proposal_id": f"p-{approval_id}",
        "portfolio": "main",
        "leader": "0x" + "5" * 40,
        "strategy": "copy",
        "condition_id": CONDITION,
        "token_id": YES,
        "side": common_pb2.SIDE_BUY,
        "limit_price_micro": 500_000,
        "size_micro": 10_000_000,
        "expires_ns": T0 + 30 * S,
        "key_id": SIGNER.key_id,
    }
    made = risk_pb2.ApprovedTrade(**terms | changes)
    made.meta.id = derived_id("approval", approval_id)
    made.meta.event_time_ns = T0
    made.signature = SIGNER.sign(signing_bytes(made))
    return made


def control(action: control_pb2.ControlAction.ValueType, n: int = 0) -> control_pb2.ControlOrdered:
    made = control_pb2.ControlOrdered(portfolio="main", action=action, operator="test")
    made.meta.id = derived_id("control", action, n)
    return made


def placement(
    order_id: str, status: order_pb2.PlacementStatus.ValueType, detail: str = ""
) -> order_pb2.OrderPlacement:
    return order_pb2.OrderPlacement(order_id=order_id, status=status, detail=detail)


def trade(
    order_id: str,
    trade_id: str,
    status: order_pb2.TradeStatus.ValueType,
    size_micro: int = 10_000_000,
    **fill: Any,
) -> order_pb2.VenueTradeSeen:
    terms: dict[str, Any] = {
        "trade_id": trade_id,
        "price_micro": 500_000,
        "size_micro": size_micro,
        "liquidity": order_pb2.LIQUIDITY_MAKER,
    }
    return order_pb2.VenueTradeSeen(
        order_id=order_id, fill=order_pb2.Fill(**terms | fill), status=status
    )


def resolved(
    order_id: str, state: order_pb2.VenueOrderState.ValueType, fills: int = 0
) -> order_pb2.OrderResolved:
    return order_pb2.OrderResolved(order_id=order_id, state=state, fills=fills, detail="asked")


def venue_closed(
    order_id: str,
    matched_micro: int = 0,
    status: order_pb2.CloseStatus.ValueType = order_pb2.CLOSE_STATUS_CANCELLED,
) -> order_pb2.VenueOrderClosed:
    return order_pb2.VenueOrderClosed(
        order_id=order_id, status=status, matched_size_micro=matched_micro, detail="CANCELED"
    )


Levels = list[tuple[int, int]]
TRADE_CONFIRMED = order_pb2.TRADE_STATUS_CONFIRMED


def _level(cents: int, shares: int) -> market_pb2.Level:
    return market_pb2.Level(price_micro=cents * 10_000, size_micro=shares * 1_000_000)


class Bench:
    """Steps an agent and keeps all that it said."""

    def __init__(self, policy: ExecutionPolicy = POLICY, *, listed: bool = True) -> None:
        self.policy = policy
        self.core = self.fresh()
        self.now_ns = T0
        self.steps: list[Step] = []
        self.inputs: list[Message] = []
        if listed:
            self.tell(listing())

    def fresh(self) -> Core:
        return Core(ExecutionAgent(self.policy, VERIFY, VENUE.prepare))

    def tell(self, message: Message, effect_id: str = "") -> Step:
        """Hand one input to the agent and return its commit."""
        self.inputs.append(message)
        meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("input", len(self.inputs))
        step = self.core.step([Inline(message, effect_id)], self.now_ns)
        self.steps.append(step)
        return step

    def announce(self, **changes: Any) -> str:
        """Approve a trade and return the id of its order."""
        before = set(self.state.orders)
        self.tell(approval(**changes))
        [order_id] = set(self.state.orders) - before
        return order_id

    def live(self, **changes: Any) -> str:
        """Approve a trade, have the venue take it, and return its order's id."""
        order_id = self.announce(**changes)
        self.tell(placement(order_id, order_pb2.PLACEMENT_STATUS_LIVE, "live"))
        return order_id

    def read(self, bids: Levels, asks: Levels, **terms: Any) -> Step:
        """Answer the book that was asked for: levels in cents and shares."""
        effect = next(
            e for e in self.core.pending.values() if isinstance(e.message, order_pb2.ReadBook)
        )
        assert isinstance(effect.message, order_pb2.ReadBook)
        read = order_pb2.BookRead(
            approval_id=effect.message.approval_id,
            token_id=effect.message.token_id,
            bids=[_level(*it) for it in bids],
            asks=[_level(*it) for it in asks],
            **terms,
        )
        read.meta.event_time_ns = self.now_ns
        return self.tell(read, effect.id)

    def take_off(self, order_id: str, matched_micro: int = 0) -> Step:
        """Have the venue take an order off the book, settled as far as it was matched."""
        if matched_micro:
            self.tell(trade(order_id, f"f-{order_id}", TRADE_CONFIRMED, matched_micro))
        return self.tell(venue_closed(order_id, matched_micro))

    @property
    def newest(self) -> str:
        """The id of the newest order."""
        return list(self.state.orders)[-1]

    def fire(self, kind: str, order_id: str, after_s: int = 0) -> Step:
        """Fire the newest timer of that kind for the order, or for its approved trade."""
        self.now_ns += after_s * S
        timers = [
            e.message
            for step in self.steps
            for e in step.effects
            if isinstance(e.message, agent_pb2.SetTimer)
        ]
        if kind in ("leg", "retry") and order_id in self.state.orders:
            order_id = self.record(order_id).approval_id
        ours = [t for t in timers if t.timer_id.startswith(kind) and t.timer_id.endswith(order_id)]
        return self.tell(agent_pb2.TimerFired(timer_id=ours[-1].timer_id, due_ns=ours[-1].due_ns))

    @property
    def state(self) -> ExecutionState:
        state = self.core.agent.state
        assert isinstance(state, ExecutionState)
        return state

    def record(self, order_id: str) -> OrderRecord:
        return self.state.orders[order_id]

    def said(self, kind: type[Message]) -> list[Any]:
        """Return all events of a type, oldest first."""
        return [e for step in self.steps for _, _, e in step.events if isinstance(e, kind)]

    def asked(self, kind: type[Message]) -> list[Any]:
        """Return all effects of a type, oldest first."""
        return [e.message for s in self.steps for e in s.effects if isinstance(e.message, kind)]
