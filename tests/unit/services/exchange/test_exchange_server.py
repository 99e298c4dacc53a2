"""The socket and the settings, before anything is served."""

from __future__ import annotations

import socket

import httpx
import pytest
from pydantic import ValidationError

from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import bind, server


def test_answers_do_not_wait_for_acknowledgements() -> None:
    listener, url = bind(ExchangeConfig())
    with listener:
        assert listener.proto == socket.IPPROTO_TCP
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert url == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_taken_port_is_an_error_and_not_another_port() -> None:
    listener, url = bind(ExchangeConfig())
    with listener, pytest.raises(OSError, match="in use"):
        bind(ExchangeConfig(port=int(url.rpartition(":")[2])))


def test_an_idle_connection_is_given_up_by_the_client_and_not_by_the_server() -> None:
    # A request that leaves just as the server closes would be lost.
    kept_s = httpx.Limits().keepalive_expiry
    assert kept_s is not None
    assert server(ExchangeConfig()).config.timeout_keep_alive > 2 * kept_s


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "dream"}, {"print_share_micro": 1_000_001}, {"copy_latency_ms": -1}, {"tape": 1}],
)
def test_settings_out_of_range_or_unknown_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ExchangeConfig(**wrong)  # type: ignore[arg-type]


def test_the_seed_of_credentials_is_not_printed() -> None:
    config = ExchangeConfig(credential_seed="very-secret")  # type: ignore[arg-type]
    assert "very-secret" not in repr(config) + config.model_dump_json()


def test_settings_in_milliseconds_reach_the_engine_in_nanoseconds() -> None:
    engine = ExchangeConfig(copy_latency_ms=250, settle_mined_ms=2).engine_settings()
    assert (engine.copy_latency_ns, engine.settle_mined_ns) == (250_000_000, 2_000_000)
    assert engine.follows_tape
    assert not ExchangeConfig(mode="agents").engine_settings().follows_tape
