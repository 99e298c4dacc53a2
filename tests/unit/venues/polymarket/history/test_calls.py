"""Asking a service: paced, repeated where that helps, typed when not."""

import httpx
import pytest

from whaletrader.venues.polymarket.history.calls import (
    Caller,
    CallOptions,
    HistoryRefused,
    HistoryUnavailable,
    Pace,
)


class Sleeper:
    """Notes what was slept, and does not."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def caller(answers: list[httpx.Response | Exception], sleeper: Sleeper) -> Caller:
    def handle(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    options = CallOptions(requests_per_s=1e9, attempts_max=3, backoff_s=0.5)
    return Caller(client, "http://data.test/", options, sleeper)


async def test_a_busy_service_is_asked_again_when_it_said() -> None:
    sleeper = Sleeper()
    answers = [httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(200, json=[1])]
    assert await caller(list(answers), sleeper).get("/x", {}) == [1]
    assert 7.0 in sleeper.slept


async def test_waits_grow_between_attempts() -> None:
    sleeper = Sleeper()
    failures: list[httpx.Response | Exception] = [
        httpx.Response(503, text="down"),
        httpx.ConnectError("no route"),
        httpx.Response(200, json={"data": []}),
    ]
    await caller(failures, sleeper).get("/x", {})
    assert [one for one in sleeper.slept if one >= 0.5] == [0.5, 1.0]


async def test_a_service_that_stays_away_is_an_error_with_its_last_words() -> None:
    failures: list[httpx.Response | Exception] = [httpx.Response(502, text="bad gateway")] * 3
    with pytest.raises(HistoryUnavailable, match=r"3 attempts.*bad gateway"):
        await caller(failures, Sleeper()).get("/x", {})


async def test_an_answer_that_is_no_json_is_asked_for_again() -> None:
    answers: list[httpx.Response | Exception] = [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=2),
    ]
    assert await caller(answers, Sleeper()).get("/x", {}) == 2


async def test_a_refusal_is_not_repeated() -> None:
    answers: list[httpx.Response | Exception] = [
        httpx.Response(400, json={"error": "offset is not supported"}),
        httpx.Response(200, json=[]),
    ]
    with pytest.raises(HistoryRefused, match="offset is not supported"):
        await caller(answers, Sleeper()).get("/x", {"offset": 5})
    assert len(answers) == 1


async def test_requests_leave_evenly_spaced() -> None:
    sleeper = Sleeper()
    pace = Pace(4.0, monotonic=lambda: 100.0, sleep=sleeper)
    for _ in range(3):
        await pace.turn()
    assert sleeper.slept == [0.25, 0.5]


def test_a_pace_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        CallOptions(requests_per_s=0)
