"""The markets that are there from the start: stable ids, one of each kind, windows on time."""

from __future__ import annotations

import pytest

from whaletrader.services.exchange.engine.model import NS
from whaletrader.services.exchange.signing.contracts import is_position_id
from whaletrader.services.exchange.wire.catalogue import (
    WINDOW_S,
    crypto_windows,
    default_events,
    default_markets,
    window_of,
)

NOW_NS = 1_790_000_123 * NS


def test_a_restart_lists_the_same_tokens() -> None:
    first = {m.slug: m.tokens for m in default_markets(NOW_NS, 2)}
    again = {m.slug: m.tokens for m in default_markets(NOW_NS + 60 * NS, 2)}
    assert first == again


@pytest.mark.parametrize(("generation", "newer"), [(1, 0), (2, 1), (3, 9)])
def test_each_generation_has_its_kind_of_markets(generation: int, newer: int) -> None:
    listed = default_markets(NOW_NS, generation)
    tokens = [m.tokens[0].token_id for m in listed]
    assert sum(map(is_position_id, tokens)) == newer
    assert len(set(tokens)) == len(listed)
    ids = {m.condition_id for m in listed}
    assert all(len(name) == 66 for name in ids)


def test_a_newer_position_is_its_condition_with_an_outcome() -> None:
    for market in default_markets(NOW_NS, 3):
        first, second = (int(token.token_id) for token in market.tokens)
        assert (first & 0xFF, second & 0xFF) == (0, 1)
        assert f"0x{first >> 8:062x}00" == market.condition_id


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_the_neg_risk_event_names_its_markets(generation: int) -> None:
    listed = default_markets(NOW_NS, generation)
    ((event_id, members),) = default_events(generation).items()
    assert {m.condition_id for m in listed if m.neg_risk} == set(members)
    assert {m.neg_risk_event for m in listed if m.neg_risk} == {event_id}
    assert event_id.endswith("00")


def test_windows_begin_on_the_quarter_and_follow_one_another() -> None:
    windows = crypto_windows(NOW_NS, 2)
    opens = [window_of(m.slug) for m in windows]
    assert opens[0] is not None
    assert opens[0] % WINDOW_S == 0
    assert opens[0] <= NOW_NS // NS < opens[0] + WINDOW_S
    assert opens == [opens[0] + n * WINDOW_S for n in range(len(opens))]
    assert [m.end_ns for m in windows] == [(o + WINDOW_S) * NS for o in opens if o is not None]
    assert window_of("will-it-rain") is None
