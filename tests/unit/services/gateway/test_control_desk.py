"""A person's order reaches the log once, whatever is repeated, restarted or away."""

from collections.abc import Sequence

import pytest

from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.control import UnknownAction, control_event, control_record
from whaletrader.runtime.log import CommitUncertain, LogUnavailable, Position, Record, partition_of
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.topics import TOPICS
from whaletrader.services.gateway.control import ControlDesk, KeyReused, Order

HALT = Order("halt", "ann", "too fast", key="key-of-this-halt")


class FlakyLog(MemoryLog):
    """A memory log that can fail as the durable ones do."""

    before: Exception | None = None
    after: Exception | None = None

    async def append(self, records: Sequence[Record]) -> None:
        if self.before is not None:
            raise self.before
        await super().append(records)
        if self.after is not None:
            raise self.after

    async def read(self, start: Position, limit: int) -> list:  # type: ignore[type-arg]
        if isinstance(self.before, LogUnavailable):
            raise self.before
        return await super().read(start, limit)


async def new_log() -> FlakyLog:
    log = FlakyLog(lambda: 1)
    await log.create_topics(TOPICS)
    return log


def desk_on(log: MemoryLog, portfolio: str = "main", now_ns: int = 1_000) -> ControlDesk:
    async def opened() -> MemoryLog:
        return log

    return ControlDesk(opened, portfolio, SetClock(now_ns))


async def on_the_log(log: MemoryLog) -> int:
    return sum((await log.end("control")).values())


async def test_without_any_order_trading_is_on() -> None:
    state = await desk_on(await new_log()).refresh()
    assert (state.state, state.is_current) == ("trading", True)


async def test_before_the_log_was_read_the_state_is_not_called_current() -> None:
    assert not desk_on(await new_log()).state().is_current


@pytest.mark.parametrize(
    ("actions", "state"),
    [
        (["halt"], "halted"),
        (["halt", "resume"], "trading"),
        (["flatten"], "flattened"),
        (["halt", "flatten"], "flattened"),
        (["flatten", "resume", "halt"], "halted"),
    ],
)
async def test_the_last_order_is_the_state(actions: list[str], state: str) -> None:
    desk = desk_on(await new_log())
    for action in actions:
        await desk.give(Order(action, "ann", key=f"key-{action}"))
    assert (await desk.refresh()).state == state


async def test_the_state_says_who_when_and_why() -> None:
    log = await new_log()
    await desk_on(log, now_ns=77).give(HALT)
    state = await desk_on(log).refresh()
    assert (state.operator, state.note, state.ordered_ns) == ("ann", "too fast", 77)


async def test_a_repeated_order_is_on_the_log_once() -> None:
    log = await new_log()
    desk = desk_on(log)
    first, second = await desk.give(HALT), await desk.give(HALT)
    assert (first.repeated, second.repeated) == (False, True)
    assert first.event == second.event
    assert await on_the_log(log) == 1


async def test_an_order_repeated_after_a_restart_is_on_the_log_once() -> None:
    log = await new_log()
    first = await desk_on(log).give(HALT)
    again = await desk_on(log, now_ns=9_999).give(HALT)
    assert again.repeated
    assert again.event.meta.id == first.event.meta.id
    assert await on_the_log(log) == 1


async def test_a_halt_repeated_after_a_resume_does_not_halt_again() -> None:
    desk = desk_on(await new_log())
    await desk.give(HALT)
    await desk.give(Order("resume", "bob", key="key-of-the-resume"))
    assert (await desk.give(HALT)).repeated
    assert (await desk.refresh()).state == "trading"


async def test_orders_without_a_key_are_orders_of_their_own() -> None:
    log = await new_log()
    await desk_on(log, now_ns=1).give(Order("halt", "ann"))
    await desk_on(log, now_ns=2).give(Order("halt", "ann"))
    assert await on_the_log(log) == 2


@pytest.mark.parametrize(
    "other",
    [
        Order("resume", "ann", "too fast", key=HALT.key),
        Order("halt", "bob", "too fast", key=HALT.key),
        Order("halt", "ann", "another reason", key=HALT.key),
    ],
)
async def test_a_key_is_not_used_for_another_order(other: Order) -> None:
    log = await new_log()
    desk = desk_on(log)
    await desk.give(HALT)
    with pytest.raises(KeyReused):
        await desk.give(other)
    assert await on_the_log(log) == 1


async def test_an_unknown_action_is_refused() -> None:
    log = await new_log()
    with pytest.raises(UnknownAction):
        await desk_on(log).give(Order("explode", "ann"))
    assert await on_the_log(log) == 0


async def test_an_uncertain_order_is_repeated_without_harm() -> None:
    log = await new_log()
    desk = desk_on(log)
    log.after = CommitUncertain("lost while committing")
    with pytest.raises(CommitUncertain):
        await desk.give(HALT)
    log.after = None
    assert (await desk.give(HALT)).repeated
    assert await on_the_log(log) == 1


async def test_an_order_that_was_not_written_is_written_when_repeated() -> None:
    log = await new_log()
    desk = desk_on(log)
    log.before = LogUnavailable("away")
    with pytest.raises(LogUnavailable):
        await desk.give(HALT)
    log.before = None
    assert not (await desk.give(HALT)).repeated
    assert await on_the_log(log) == 1


async def test_while_the_log_is_away_the_last_state_is_shown_as_old() -> None:
    log = await new_log()
    desk = desk_on(log)
    await desk.give(HALT)
    await desk.refresh()
    log.before = LogUnavailable("away")
    state = await desk.refresh()
    assert (state.state, state.is_current) == ("halted", False)
    log.before = None
    assert (await desk.refresh()).is_current


async def test_a_log_that_cannot_be_opened_is_told_and_tried_again() -> None:
    log = await new_log()
    failures = [OSError("refused")]

    async def opened() -> MemoryLog:
        if failures:
            raise failures.pop()
        return log

    desk = ControlDesk(opened, "main", SetClock(1))
    with pytest.raises(LogUnavailable):
        await desk.give(HALT)
    assert not (await desk.give(HALT)).repeated


async def test_orders_of_another_portfolio_and_unreadable_records_change_nothing() -> None:
    log = await new_log()
    partition = partition_of("main", await log.partitions("control"))
    other = control_record(control_event("halt", "other", "eve", "", 5))
    headers = {"ce_type": "whaletrader.control.v1.ControlOrdered"}
    await log.append(
        [
            Record("control", "other", other.value, other.headers, partition),
            Record("control", "main", b"\xff\xff\xff", headers, partition),
            Record("control", "main", b"", {}, partition),
        ]
    )
    desk = desk_on(log)
    assert (await desk.refresh()).state == "trading"
    await desk.give(HALT)
    assert (await desk.refresh()).state == "halted"
