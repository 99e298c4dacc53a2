"""The live socket: a snapshot, then what changes; announced, or found by looking."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import nats
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.browser import desk_story as story
from tests.integration.gateway.gateway_desk import Story, gateway, recorded_story
from whaletrader.services.gateway.live import QUEUE_MAX, Subscriber

HEARD_S_MAX = 15.0


@contextlib.asynccontextmanager
async def socket_of(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(url.replace("http", "ws", 1) + "/ws", max_size=None, **options) as socket:
        yield socket


async def hear(
    socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Return the sections of the first message that is wanted."""
    async with asyncio.timeout(HEARD_S_MAX):
        while True:
            message = json.loads(await socket.recv())
            if wanted(message["sections"]):
                return dict(message["sections"])


def more_of(told: Story) -> Any:
    told.desk.event_ns += 24 * story.HOUR_NS
    return story.reject(told.desk, 1, 3)


async def test_the_first_message_is_everything(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (running, _), socket_of(running.url) as socket:
        sections = await hear(socket, lambda _: True)
    assert sections["summary"]["cash_micro"] == str(told.desk.cash)
    assert sections["control"]["state"] == "trading"
    assert len(sections["decisions"]) == 17
    assert "proposed" not in {one["outcome"] for one in sections["decisions"]}
    assert sections["status"]["store"] == "ok"
    names = {"curve", "positions", "orders", "whales", "leaders", "rejections", "agents"}
    assert names | {"latency", "alerts", "dead_letters", "progress"} <= sections.keys()


async def test_without_redis_what_is_new_is_found_by_looking(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (running, _), socket_of(running.url) as socket:
        before = await hear(socket, lambda _: True)
        decision = await more_of(told)
        await story.value(told.desk)
        await told.catch_up()
        fresh: dict[str, Any] = {}

        def complete(sections: dict[str, Any]) -> bool:
            fresh.update(sections)
            return {"decisions", "curve"} <= fresh.keys()

        await hear(socket, complete)
    assert [one["id"] for one in fresh["decisions"]["fresh"]] == [decision.meta.id]
    assert int(fresh["curve"]["since_ns"]) >= int(before["curve"][-1]["at_ns"])
    assert fresh["curve"]["points"][-1]["at_ns"] == str(told.desk.event_ns)
    assert not before["status"]["push"]


async def test_a_late_valuation_moves_the_end_of_the_curve(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (running, _), socket_of(running.url) as socket:
        before = (await hear(socket, lambda _: True))["curve"]
        told.desk.event_ns -= 30 * story.HOUR_NS
        told.desk.realized += 500 * story.MICRO
        await story.value(told.desk)
        await told.catch_up()
        change = (await hear(socket, lambda sections: "curve" in sections))["curve"]
    (last,) = change["points"]
    assert change["since_ns"] == last["at_ns"] == before[-1]["at_ns"]
    assert int(last["profit_micro"]) - int(before[-1]["profit_micro"]) == 500 * story.MICRO


async def test_an_announcement_on_redis_is_pushed_at_once(
    postgres_dsn: str, redis_url: str
) -> None:
    told = await recorded_story(postgres_dsn)
    # So seldom that a test which hears of it has heard of it by the announcement.
    slow = {"poll_interval_s": 60.0}
    async with (
        gateway(postgres_dsn, redis_url=redis_url, **slow) as (running, _),
        socket_of(running.url) as socket,
        Redis.from_url(redis_url) as redis,
    ):
        await hear(socket, lambda _: True)
        decision = await more_of(told)
        await told.catch_up()
        for _ in range(100):
            if await redis.publish("whaletrader:live", b'{"view": "decisions"}'):
                break
            await asyncio.sleep(0.05)
        found = await hear(socket, lambda sections: "decisions" in sections)
    assert [one["id"] for one in found["decisions"]["fresh"]] == [decision.meta.id]


async def test_an_order_is_pushed_to_every_page(postgres_dsn: str) -> None:
    await recorded_story(postgres_dsn)
    async with (
        gateway(postgres_dsn, poll_interval_s=60.0) as (running, client),
        socket_of(running.url) as first,
        socket_of(running.url) as second,
    ):
        for socket in (first, second):
            await hear(socket, lambda _: True)
        await client.post("/api/control/halt", json={"operator": "ann"})
        for socket in (first, second):
            found = await hear(socket, lambda sections: "control" in sections)
            assert (found["control"]["state"], found["control"]["operator"]) == ("halted", "ann")


async def test_the_tapes_progress_is_passed_on(postgres_dsn: str, nats_url: str) -> None:
    await recorded_story(postgres_dsn)
    said = {"window": 3, "windows": 9, "now_ns": story.START_NS, "trades": 77, "supersteps": 1}
    client = await nats.connect(nats_url)
    try:
        async with (
            gateway(postgres_dsn, nats_url=nats_url) as (running, api),
            socket_of(running.url) as socket,
        ):
            await client.publish("pace.progress", b"not json")
            for _ in range(100):
                await client.publish("pace.progress", json.dumps(said).encode())
                await client.flush()
                if (await api.get("/api/progress")).json()["windows"]:
                    break
                await asyncio.sleep(0.05)
            found = await hear(socket, lambda sections: sections.get("progress", {}).get("windows"))
    finally:
        await client.close()
    assert found["progress"] == {
        "mode": "demo",
        "window": 3,
        "windows": 9,
        "now_ns": str(story.START_NS),
        "trades": 77,
    }


async def test_a_store_without_read_models_is_told_and_then_filled(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (running, _), socket_of(running.url) as socket:
        first = await hear(socket, lambda _: True)
        assert first["status"]["store"] == "empty"
        await recorded_story(postgres_dsn)
        await hear(socket, lambda sections: sections.get("status", {}).get("store") == "ok")


async def test_a_store_that_is_away_is_told() -> None:
    gone = "postgresql://nobody@127.0.0.1:1/none"
    async with gateway(gone) as (running, _), socket_of(running.url) as socket:
        first = await hear(socket, lambda _: True)
    assert first["status"]["store"] == "away"
    assert not first["control"]["is_current"]


async def test_a_page_of_another_site_gets_no_socket(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (running, _):
        with pytest.raises(InvalidStatus) as refused:
            async with socket_of(running.url, origin="http://evil.example"):
                pass
    assert refused.value.response.status_code == 403


async def test_more_pages_than_allowed_are_told_to_come_later(postgres_dsn: str) -> None:
    async with (
        gateway(postgres_dsn, sockets_max=1) as (running, _),
        socket_of(running.url) as first,
        socket_of(running.url) as second,
    ):
        await hear(first, lambda _: True)
        with pytest.raises(ConnectionClosed) as closed:
            await second.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


async def test_a_page_that_goes_leaves_its_place(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn, sockets_max=1) as (running, _):
        for _ in range(3):
            async with socket_of(running.url) as socket:
                await hear(socket, lambda _: True)
            for _ in range(500):
                if not running.ports.hub.sockets:
                    break
                await asyncio.sleep(0.01)
            assert running.ports.hub.sockets == 0


def test_a_page_that_does_not_keep_up_is_ended_and_not_waited_for() -> None:
    slow = Subscriber()
    accepted = [slow.offer({"type": "update"}) for _ in range(QUEUE_MAX + 1)]
    assert accepted == [True] * QUEUE_MAX + [False]
    slow.end()
    assert slow.queue.get_nowait() is None
