"""Risk and execution as two: what risk did not sign, or signed for something else, never becomes an
order, a person is told, and the genuine approval stays as it was.
"""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.unit.services.risk.risk_room import (
    MARKETS,
    NOW,
    SHARE,
    SIGNER,
    Room,
    S,
    alerts,
    listing,
    yes,
)
from whaletrader.domain.approval import ApprovalSigner, ApprovalVerifier, signing_bytes
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Core, Inline, Step
from whaletrader.schemas import agent_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.agent import ExecutionAgent, ExecutionPolicy, Working
from whaletrader.services.notifier.agent import Channel, NotifierAgent
from whaletrader.services.notifier.notice import Urgency
from whaletrader.services.risk.alerts import Alert

Tamper = Callable[[risk_pb2.ApprovedTrade], None]
POLICY = ExecutionPolicy(lane="wallet", working=Working(working_time_ns=60 * S))


def order_id(announced: order_pb2.OrderAnnounced) -> str:
    """Name an order by its terms, as the venue's hash does."""
    return derived_id(announced.order.approval_id, announced.salt, announced.order.size_micro)


def stranger() -> ApprovalSigner:
    key = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    return ApprovalSigner(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


class Both:
    """A risk agent and an execution agent that trusts its key."""

    def __init__(self) -> None:
        self.room = Room()
        verify = ApprovalVerifier([SIGNER.public_pem()]).verify
        self.execution = Core(ExecutionAgent(POLICY, verify, order_id))
        self.now_ns = NOW
        for market in MARKETS:
            self._hear(listing(market))

    def _hear(self, message: object) -> list[object]:
        meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("heard", self.execution.sequence)
        step = self.execution.step([Inline(message)], self.now_ns)  # type: ignore[arg-type]
        return [event for _, _, event in step.events]

    def approval(self) -> risk_pb2.ApprovedTrade:
        return self.room.ask(self.room.proposal(max_size_micro=100 * SHARE))

    def refusal(self, approval: risk_pb2.ApprovedTrade) -> order_pb2.ApprovalRefused:
        events = self._hear(approval)
        assert not any(isinstance(e, order_pb2.OrderAnnounced) for e in events)
        assert not self.execution.pending
        return next(e for e in events if isinstance(e, order_pb2.ApprovalRefused))


def forge(approval: risk_pb2.ApprovedTrade) -> None:
    signer = stranger()
    approval.key_id = signer.key_id
    approval.signature = signer.sign(signing_bytes(approval))


def forge_under_our_name(approval: risk_pb2.ApprovedTrade) -> None:
    approval.signature = stranger().sign(signing_bytes(approval))


def enlarge(approval: risk_pb2.ApprovedTrade) -> None:
    approval.size_micro *= 2


def worsen(approval: risk_pb2.ApprovedTrade) -> None:
    approval.limit_price_micro += 10_000


def move_to_another_market(approval: risk_pb2.ApprovedTrade) -> None:
    approval.condition_id, approval.token_id = MARKETS[1], yes(MARKETS[1])


def prolong(approval: risk_pb2.ApprovedTrade) -> None:
    approval.expires_ns += 10**15


def rename(approval: risk_pb2.ApprovedTrade) -> None:
    approval.approval_id = derived_id("another")


def turn(approval: risk_pb2.ApprovedTrade) -> None:
    approval.side = 3 - approval.side  # type: ignore[assignment]


def strip(approval: risk_pb2.ApprovedTrade) -> None:
    approval.ClearField("signature")


@pytest.mark.parametrize(
    "tamper",
    [
        forge,
        forge_under_our_name,
        enlarge,
        worsen,
        move_to_another_market,
        prolong,
        rename,
        turn,
        strip,
    ],
)
def test_what_risk_did_not_sign_is_refused_and_the_genuine_one_stays(tamper: Tamper) -> None:
    both = Both()
    genuine = both.approval()
    bad = risk_pb2.ApprovedTrade()
    bad.CopyFrom(genuine)
    tamper(bad)
    refused = both.refusal(bad)
    failed = [reason.rule for reason in refused.reasons if not reason.passed]
    assert failed[0] == "approval.signature"
    reserved = both.room.state.reserved_micro
    step = both.room.tell(refused)
    assert alerts(step) == [Alert.FORGED_APPROVAL]
    assert both.room.state.reserved_micro == reserved > 0
    # The genuine one still becomes an order.
    events = both._hear(genuine)
    assert not any(isinstance(event, order_pb2.ApprovalRefused) for event in events)


def test_an_approval_is_used_once() -> None:
    both = Both()
    genuine = both.approval()
    both._hear(genuine)
    both.execution.pending.clear()
    refused = both.refusal(genuine)
    failed = [reason.rule for reason in refused.reasons if not reason.passed]
    assert failed == ["approval.unused"]
    reserved = both.room.state.reserved_micro
    told = both.room.tell(refused)
    assert alerts(told) == [Alert.FORGED_APPROVAL]
    assert both.room.state.reserved_micro == reserved > 0
    assert len(paged(refused, told)) == 2


def test_an_expired_approval_is_refused_and_its_money_set_free() -> None:
    both = Both()
    genuine = both.approval()
    both.now_ns = genuine.expires_ns
    refused = both.refusal(genuine)
    failed = [reason.rule for reason in refused.reasons if not reason.passed]
    assert failed == ["approval.unexpired"]
    both.room.tell(refused)
    assert both.room.state.reserved_micro == 0


def paged(refused: order_pb2.ApprovalRefused, told: Step) -> list[agent_pb2.NotifyPerson]:
    """Return whom execution's refusal and what risk said of it wake up."""
    notifier = Core(NotifierAgent((Channel("pager", Urgency.CRITICAL),), 60 * S))
    for event in (refused, *(e for _, topic, e in told.events if topic == "risk.alert")):
        notifier.step([Inline(event)], NOW)
    pages = [
        effect.message
        for effect in notifier.pending.values()
        if isinstance(effect.message, agent_pb2.NotifyPerson)
    ]
    assert all(page.severity == Urgency.CRITICAL for page in pages)
    return pages


@pytest.mark.parametrize("tamper", [forge, enlarge, strip, move_to_another_market])
def test_somebody_is_paged(tamper: Tamper) -> None:
    both = Both()
    bad = both.approval()
    tamper(bad)
    refused = both.refusal(bad)
    assert len(paged(refused, both.room.tell(refused))) == 2


def test_somebody_is_paged_for_one_that_came_too_late() -> None:
    both = Both()
    genuine = both.approval()
    both.now_ns = genuine.expires_ns
    refused = both.refusal(genuine)
    assert len(paged(refused, both.room.tell(refused))) == 1
