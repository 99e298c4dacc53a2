"""Membership of a group for as long as a block lasts: renewed, as the shell does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from whaletrader.runtime.log import Log, Membership
from whaletrader.runtime.shell import MEMBERSHIP_POLL_S
from whaletrader.runtime.topics import journal_topic

_JOIN_S_MAX: Final = 30.0


@asynccontextmanager
async def member(log: Log, group: str) -> AsyncIterator[Membership]:
    """Join alone, hold shard 0, and leave at the end. Raises TimeoutError."""
    membership = await log.join(group, "bench", journal_topic(group))
    async with asyncio.timeout(_JOIN_S_MAX):
        while 0 not in await membership.owned(MEMBERSHIP_POLL_S):
            pass
    leaving = asyncio.Event()
    renewing = asyncio.create_task(_renew(membership, leaving))
    try:
        yield membership
    finally:
        # Asked to end and not cancelled: in Python 3.11 a wait_for may swallow a cancellation.
        leaving.set()
        await renewing
        await membership.leave()


async def _renew(membership: Membership, leaving: asyncio.Event) -> None:
    while not leaving.is_set():
        await membership.owned(MEMBERSHIP_POLL_S)
        await asyncio.wait({asyncio.ensure_future(leaving.wait())}, timeout=MEMBERSHIP_POLL_S)
