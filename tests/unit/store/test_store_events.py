"""Rows of the event store: what they hold, what they hash, and that they come back whole."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Stored
from whaletrader.schemas import agent_pb2, common_pb2, wallet_pb2
from whaletrader.store.events import genesis, link, recorded, stored_of

MESSAGE = wallet_pb2.WalletTraded(
    meta=common_pb2.Meta(
        id="a" * 32, cause="b" * 32, correlation="c" * 32, source="feeds", event_time_ns=5
    ),
    wallet="0xabc",
)


def _stored(value: bytes | None = None, headers: dict[str, str] | None = None) -> Stored:
    record = to_record(Envelope("wallet.trades", "0xabc", MESSAGE))
    return Stored(
        "wallet.trades",
        2,
        7,
        record.key,
        record.value if value is None else value,
        dict(record.headers) if headers is None else headers,
        9,
    )


def test_a_row_says_who_said_what_when_and_why() -> None:
    row, message = recorded(_stored())
    assert message == MESSAGE
    assert (row.id, row.cause, row.correlation) == ("a" * 32, "b" * 32, "c" * 32)
    assert (row.source, row.event_time_ns, row.log_time_ns) == ("feeds", 5, 9)
    assert stored_of(row) == _stored()


@given(
    st.binary(max_size=40),
    st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4),
    st.sampled_from(["", "no.such.Type", "whaletrader.wallet.v1.WalletTraded"]),
)
def test_whatever_a_record_holds_it_is_recorded(
    value: bytes, headers: dict[str, str], kind: str
) -> None:
    stored = _stored(value, {**headers, "ce_type": kind, "ce_id": "x", "ce_time": "9" * 30})
    row, _ = recorded(stored)
    assert row.payload == value
    assert "\0" not in row.id + row.type + row.key + row.source + row.cause + row.correlation
    assert 0 <= row.event_time_ns < 2**63 or row.event_time_ns >= -(2**63)
    link(genesis("t", 0), row)


def test_a_journal_entry_has_the_identity_of_its_headers() -> None:
    entry = agent_pb2.JournalEntry(agent="risk", sequence=3)
    headers = {"ce_id": "e" * 32, "ce_type": "whaletrader.agent.v1.JournalEntry", "ce_time": "12"}
    row, message = recorded(_stored(entry.SerializeToString(), headers))
    assert message == entry
    assert (row.id, row.event_time_ns, row.correlation) == ("e" * 32, 12, "")


def test_every_fact_of_a_row_is_in_its_hash() -> None:
    row, _ = recorded(_stored())
    seen = {link(b"0" * 32, row), link(b"1" * 32, row)}
    for name, value in row._asdict().items():
        other = (
            value + 1
            if isinstance(value, int)
            else value + type(value)(b"x" if isinstance(value, bytes) else "x")
        )
        seen.add(link(b"0" * 32, row._replace(**{name: other})))
    assert len(seen) == len(row) + 2


def test_bytes_that_move_from_one_column_to_the_next_change_the_hash() -> None:
    row, _ = recorded(_stored())
    moved = row._replace(key=row.key[:-1], source=row.key[-1] + row.source)
    assert link(b"", row) != link(b"", moved)


def test_chains_of_two_partitions_do_not_begin_alike() -> None:
    assert len({genesis("a", 1), genesis("a", 2), genesis("b", 1)}) == 3


def test_headers_in_another_order_are_the_same_row() -> None:
    stored = _stored()
    other = replace(stored, headers=dict(reversed(list(stored.headers.items()))))
    assert recorded(stored)[0] == recorded(other)[0]
