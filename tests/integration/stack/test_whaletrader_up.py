"""`whaletrader up`, `status` and `down` as a user calls them, on the real servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from whaletrader.stack.state import StackState, is_locked, live_state, read_state

SECONDS_MAX = 60.0
PASSED_ON = ("WHALETRADER_POSTGRES_DSN", "WHALETRADER_NATS_URL", "WHALETRADER_REDIS_URL")


def whaletrader(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in PASSED_ON}
    return subprocess.run(
        [sys.executable, "-c", "from whaletrader.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env={**environment, **settings},
        check=False,
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    whaletrader("down", "--data", str(tmp_path / "data"))


@pytest.fixture
def servers(data_dir: Path) -> StackState:
    said = whaletrader("up", "--servers-only", "--data", str(data_dir))
    assert said.returncode == 0, said.stderr
    return live_state(data_dir)


def test_up_starts_the_servers_and_down_leaves_nothing(servers: StackState, data_dir: Path) -> None:
    shown = whaletrader("status", "--data", str(data_dir))
    assert shown.returncode == 0
    for name in ("postgres", "nats", "valkey"):
        assert name in shown.stdout
    stopped = whaletrader("down", "--data", str(data_dir))
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
    assert not any(row.process and row.process.is_alive() for row in servers.processes)
    assert not is_locked(data_dir)
    assert whaletrader("status", "--data", str(data_dir)).returncode == 3


def test_up_can_be_repeated_on_the_same_data_with_the_same_addresses(
    servers: StackState, data_dir: Path
) -> None:
    whaletrader("down", "--data", str(data_dir))
    assert whaletrader("up", "--servers-only", "--data", str(data_dir)).returncode == 0
    assert live_state(data_dir).settings == servers.settings


def test_a_second_up_is_refused_with_what_to_do(servers: StackState, data_dir: Path) -> None:
    refused = whaletrader("up", "--servers-only", "--data", str(data_dir))
    assert refused.returncode == 1
    assert f"a stack already runs on {data_dir}" in refused.stderr
    assert "whaletrader down" in refused.stderr
    assert live_state(data_dir).supervisor == servers.supervisor


@pytest.mark.parametrize("name", ["postgres", "nats", "valkey"])
def test_a_killed_server_comes_back(servers: StackState, data_dir: Path, name: str) -> None:
    before = next(row.process for row in servers.processes if row.name == name)
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        row = next(row for row in read_state(data_dir).processes if row.name == name)
        if row.restarts and row.condition == "ready":
            break
        time.sleep(0.05)
    assert row.process is not None
    assert row.process != before
    assert whaletrader("status", "--data", str(data_dir)).returncode == 0


def test_status_tells_of_a_dead_supervisor_and_down_and_up_work_after_it(
    servers: StackState, data_dir: Path
) -> None:
    os.kill(servers.supervisor.pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS_MAX
    while servers.supervisor.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    shown = whaletrader("status", "--data", str(data_dir))
    assert shown.returncode == 3
    assert "its supervisor died" in shown.stdout
    assert whaletrader("down", "--data", str(data_dir)).returncode == 0
    assert not any(row.process and row.process.is_alive() for row in servers.processes)
    assert whaletrader("up", "--servers-only", "--data", str(data_dir)).returncode == 0


def test_an_agent_that_cannot_start_fails_up_in_time_and_shows_in_status(data_dir: Path) -> None:
    # A NATS that is not there is somebody else's to start; agents come up and cannot be ready.
    up = whaletrader(
        "up", "--wait", "8", "--data", str(data_dir), WHALETRADER_NATS_URL="nats://127.0.0.1:1"
    )
    assert up.returncode == 1
    assert "not ready after 8 s" in up.stderr
    shown = whaletrader("status", "--data", str(data_dir))
    assert shown.returncode == 1
    assert "risk" in shown.stdout
    assert "nats " not in shown.stdout
    assert whaletrader("down", "--data", str(data_dir)).returncode == 0


def test_a_server_that_cannot_be_had_is_said_by_up(data_dir: Path) -> None:
    up = whaletrader(
        "up", "--servers-only", "--data", str(data_dir), WHALETRADER_POSTGRES="borrowed"
    )
    assert up.returncode == 1
    assert "WHALETRADER_POSTGRES is 'borrowed'" in up.stderr
    shown = whaletrader("status", "--data", str(data_dir))
    assert shown.returncode == 3
    assert "WHALETRADER_POSTGRES is 'borrowed'" in shown.stdout


def test_in_the_foreground_an_interrupt_stops_everything(data_dir: Path) -> None:
    command = [sys.executable, "-c", "from whaletrader.cli import main; main()"]
    command += ["up", "--foreground", "--servers-only", "--data", str(data_dir)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if (data_dir / "state.json").exists() and read_state(data_dir).is_ready:
            break
        time.sleep(0.05)
    state = live_state(data_dir)
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS_MAX) == 0
    assert not any(row.process and row.process.is_alive() for row in state.processes)


def test_down_and_status_where_nothing_ever_ran_are_harmless(tmp_path: Path) -> None:
    assert whaletrader("down", "--data", str(tmp_path)).returncode == 0
    shown = whaletrader("status", "--data", str(tmp_path))
    assert shown.returncode == 3
    assert "nothing was ever started" in shown.stdout


@pytest.mark.timeout(600)
def test_up_with_kafka_starts_a_broker_or_uses_the_one_it_is_given(
    data_dir: Path, kafka_bootstrap: str
) -> None:
    given = ("up", "--log", "kafka", "--servers-only", "--data", str(data_dir))
    assert whaletrader(*given, KAFKA_BOOTSTRAP=kafka_bootstrap).returncode == 0
    state = live_state(data_dir)
    assert state.settings["KAFKA_BOOTSTRAP"] == kafka_bootstrap
    assert "kafka" not in {row.name for row in state.processes}
    whaletrader("down", "--data", str(data_dir))
    assert whaletrader(*given).returncode == 0
    state = live_state(data_dir)
    assert state.settings["KAFKA_BOOTSTRAP"] != kafka_bootstrap
    assert "kafka" in {row.name for row in state.processes}
