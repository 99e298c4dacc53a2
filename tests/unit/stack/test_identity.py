"""Telling processes apart by pid and start, ending one, and the launcher's own failures."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from whaletrader.stack import launch
from whaletrader.stack.identity import ProcessIdentity, command_line, end, identify, myself

DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); "
DEAF += "time.sleep(60)"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_recognised_while_it_runs(sleeper: subprocess.Popen[bytes]) -> None:
    known = identify(sleeper.pid)
    assert known is not None
    assert known.is_alive()
    assert "sleep 60" in command_line(sleeper.pid)
    assert known != myself()


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    known = identify(sleeper.pid)
    assert known is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet collected
    assert not known.is_alive()
    assert identify(sleeper.pid) is None


def test_a_pid_used_again_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    stale = ProcessIdentity(sleeper.pid, "an earlier start")
    assert not stale.is_alive()
    assert end(stale, signal.SIGKILL, 0.1)
    assert sleeper.poll() is None


def test_a_process_that_ignores_the_signal_is_killed_after_the_deadline() -> None:
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        known = identify(process.pid)
        assert known is not None
        assert not end(known, signal.SIGTERM, 0.2)
    assert process.returncode == -signal.SIGKILL


def launched(*arguments: str, parent: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", launch.__file__, "--parent", str(parent or os.getpid())]
    return subprocess.run(
        [*command, "--death-signal", "9", *arguments], capture_output=True, text=True, check=False
    )


def test_the_launcher_becomes_the_program_with_its_arguments() -> None:
    assert launched("--", "echo", "--parent", "x y").stdout == "--parent x y\n"


def test_a_program_that_is_not_there_is_said_in_one_line() -> None:
    failed = launched("--", "no-such-program")
    assert failed.returncode == launch.CANNOT_LAUNCH
    assert failed.stderr.startswith("launch: no-such-program: ")


@pytest.mark.skipif(sys.platform != "linux", reason="only there is the parent's death watched")
def test_a_parent_that_died_before_it_could_be_watched_starts_nothing() -> None:
    failed = launched("--", "echo", "started", parent=1)
    assert failed.returncode == launch.CANNOT_LAUNCH
    assert failed.stdout == ""
    assert "the parent 1 is gone" in failed.stderr
