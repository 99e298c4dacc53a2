"""What reaches risk over NATS: nonsense is kept and gets no answer, and no answer is a no."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from tests.integration.risk.risk_pair import MARKETS, furnish, told
from tests.integration.risk.risk_stand import Stand, stand
from tests.unit.runtime.stage import until
from tests.unit.services.risk.risk_room import SHARE, USD
from whaletrader.domain.ids import derived_id
from whaletrader.runtime import letters
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.clock import SetClock, WallClock
from whaletrader.runtime.codec import decode, encode, type_name
from whaletrader.runtime.core import Inline
from whaletrader.runtime.effects import EffectRunner
from whaletrader.runtime.requests import TYPE_HEADER, Ask, Responder, connect
from whaletrader.runtime.service import Edge
from whaletrader.runtime.subjects import APPROVALS, CHECKS
from whaletrader.schemas import agent_pb2, risk_pb2, wallet_pb2
from whaletrader.services.orchestrator.__main__ import POLICY

# Bytes that no Protobuf reader takes: a field whose length is beyond the end.
NONSENSE = b"\x0a\xff\xff\xff\x0fnonsense"
SILENCE_S = 0.4
PATIENCE_S = 20


@pytest.fixture
async def risk(nats_url: str) -> AsyncIterator[Stand]:
    async with stand(nats_url) as made:
        await furnish(made.log)
        (worker,) = made.shell.workers
        await until(lambda: len(worker.core.agent.views.prices) == len(MARKETS))
        yield made


async def is_silent(client: Client, subject: str, payload: bytes, kind: str = "") -> bool:
    try:
        headers = {TYPE_HEADER: kind} if kind else None
        await client.request(subject, payload, timeout=SILENCE_S, headers=headers)
    except NatsTimeoutError:
        return True
    return False


async def dead(risk: Stand) -> list[agent_pb2.DeadLettered]:
    return [
        one for one in await told(risk.log, "dead.letter") if type(one) is agent_pb2.DeadLettered
    ]


async def test_bytes_that_are_no_message_are_a_dead_letter_and_get_no_answer(risk: Stand) -> None:
    subject = APPROVALS.of(MARKETS[0])
    assert await is_silent(risk.client, subject, NONSENSE)
    (letter,) = await dead(risk)
    assert letter.payload == NONSENSE
    assert letter.topic == subject
    assert letter.agent == "risk"
    assert letter.type == type_name(risk_pb2.TradeProposal)
    assert "UnreadableMessage" in letter.error
    # Risk itself is none the worse for it.
    assert isinstance(await risk.ask(risk.proposal()), risk_pb2.ApprovedTrade)


async def test_another_message_than_the_subject_is_for_is_not_taken_for_it(risk: Stand) -> None:
    # Its bytes can be read as a proposal; what it says that it is decides.
    other = wallet_pb2.WalletTraded(wallet="0x1", condition_id=MARKETS[0])
    other.meta.id = derived_id("other")
    assert await is_silent(
        risk.client, APPROVALS.of(MARKETS[0]), encode(other), type_name(wallet_pb2.WalletTraded)
    )
    (letter,) = await dead(risk)
    assert "WalletTraded is not what" in letter.error
    assert letter.payload == encode(other)
    assert risk.state.verdicts == {}


async def test_a_proposal_that_nobody_can_tell_from_another_is_a_dead_letter(risk: Stand) -> None:
    nameless = risk.proposal()
    assert await is_silent(risk.client, APPROVALS.of(MARKETS[0]), encode(nameless))
    assert await is_silent(risk.client, APPROVALS.of(MARKETS[0]), b"")
    letters_found = await dead(risk)
    assert [one.payload for one in letters_found] == [encode(nameless), b""]
    assert all("ProposalWithoutId" in one.error for one in letters_found)
    assert risk.state.approvals == {}


async def test_a_proposal_of_nonsense_values_is_refused_by_name(risk: Stand) -> None:
    for changes in (
        {"limit_price_micro": 0},
        {"limit_price_micro": -1},
        {"max_size_micro": 2**62},
        {"side": 77},
        {"token_id": ""},
    ):
        answer = await risk.ask(risk.proposal(**changes))
        assert isinstance(answer, risk_pb2.RejectedTrade)
        assert answer.rule == "well-formed"
    assert isinstance(
        unknown := await risk.ask(risk.proposal(condition_id="0xnowhere")), risk_pb2.RejectedTrade
    )
    assert unknown.rule == "market-known"


async def test_a_flood_of_nonsense_is_bounded_and_does_not_keep_risk_from_answering(
    risk: Stand,
) -> None:
    for _ in range(500):
        await risk.client.publish(CHECKS.of(MARKETS[0]), NONSENSE)
    await risk.client.flush()
    began_s = time.monotonic()
    assert isinstance(await risk.ask(risk.proposal()), risk_pb2.ApprovedTrade)
    assert time.monotonic() - began_s < 2
    # The answer does not wait for the letters.
    found = await dead(risk)
    while len(found) < letters.UNDER_WAY_MAX and time.monotonic() - began_s < PATIENCE_S:
        await asyncio.sleep(0.05)
        found = await dead(risk)
    assert letters.UNDER_WAY_MAX <= len(found) <= 500
    assert len({one.meta.id for one in found}) == len(found)


async def outcome_of(ask: Ask, proposal: Message) -> tuple[Message, float]:
    """Carry the question out as the orchestrator does; return what comes of it, and when."""
    outcomes: list[Inline] = []
    runner = EffectRunner(
        "orchestrator", {risk_pb2.TradeProposal: Edge(ask, POLICY)}, WallClock(), outcomes.append
    )
    began_s = time.monotonic()
    runner.start(Effect(proposal, "", "effect"), again=False)
    await asyncio.wait_for(runner.wait_idle(), 10)
    (outcome,) = outcomes
    return outcome.message, time.monotonic() - began_s


async def test_late_absent_and_wrong_answers_are_a_no_to_whoever_asked(nats_url: str) -> None:
    client = await connect(nats_url, "asking")
    asking = Ask(lambda proposal: APPROVALS.of(proposal.condition_id), APPROVALS.replies)
    asking.bind(client, WallClock())
    proposal = risk_pb2.TradeProposal(condition_id="0xlate")
    proposal.meta.id = derived_id("late")
    with pytest.raises(NoRespondersError):
        await client.request(APPROVALS.of("0xlate"), b"", timeout=1)
    nobody, took_s = await outcome_of(asking, proposal)
    assert isinstance(nobody, agent_pb2.EffectFailed)
    assert took_s < APPROVALS.deadline_s + 0.2

    async def late(_: Message) -> Message:
        await asyncio.sleep(2 * APPROVALS.deadline_s)
        return risk_pb2.ApprovedTrade(proposal_id=proposal.meta.id)

    responder = Responder(client, SetClock(), late)
    await responder.listen(APPROVALS.pattern, risk_pb2.TradeProposal)
    await client.flush()
    too_late, took_s = await outcome_of(asking, proposal)
    assert isinstance(too_late, agent_pb2.EffectFailed)
    assert took_s < 1.5 * APPROVALS.deadline_s + 0.2
    await responder.hush()

    async def wrong(_: Message) -> Message:
        return decode(type_name(risk_pb2.CheckAnswered), b"")

    responder = Responder(client, SetClock(), wrong)
    await responder.listen(APPROVALS.pattern, risk_pb2.TradeProposal)
    await client.flush()
    misread, _ = await outcome_of(asking, proposal)
    assert isinstance(misread, agent_pb2.EffectFailed)
    await responder.hush()

    async def garble(asked: Msg) -> None:
        await asked.respond(NONSENSE)

    await client.subscribe(APPROVALS.of("0xlate"), cb=garble)
    await client.flush()
    garbled, _ = await outcome_of(asking, proposal)
    assert isinstance(garbled, agent_pb2.EffectFailed)
    await client.close()


async def test_however_many_ask_at_once_they_share_one_limit(risk: Stand) -> None:
    """Each is judged with those before it set aside: as if they had come one after another."""
    asked = []
    for number in range(40):
        proposal = risk.proposal(max_size_micro=100 * SHARE, leader="")
        proposal.meta.id = derived_id("at once", number)
        proposal.meta.event_time_ns = time.time_ns()
        asked.append(proposal)
    subject, headers = APPROVALS.of(MARKETS[0]), {TYPE_HEADER: type_name(asked[0])}
    replies = await asyncio.gather(
        *(risk.client.request(subject, encode(one), timeout=5, headers=headers) for one in asked)
    )
    answers = [decode((reply.headers or {})[TYPE_HEADER], reply.data) for reply in replies]
    approved = [one for one in answers if isinstance(one, risk_pb2.ApprovedTrade)]
    # Five hundred dollars in one token: nine whole ones at fifty and a part, or none.
    assert len(approved) == 10
    used = risk.state.by_token[approved[0].token_id]
    assert used == risk.state.reserved_micro <= 500 * USD
    assert sum(one.size_micro for one in approved) // 2 <= used
    refused = [one for one in answers if isinstance(one, risk_pb2.RejectedTrade)]
    assert {one.rule for one in refused} == {"position-limit"}


async def test_an_answer_that_would_come_after_the_deadline_is_a_refusal(risk: Stand) -> None:
    answer = await risk.ask(risk.proposal(deadline_ns=time.time_ns() - 1))
    assert isinstance(answer, risk_pb2.RejectedTrade)
    assert answer.rule == "deadline"
