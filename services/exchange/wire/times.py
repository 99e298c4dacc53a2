"""Times as text, from UTC epoch nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime

from whaletrader.services.exchange.engine.model import NS


def iso(at_ns: int) -> str:
    """Return RFC 3339 to the second; the calendar's end for what lies beyond it."""
    # 9999-12-31T23:59:59Z, the last moment that a calendar date can hold.
    seconds = min(at_ns // NS, 253_402_300_799)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
