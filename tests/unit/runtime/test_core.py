"""The core turns inputs into one commit, and a journal into the same core again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime.counting import READS, SAYS, CountingAgent, trade, trade_record
from whaletrader.runtime.agent import Decision, Effect
from whaletrader.runtime.codec import Envelope, decode, digest, encode, to_record
from whaletrader.runtime.core import Core, CorruptJournal, Inline, Input, Step
from whaletrader.runtime.log import Position, Record, Stored, partition_of
from whaletrader.runtime.topics import BY_NAME, DEAD_LETTERS, journal_topic
from whaletrader.schemas import agent_pb2, wallet_pb2


def stored(record: Record, offset: int) -> Stored:
    partition = partition_of(record.key, BY_NAME[record.topic].partitions)
    return Stored(
        record.topic, partition, offset, record.key, record.value, dict(record.headers), 0
    )


def trades(*numbers: int, size_micro: int = 1) -> list[Input]:
    return [stored(trade_record(n, size_micro=size_micro), n) for n in numbers]


def topics(step: Step) -> list[str]:
    return [record.topic for record in step.records]


def snapshot_of(core: Core) -> agent_pb2.AgentSnapshot:
    return agent_pb2.AgentSnapshot.FromString(core.snapshot(0).value)


def test_a_step_holds_the_events_the_journal_entry_and_the_positions() -> None:
    step = Core(CountingAgent()).step(trades(0, 1), 5)
    assert topics(step) == [SAYS, SAYS, journal_topic("discovery")]
    partition = partition_of("w", BY_NAME[READS].partitions)
    assert step.positions == [Position(READS, partition, 2)]


def test_the_journal_record_is_the_entry_and_names_its_shard() -> None:
    step = Core(CountingAgent()).step(trades(0), 5)
    journal = step.records[-1]
    assert journal.partition == 0
    assert agent_pb2.JournalEntry.FromString(journal.value) == step.entry


def test_the_same_input_always_gives_the_same_bytes() -> None:
    first = Core(CountingAgent()).step(trades(0, 1, 2), 5)
    again = Core(CountingAgent()).step(trades(0, 1, 2), 5)
    assert [r.value for r in first.records] == [r.value for r in again.records]


def test_events_carry_cause_correlation_time_and_source() -> None:
    step = Core(CountingAgent()).step(trades(3), 5)
    ((_, _, event),) = step.events
    cause = trade(3)
    assert event.meta.cause == cause.meta.id  # type: ignore[attr-defined]
    assert event.meta.correlation == cause.meta.id  # type: ignore[attr-defined]
    assert event.meta.event_time_ns == 3  # type: ignore[attr-defined]
    assert event.meta.source == "discovery"  # type: ignore[attr-defined]


def test_a_duplicate_in_the_same_batch_is_decided_once() -> None:
    record = trade_record(1)
    step = Core(CountingAgent()).step([stored(record, 0), stored(record, 1)], 5)
    assert len(step.events) == 1
    assert len(step.entry.inputs) == 2


def test_a_duplicate_after_a_restart_is_decided_once() -> None:
    record = trade_record(1)
    first = Core(CountingAgent())
    step = first.step([stored(record, 0)], 5)
    restarted = Core(CountingAgent())
    restarted.follow(step.entry, {0: stored(record, 0)})
    assert restarted.step([stored(record, 1)], 6).events == []


def test_poison_goes_to_the_dead_letters_with_its_bytes_and_state_stays() -> None:
    core = Core(CountingAgent())
    poison = stored(trade_record(1, size_micro=13), 4)
    step = core.step([poison, *trades(2)], 5)
    letter = step.events[0][2]
    assert isinstance(letter, agent_pb2.DeadLettered)
    assert (letter.topic, letter.offset, letter.payload) == (READS, 4, poison.value)
    assert "thirteen" in letter.error
    assert core.agent.state.trades == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [(b"\xff\xff", "whaletrader.wallet.v1.WalletTraded"), (b"", "no.such.Type"), (b"", "")],
)
def test_bytes_that_cannot_be_read_go_to_the_dead_letters(value: bytes, kind: str) -> None:
    record = Record(READS, "w", value, {"ce_type": kind, "ce_id": "not hex"})
    step = Core(CountingAgent()).step([stored(record, 0)], 5)
    assert topics(step)[0] == DEAD_LETTERS
    letter = step.events[0][2]
    assert isinstance(letter, agent_pb2.DeadLettered)
    assert letter.payload == value


def test_an_outcome_of_an_unknown_effect_is_ignored() -> None:
    fired = agent_pb2.TimerFired(timer_id="t")
    fired.meta.id = "0" * 32
    assert Core(CountingAgent()).step([Inline(fired, "no such effect")], 5).events == []


def test_only_the_first_outcome_of_an_effect_counts() -> None:
    core = Core(CountingAgent())
    step = core.step(trades(1, size_micro=7), 5)
    (effect,) = step.effects
    fired = agent_pb2.TimerFired(timer_id="t")
    fired.meta.id = "1" * 32
    core.step([Inline(fired, effect.id), Inline(fired, effect.id)], 20)
    assert core.agent.state.timers == 1
    assert not core.pending


def test_an_announced_effect_is_pending_until_its_outcome_also_after_a_restart() -> None:
    core = Core(CountingAgent())
    batch = trades(1, size_micro=7)
    step = core.step(batch, 5)
    restarted = Core(CountingAgent())
    restarted.follow(step.entry, dict(enumerate(batch)))  # type: ignore[arg-type]
    assert list(restarted.pending) == [step.effects[0].id]
    assert restarted.pending[step.effects[0].id] == step.effects[0]


def test_a_reply_belongs_to_the_input_that_asked() -> None:
    step = Core(CountingAgent()).step([Inline(trade(1)), Inline(trade(2))], 5)
    assert {i: r.strategy for i, r in step.replies.items()} == {  # type: ignore[attr-defined]
        0: "reply 0",
        1: "reply 1",
    }


def test_payloads_are_journaled_only_where_state_is_folded_from_them() -> None:
    step = Core(CountingAgent()).step([stored(trade_record(1, size_micro=13), 0), *trades(2)], 5)
    letter, signal = step.entry.outputs
    assert letter.payload == b""
    assert letter.digest == digest(encode(step.events[0][2]))
    assert decode(signal.type, signal.payload) == step.events[1][2]


def test_a_journal_with_a_gap_is_refused() -> None:
    core = Core(CountingAgent())
    core.step(trades(1), 5)
    entry = core.step(trades(2), 6).entry
    with pytest.raises(CorruptJournal):
        Core(CountingAgent()).follow(entry, {})


def test_another_agents_journal_is_refused() -> None:
    entry = agent_pb2.JournalEntry(agent="risk", sequence=1)
    with pytest.raises(CorruptJournal):
        Core(CountingAgent()).follow(entry, {})


def test_a_snapshot_of_another_shape_is_not_loaded() -> None:
    core = Core(CountingAgent())
    core.step(trades(1), 5)
    snapshot = snapshot_of(core)
    snapshot.shape = "another"
    fresh = Core(CountingAgent())
    assert not fresh.load(snapshot)
    assert fresh.sequence == 0


def test_a_snapshot_restores_the_agents_tables_too() -> None:
    core = Core(CountingAgent())
    core.step(trades(1, 2), 5)
    restored = Core(CountingAgent())
    assert restored.load(snapshot_of(core))
    restored.step(trades(3), 6)
    assert restored.agent.state.trades == 3
    assert restored.agent.views.wallets == {"w": 3}


Batch = list[tuple[int, int]]
batches = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 7, 13])), max_size=6), max_size=8
)


@given(batches, st.integers(0, 8))
def test_snapshot_and_journal_give_the_running_core(history: list[Batch], cut: int) -> None:
    running = Core(CountingAgent())
    restored = Core(CountingAgent())
    offset = 0
    for number, batch in enumerate(history):
        inputs: list[Input] = []
        for trade_number, size in batch:
            inputs.append(stored(trade_record(trade_number, size_micro=size), offset))
            offset += 1
        step = running.step(inputs, number)
        if number < cut:
            assert restored.load(snapshot_of(running))
        else:
            restored.follow(step.entry, dict(enumerate(inputs)))  # type: ignore[arg-type]
    assert snapshot_of(restored) == snapshot_of(running)


def test_inputs_that_the_log_lost_do_not_hinder_the_fold_of_events() -> None:
    core = Core(CountingAgent())
    entry = core.step(trades(1, 2), 5).entry
    restored = Core(CountingAgent())
    restored.follow(entry, {})
    assert restored.agent.state == core.agent.state


def test_records_are_counted_by_partition_for_the_pacer() -> None:
    core = Core(CountingAgent())
    entry = core.step(trades(1, 2), 5).entry
    assert sum(core.consumed.values()) == 2
    assert sum(core.produced.values()) == 2
    restored = Core(CountingAgent())
    restored.follow(entry, {})
    assert (restored.consumed, restored.produced) == (core.consumed, core.produced)


def test_the_time_of_the_commit_is_journaled() -> None:
    core = Core(CountingAgent())
    entry = core.step([stored(trade_record(1, size_micro=7), 0)], 42).entry
    assert entry.now_ns == 42
    timer = decode(entry.effects[0].type, entry.effects[0].payload)
    assert isinstance(timer, agent_pb2.SetTimer)
    assert timer.due_ns == 52


def test_the_agent_is_never_shown_a_message_without_meta() -> None:
    record = Record(READS, "w", b"", {"ce_type": "whaletrader.agent.v1.SetTimer"})
    step = Core(CountingAgent()).step([stored(record, 0)], 5)
    assert topics(step)[0] == DEAD_LETTERS


def test_wallet_traded_round_trips_through_the_log() -> None:
    message = trade(4)
    assert wallet_pb2.WalletTraded.FromString(encode(message)) == message


def follow_all(core: Core, inputs: list[Input]) -> Core:
    """Return a fresh core that has followed what this one makes of the inputs."""
    entry = core.step(inputs, 5).entry
    restored = Core(type(core.agent)())
    restored.follow(entry, {i: it for i, it in enumerate(inputs) if isinstance(it, Stored)})
    return restored


class FussyAgent(CountingAgent):
    """Its views break off in the middle of a trade of size 17."""

    def __init__(self) -> None:
        super().__init__()
        self.observes = {wallet_pb2.WalletTraded: self.see_but_17}

    def see_but_17(self, message: wallet_pb2.WalletTraded) -> None:
        self.see(message)
        if message.size_micro == 17:
            raise ValueError("seventeen")


def test_a_message_that_the_views_fail_on_does_not_hinder_a_restart() -> None:
    core = Core(FussyAgent())
    poison = stored(trade_record(1, size_micro=17), 0)
    restored = follow_all(core, [poison, stored(trade_record(2), 1)])
    assert snapshot_of(restored) == snapshot_of(core)
    assert restored.agent.views.wallets == {"w": 2}


def test_views_that_fail_only_on_the_way_back_are_a_corrupt_journal() -> None:
    batch = [stored(trade_record(1, size_micro=17), 0)]
    entry = Core(CountingAgent()).step(list(batch), 5).entry
    with pytest.raises(CorruptJournal):
        Core(FussyAgent()).follow(entry, dict(enumerate(batch)))


def test_bytes_that_cannot_be_read_use_up_no_id() -> None:
    good = trade_record(1)
    bad = Record(good.topic, good.key, b"\xff\xff", good.headers)
    core = Core(CountingAgent())
    restored = follow_all(core, [stored(bad, 0)])
    assert snapshot_of(restored) == snapshot_of(core)
    for each in (core, restored):
        assert len(each.step([stored(good, 1)], 6).events) == 1


def test_the_id_counts_that_the_message_carries_whatever_its_header_says() -> None:
    good = trade_record(1)
    odd = Record(good.topic, good.key, good.value, {**good.headers, "ce_id": "0" * 31 + "7"})
    core = Core(CountingAgent())
    restored = follow_all(core, [stored(odd, 0)])
    for each in (core, restored):
        assert each.step([stored(good, 1)], 6).events == []


def test_messages_without_an_id_are_not_taken_for_one_another() -> None:
    def nameless(size_micro: int) -> Record:
        message = wallet_pb2.WalletTraded(wallet="w", condition_id="c", size_micro=size_micro)
        return to_record(Envelope(READS, "w", message))

    core = Core(CountingAgent())
    step = core.step([stored(nameless(1), 0), stored(nameless(2), 1)], 5)
    assert len(step.events) == 2


def test_an_id_that_is_none_goes_to_the_dead_letters_and_is_not_observed() -> None:
    message = trade(1)
    message.meta.id = "not hex"
    core = Core(CountingAgent())
    restored = follow_all(core, [stored(to_record(Envelope(READS, "w", message)), 0)])
    assert core.agent.views.wallets == restored.agent.views.wallets == {}
    assert snapshot_of(restored) == snapshot_of(core)


class InsistentAgent(CountingAgent):
    """Asks for the same effect, by the same id, for every trade of size 7."""

    def on_trade(self, message: wallet_pb2.WalletTraded) -> Decision:
        decision = super().on_trade(message)
        decision.effects = [Effect(effect.message, "", "same") for effect in decision.effects]
        return decision


def test_an_effect_asked_for_again_and_ended_in_one_commit_is_not_pending_after_a_restart() -> None:
    core = Core(InsistentAgent())
    first = core.step(trades(1, size_micro=7), 5)
    fired = agent_pb2.TimerFired(timer_id="t")
    fired.meta.id = "1" * 32
    second = core.step([Inline(trade(2, size_micro=7)), Inline(fired, "same")], 6)
    restored = Core(InsistentAgent())
    restored.follow(first.entry, {})
    restored.follow(second.entry, {})
    assert not core.pending
    assert not restored.pending
