"""A connection's wishes and its outgoing frames, bounded: who does not read is closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

from whaletrader.services.exchange.engine.model import Market

CLOSE_OVERRUN = 1013


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a connection, in its place among the frames."""

    code: int
    reason: str


class Subscriber:
    """One connection; `channel` and `account` are what weather is scoped by."""

    channel = ""
    account = ""
    # Whether a text PING is answered with PONG: the book's own channels do.
    answers_ping = False

    def __init__(self, backlog_frames_max: int) -> None:
        self.queue: asyncio.Queue[bytes | Close] = asyncio.Queue(backlog_frames_max + 1)
        self._limit = backlog_frames_max
        self.is_closing = False
        self.sent = 0
        # A frame that bad weather lets the next one overtake.
        self.held: list[bytes] = []

    def send(self, frame: Any) -> None:
        if self.is_closing:
            return
        if self.queue.qsize() >= self._limit:
            self.close(CLOSE_OVERRUN, "too slow")
            return
        self.sent += 1
        self.queue.put_nowait(frame if isinstance(frame, bytes) else msgspec.json.encode(frame))

    def close(self, code: int, reason: str) -> None:
        """End the connection after what was sent before."""
        if not self.is_closing:
            self.is_closing = True
            self.queue.put_nowait(Close(code, reason))


class MarketSubscriber(Subscriber):
    """Listens to the books of some tokens, and to more kinds of frames if it asked for them."""

    channel = "market"
    answers_ping = True

    def __init__(self, backlog_frames_max: int) -> None:
        super().__init__(backlog_frames_max)
        self.tokens: set[str] = set()
        self.wants_news = False


class UserSubscriber(Subscriber):
    """Listens to one API key owner's orders and trades; no markets means all of them."""

    channel = "user"
    answers_ping = True

    def __init__(self, backlog_frames_max: int, principal: str) -> None:
        super().__init__(backlog_frames_max)
        self.principal = principal
        self.account = principal
        self.markets: set[str] | None = None

    def hears(self, market: Market) -> bool:
        return self.markets is None or market.condition_id.lower() in self.markets


@dataclass(frozen=True, slots=True)
class Wish:
    """One RTDS subscription: topic, type ("*" is any), its decoded filter, whose it is."""

    topic: str
    kind: str
    filters: Any = None
    principal: str = ""

    def takes_kind(self, kind: str) -> bool:
        return self.kind in ("*", kind)


class LiveSubscriber(Subscriber):
    """One RTDS connection and its wishes."""

    def __init__(self, backlog_frames_max: int, connection_id: str) -> None:
        super().__init__(backlog_frames_max)
        self.connection_id = connection_id
        self.wishes: list[Wish] = []
        self.channel = "rtds"

    def tell(self, topic: str, kind: str, at_ms: int, payload: Any) -> None:
        frame = {"topic": topic, "type": kind, "timestamp": at_ms, "payload": payload}
        self.send({**frame, "connection_id": self.connection_id})
