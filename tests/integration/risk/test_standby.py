"""Two real risk processes, one book: a standby takes over within ten seconds and knows all.

PostgreSQL and Apache Kafka, kill -9, about half a minute each. The seed of the kills is in the
test's name.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.integration.risk.risk_pair import (
    Asker,
    Pair,
    execute,
    fate,
    furnish,
    pair,
    told,
    write_policy,
)
from tests.unit.services.risk.risk_room import SETTINGS, USD, standing
from whaletrader.domain.approval import ApprovalSigner
from whaletrader.runtime.codec import encode
from whaletrader.runtime.core import Core
from whaletrader.runtime.journal import journal_entries, restore
from whaletrader.runtime.log import Log
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.requests import connect
from whaletrader.runtime.topics import TOPICS
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.policy_terms import policy_of
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.testing import running
from whaletrader.store.replay import Span, replay

TAKE_OVER_S_MAX = 10.0
MARKET_USD_MAX = 60
# A proposal costs ten dollars at most: four markets fill up after two dozen of them.
POLICY = policy_of(
    {
        **SETTINGS.model_dump(),
        "name": "pair",
        "kelly_ratio": Decimal(1),
        "market_usd_max": Decimal(MARKET_USD_MAX),
        "position_usd_max": Decimal(MARKET_USD_MAX),
        "trade_usd_max": Decimal(MARKET_USD_MAX),
        "approval_ttl_s": 600,
        # On a busy machine a request may wait for seconds.
        "clock_skew_ms_max": 60_000,
    }
)


@pytest.fixture
def own_kafka() -> Iterator[str]:
    """A broker of our own: the processes use the topics by their real names."""
    server = KafkaServer()
    with running(server):
        yield server.endpoint.url


@pytest.fixture
def postgres(postgres_dsn: str) -> dict[str, str]:
    return {"WHALETRADER_LOG": "postgres", "WHALETRADER_POSTGRES_DSN": postgres_dsn}


@pytest.fixture
def kafka(own_kafka: str) -> dict[str, str]:
    return {"WHALETRADER_LOG": "kafka", "KAFKA_BOOTSTRAP": own_kafka}


class Fight:
    """A pair under way, with its log and its asker."""

    def __init__(self, log: Log, pair: Pair, asker: Asker) -> None:
        self.log = log
        self.pair = pair
        self.asker = asker

    def make_agent(self) -> RiskAgent:
        signer = ApprovalSigner((self.pair.folder / "keys" / "risk.pem").read_bytes())
        return RiskAgent(RiskSettings(), signer.sign, signer.key_id)

    async def restored(self, *, with_snapshot: bool = True) -> RiskAgent:
        """Return risk with its book as the journal tells it."""
        core = Core(self.make_agent())
        if with_snapshot:
            await restore(self.log, core)
        else:
            async for entries in journal_entries(self.log, "risk", 0):
                for entry in entries:
                    core.follow(entry, {})
        risk = core.agent
        assert isinstance(risk, RiskAgent)
        return risk


@pytest.fixture
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the log is, by the name of one of the fixtures above."""
    found: dict[str, str] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def fight(env: dict[str, str], nats_url: str, tmp_path: Path) -> AsyncIterator[Fight]:
    log = await open_log(
        env["WHALETRADER_LOG"],  # type: ignore[arg-type]
        postgres_dsn=env.get("WHALETRADER_POSTGRES_DSN", ""),
        kafka_bootstrap=env.get("KAFKA_BOOTSTRAP", ""),
        now_ns=time.time_ns,
    )
    await log.create_topics(TOPICS)
    await furnish(log)
    client = await connect(nats_url, "asker")
    policy = write_policy(tmp_path, POLICY)
    extra = {
        "WHALETRADER_NATS_URL": nats_url,
        "WHALETRADER_RISK_POLICY_FILE": str(policy),
        "WHALETRADER_SNAPSHOT_INPUTS": "30",
    }
    execution = asyncio.create_task(execute(log))
    async with pair({**env, **extra}, tmp_path) as both:
        yield Fight(log, both, Asker(client))
    execution.cancel()
    await asyncio.gather(execution, return_exceptions=True)
    await client.close()
    await log.close()


