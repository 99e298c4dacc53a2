"""A restored exchange goes on as the running one; bytes that are not its own are refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.exchange.exchange_venue import (
    ALICE,
    BOB,
    BUY,
    CONDITION,
    NO,
    YES,
    Venue,
    tape_print,
    venue,
)
from whaletrader.services.exchange.engine.digest import digest
from whaletrader.services.exchange.engine.errors import (
    BadInstruction,
    OrderRefused,
    SnapshotError,
)
from whaletrader.services.exchange.engine.events import OrderEvent, TradeEvent
from whaletrader.services.exchange.engine.model import MICRO, NS, OrderType, Side
from whaletrader.services.exchange.engine.plans import SettlementPlan, SettlementWeather
from whaletrader.services.exchange.engine.snapshot import VERSION, dump, load

step = st.one_of(
    st.tuples(
        st.just("order"),
        st.sampled_from((ALICE, BOB)),
        st.sampled_from(Side),
        st.sampled_from((YES, NO)),
        st.integers(40, 60),
        st.integers(5, 20),
        st.sampled_from(OrderType),
    ),
    st.tuples(st.just("cancel"), st.sampled_from((ALICE, BOB))),
    st.tuples(st.just("split"), st.sampled_from((ALICE, BOB)), st.integers(1, 10 * MICRO)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("print"), st.integers(400_000, 600_000), st.integers(1, 10**9)),
)


def _go(v: Venue, flow: list, first: int) -> list[tuple]:  # type: ignore[type-arg]
    """Do the steps and return what the exchange told, in plain values."""
    told = []
    for number, (kind, *rest) in enumerate(flow, first):
        now_s = v.exchange.now_ns // NS
        try:
            if kind == "order":
                who, side, token, cents, size, order_type = rest
                extra = {"expiration_s": now_s + 62} if order_type is OrderType.GTD else {}
                name = f"0x{number:064x}"
                v.place(
                    who, side, token, cents, size, order_type=order_type, order_id=name, **extra
                )
            elif kind == "cancel":
                v.exchange.cancel_open(rest[0], v.exchange.now_ns)
            elif kind == "split":
                v.exchange.split(rest[0], CONDITION, rest[1], v.exchange.now_ns)
            elif kind == "wait":
                v.exchange.advance((now_s + rest[0]) * NS)
            else:
                recorded = tape_print(f"p{number}", YES, rest[0] // 10_000, 100, now_s + 1)
                v.play(now_s + 1, recorded)
        except (OrderRefused, BadInstruction) as refused:
            told.append((str(refused),))
        told += [_plain(event) for event in v.exchange.take_events()]
    return told


def _plain(event: object) -> tuple:  # type: ignore[type-arg]
    if isinstance(event, OrderEvent):
        return (event.kind, event.order.order_id, event.status, event.matched_micro, event.at_ns)
    if isinstance(event, TradeEvent):
        return (event.trade.trade_id, event.status, event.at_ns, event.trade.error)
    return (type(event).__name__, event.at_ns)  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(step, max_size=25),
    after=st.lists(step, max_size=25),
    follows_tape=st.booleans(),
    seed=st.integers(0, 9),
)
def test_a_restored_exchange_goes_on_exactly_as_the_running_one(
    before: list,  # type: ignore[type-arg]
    after: list,  # type: ignore[type-arg]
    follows_tape: bool,
    seed: int,
) -> None:
    chosen = {"settle_mined_ns": NS, "settle_confirmed_ns": NS, "after_failure": "restore"}
    running = venue(follows_tape=follows_tape, **chosen)
    running.exchange.settlement_weather(SettlementWeather(seed, 200_000, 200_000, 2, NS, 200_000))
    running.exchange.hold_next(ALICE, SettlementPlan(mined_ns=5 * NS, fails=True))
    _go(running, before, 1)
    running.exchange.take_events()
    restored = Venue(load(dump(running.exchange)), windows=running.windows)
    windows = list(range(1, 100))
    restored.windows, running.windows = iter(windows), iter(windows)  # type: ignore[assignment]
    for v in (restored, running):
        v.exchange.window = None
    assert _go(restored, after, 1_000) == _go(running, after, 1_000)
    assert digest(restored.exchange.state) == digest(running.exchange.state)
    assert dump(restored.exchange) == dump(running.exchange)


def _data() -> bytes:
    v = venue(follows_tape=False)
    v.place(ALICE, BUY, YES, 60, 10)
    v.exchange.take_events()
    return dump(v.exchange)


def test_a_snapshot_before_the_events_were_taken_is_refused() -> None:
    v = venue()
    with pytest.raises(BadInstruction, match="take the events"):
        dump(v.exchange)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x93\x01\x02\x03", _data()[:-1]])
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError, match="no snapshot"):
        load(data)


def test_another_version_and_another_programs_bytes_are_refused_with_advice() -> None:
    magic, version, sha256, body = msgspec.msgpack.decode(_data())
    assert version == VERSION
    later = msgspec.msgpack.encode((magic, version + 1, sha256, body))
    with pytest.raises(SnapshotError, match=f"version {VERSION + 1}, this exchange reads"):
        load(later)
    with pytest.raises(SnapshotError, match="snapshot of 'other'"):
        load(msgspec.msgpack.encode(("other", version, sha256, body)))


def test_an_altered_body_is_refused() -> None:
    magic, version, sha256, body = msgspec.msgpack.decode(_data())
    changed = body.replace(b"will-it-rain", b"will-it-snow")
    assert changed != body
    with pytest.raises(SnapshotError, match="damaged"):
        load(msgspec.msgpack.encode((magic, version, sha256, changed)))


def test_other_settings_can_be_given_at_the_restoration() -> None:
    v = venue(follows_tape=False)
    v.exchange.take_events()
    slower = msgspec.structs.replace(v.exchange.state.settings, settle_mined_ns=NS)
    assert load(dump(v.exchange), slower).state.settings.settle_mined_ns == NS
