"""Changes of read models: merged by row, in order, with the newer fact kept."""

import math

from hypothesis import given
from hypothesis import strategies as st

from whaletrader.store.projections import TABLES
from whaletrader.store.projections.latency import bucket_end_us, bucket_of, percentile_us
from whaletrader.store.tables import Change, Changes, Table, add, ddl, put

T = Table("t", {"id": "text"}, {"a": "bigint", "b": "text"})
GUARDED = Table("g", {"id": "text"}, {"v": "bigint", "at": "bigint"}, guard=("at",))


def _merged(changes: list[Change]) -> dict[tuple[object, ...], Change]:
    merged = Changes()
    merged.include(changes)
    return {key: change for rows in merged._rows.values() for key, change in rows.items()}


def test_the_last_of_two_settings_stands_and_others_are_kept() -> None:
    rows = _merged([put(T, "x", a=1, b="one"), put(T, "y", a=9), put(T, "x", a=2)])
    assert rows[("x",)].sets == {"a": 2, "b": "one"}
    assert rows[("y",)].sets == {"a": 9}


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20))
def test_additions_to_a_row_are_summed(deltas: list[int]) -> None:
    rows = _merged([add(T, "x", a=delta) for delta in deltas])
    assert rows[("x",)].adds == {"a": sum(deltas)}


@given(st.permutations([1, 2, 3, 4, 5]))
def test_an_older_fact_never_overwrites_a_newer_one(order: list[int]) -> None:
    rows = _merged([put(GUARDED, "x", v=at * 10, at=at) for at in order])
    assert rows[("x",)].sets == {"v": 50, "at": 5}


def test_touched_names_every_row_that_changes() -> None:
    merged = Changes()
    merged.include([put(T, "x", a=1), put(GUARDED, "z", v=1, at=1), add(T, "y", a=1)])
    assert merged.touched() == {"t": {("x",), ("y",)}, "g": {("z",)}}


def test_every_table_can_be_made_and_has_a_name_of_its_own() -> None:
    names = [table.name for table in TABLES]
    assert len(names) == len(set(names))
    for table in TABLES:
        assert ddl(table).startswith(f"CREATE TABLE read.{table.name}")
        assert set(table.guard) <= set(table.columns)


@given(st.integers(0, 10**11))
def test_a_sample_falls_into_the_bucket_that_ends_above_it(microseconds: int) -> None:
    bucket = bucket_of(microseconds)
    assert microseconds <= bucket_end_us(bucket) * (1 + 1e-6)
    if bucket:
        assert microseconds > bucket_end_us(bucket - 1) * (1 - 1e-6)


@given(st.lists(st.integers(1, 10**7), min_size=50, max_size=300))
def test_a_percentile_from_buckets_is_within_a_bucket_of_the_true_one(samples: list[int]) -> None:
    counts: dict[int, int] = {}
    for sample in samples:
        counts[bucket_of(sample)] = counts.get(bucket_of(sample), 0) + 1
    buckets = [(bucket, n, 0) for bucket, n in sorted(counts.items())]
    for share in (0.5, 0.99):
        true = sorted(samples)[math.ceil(share * len(samples)) - 1]
        assert true / 1.2 - 1 <= percentile_us(buckets, share) <= true * 1.2 + 1
