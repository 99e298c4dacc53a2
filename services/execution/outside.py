"""Whether trading is allowed from here and now: region and clock, watched while we trade.

Fails closed: before the first good look, and once looks keep failing, no order leaves; cancels
still do. Used by the composition root in live mode.
"""

import logging
from collections.abc import Callable
from typing import Final, Protocol

from google.protobuf.message import Message

from whaletrader.venues.watch import TradingForbidden, Watch

_LOG = logging.getLogger(__name__)


class NotReady(Exception):
    """The pre-flight failed: live trading does not start."""


class Outside(Protocol):
    """What is asked right before an order leaves."""

    @property
    def forbids(self) -> str:
        """Why no order may leave now; empty if one may."""


class Anywhere:
    """Where no region and no clock of a venue's is in the way: demo, paper and tests."""

    forbids = ""


ANYWHERE: Final[Outside] = Anywhere()


class OutsideWatch:
    """A source that brings nothing, and knows whether trading is allowed."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._why = "region and clock were not looked at yet"

    @property
    def forbids(self) -> str:
        return "" if self._watch.is_allowed else self._why

    async def run(self, put: Callable[[Message], None]) -> None:  # noqa: ARG002 - brings nothing
        """Look now and then, until cancelled."""
        async for event in self._watch.events():
            if isinstance(event, TradingForbidden):
                self._why = str(event)
                _LOG.error("no order leaves: %s", event)
            else:
                _LOG.info("trading is allowed here and now")

    def facts(self) -> dict[str, int]:
        return {}
