"""Composition root: intelligence, with nothing plugged in but the log."""

from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.services.intelligence.agent import IntelligenceAgent
from whaletrader.services.intelligence.config import IntelligenceSettings


def main() -> None:
    settings = IntelligenceSettings()
    run(Service(make_agent=lambda: IntelligenceAgent(settings)))


if __name__ == "__main__":
    main()
