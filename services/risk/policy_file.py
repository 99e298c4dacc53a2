"""The policy as a file that people write: TOML, read and checked. Composition roots and tools only.

A starting process tells the agent what its file says. That opens a new portfolio; later it is a
proposal like any other: the policy in force is what the journal holds.
"""

import asyncio
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.policy_terms import PolicyRefused, RiskPolicy, micro, policy_of

SHIPPED: Final = Path(__file__).parent / "policy"
DEFAULT: Final = SHIPPED / "default.toml"
DEMO: Final = SHIPPED / "demo.toml"


def load_policy(path: Path) -> RiskPolicy:
    """Return the policy of a TOML file. Raises PolicyRefused, naming the file and each flaw."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise PolicyRefused(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise PolicyRefused(f"{path} is no TOML: {error}") from error
    try:
        return policy_of(values)
    except PolicyRefused as error:
        raise PolicyRefused(f"{path}: {error}") from error


def opening(settings: RiskSettings) -> risk_pb2.PolicyCommand:
    """Return what a starting process tells the agent. Raises PolicyRefused."""
    path = Path(settings.policy_file) if settings.policy_file else SHIPPED / settings.shipped
    policy = load_policy(path)
    command = risk_pb2.PolicyCommand(
        portfolio=settings.portfolio,
        action=risk_pb2.POLICY_ACTION_PROPOSE,
        document=policy.document(),
        operator="policy file",
        note=path.name,
        from_file=True,
        starting_cash_micro=micro(settings.starting_cash_usd),
    )
    command.meta.id = derived_id("risk", "policy-file", settings.portfolio, policy.digest)
    command.meta.correlation = command.meta.id
    return command


class PolicyFile:
    """Source: tells the agent once what the file says, whenever the process (re)starts."""

    def __init__(self, settings: RiskSettings) -> None:
        # Read now: a file with a flaw must stop the process before anything is traded.
        self._opening = opening(settings)

    async def run(self, put: Callable[[Message], None]) -> None:
        told = risk_pb2.PolicyCommand()
        told.CopyFrom(self._opening)
        put(told)
        # A source that ends ends its process.
        await asyncio.Event().wait()

    def facts(self) -> Mapping[str, int]:
        return {}
