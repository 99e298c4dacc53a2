"""The three adapters, one after the other, for every test of the contract."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.log.log_worlds import World, kafka_world, memory_world, postgres_world


def world_of(kind: str, request: pytest.FixtureRequest) -> World:
    if kind == "memory":
        return memory_world()
    if kind == "postgres":
        return postgres_world(request.getfixturevalue("postgres_dsn"))
    return kafka_world(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture(params=["memory", "postgres", "kafka"])
def any_kind(request: pytest.FixtureRequest) -> World:
    return world_of(request.param, request)


@pytest.fixture(params=["postgres", "kafka"])
def durable_kind(request: pytest.FixtureRequest) -> World:
    return world_of(request.param, request)


async def _closing(world: World) -> AsyncIterator[World]:
    yield world
    for log in world.opened:
        await log.close()


@pytest.fixture
async def world(any_kind: World) -> AsyncIterator[World]:
    """Each of the three adapters in turn."""
    async for each in _closing(any_kind):
        yield each


@pytest.fixture
async def durable(durable_kind: World) -> AsyncIterator[World]:
    """Each of the two that outlive their process."""
    async for each in _closing(durable_kind):
        yield each
