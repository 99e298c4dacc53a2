"""Effects: deadlines, retries, lanes, circuit breakers and timers, on the real event loop."""

import asyncio

import pytest
from google.protobuf.message import Message

from whaletrader.runtime.agent import Effect
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.core import Inline
from whaletrader.runtime.effects import EffectRunner, Timers
from whaletrader.runtime.service import Edge, EffectRetry, Policy
from whaletrader.schemas import agent_pb2

FAST = Policy(deadline_s=0.5, attempts_max=4, backoff_s=0.001, circuit_failures=99)


class Script:
    """A performer that fails as often as it is told before it succeeds."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or EffectRetry("not yet")
        self.again: list[bool] = []
        self.order: list[str] = []

    async def __call__(self, effect: Effect, again: bool) -> Message:
        self.again.append(again)
        self.order.append(effect.id)
        await asyncio.sleep(0)
        if len(self.again) <= self.failures:
            raise self.error
        return agent_pb2.PersonNotified(delivered=True)


def runner(performer: object, policy: Policy = FAST) -> tuple[EffectRunner, list[Inline]]:
    outcomes: list[Inline] = []
    edges = {agent_pb2.NotifyPerson: Edge(performer, policy)}  # type: ignore[arg-type]
    return EffectRunner("a", edges, SetClock(7), outcomes.append), outcomes


def notify(name: str = "e", lane: str = "") -> Effect:
    return Effect(agent_pb2.NotifyPerson(), lane, name, cause="c" * 32, correlation="d" * 32)


async def test_an_outcome_belongs_to_its_effect_and_its_chain() -> None:
    run, outcomes = runner(Script(0))
    run.start(notify(), again=False)
    await run.wait_idle()
    (outcome,) = outcomes
    assert outcome.effect_id == "e"
    assert outcome.message.meta.cause == "c" * 32  # type: ignore[attr-defined]
    assert outcome.message.meta.correlation == "d" * 32  # type: ignore[attr-defined]
    assert outcome.message.meta.event_time_ns == 7  # type: ignore[attr-defined]


async def test_a_later_attempt_is_told_that_it_is_one() -> None:
    script = Script(2)
    run, outcomes = runner(script)
    run.start(notify(), again=False)
    await run.wait_idle()
    assert script.again == [False, True, True]
    assert isinstance(outcomes[0].message, agent_pb2.PersonNotified)


async def test_after_a_restart_the_first_attempt_is_told_too() -> None:
    script = Script(0)
    run, _ = runner(script)
    run.start(notify(), again=True)
    await run.wait_idle()
    assert script.again == [True]


async def test_attempts_are_bounded_and_their_end_is_an_outcome() -> None:
    script = Script(99)
    run, outcomes = runner(script)
    run.start(notify(), again=False)
    await run.wait_idle()
    assert len(script.again) == FAST.attempts_max
    failed = outcomes[0].message
    assert isinstance(failed, agent_pb2.EffectFailed)
    assert failed.timed_out


async def test_the_deadline_bounds_an_attempt_that_hangs() -> None:
    async def hang(effect: Effect, again: bool) -> Message:
        await asyncio.sleep(60)
        raise AssertionError("not reached")

    run, outcomes = runner(hang, Policy(deadline_s=0.05))
    run.start(notify(), again=False)
    await asyncio.wait_for(run.wait_idle(), 5)
    assert isinstance(outcomes[0].message, agent_pb2.EffectFailed)


async def test_any_other_error_ends_the_effect_at_once() -> None:
    script = Script(99, RuntimeError("refused"))
    run, outcomes = runner(script)
    run.start(notify(), again=False)
    await run.wait_idle()
    assert len(script.again) == 1
    failed = outcomes[0].message
    assert isinstance(failed, agent_pb2.EffectFailed)
    assert "refused" in failed.error
    assert not failed.timed_out


async def test_an_effect_without_a_performer_fails_with_a_reason() -> None:
    run, outcomes = runner(Script(0))
    run.start(Effect(agent_pb2.TimerFired(), "", "x"), again=False)
    await run.wait_idle()
    failed = outcomes[0].message
    assert isinstance(failed, agent_pb2.EffectFailed)
    assert "performer" in failed.error


async def test_effects_of_a_lane_run_in_their_order() -> None:
    script = Script(0)
    run, _ = runner(script)
    names = [str(n) for n in range(20)]
    for name in names:
        run.start(notify(name, lane="wallet"), again=False)
    await run.wait_idle()
    assert script.order == names


async def test_a_lane_waits_for_an_effect_that_is_being_retried() -> None:
    script = Script(2)
    run, _ = runner(script)
    run.start(notify("first", lane="wallet"), again=False)
    run.start(notify("second", lane="wallet"), again=False)
    await run.wait_idle()
    assert script.order == ["first", "first", "first", "second"]


async def test_an_open_circuit_holds_attempts_back() -> None:
    script = Script(2)
    policy = Policy(
        deadline_s=5, attempts_max=9, backoff_s=0.0, circuit_failures=2, circuit_open_s=0.2
    )
    run, _ = runner(script, policy)
    started = asyncio.get_running_loop().time()
    run.start(notify(), again=False)
    await asyncio.sleep(0.05)
    assert run.open_circuits == ["whaletrader.agent.v1.NotifyPerson"]
    await run.wait_idle()
    assert asyncio.get_running_loop().time() - started >= 0.19


async def test_stopping_leaves_an_effect_without_an_outcome() -> None:
    async def hang(effect: Effect, again: bool) -> Message:
        await asyncio.sleep(60)
        raise AssertionError("not reached")

    run, outcomes = runner(hang, Policy(deadline_s=30))
    run.start(notify(), again=False)
    await asyncio.sleep(0)
    await run.stop()
    assert outcomes == []


def timer(name: str, due_ns: int) -> Effect:
    return Effect(agent_pb2.SetTimer(timer_id=name, due_ns=due_ns), "", name)


def test_timers_fire_in_the_order_of_their_time_and_never_early() -> None:
    timers = Timers()
    for name, due in (("b", 20), ("a", 10), ("c", 30)):
        timers.set(timer(name, due))
    assert timers.next_due_ns == 10
    assert timers.take_due(9) == []
    assert [item.effect_id for item in timers.take_due(20)] == ["a", "b"]
    assert timers.next_due_ns == 30


def test_only_a_timer_can_be_set() -> None:
    with pytest.raises(TypeError):
        Timers().set(notify())
