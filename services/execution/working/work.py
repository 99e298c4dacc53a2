"""What is remembered of one approved trade while it is worked. Pure; part of execution's state."""

from typing import Any

import msgspec

from whaletrader.schemas import order_pb2, risk_pb2


class Work(msgspec.Struct):
    """An approved trade and how far it is. `approval` is the signed ApprovedTrade."""

    approval: bytes
    approval_id: str
    portfolio: str
    condition_id: str
    token_id: str
    side: int
    limit_price_micro: int
    size_micro: int
    expires_ns: int
    tactic: int
    started_ns: int
    arrival_bid_micro: int = 0
    arrival_ask_micro: int = 0
    expected_price_micro: int = 0
    # Which leg of its plan it is in, and until when.
    phase: int = 0
    until_ns: int = 0
    # Orders in their order; they stay on record until the work is done.
    orders: list[str] = msgspec.field(default_factory=list)
    skips: int = 0
    # Attempts in a row that came to nothing, and the words of the last.
    failures: int = 0
    last_failure: str = ""
    # Why no further order is announced; empty while one may be.
    stopped: str = ""
    # A book was asked for and has not come.
    is_reading: bool = False

    @classmethod
    def of(cls, event: order_pb2.WorkStarted) -> "Work":
        """Return the work that an event begins."""
        return cls(
            approval=event.approval.SerializeToString(deterministic=True),
            approval_id=event.approval_id,
            portfolio=event.portfolio,
            condition_id=event.condition_id,
            token_id=event.token_id,
            side=int(event.side),
            limit_price_micro=event.limit_price_micro,
            size_micro=event.size_micro,
            expires_ns=event.expires_ns,
            tactic=int(event.tactic),
            started_ns=event.approval.meta.event_time_ns,
            arrival_bid_micro=event.arrival_bid_micro,
            arrival_ask_micro=event.arrival_ask_micro,
            expected_price_micro=event.expected_price_micro,
        )

    @property
    def arrival_mid_micro(self) -> int:
        """Half way between the sides at the decision; 0 where no book was read."""
        if self.arrival_bid_micro and self.arrival_ask_micro:
            return (self.arrival_bid_micro + self.arrival_ask_micro) // 2
        return self.arrival_bid_micro or self.arrival_ask_micro

    def note(self, event: order_pb2.WorkAdvanced) -> None:
        """Take how far the work is now."""
        self.phase = event.phase
        self.until_ns = event.until_ns
        self.failures = event.failures
        self.last_failure = event.last_failure
        self.stopped = event.stopped
        self.is_reading = event.reading

    def advanced(self, **changes: Any) -> order_pb2.WorkAdvanced:
        """Return the event that moves the work on; what is not named stays as it is."""
        now: dict[str, Any] = {
            "phase": self.phase,
            "until_ns": self.until_ns,
            "failures": self.failures,
            "last_failure": self.last_failure,
            "stopped": self.stopped,
            "reading": self.is_reading,
        }
        return order_pb2.WorkAdvanced(approval_id=self.approval_id, **now | changes)

    def approved(self) -> risk_pb2.ApprovedTrade:
        """Return the signed approval."""
        return risk_pb2.ApprovedTrade.FromString(self.approval)
