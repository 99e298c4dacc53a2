"""Composition root: discovery, with nothing plugged in but the log."""

from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.services.discovery.agent import DiscoveryAgent
from whaletrader.services.discovery.config import DiscoverySettings


def main() -> None:
    settings = DiscoverySettings()
    run(Service(make_agent=lambda: DiscoveryAgent(settings)))


if __name__ == "__main__":
    main()
