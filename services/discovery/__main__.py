"""Composition root: discovery, with nothing plugged in but the log."""

from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import Mode, RuntimeSettings
from whaletrader.services.discovery.agent import DiscoveryAgent
from whaletrader.services.discovery.config import DemoDiscoverySettings, DiscoverySettings


def make_agent() -> DiscoveryAgent:
    """Return the agent as this process's environment configures it."""
    is_demo = RuntimeSettings().mode is Mode.DEMO
    return DiscoveryAgent(DemoDiscoverySettings() if is_demo else DiscoverySettings())


def main() -> None:
    run(Service(make_agent=make_agent))


if __name__ == "__main__":
    main()
