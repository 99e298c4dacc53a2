"""Composition root: attribution, with nothing plugged in but the log."""

from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.services.attribution.agent import AttributionAgent
from whaletrader.services.attribution.config import AttributionSettings


def main() -> None:
    settings = AttributionSettings()
    run(Service(make_agent=lambda: AttributionAgent(settings)))


if __name__ == "__main__":
    main()
