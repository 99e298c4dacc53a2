"""Each real server, spoken to by the client library the product uses; and their failures."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import asyncpg
import nats
import nats.errors
import pytest
import redis
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from redis.backoff import NoBackoff
from redis.retry import Retry

from whaletrader.stack import launch
from whaletrader.stack.errors import InUse, ServerFailed, ServerUnavailable
from whaletrader.stack.identity import ProcessIdentity, identify
from whaletrader.stack.ports import LOOPBACK
from whaletrader.stack.servers.base import LocalServer
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.servers.nats import NatsServer
from whaletrader.stack.servers.postgres import PostgresServer
from whaletrader.stack.servers.root import RootDisguise
from whaletrader.stack.servers.valkey import ValkeyServer
from whaletrader.stack.testing import running

LINUX = sys.platform == "linux"
LIGHT = [NatsServer, ValkeyServer, PostgresServer]


async def test_postgres_gives_each_test_an_empty_database_of_its_own(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        tables = await connection.fetchval(
            "select count(*) from pg_tables where schemaname = 'public'"
        )
        await connection.execute("create table mine (id bigint primary key)")
        name = await connection.fetchval("select current_database()")
    finally:
        await connection.close()
    assert tables == 0
    assert name.startswith("test_")


async def test_postgres_orders_text_the_same_on_every_machine(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        rows = await connection.fetch("select * from (values ('b'), ('B'), ('a')) t(x) order by x")
        encoding = await connection.fetchval("show server_encoding")
    finally:
        await connection.close()
    assert [row["x"] for row in rows] == ["B", "a", "b"]
    assert encoding == "UTF8"


async def test_postgres_refuses_a_wrong_password(postgres_server: PostgresServer) -> None:
    port = postgres_server.endpoint.port
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:wrong@{LOOPBACK}:{port}/postgres")


async def test_timescaledb_makes_a_hypertable(timescale_dsn: str) -> None:
    connection = await asyncpg.connect(timescale_dsn)
    try:
        await connection.execute("create table t (at timestamptz not null, v bigint)")
        await connection.execute("select create_hypertable('t', 'at')")
        await connection.execute("insert into t values (now(), 1), (now() - interval '9 d', 2)")
        chunks = await connection.fetchval("select count(*) from show_chunks('t')")
    finally:
        await connection.close()
    assert chunks == 2


async def test_nats_carries_a_request_and_its_reply(nats_url: str) -> None:
    client = await nats.connect(nats_url)
    try:

        async def answer(message: object) -> None:
            await message.respond(b"yes")  # type: ignore[attr-defined]

        await client.subscribe("question", cb=answer)
        reply = await client.request("question", b"?", timeout=5)
    finally:
        await client.close()
    assert reply.data == b"yes"


async def test_nats_refuses_a_client_without_the_password(nats_server: NatsServer) -> None:
    with pytest.raises((nats.errors.Error, OSError)):
        await nats.connect(
            f"nats://{nats_server.endpoint.address}", allow_reconnect=False, connect_timeout=2
        )


def test_valkey_keeps_what_it_is_given_and_wants_the_password(
    redis_url: str, redis_server: ValkeyServer
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
    port = redis_server.endpoint.port
    with (
        redis.Redis(host=LOOPBACK, port=port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.get("key")


@pytest.mark.timeout(600)
def test_kafka_hides_an_aborted_transaction_and_shows_a_committed_one(kafka_bootstrap: str) -> None:
    topic = f"stack-{uuid.uuid4().hex}"
    make_topic(kafka_bootstrap, topic)
    producer = Producer(
        {
            "bootstrap.servers": kafka_bootstrap,
            "transactional.id": topic,
            "retry.backoff.ms": 2,
            "retry.backoff.max.ms": 10,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(10)
    producer.abort_transaction(10)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(10)
    assert read(kafka_bootstrap, topic, 1) == [b"committed"]


@pytest.mark.timeout(600)
def test_kafka_creates_no_topic_by_itself(kafka_bootstrap: str) -> None:
    unknown = f"unknown-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.list_topics(unknown, timeout=10)
    assert unknown not in admin.list_topics(timeout=10).topics


@pytest.mark.timeout(600)
def test_kafka_killed_comes_back_on_its_port_with_its_records() -> None:
    with running(KafkaServer()) as server:
        address = server.endpoint.url
        make_topic(address, "kept")
        producer = Producer({"bootstrap.servers": address, "acks": "all"})
        producer.produce("kept", b"before")
        assert producer.flush(10) == 0
        server.kill()
        assert server.pid is None
        assert server.restart().url == address
        assert read(address, "kept", 1) == [b"before"]


@pytest.mark.timeout(600)
def test_the_registry_refuses_an_incompatible_schema(registry_url: str) -> None:
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    subject = f"stack-{uuid.uuid4().hex}"
    client = SchemaRegistryClient({"url": registry_url})
    client.set_compatibility(level="BACKWARD_TRANSITIVE")
    text = 'syntax = "proto3"; message M {{ {} a = 1; }}'
    client.register_schema(subject, Schema(text.format("int64"), "PROTOBUF"))
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(subject, Schema(text.format("string"), "PROTOBUF"))
    assert refused.value.http_status_code == 409


@pytest.mark.parametrize("kind", LIGHT)
def test_a_server_answers_on_loopback_only_and_leaves_no_pid_file(
    kind: type[LocalServer], tmp_path: Path
) -> None:
    server = kind()
    server.start(tmp_path)
    try:
        with socket.create_connection((LOOPBACK, server.endpoint.port), timeout=2):
            pass
        other = other_address()
        if other is not None:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((other, server.endpoint.port), timeout=2)
        assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o600
    finally:
        server.stop()
    assert server.pid is None
    assert not (tmp_path / "server.pid").exists()


@pytest.mark.parametrize("kind", LIGHT)
def test_a_killed_server_comes_back_on_the_same_port_and_password(
    kind: type[LocalServer], tmp_path: Path
) -> None:
    server = kind()
    before = server.start(tmp_path)
    try:
        server.kill()
        assert server.restart() == before
        server.stop()
        assert kind().prepare(tmp_path).endpoint == before
    finally:
        server.stop()


async def test_postgres_keeps_what_was_committed_before_a_kill(tmp_path: Path) -> None:
    with PostgresServer("wheel") as server:
        dsn = server.start(tmp_path).url
        connection = await asyncpg.connect(dsn)
        await connection.execute("create table kept as select 7 as v")
        server.kill()
        server.restart()
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("select v from kept") == 7
        await connection.close()


def test_postgres_starts_over_a_pid_file_whose_pid_is_somebody_else_now(tmp_path: Path) -> None:
    with PostgresServer("wheel") as server:
        server.start(tmp_path)
        pid_file = tmp_path / "data/postmaster.pid"
        lines = pid_file.read_text().splitlines()
        server.kill()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        server.restart()
        assert server.pid is not None


def test_postgres_refuses_a_cluster_of_another_major_version(tmp_path: Path) -> None:
    with PostgresServer("wheel") as server:
        server.start(tmp_path)
    (tmp_path / "data/PG_VERSION").write_text("9\n")
    with pytest.raises(ServerUnavailable, match="made by PostgreSQL 9"):
        PostgresServer("wheel").start(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hide from PostgreSQL")
@pytest.mark.parametrize(
    "disguise",
    [RootDisguise(launch.AS_NAMESPACE, "nobody"), RootDisguise(launch.AS_USER, "nobody")],
)
def test_root_can_run_postgres_as_somebody_else(disguise: RootDisguise) -> None:
    if disguise.method == launch.AS_NAMESPACE and not LINUX:
        pytest.skip("user namespaces are Linux's")
    programs_are_reachable = all(
        folder.stat().st_mode & 0o001 for folder in Path(sys.prefix).resolve().parents
    )
    if disguise.method == launch.AS_USER and not programs_are_reachable:
        pytest.skip("the virtual environment lies in a folder that only root can enter")
    with running(PostgresServer("wheel", disguise)) as server:
        owner = Path(server.log.parent / "data").stat().st_uid
        assert (owner == 0) == (disguise.method == launch.AS_NAMESPACE)


def test_a_port_that_is_taken_is_a_failure_that_shows_the_log(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        with pytest.raises(ServerFailed, match=r"server\.log"):
            ValkeyServer().start(tmp_path, holder.getsockname()[1])
    assert not (tmp_path / "server.pid").exists()


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with NatsServer() as first:
        first.start(tmp_path)
        with pytest.raises(InUse, match="runs on"):
            NatsServer().start(tmp_path)


def test_an_orphan_of_a_dead_owner_is_ended_before_the_next_start(tmp_path: Path) -> None:
    with NatsServer() as orphaned:
        first = orphaned.start(tmp_path)
        pid_file = tmp_path / "server.pid"
        # As if the process that started it were gone and the kernel had not ended its child.
        owner = f'"owner":{{"pid":{os.getpid()},"started":"'
        text = pid_file.read_text()
        assert owner in text
        pid_file.write_text(text.replace(owner, owner + "long ago "))
        orphan = identify(orphaned.pid or 0)
        assert orphan is not None
        with NatsServer() as second:
            assert second.start(tmp_path).port == first.port
            assert not orphan.is_alive()


@pytest.mark.skipif(not LINUX, reason="other kernels do not end children with their parent")
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("kind", LIGHT)
def test_no_server_outlives_the_program_that_started_it(
    kind: type[LocalServer], signal_number: int, tmp_path: Path
) -> None:
    program = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from {kind.__module__} import {kind.__name__} as Server
        server = Server()
        server.start(Path({str(tmp_path)!r}))
        print(server.pid, flush=True)
        time.sleep(60)
    """)
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner:
        server = identify(int(owner.stdout.readline()))
        owner.send_signal(signal_number)
    assert server is not None
    assert ends_within(server, 10)


def ends_within(process: ProcessIdentity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not process.is_alive()


def other_address() -> str | None:
    """An address of this machine that is not loopback, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        try:
            link.connect(("192.0.2.1", 9))  # a test network; a datagram socket sends nothing
        except OSError:
            return None
        address: str = link.getsockname()[0]
    return None if address.startswith("127.") else address


def make_topic(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result(30)


def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """Everything a read_committed consumer sees within a second after `count` records."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    seen: list[bytes] = []
    deadline = time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is None and len(seen) >= count:
                break
            if message is not None and message.error() is None:
                seen.append(message.value() or b"")
    finally:
        consumer.close()
    return seen
