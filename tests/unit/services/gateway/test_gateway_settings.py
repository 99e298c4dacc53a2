"""Who may reach the gateway is decided before it listens."""

import pytest
from pydantic import ValidationError

from whaletrader.services.gateway.config import GatewaySettings, is_loopback

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "desk.example", ""])
def test_an_address_that_others_reach_is_refused_without_a_token(host: str) -> None:
    with pytest.raises(ValidationError, match="WHALETRADER_GATEWAY_TOKEN"):
        GatewaySettings(host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20"])
def test_with_a_token_it_may_listen_to_others(host: str) -> None:
    assert not GatewaySettings(host=host, token=TOKEN).is_local


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert GatewaySettings(host=host).is_local


def test_a_name_that_only_looks_like_loopback_is_not_loopback() -> None:
    assert not is_loopback("127.0.0.1.evil.example")
    assert not is_loopback("localhost.evil.example")


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValidationError, match="16 characters"):
        GatewaySettings(token="short")


def test_the_token_is_not_printed() -> None:
    assert TOKEN not in repr(GatewaySettings(token=TOKEN))


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHALETRADER_GATEWAY_PORT", "8123")
    monkeypatch.setenv("WHALETRADER_GATEWAY_ALLOWED_HOSTS", "Desk.Example, other.example")
    settings = GatewaySettings()
    assert settings.port == 8123
    assert {"desk.example", "other.example", "localhost"} <= settings.hosts


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(prot=1)  # type: ignore[call-arg]
