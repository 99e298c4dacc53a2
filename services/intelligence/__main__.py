"""Composition root: intelligence, with nothing plugged in but the log."""

from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.services.intelligence.agent import IntelligenceAgent
from whaletrader.services.intelligence.config import IntelligenceSettings


def make_agent() -> IntelligenceAgent:
    """Return the agent as this process's environment configures it."""
    return IntelligenceAgent(IntelligenceSettings())


def main() -> None:
    run(Service(make_agent=make_agent))


if __name__ == "__main__":
    main()
