"""A market of the test's own, as the exchange and the catalogue know it, and approvals for it."""

import time
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from whaletrader.domain.approval import ApprovalSigner, signing_bytes
from whaletrader.domain.ids import derived_id
from whaletrader.schemas import common_pb2, control_pb2, market_pb2, risk_pb2

BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL
S = 1_000_000_000
TICK, MIN_SIZE, FEE_RATE = 10_000, 5_000_000, 50_000
CENT, SHARE = 10_000, 1_000_000
# Risk's part is played by the test, with a real key.
RISK = ApprovalSigner(
    Ed25519PrivateKey.from_private_bytes(b"r" * 32).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)


@dataclass(frozen=True, slots=True)
class Market:
    """Two outcomes; `number` makes the ids."""

    number: int

    @property
    def condition_id(self) -> str:
        return f"0x{self.number:064x}"

    @property
    def yes(self) -> str:
        return str(10**70 + 2 * self.number)

    @property
    def no(self) -> str:
        return str(10**70 + 2 * self.number + 1)

    def row(self) -> dict[str, Any]:
        """Return the market as the exchange's operator lists it."""
        return {
            "condition_id": self.condition_id,
            "question": f"Will it rain on day {self.number}?",
            "slug": f"rain-{self.number}",
            "event_slug": "weather",
            "category": "weather",
            "tokens": [
                {"token_id": self.yes, "outcome": "Yes"},
                {"token_id": self.no, "outcome": "No"},
            ],
            "tick_size_micro": TICK,
            "min_size_micro": MIN_SIZE,
            "fee_rate_micro": FEE_RATE,
            "neg_risk": False,
            "end_ns": time.time_ns() + 30 * 86_400 * S,
        }

    def listing(self) -> market_pb2.MarketListed:
        """Return the market as the catalogue lists it."""
        row = self.row()
        made = market_pb2.MarketListed(
            condition_id=self.condition_id,
            question=row["question"],
            slug=row["slug"],
            category=row["category"],
            tokens=[
                market_pb2.OutcomeToken(token_id=self.yes, outcome="Yes"),
                market_pb2.OutcomeToken(token_id=self.no, outcome="No"),
            ],
            tick_size_micro=TICK,
            min_size_micro=MIN_SIZE,
            fee_rate_micro=FEE_RATE,
            fee_exponent=1,
            ends_ns=row["end_ns"],
        )
        return _stamped(made, "listing", self.number)

    def approval(self, name: str, price: int, size: int, **terms: Any) -> risk_pb2.ApprovedTrade:
        """Return a signed approval to buy YES unless `terms` say otherwise; micro-units."""
        fields: dict[str, Any] = {
            "approval_id": name,
            "proposal_id": f"proposal {name}",
            "portfolio": "main",
            "condition_id": self.condition_id,
            "token_id": self.yes,
            "side": BUY,
            "limit_price_micro": price,
            "size_micro": size,
            "expires_ns": time.time_ns() + 180 * S,
            "key_id": RISK.key_id,
        }
        fields |= terms
        fields["outcome_index"] = int(fields["token_id"] == self.no)
        made = _stamped(risk_pb2.ApprovedTrade(**fields), "approval", name)
        made.signature = RISK.sign(signing_bytes(made))
        return made


def halt(portfolio: str) -> control_pb2.ControlOrdered:
    """Return an operator's order to stop a portfolio."""
    made = control_pb2.ControlOrdered(
        portfolio=portfolio, action=control_pb2.CONTROL_ACTION_HALT, operator="test"
    )
    return _stamped(made, "halt", portfolio)


def _stamped(message: Any, *names: object) -> Any:
    message.meta.id = derived_id("faults", *names)
    message.meta.correlation = message.meta.id
    message.meta.source = "faults"
    message.meta.event_time_ns = time.time_ns()
    return message
