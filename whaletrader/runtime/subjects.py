"""The NATS subjects, beside the topic table. Nothing that must survive is said here."""

from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from whaletrader.schemas import risk_pb2


@dataclass(frozen=True, slots=True)
class Subject:
    """A request-reply subject. `parameter` names the last token of the subject."""

    name: str
    parameter: str
    request: type[Message]
    replies: tuple[type[Message], ...]
    responder: str
    deadline_s: float
    summary: str

    @property
    def pattern(self) -> str:
        """Return the subject to subscribe to."""
        return f"{self.name}.*"

    def of(self, token: str) -> str:
        """Return the subject of one request."""
        return f"{self.name}.{token}"


APPROVALS: Final = Subject(
    name="risk.approve",
    parameter="condition_id",
    request=risk_pb2.TradeProposal,
    replies=(risk_pb2.ApprovedTrade, risk_pb2.RejectedTrade),
    responder="risk",
    deadline_s=0.25,
    summary="Ask risk for an approval. Answered after the verdict is on the log; no answer is no.",
)

BATCHES: Final = Subject(
    name="risk.batch",
    parameter="portfolio",
    request=risk_pb2.BatchProposal,
    replies=(risk_pb2.BatchVerdict,),
    responder="risk",
    deadline_s=0.25,
    summary="Ask risk for approvals of legs that belong together: all of them, or none.",
)

MANDATES: Final = Subject(
    name="risk.mandate",
    parameter="portfolio",
    request=risk_pb2.QuoteMandateProposal,
    replies=(risk_pb2.QuoteMandate, risk_pb2.RejectedTrade),
    responder="risk",
    deadline_s=0.25,
    summary="Ask risk to allow quoting of a token, bounded in inventory, size and time.",
)

CHECKS: Final = Subject(
    name="risk.check",
    parameter="condition_id",
    request=risk_pb2.CheckProposal,
    replies=(risk_pb2.CheckAnswered,),
    responder="risk",
    deadline_s=0.25,
    summary="Ask what risk would answer to a proposal. Nothing is set aside.",
)

POLICIES: Final = Subject(
    name="risk.policy",
    parameter="portfolio",
    request=risk_pb2.PolicyCommand,
    replies=(risk_pb2.PolicyAnswered,),
    responder="risk",
    deadline_s=2.0,
    summary="Show, propose, confirm or withdraw risk's limits. Answered once it is journaled.",
)

QUERIES: Final = Subject(
    name="risk.show",
    parameter="portfolio",
    request=risk_pb2.RiskQuery,
    replies=(risk_pb2.RiskShown,),
    responder="risk",
    deadline_s=2.0,
    summary="Ask how the desk stands: state, use of each limit, exposures, last verdicts.",
)

SUBJECTS: Final[tuple[Subject, ...]] = (APPROVALS, BATCHES, MANDATES, CHECKS, POLICIES, QUERIES)
