"""The order in which a worker meets records is a function of the records alone."""

from hypothesis import given
from hypothesis import strategies as st

from whaletrader.runtime.log import Stored
from whaletrader.runtime.worker import merged

READS = ("market.data", "wallet.trades")


def record(topic: str, partition: int, offset: int, time_ns: int | str) -> Stored:
    return Stored(topic, partition, offset, "k", b"", {"ce_time": str(time_ns)}, 0)


def places(records: list[Stored]) -> list[tuple[str, int, int]]:
    return [(r.topic, r.partition, r.offset) for r in records]


def test_earlier_events_come_first_whatever_topic_they_are_on() -> None:
    late, early = record("market.data", 0, 0, 20), record("wallet.trades", 0, 0, 10)
    assert merged([late, early], READS) == [early, late]


def test_ties_go_by_the_agents_order_of_topics() -> None:
    wallet, market = record("wallet.trades", 0, 0, 10), record("market.data", 5, 9, 10)
    assert merged([wallet, market], READS) == [market, wallet]


def test_an_event_with_an_earlier_time_does_not_overtake_its_own_partition() -> None:
    first, second = record("market.data", 0, 0, 50), record("market.data", 0, 1, 10)
    other = record("market.data", 1, 0, 20)
    assert merged([first, second, other], READS) == [other, first, second]


def test_a_record_without_a_time_comes_first() -> None:
    timeless, timed = record("market.data", 0, 0, ""), record("market.data", 1, 0, 1)
    assert merged([timed, timeless], READS) == [timeless, timed]


streams = st.lists(
    st.tuples(st.sampled_from(READS), st.integers(0, 2), st.integers(0, 20)), max_size=40
)


@given(streams, st.randoms(use_true_random=False))
def test_how_partitions_arrived_interleaved_does_not_matter(
    rows: list[tuple[str, int, int]], random: "object"
) -> None:
    lanes: dict[tuple[str, int], list[Stored]] = {}
    for topic, partition, time_ns in rows:
        lane = lanes.setdefault((topic, partition), [])
        lane.append(record(topic, partition, len(lane), time_ns))
    in_turn = [r for lane in lanes.values() for r in lane]
    waiting = {key: list(lane) for key, lane in lanes.items()}
    shuffled = []
    while any(waiting.values()):
        key = random.choice([k for k, lane in waiting.items() if lane])  # type: ignore[attr-defined]
        shuffled.append(waiting[key].pop(0))
    expected = merged(in_turn, READS)
    assert merged(shuffled, READS) == expected
    for key in lanes:
        offsets = [r.offset for r in expected if (r.topic, r.partition) == key]
        assert offsets == sorted(offsets)
