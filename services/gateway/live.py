"""Pushes what changed to every open dashboard.

One reader for all sockets: it reads the sections of the dashboard when something was announced,
or after a while without announcements, and sends each socket what is different. Nothing is read
while nobody looks. A socket that cannot keep up is closed; its page comes back for a snapshot.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from whaletrader.runtime.clock import monotonic_s
from whaletrader.services.gateway import decisions, reads, report, views
from whaletrader.services.gateway.announcements import Announcements, TapeProgress
from whaletrader.services.gateway.config import GatewaySettings
from whaletrader.services.gateway.control import ControlDesk
from whaletrader.services.gateway.store import Store, StoreNotReady, StoreUnavailable

_LOG = logging.getLogger(__name__)

Sections = dict[str, Any]

# What a page shows of each list; the API has the rest.
DECISIONS_SHOWN: Final = 40
ROWS_SHOWN: Final = 60
# A socket with so many unsent updates has stopped reading.
QUEUE_MAX: Final = 32


class TooManySockets(Exception):
    """As many dashboards are open as the settings allow."""


class Subscriber:
    """One socket's queue of messages. `None` is the end: the socket was too slow."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Sections | None] = asyncio.Queue(QUEUE_MAX + 1)

    def offer(self, message: Sections) -> bool:
        """Queue a message; False when the socket is too far behind."""
        if self.queue.qsize() >= QUEUE_MAX:
            return False
        self.queue.put_nowait(message)
        return True

    def end(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class LiveHub:
    """Reads once, tells all."""

    def __init__(
        self,
        store: Store,
        control: ControlDesk,
        progress: TapeProgress,
        announcements: Announcements,
        settings: GatewaySettings,
    ) -> None:
        self._store = store
        self._control = control
        self._progress = progress
        self._announcements = announcements
        self._settings = settings
        self._lock = asyncio.Lock()
        self._sections: Sections = {}
        self._slow_read_s = -settings.slow_interval_s
        self._subscribers: set[Subscriber] = set()

    @property
    def sockets(self) -> int:
        return len(self._subscribers)

    async def subscribe(self) -> Subscriber:
        """Return a subscriber whose first message is everything. Raises TooManySockets."""
        async with self._lock:
            if len(self._subscribers) >= self._settings.sockets_max:
                raise TooManySockets(f"{self._settings.sockets_max} dashboards are open already")
            if not self._subscribers:
                # Nobody looked for a while: what is remembered may be old.
                self._sections = {}
                self._slow_read_s = -self._settings.slow_interval_s
            await self._look()
            subscriber = Subscriber()
            subscriber.offer({"type": "snapshot", "sections": self._sections})
            self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    async def run(self) -> None:
        """Look and tell, for good."""
        while True:
            await self._announcements.wait(self._settings.poll_interval_s)
            if self._subscribers:
                async with self._lock:
                    self._tell(await self._look())
            await asyncio.sleep(self._settings.push_interval_s_min)

    async def _look(self) -> Sections:
        """Read the sections, remember them, and return what changed."""
        status = {"store": "ok", "message": ""}
        found: Sections = {}
        try:
            found = await self._read()
        except StoreNotReady as error:
            status = {"store": "empty", "message": str(error)}
        except StoreUnavailable as error:
            status = {"store": "away", "message": str(error)}
        found["control"] = _plain(await self._control.refresh())
        found["progress"] = _plain(self._progress.view())
        found["status"] = {**status, "push": self._announcements.is_connected}
        changed = {
            name: _difference(name, self._sections.get(name), value)
            for name, value in found.items()
            if self._sections.get(name) != value
        }
        self._sections = {**self._sections, **found}
        return changed

    async def _read(self) -> Sections:
        store, portfolio = self._store, self._settings.portfolio
        page = await decisions.page(
            store, decisions.Asked(outcomes=decisions.SETTLED, limit=DECISIONS_SHOWN)
        )
        summary = await reads.summary(store, portfolio)
        if summary.events < int(self._sections.get("summary", {}).get("events", 0)):
            # Another store, or one that was restored: nothing that is remembered holds.
            self._sections = {}
        found: Sections = {
            "summary": _plain(summary),
            "curve": await self._curve(),
            "decisions": _plain(page.decisions),
            "positions": _plain(await reads.positions(store, portfolio, ROWS_SHOWN)),
            "orders": _plain(await reads.orders(store, portfolio, ROWS_SHOWN)),
        }
        if monotonic_s() - self._slow_read_s < self._settings.slow_interval_s:
            return found
        slow: Mapping[str, Callable[[], Awaitable[Sequence[BaseModel]]]] = {
            "whales": lambda: reads.whales(store, portfolio, ROWS_SHOWN),
            "leaders": lambda: report.leaders(store, portfolio),
            "rejections": lambda: reads.rejections(store),
            "agents": lambda: reads.agents(store),
            "latency": lambda: reads.latency(store),
            "alerts": lambda: reads.alerts(store, ROWS_SHOWN),
            "dead_letters": lambda: reads.dead_letters(store, ROWS_SHOWN),
        }
        found |= {name: _plain(await read()) for name, read in slow.items()}
        self._slow_read_s = monotonic_s()
        return found

    async def _curve(self) -> list[Any]:
        """Return the curve: what is known, and what is new since its last point."""
        known: list[Any] = self._sections.get("curve", [])
        portfolio = self._settings.portfolio
        if not known or len(known) >= 2 * reads.CURVE_POINTS:
            return list(_plain((await reads.curve(self._store, portfolio)).points))
        last = views.CurvePoint(**known[-1])
        fresh = (await reads.curve(self._store, portfolio, after=last)).points
        if fresh and fresh[0].at_ns == last.at_ns:
            known = known[:-1]
        return [*known, *_plain(fresh)]

    def _tell(self, changed: Sections) -> None:
        if not changed:
            return
        for subscriber in tuple(self._subscribers):
            if not subscriber.offer({"type": "update", "sections": changed}):
                _LOG.warning("a dashboard does not keep up and is closed")
                self._subscribers.discard(subscriber)
                subscriber.end()


def _difference(name: str, before: Any, now: Any) -> Any:
    """Return what a page that knows `before` needs. Long lists are told by what is new."""
    if before and name == "curve":
        kept = {point["at_ns"]: point for point in before}
        fresh = [point for point in now if kept.get(point["at_ns"]) != point]
        if fresh and len(now) >= len(before):
            return {"since_ns": fresh[0]["at_ns"], "points": fresh}
        return now
    if before and name == "decisions":
        known = {decision["id"]: decision for decision in before}
        return {"fresh": [one for one in now if known.get(one["id"]) != one]}
    return now


def _plain(found: BaseModel | Sequence[BaseModel] | Sequence[views.View]) -> Any:
    if isinstance(found, BaseModel):
        return found.model_dump(mode="json")
    return [one.model_dump(mode="json") for one in found]
