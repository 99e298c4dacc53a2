"""A task that is let go of ends, whatever swallows its cancellation."""

import asyncio

import pytest

from whaletrader.runtime import cancelling
from whaletrader.runtime.cancelling import end_all


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cancelling, "CANCEL_AGAIN_S", 0.05)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(end_all([task]), 5)
    assert task.cancelled()
    assert swallowed == 3


async def test_cleaning_up_is_not_cut_short() -> None:
    cleaned = False

    async def careful() -> None:
        nonlocal cleaned
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.3)
            cleaned = True

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    await end_all([task])
    assert cleaned


async def test_what_a_task_raises_in_the_end_is_dropped() -> None:
    async def failing() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("while ending") from None

    tasks = [asyncio.create_task(failing()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.sleep(0.01)
    await end_all(tasks)
    assert all(task.done() for task in tasks)


async def test_nothing_to_end_is_fine() -> None:
    await end_all([])
