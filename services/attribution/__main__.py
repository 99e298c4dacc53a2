"""Composition root: attribution, with nothing plugged in but the log."""

from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.services.attribution.agent import AttributionAgent
from whaletrader.services.attribution.config import AttributionSettings


def make_agent() -> AttributionAgent:
    """Return the agent as this process's environment configures it."""
    return AttributionAgent(AttributionSettings())


def main() -> None:
    run(Service(make_agent=make_agent))


if __name__ == "__main__":
    main()
