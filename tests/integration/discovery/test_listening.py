"""Listening for wallets on a stream that breaks, says nothing, or is not there."""

import json
from typing import Any

import pytest
import websockets

from tests.unit.venues.polymarket.history.test_readers import V1
from whaletrader.lab.scan import listening
from whaletrader.lab.scan.listening import Listening, listened
from whaletrader.venues.polymarket.history.calls import HistoryUnavailable
from whaletrader.venues.polymarket.history.rows import UnreadableRow


def frame_of(wallet: str) -> str:
    payload = {**V1, "proxyWallet": wallet}
    return json.dumps({"topic": "activity", "type": "trades", "timestamp": 1, "payload": payload})


class Stream:
    """Each connection is given the next frames, then closed."""

    def __init__(self, *connections: list[str]) -> None:
        self._left = list(connections)
        self.subscribed: list[dict[str, Any]] = []

    async def __call__(self, socket: websockets.ServerConnection) -> None:
        self.subscribed.append(json.loads(await socket.recv()))
        for frame in self._left.pop(0) if self._left else []:
            await socket.send(frame)


async def heard(stream: Stream, wallets: int, seconds_max: float = 20.0) -> list[str]:
    async with websockets.serve(stream, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        return await listened(Listening(url, wallets, seconds_max), lambda _: None)


async def test_a_stream_that_breaks_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_RETRY_S", 0.01)
    one, two = "0x" + "1" * 40, "0x" + "2" * 40
    stream = Stream(["", frame_of(one), frame_of(one)], [frame_of(two), frame_of("0x3")])
    assert await heard(stream, 2) == [one, two]
    assert len(stream.subscribed) == 2
    assert stream.subscribed[0]["subscriptions"][0]["topic"] == "activity"


async def test_when_the_time_is_over_those_heard_are_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "_RETRY_S", 0.01)
    assert await heard(Stream([frame_of("0xAB")]), 5, seconds_max=1.0) == ["0xab"]


async def test_a_stream_that_is_not_there_is_told_with_what_went_wrong() -> None:
    wanted = Listening("ws://127.0.0.1:9/rtds", 1, 0.3)
    with pytest.raises(HistoryUnavailable, match=r"nobody was heard .* in 0\.3 seconds: \w*Error"):
        await listened(wanted, lambda _: None)


async def test_a_refused_subscription_ends_it_at_once() -> None:
    refusal = json.dumps({"body": {"message": "activity not found"}, "statusCode": 401})
    with pytest.raises(UnreadableRow, match="refuses the subscription"):
        await heard(Stream([refusal]), 1)
