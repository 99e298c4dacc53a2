"""The order processes start in, the pace they come back at, and tables that are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.stack.errors import BadTable
from whaletrader.stack.spec import ProcessSpec, RestartPolicy, in_start_order


def row(name: str, *depends_on: str) -> ProcessSpec:
    return ProcessSpec(name=name, argv=("true",), depends_on=depends_on)


def test_each_process_follows_what_it_depends_on() -> None:
    ordered = in_start_order((row("c", "b", "a"), row("b", "a"), row("a"), row("d")))
    names = [spec.name for spec in ordered]
    assert sorted(names) == ["a", "b", "c", "d"]
    assert names.index("a") < names.index("b") < names.index("c")


@given(st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_matter(order: list[int]) -> None:
    chain = [row(str(n), *([str(n - 1)] if n else [])) for n in range(6)]
    ordered = in_start_order(tuple(chain[n] for n in order))
    assert [spec.name for spec in ordered] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ((row("a"), row("a")), "two processes are called 'a'"),
        ((row("a", "b"),), "'a' depends on 'b', which is not in the table"),
        ((row("a", "b"), row("b", "a"), row("c")), "wait for each other: a, b"),
        ((row("a", "a"),), "wait for each other: a"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    table: tuple[ProcessSpec, ...], said: str
) -> None:
    with pytest.raises(BadTable, match=said):
        in_start_order(table)


def test_the_pace_doubles_from_a_fifth_of_a_second_to_ten_seconds() -> None:
    policy = RestartPolicy()
    delays = [policy.delay_s(failures) for failures in range(1, 9)]
    assert delays == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])


@given(st.integers(min_value=0, max_value=10**9))
def test_the_pace_is_bounded_however_often_a_process_failed(failures: int) -> None:
    assert 0 < RestartPolicy().delay_s(failures) <= RestartPolicy().seconds_max
