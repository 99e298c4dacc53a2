"""The raw chain on Kafka: one consumer and one transactional producer a hop.

Durability and back-off are the same as those of our own log, written out here by hand so that the
floor needs nothing of ours: acks from all, idempotence, read_committed, short retry back-off.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import httpx
import nats
from confluent_kafka import Consumer, Producer, TopicPartition
from nats.aio.msg import Msg

from benchmarks.floors.addresses import (
    APPROVALS,
    DECISIONS,
    ORDERS,
    PATH,
    REQUEST_S_MAX,
    SUBJECT,
    TRADES,
    Addresses,
)

_INIT_S_MAX: Final = 30.0
_TRANSACTION_S_MAX: Final = 8.0

Then = Callable[[bytes], object]


def producer(bootstrap: str, transactional_id: str = "") -> Producer:
    """Return a producer; with an id, a transactional one that has fenced its predecessor."""
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 0,
        "retry.backoff.ms": 2,
        "retry.backoff.max.ms": 10,
    }
    if not transactional_id:
        return Producer(config)
    made = Producer(config | {"transactional.id": transactional_id})
    made.init_transactions(_INIT_S_MAX)
    return made


def consumer(bootstrap: str, group: str) -> Consumer:
    """Return a consumer of committed records; nothing is assigned yet."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "fetch.error.backoff.ms": 20,
            "fetch.queue.backoff.ms": 10,
        }
    )


async def _first(addresses: Addresses) -> None:
    client = await nats.connect(addresses.nats_url)
    loop = asyncio.get_running_loop()

    def ask(value: bytes) -> None:
        request = client.request(SUBJECT, value, timeout=REQUEST_S_MAX)
        asyncio.run_coroutine_threadsafe(request, loop).result()

    route = ("floor-first", TRADES, DECISIONS)
    await asyncio.to_thread(_relay, addresses.kafka_bootstrap, route, ask)


async def _middle(addresses: Addresses) -> None:
    writer = await asyncio.to_thread(producer, addresses.kafka_bootstrap, "floor-middle")
    client = await nats.connect(addresses.nats_url)

    def write(value: bytes) -> None:
        writer.begin_transaction()
        writer.produce(APPROVALS, value)
        writer.commit_transaction(_TRANSACTION_S_MAX)

    async def answer(request: Msg) -> None:
        await asyncio.to_thread(write, request.data)
        await client.publish(request.reply, request.data)

    await client.subscribe(SUBJECT, cb=answer)
    await asyncio.Event().wait()


async def _last(addresses: Addresses) -> None:
    with httpx.Client(base_url=addresses.exchange_url) as client:

        def post(value: bytes) -> None:
            client.post(PATH, content=value).raise_for_status()

        route = ("floor-last", APPROVALS, ORDERS)
        await asyncio.to_thread(_relay, addresses.kafka_bootstrap, route, post)


def _relay(bootstrap: str, route: tuple[str, str, str], then: Then) -> None:
    name, source, target = route
    writer = producer(bootstrap, name)
    reader = consumer(bootstrap, name)
    reader.assign([TopicPartition(source, 0, 0)])
    while True:
        message = reader.poll(0.5)
        if message is None or message.error() is not None:
            continue
        value = message.value() or b""
        position = TopicPartition(source, 0, (message.offset() or 0) + 1)
        writer.begin_transaction()
        writer.produce(target, value)
        writer.send_offsets_to_transaction(
            [position], reader.consumer_group_metadata(), _TRANSACTION_S_MAX
        )
        writer.commit_transaction(_TRANSACTION_S_MAX)
        then(value)


HOPS: Final[dict[str, Callable[[Addresses], Coroutine[None, None, None]]]] = {
    "first": _first,
    "middle": _middle,
    "last": _last,
}
