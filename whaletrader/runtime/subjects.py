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

SUBJECTS: Final[tuple[Subject, ...]] = (APPROVALS,)
