"""Questions over real NATS: answered after the commit, asked again, and no answer for nonsense."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError

from tests.unit.runtime.counting import trade
from tests.unit.runtime.stage import Stage, until
from whaletrader.runtime import requests
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.codec import UnreadableMessage, encode, type_name
from whaletrader.runtime.core import Inline
from whaletrader.runtime.effects import EffectRunner
from whaletrader.runtime.requests import TYPE_HEADER, Ask, Responder, connect
from whaletrader.runtime.service import Edge, EffectRetry, Policy
from whaletrader.schemas import agent_pb2, signal_pb2, wallet_pb2

SUBJECT = "test.count"


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    connected = await connect(nats_url, "test")
    yield connected
    await connected.close()


def asking(client: Client, now_ns: int = 1) -> Ask:
    ask = Ask(lambda _: SUBJECT, (signal_pb2.SignalRaised,))
    ask.bind(client, SetClock(now_ns))
    return ask


async def answering(
    client: Client, take: Callable[[Message], Awaitable[Message | None]], clock: SetClock
) -> None:
    await Responder(client, clock, take).listen(SUBJECT, wallet_pb2.WalletTraded)
    await client.flush()


async def test_a_request_is_answered_after_its_commit(client: Client) -> None:
    stage = await Stage().open()
    durable = asyncio.Event()

    async def hold(_: int) -> None:
        await durable.wait()

    stage.after_commit = hold
    shell, health = stage.shell()
    running = asyncio.create_task(shell.run())
    await until(lambda: health.problem == "")
    await answering(client, shell.answer, SetClock())
    asked = asyncio.create_task(asking(client)(Effect(trade(1)), again=False))
    await until(lambda: stage.commits == 1)
    await asyncio.sleep(0.2)
    assert not asked.done()
    durable.set()
    reply = await asyncio.wait_for(asked, 5)
    assert isinstance(reply, signal_pb2.SignalRaised)
    assert len(await stage.said("signal.raised")) == 1
    shell.stop()
    await asyncio.wait_for(running, 5)


async def test_requests_that_arrive_together_share_commits(client: Client) -> None:
    stage = await Stage().open()

    async def slowly(_: int) -> None:
        await asyncio.sleep(0.1)

    stage.before_commit = slowly
    shell, health = stage.shell()
    running = asyncio.create_task(shell.run())
    await until(lambda: health.problem == "")
    await answering(client, shell.answer, SetClock())
    ask = asking(client)
    replies = await asyncio.gather(*(ask(Effect(trade(n)), again=False) for n in range(30)))
    assert len({reply.strategy for reply in replies}) == 30  # type: ignore[attr-defined]
    assert stage.commits < 15
    shell.stop()
    await asyncio.wait_for(running, 5)


async def test_an_asker_asks_again_until_the_responder_is_there(client: Client) -> None:
    outcomes: list[Inline] = []
    policy = Policy(deadline_s=20, attempts_max=200, backoff_s=0.02, circuit_failures=1_000)
    runner = EffectRunner(
        "a", {wallet_pb2.WalletTraded: Edge(asking(client), policy)}, SetClock(), outcomes.append
    )
    runner.start(Effect(trade(1), "", "e"), again=False)
    await asyncio.sleep(0.5)
    assert outcomes == []

    async def take(message: Message) -> Message:
        return signal_pb2.SignalRaised(strategy="late")

    await answering(client, take, SetClock())
    await asyncio.wait_for(runner.wait_idle(), 10)
    (outcome,) = outcomes
    assert isinstance(outcome.message, signal_pb2.SignalRaised)


async def test_without_a_responder_an_attempt_fails_at_once_and_may_be_repeated(
    client: Client,
) -> None:
    with pytest.raises(EffectRetry):
        await asyncio.wait_for(asking(client)(Effect(trade(1)), again=False), 1)


async def test_a_responder_that_says_nothing_is_waited_for_only_so_long(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "ATTEMPT_TIMEOUT_S", 0.2)

    async def take(_: Message) -> None:
        return None

    await answering(client, take, SetClock())
    with pytest.raises(EffectRetry):
        await asyncio.wait_for(asking(client)(Effect(trade(1)), again=False), 2)


async def test_a_request_that_cannot_be_read_gets_no_answer_and_harms_nobody(
    client: Client,
) -> None:
    taken: list[Message] = []

    async def take(message: Message) -> Message:
        taken.append(message)
        return signal_pb2.SignalRaised()

    await answering(client, take, SetClock())
    with pytest.raises(NatsTimeoutError):
        await client.request(SUBJECT, b"\xff\xff\xff", timeout=0.3)
    assert taken == []
    await asking(client)(Effect(trade(1)), again=False)
    assert len(taken) == 1


async def test_an_answer_of_another_type_is_no_answer(client: Client) -> None:
    async def take(_: Message) -> Message:
        return agent_pb2.PersonNotified()

    await answering(client, take, SetClock())
    with pytest.raises(UnreadableMessage):
        await asking(client)(Effect(trade(1)), again=False)


async def test_the_askers_time_is_the_answerers_time(client: Client) -> None:
    clock = SetClock(5)

    async def take(_: Message) -> Message:
        return signal_pb2.SignalRaised(strategy=str(clock.now_ns()))

    await answering(client, take, clock)
    reply = await asking(client, now_ns=77)(Effect(trade(1)), again=False)
    assert reply.strategy == "77"  # type: ignore[attr-defined]


async def test_an_ask_that_is_not_connected_is_repeated_later() -> None:
    with pytest.raises(EffectRetry):
        await Ask(lambda _: SUBJECT, ())(Effect(trade(1)), again=False)


async def test_the_type_of_an_answer_travels_in_its_header(client: Client) -> None:
    async def take(_: Message) -> Message:
        return signal_pb2.SignalRaised(strategy="x")

    await answering(client, take, SetClock())
    raw = await client.request(SUBJECT, encode(trade(1)), timeout=2)
    assert raw.headers is not None
    assert raw.headers[TYPE_HEADER] == type_name(signal_pb2.SignalRaised)