async def hold_to_the_log(fight: Fight) -> Counter[str]:
    """Hold all that was answered, and the book, to the log; return how often which was said."""
    await asyncio.sleep(0.2)
    approved = await told(fight.log, "trade.approved")
    rejected = await told(fight.log, "trade.rejected")
    by_proposal: dict[str, bytes] = {}
    exposure: Counter[str] = Counter()
    for verdict in [*approved, *rejected]:
        assert isinstance(verdict, risk_pb2.ApprovedTrade | risk_pb2.RejectedTrade)
        assert verdict.proposal_id not in by_proposal, "two verdicts on one proposal"
        by_proposal[verdict.proposal_id] = encode(verdict)
        if isinstance(verdict, risk_pb2.ApprovedTrade):
            is_left = fate(verdict) != "undone"
            exposure[verdict.condition_id] += (
                is_left * verdict.size_micro * verdict.limit_price_micro // USD
            )
    # Whoever asked twice was told the same, and it is what the log holds.
    for proposal_id, said in fight.asker.answers.items():
        assert said == {by_proposal[proposal_id]}
    risk = await fight.restored()
    state = risk.state
    for condition, promised in exposure.items():
        assert promised <= state.by_market.get(condition, 0) <= MARKET_USD_MAX * USD
    assert state.reserved_micro + state.cost_micro == sum(state.by_market.values())
    assert state.cash_micro + state.cost_micro == state.charter.starting_cash_micro
    for place, (used, limit) in standing(risk).items():
        assert used <= limit, place
    # From the beginning, without the snapshots that either process took: the same bytes.
    from_the_start = (await fight.restored(with_snapshot=False)).state
    assert msgspec.msgpack.encode(state) == msgspec.msgpack.encode(from_the_start)
    decided_again = await replay(fight.make_agent, [fight.log], Span())
    assert decided_again.difference is None
    assert decided_again.decisions > len(by_proposal)
    return Counter(type(verdict).__name__ for verdict in [*approved, *rejected])


@pytest.mark.parametrize("env", ["postgres", "kafka"], indirect=True)
async def test_a_standby_takes_over_within_ten_seconds_with_the_same_book(fight: Fight) -> None:
    await fight.pair.start("one")
    await fight.asker.ask(0, patience_s=60)
    await fight.pair.start("two")
    for number in range(1, 25):
        await fight.asker.ask(number)
        # Long enough for the second one to be up for some of them.
        await asyncio.sleep(0.1)
    stream = asyncio.create_task(_ask_all(fight, range(25, 60)))
    await asyncio.sleep(0.1)
    before = fight.asker.silences
    killed_s = time.monotonic()
    await fight.pair.kill("one")
    await asyncio.wait_for(stream, 60)
    first_s = next(at for at in fight.asker.answered_s if at > killed_s)
    after_s = [at for at in fight.asker.answered_s if at > killed_s]
    assert len(after_s) > 20, "the stream was over before the kill"
    assert fight.asker.silences > before
    assert first_s - killed_s < TAKE_OVER_S_MAX, fight.pair.logs()
    assert fight.asker.longest_gap_s() < TAKE_OVER_S_MAX, fight.pair.logs()
    said = await hold_to_the_log(fight)
    assert said["ApprovedTrade"] >= 12
    assert said["RejectedTrade"] >= 12
    # The same question again, to the one that never heard it: the first one's words.
    await fight.asker.ask(3)
    assert all(len(answers) == 1 for answers in fight.asker.answers.values())


@pytest.mark.parametrize("env", ["postgres"], indirect=True)
async def test_a_standby_leaves_every_request_to_the_one_at_work(fight: Fight) -> None:
    await fight.pair.start("one")
    await fight.asker.ask(0, patience_s=60)
    await fight.pair.start("two")
    await asyncio.sleep(4)
    silences = fight.asker.silences
    for number in range(1, 41):
        await fight.asker.ask(number)
    assert fight.asker.silences == silences


@pytest.mark.parametrize("seed", [11])
@pytest.mark.parametrize("env", ["postgres", "kafka"], indirect=True)
async def test_whoever_is_killed_whenever_nothing_is_said_twice(fight: Fight, seed: int) -> None:
    draw = random.Random(seed)
    await fight.pair.start("one")
    await fight.pair.start("two")
    await fight.asker.ask(0, patience_s=60)
    stream = asyncio.create_task(_ask_all(fight, range(1, 4_000)))
    for _ in range(3):
        await asyncio.sleep(draw.uniform(0.5, 2.5))
        member = draw.choice(sorted(fight.pair.running))
        await fight.pair.kill(member)
        # Now and then the other one dies, too, before this one is back.
        if draw.random() < 0.3 and fight.pair.running:
            await fight.pair.kill(next(iter(fight.pair.running)))
        for name in ("one", "two"):
            if name not in fight.pair.running:
                await asyncio.sleep(draw.uniform(0, 0.5))
                await fight.pair.start(name)
    answered = len(fight.asker.answered_s)
    for _ in range(200):
        if len(fight.asker.answered_s) > answered + 20:
            break
        await asyncio.sleep(0.1)
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    assert len(fight.asker.answered_s) > answered, fight.pair.logs()
    for name in list(fight.pair.running):
        await fight.pair.kill(name)
    said = await hold_to_the_log(fight)
    assert said["ApprovedTrade"] >= 12


async def _ask_all(fight: Fight, numbers: range) -> None:
    for number in numbers:
        await fight.asker.ask(number, patience_s=40)
        await asyncio.sleep(0.01)
