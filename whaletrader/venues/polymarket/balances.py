"""Reads the balances of many tokens, a few at a time, and again where a single read fails.

Knows no client: the adapter hands in how one token is read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from whaletrader.venues.errors import VenueUnavailable

_READS_AT_ONCE_MAX: Final = 8
_TRIES_MAX: Final = 4
_RETRY_S: Final = 0.25


async def balances_of(
    tokens: Iterable[str], read: Callable[[str], Awaitable[int]]
) -> dict[str, int]:
    """Return what is held of each token in micro-shares, without zeroes, in order of token.

    One of hundreds of reads that fails does not undo the others: it is repeated a few times.
    Raises VenueUnavailable once one of them has failed that often.
    """
    slots = asyncio.Semaphore(_READS_AT_ONCE_MAX)

    async def held(token_id: str) -> int:
        async with slots:
            for _ in range(_TRIES_MAX - 1):
                try:
                    return await read(token_id)
                except VenueUnavailable as error:
                    await asyncio.sleep(max(_RETRY_S, error.retry_after_s))
            return await read(token_id)

    names = sorted(dict.fromkeys(tokens))
    amounts = await asyncio.gather(*(held(name) for name in names))
    return {name: amount for name, amount in zip(names, amounts, strict=True) if amount}
