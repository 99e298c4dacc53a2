"""A person's order over HTTP, onto the real log on PostgreSQL."""

import asyncio

import httpx
import pytest

from tests.integration.gateway.gateway_desk import gateway
from whaletrader.runtime.codec import from_stored
from whaletrader.runtime.log import Position, partition_of
from whaletrader.runtime.run import open_configured_log
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.schemas import control_pb2

HALT = {"operator": "ann", "note": "too fast"}
KEY = {"idempotency-key": "a-key-of-this-halt"}


async def orders_on_the_log(dsn: str) -> list[control_pb2.ControlOrdered]:
    log = await open_configured_log(RuntimeSettings(postgres_dsn=dsn))
    try:
        partition = partition_of("main", await log.partitions("control"))
        stored = await log.read(Position("control", partition, 0), 1_000)
        messages = [from_stored(record) for record in stored]
        return [one for one in messages if isinstance(one, control_pb2.ControlOrdered)]
    finally:
        await log.close()


async def test_a_halt_lands_on_the_log_and_survives_the_gateway(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        answer = await client.post("/api/control/halt", json=HALT, headers=KEY)
        assert answer.status_code == 202
        given = answer.json()
        assert given["control"]["state"] == "halted"
        assert not given["repeated"]
    (order,) = await orders_on_the_log(postgres_dsn)
    assert order.action == control_pb2.CONTROL_ACTION_HALT
    assert (order.operator, order.note, order.portfolio) == ("ann", "too fast", "main")
    assert order.meta.id == given["event_id"]
    async with gateway(postgres_dsn) as (_, client):
        state = (await client.get("/api/control")).json()
        assert (state["state"], state["operator"]) == ("halted", "ann")
        again = await client.post("/api/control/halt", json=HALT, headers=KEY)
        assert again.status_code == 200
        assert again.json()["repeated"]
        assert again.json()["event_id"] == given["event_id"]
    assert len(await orders_on_the_log(postgres_dsn)) == 1


async def test_one_intention_sent_many_times_at_once_is_one_order(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        answers = await asyncio.gather(
            *(client.post("/api/control/halt", json=HALT, headers=KEY) for _ in range(12))
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [202]
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    assert len(await orders_on_the_log(postgres_dsn)) == 1


async def test_a_key_that_was_used_for_another_order_is_a_conflict(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        await client.post("/api/control/halt", json=HALT, headers=KEY)
        answer = await client.post("/api/control/resume", json=HALT, headers=KEY)
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "key_reused"
        assert (await client.get("/api/control")).json()["state"] == "halted"


@pytest.mark.parametrize("words", ["", "yes", "Sell everything", "sell everything "])
async def test_flatten_wants_its_own_words(postgres_dsn: str, words: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        body = {**HALT, "confirmation": words}
        answer = await client.post("/api/control/flatten", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "not_confirmed"
    assert await orders_on_the_log(postgres_dsn) == []


async def test_a_confirmed_flatten_and_a_resume_are_ordered(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        body = {**HALT, "confirmation": "sell everything"}
        flat = await client.post("/api/control/flatten", json=body)
        assert flat.json()["control"]["state"] == "flattened"
        back = await client.post("/api/control/resume", json={"operator": "bob"})
        assert back.json()["control"]["state"] == "trading"
    actions = [order.action for order in await orders_on_the_log(postgres_dsn)]
    assert actions == [control_pb2.CONTROL_ACTION_FLATTEN, control_pb2.CONTROL_ACTION_RESUME]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example"},
    ],
)
async def test_an_order_from_another_page_is_refused_and_not_on_the_log(
    postgres_dsn: str, headers: dict[str, str]
) -> None:
    async with gateway(postgres_dsn) as (_, client):
        answer = await client.post("/api/control/halt", json=HALT, headers=headers)
        assert answer.status_code in (403, 421)
    assert await orders_on_the_log(postgres_dsn) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"operator": ""}',
        b'{"operator": "   "}',
        b'{"operator": "a\\nb"}',
        b'{"operator": "a", "note": "\\u0000"}',
        b'{"operator": "a", "extra": 1}',
        b'{"operator": 7}',
        b'{"operator": "' + b"a" * 65 + b'"}',
        b'{"operator": "a", "note": "' + b"n" * 501 + b'"}',
    ],
)
async def test_an_order_that_is_not_well_formed_is_refused(postgres_dsn: str, body: bytes) -> None:
    async with gateway(postgres_dsn) as (_, client):
        json = {"content-type": "application/json"}
        answer = await client.post("/api/control/halt", content=body, headers=json)
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["fields"]
    assert await orders_on_the_log(postgres_dsn) == []


@pytest.mark.parametrize("key", ["short", "k" * 129, "with a space", ""])
async def test_a_key_that_cannot_be_one_is_refused(postgres_dsn: str, key: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        headers = {"idempotency-key": key}
        assert (
            await client.post("/api/control/halt", json=HALT, headers=headers)
        ).status_code == 422
        assert (await client.post("/api/control/explode", json=HALT)).status_code == 422
    assert await orders_on_the_log(postgres_dsn) == []


async def test_a_form_of_another_site_cannot_carry_an_order(postgres_dsn: str) -> None:
    # Forms need no permission to be sent, but cannot be JSON.
    async with gateway(postgres_dsn) as (_, client):
        plain = {"content-type": "text/plain"}
        content = b'{"operator": "ann"}'
        answer = await client.post("/api/control/halt", content=content, headers=plain)
        assert answer.status_code == 422


async def test_with_a_token_orders_and_reads_need_it(postgres_dsn: str) -> None:
    token = "a-token-of-some-length"
    async with gateway(postgres_dsn, token=token) as (_, client):
        for call in (client.get("/api/control"), client.post("/api/control/halt", json=HALT)):
            assert (await call).status_code == 401
        client.headers["authorization"] = f"Bearer {token}"
        assert (await client.post("/api/control/halt", json=HALT)).status_code == 202


async def test_without_the_log_nothing_is_ordered_and_the_answer_says_so() -> None:
    async with gateway("postgresql://nobody@127.0.0.1:1/none") as (_, client):
        answer: httpx.Response = await client.post("/api/control/halt", json=HALT)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "log_unavailable"
        assert not (await client.get("/api/control")).json()["is_current"]
