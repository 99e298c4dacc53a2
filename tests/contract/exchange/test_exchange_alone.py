"""`whaletrader exchange` as a process of its own: what it prints works as it stands."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

START_S_MAX = 60


class Alone:
    """One running process: its URL and everything else that it printed at start."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        if process.stdout is None:
            raise AssertionError("no output")
        self.url = process.stdout.readline().strip()
        self.settings = json.loads(process.stdout.readline().partition(": ")[2])

    def snippets(self) -> dict[str, str]:
        """Stop the process and return the snippets that it printed, by client."""
        self.process.send_signal(signal.SIGTERM)
        if self.process.stdout is None:
            raise AssertionError("no output")
        # What was read ahead with the first lines comes first.
        out = self.process.stdout.read()
        self.process.wait(timeout=30)
        parts = re.split(r"^--- (.*)$", out, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.loads(answer.read())

    def wait(self) -> None:
        for _ in range(START_S_MAX * 10):
            try:
                self.get("/readyz")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("it did not become ready")


@contextmanager
def alone(*options: str) -> Iterator[Alone]:
    command = [sys.executable, "-m", "whaletrader", "exchange", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        started = Alone(process)
        started.wait()
        yield started
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


@pytest.mark.parametrize("generation", ["2", "1"])
def test_each_python_snippet_runs_as_it_is_printed(generation: str) -> None:
    from whaletrader.services.exchange.config import ExchangeConfig
    from whaletrader.services.exchange.wire.welcome import snippets

    with alone("--mode", "agents", "--generation", generation) as venue:
        config = ExchangeConfig(mode="agents", generation=int(generation))
        shown = snippets(venue.url, config)
        python = {name: code for name, code in shown.items() if name.startswith("Python")}
        assert len(python) == (1 if generation == "1" else 2)
        for name, code in python.items():
            ran = subprocess.run(
                [sys.executable, "-c", code],
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert ran.returncode == 0, f"{name}: {ran.stderr}"
        printed = venue.snippets()
        assert {name: code.strip() for name, code in printed.items()} == {
            name: code.strip() for name, code in shown.items()
        }
    assert venue.process.returncode in (0, -signal.SIGTERM)


def test_agents_mode_has_books_that_live_and_markets_of_each_kind() -> None:
    with alone("--mode", "agents", "--trader-steps-per-s", "400", "--seed", "7") as venue:
        listed = venue.get("/gamma/markets?limit=100")
        assert {m["version"] for m in listed} == {"v1", "v2"}
        assert any(m["negRisk"] for m in listed)
        assert any(m["slug"].startswith("btc-updown-15m-") for m in listed)
        (event,) = venue.get("/gamma/events?slug=mayoral-election")
        assert len(event["markets"]) == 4
        token = json.loads(listed[0]["clobTokenIds"])[0]
        for _ in range(600):
            book = venue.get(f"/book?token_id={token}")
            state = venue.get("/admin/state")
            if book["bids"] and book["asks"] and state["trades"] > 20:
                break
            time.sleep(0.1)
        assert book["bids"]
        assert book["asks"]
        assert state["conserved"]
        assert state["trades"] > 20


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--mode", "dream"], "--mode: Input should be 'tape', 'live-book' or 'agents'"),
        (["--mode", "live-book"], "needs --follow"),
        (["--seed", "-1"], "--seed: "),
        (["--generation", "4"], "--generation: "),
        (["--mode", "live-book", "--follow", "rain"], "'rain' is no condition id"),
        (["--state", "/dev/null/x"], "--state: cannot write to /dev/null/x"),
        (["--follow-url", "example.org"], "--follow-url: must begin with http"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_wrong(options: list[str], text: str) -> None:
    command = [sys.executable, "-m", "whaletrader", "exchange", *options]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2
    assert text in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_taken_port_is_told() -> None:
    with alone() as venue:
        port = venue.url.rpartition(":")[2]
        command = [sys.executable, "-m", "whaletrader", "exchange", "--port", port]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ran.stderr
