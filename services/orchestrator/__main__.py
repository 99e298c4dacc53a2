"""Composition root of the orchestrator: it asks risk over NATS."""

from typing import Final

from whaletrader.runtime.requests import Ask
from whaletrader.runtime.run import run
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.runtime.settings import Mode, RuntimeSettings
from whaletrader.runtime.subjects import APPROVALS
from whaletrader.schemas import risk_pb2
from whaletrader.services.orchestrator.agent import OrchestratorAgent
from whaletrader.services.orchestrator.config import OrchestratorSettings

# In a demo the tape's time stands still while risk is being asked, or restarted.
DEMO_POLICY: Final = Policy(
    deadline_s=120.0, attempts_max=10_000, backoff_s=0.02, circuit_open_s=0.2
)
POLICY: Final = Policy(deadline_s=APPROVALS.deadline_s, attempts_max=3, backoff_s=0.01)


def make_agent() -> OrchestratorAgent:
    """Return the agent as this process's environment configures it."""
    return OrchestratorAgent(OrchestratorSettings().thresholds())


def main() -> None:
    is_demo = RuntimeSettings().mode is Mode.DEMO
    asking = Ask(lambda proposal: APPROVALS.of(proposal.condition_id), APPROVALS.replies)
    run(
        Service(
            make_agent=make_agent,
            edges={risk_pb2.TradeProposal: Edge(asking, DEMO_POLICY if is_demo else POLICY)},
        )
    )


if __name__ == "__main__":
    main()
