"""The venue's rate limits: windows by caller and endpoint, token buckets by signer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from whaletrader.services.exchange.weather.limits import RateLimits

NS = 1_000_000_000
# Far from a stretch's border, so that a test sees one window.
T0 = 1_000_000 * NS


def passed(limits: RateLimits, endpoint: str, count: int, at_ns: int, caller: str = "a") -> int:
    return sum(limits.request(caller, endpoint, at_ns) == 0 for _ in range(count))


def test_an_endpoint_takes_its_number_and_recovers() -> None:
    limits = RateLimits("standard")
    assert passed(limits, "GET /tick-size", 250, T0) == 200
    assert passed(limits, "GET /tick-size", 5, T0, caller="b") == 5
    assert passed(limits, "GET /time", 5, T0) == 5
    wait_ns = limits.request("a", "GET /tick-size", T0)
    assert 0 < wait_ns <= 10 * NS
    assert passed(limits, "GET /tick-size", 250, T0 + 25 * NS) == 200


def test_the_window_slides() -> None:
    limits = RateLimits("standard")
    passed(limits, "GET /tick-size", 200, T0)
    # Half of the next stretch is over: half of the last one still counts.
    assert passed(limits, "GET /tick-size", 250, T0 + 15 * NS) == 100


def test_all_keys_calls_share_one_limit() -> None:
    limits = RateLimits("standard")
    assert passed(limits, "GET /auth/api-keys", 80, T0) == 80
    assert passed(limits, "POST /auth/api-key", 80, T0) == 20


def test_a_signer_has_a_burst_and_a_rate() -> None:
    limits = RateLimits("standard")
    assert sum(limits.orders("a", 1, T0) == 0 for _ in range(100)) == 60
    assert limits.remaining("a", T0) == 0
    assert limits.orders("b", 1, T0) == 0
    assert sum(limits.orders("a", 1, T0 + NS) == 0 for _ in range(100)) == 40
    assert limits.cancels("a", 120, T0) == 0
    assert limits.cancels("a", 1, T0) > 0


def test_a_batch_above_the_burst_never_passes() -> None:
    limits = RateLimits("standard")
    for second in range(0, 1_000, 100):
        assert limits.orders("a", 61, T0 + second * NS) > 0
    assert limits.orders("a", 60, T0 + 2_000 * NS) == 0


def test_higher_tiers_send_more() -> None:
    elite = RateLimits("elite")
    assert sum(elite.orders("a", 1, T0) == 0 for _ in range(1_000)) == 900


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, NS)), max_size=60))
def test_no_signer_ever_exceeds_burst_plus_rate(asked: list[tuple[int, int]]) -> None:
    limits = RateLimits("standard")
    now_ns, taken = T0, 0
    for count, pause_ns in asked:
        now_ns += pause_ns
        if limits.orders("a", count, now_ns) == 0:
            taken += count
    assert taken <= 60 + 40 * (now_ns - T0) / NS + 1e-6
