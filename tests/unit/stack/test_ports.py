"""Ports that were given out and are not bound yet: nobody else is given them."""

import secrets
from pathlib import Path

import msgspec
import pytest

from whaletrader.stack import ports
from whaletrader.stack.ports import PORT_MIN, free_port, is_free
from whaletrader.stack.servers.base import KeptSettings


def drawn(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Have these ports drawn, one after the other."""
    left = iter(ports)
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(left) - PORT_MIN)


def unpromised(count: int) -> list[int]:
    """Return ports that are free and that nobody was given."""
    free = (it for it in range(PORT_MIN, 32_000) if it not in ports._promised and is_free(it))
    return [next(free) for _ in range(count)]


def test_a_port_that_nobody_has_bound_yet_is_not_given_out_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = free_port(), free_port()
    [other] = unpromised(1)
    drawn(monkeypatch, first, second, first, other)
    assert free_port() == other


def test_the_port_that_a_server_keeps_is_given_to_no_agent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs, other = unpromised(2)
    kept = {"ports": {"main": theirs}, "password": "x", "identifier": ""}
    (tmp_path / "settings.json").write_bytes(msgspec.json.encode(kept))
    assert KeptSettings(tmp_path).port(0) == theirs
    drawn(monkeypatch, theirs, other)
    assert free_port() == other
