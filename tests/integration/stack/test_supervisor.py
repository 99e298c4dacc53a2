"""The supervisor with real processes: order, restarts, kills of either side, orderly stops.

Each test runs a supervisor in a process of its own, on a table of small Python programs, and
reads what users read: the state file and the logs.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from whaletrader.stack.errors import StackError
from whaletrader.stack.identity import ProcessIdentity, identify
from whaletrader.stack.ports import free_port
from whaletrader.stack.state import ProcessState, StackState, read_state

LINUX = sys.platform == "linux"
SECONDS_MAX = 20.0

SUPERVISOR = textwrap.dedent("""
    import asyncio, json, sys
    from pathlib import Path
    from whaletrader.stack.errors import StackError
    from whaletrader.stack.probes import HttpReady
    from whaletrader.stack.spec import ProcessSpec, RestartPolicy
    from whaletrader.stack.supervisor import Supervisor

    data_dir, table = Path(sys.argv[1]), json.loads(sys.argv[2])
    specs = tuple(
        ProcessSpec(
            name=row["name"],
            argv=(sys.executable, "-c", row["code"]),
            depends_on=tuple(row.get("after", ())),
            ready=HttpReady(row["port"]) if "port" in row else None,
            stop_seconds_max=row.get("stop_seconds_max", 5),
        )
        for row in table["rows"]
    )

    async def main():
        supervisor = Supervisor(data_dir, RestartPolicy(**table["policy"]))
        try:
            supervisor.acquire()
        except StackError as error:
            sys.exit(f"refused: {error}")
        try:
            await supervisor.run(specs)
        finally:
            supervisor.release()

    asyncio.run(main())
""")

SLEEP = "import time; time.sleep(60)"
DIE = "raise SystemExit(7)"
IGNORE_SIGTERM = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True);time.sleep(60)"
)
WITH_CHILD = textwrap.dedent("""
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print("grandchild", child.pid, flush=True)
    time.sleep(60)
""")


@dataclass
class Stack:
    """One supervisor process and its data directory."""

    data_dir: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, rows: list[dict[str, Any]], **policy: float) -> subprocess.Popen[str]:
        table = json.dumps({"rows": rows, "policy": policy})
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(self.data_dir), table],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def state(self) -> StackState | None:
        try:
            return read_state(self.data_dir)
        except StackError:
            return None

    def row(self, name: str) -> ProcessState | None:
        state = self.state()
        rows = state.processes if state else ()
        return next((row for row in rows if row.name == name), None)

    def identity(self, name: str, condition: str = "ready") -> ProcessIdentity:
        def found() -> bool:
            row = self.row(name)
            return row is not None and row.condition == condition and row.process is not None

        wait_until(found, f"{name} to be {condition}")
        row = self.row(name)
        assert row is not None
        assert row.process is not None
        return row.process

    def log(self, name: str) -> str:
        return (self.data_dir / "logs" / f"{name}.log").read_text()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    for process in stack.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_killed_child_comes_back_and_the_others_are_left_alone(stack: Stack) -> None:
    stack.start([{"name": "one", "code": SLEEP}, {"name": "two", "code": SLEEP}])
    first, neighbour = stack.identity("one"), stack.identity("two")
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: restarts(stack, "one") == 1, "a restart")
    assert stack.identity("one") != first
    assert stack.identity("two") == neighbour
    row = stack.row("one")
    assert row is not None
    assert row.last_exit == "signal SIGKILL"
    assert restarts(stack, "two") == 0


def test_a_child_that_dies_at_once_is_tried_ever_more_slowly(stack: Stack) -> None:
    code = f"import time; print('at', time.monotonic(), flush=True); {DIE}"
    stack.start([{"name": "broken", "code": code}], first_seconds=0.2)
    wait_until(lambda: restarts(stack, "broken") >= 3, "three restarts")
    wait_until(lambda: stack.log("broken").count("at ") >= 4, "four starts")
    starts = [float(line[3:]) for line in stack.log("broken").splitlines() if line[:3] == "at "]
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert all(pause >= least for pause, least in zip(pauses, (0.2, 0.4, 0.8), strict=False))
    wait_until(lambda: condition(stack, "broken") == "backoff", "the pause before the next")
    row = stack.row("broken")
    assert row is not None
    assert row.last_exit == "exit code 7"


def test_a_child_that_never_stays_up_is_given_up_and_the_rest_goes_on(stack: Stack) -> None:
    rows = [{"name": "broken", "code": DIE}, {"name": "good", "code": SLEEP}]
    supervisor = stack.start(rows, first_seconds=0.01, in_a_row_max=2)
    wait_until(lambda: condition(stack, "broken") == "failed", "giving up")
    assert restarts(stack, "broken") == 2
    good = stack.identity("good")
    assert good.is_alive()
    stop(supervisor)
    assert supervisor.returncode == 0


def test_a_child_that_was_healthy_long_enough_starts_its_backoff_anew(stack: Stack) -> None:
    # With one restart allowed in a row, it would be given up at the second death.
    mortal = {"name": "mortal", "code": "import time; time.sleep(0.5)"}
    stack.start([mortal], first_seconds=0.01, in_a_row_max=1, healthy_after_seconds=0.1)
    wait_until(lambda: restarts(stack, "mortal") >= 3, "three restarts")
    assert condition(stack, "mortal") != "failed"


def test_a_child_starts_only_when_what_it_needs_is_ready(stack: Stack) -> None:
    port = free_port()
    rows = [
        {"name": "last", "code": SLEEP, "after": ["first"]},
        {"name": "first", "code": serving(port, after_seconds=1.0), "port": port},
    ]
    stack.start(rows)
    wait_until(lambda: condition(stack, "first") == "starting", "the first to start")
    assert condition(stack, "last") == "waiting"
    stack.identity("last")
    first, last = stack.row("first"), stack.row("last")
    assert first is not None
    assert last is not None
    assert first.condition == "ready"
    assert first.since_ns + 1_000_000_000 <= last.since_ns


def test_readiness_that_is_lost_shows_and_comes_back(stack: Stack) -> None:
    port = free_port()
    stack.start([{"name": "moody", "code": serving(port), "port": port}])
    moody = stack.identity("moody")
    os.kill(moody.pid, signal.SIGSTOP)  # alive, and answers nobody
    wait_until(lambda: condition(stack, "moody") == "unready", "unready")
    os.kill(moody.pid, signal.SIGCONT)
    assert stack.identity("moody") == moody
    assert restarts(stack, "moody") == 0


def test_processes_stop_in_reverse_order(stack: Stack) -> None:
    code = (
        "import signal, sys, time\n"
        "def bye(*_):\n"
        "    print(time.monotonic_ns(), flush=True); time.sleep(0.3); sys.exit(0)\n"
        "signal.signal(15, bye)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    rows = [
        {"name": "database", "code": code},
        {"name": "agent", "code": code, "after": ["database"]},
    ]
    supervisor = stack.start(rows)
    for name in ("database", "agent"):
        stack.identity(name)
        wait_until(lambda name=name: "up" in stack.log(name), f"{name} to be up")
    stop(supervisor)
    assert supervisor.returncode == 0
    stopped_ns = {name: int(stack.log(name).split()[-1]) for name in ("database", "agent")}
    assert stopped_ns["agent"] + 300_000_000 <= stopped_ns["database"]
    state = stack.state()
    assert state is not None
    assert state.phase == "stopped"
    assert {row.condition for row in state.processes} == {"stopped"}


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_child_that_ignores_the_signal_is_killed_after_its_deadline(
    stack: Stack, signal_number: int
) -> None:
    deaf_row = {"name": "deaf", "code": IGNORE_SIGTERM, "stop_seconds_max": 0.5}
    supervisor = stack.start([deaf_row])
    deaf = stack.identity("deaf")
    wait_until(lambda: "up" in stack.log("deaf"), "it to ignore the signal")
    before = time.monotonic()
    stop(supervisor, signal_number)
    assert 0.5 <= time.monotonic() - before < 5
    assert not deaf.is_alive()
    row = stack.row("deaf")
    assert row is not None
    assert row.last_exit.startswith("signal SIGKILL")


def test_a_second_signal_ends_everything_at_once(stack: Stack) -> None:
    supervisor = stack.start([{"name": "deaf", "code": IGNORE_SIGTERM, "stop_seconds_max": 30}])
    deaf = stack.identity("deaf")
    wait_until(lambda: "up" in stack.log("deaf"), "it to ignore the signal")
    supervisor.send_signal(signal.SIGTERM)
    wait_until(lambda: condition(stack, "deaf") == "stopping", "stopping")
    stop(supervisor)
    assert not deaf.is_alive()


def test_a_stop_while_a_child_waits_to_be_started_again_does_not_wait(stack: Stack) -> None:
    supervisor = stack.start([{"name": "broken", "code": DIE}], first_seconds=30, seconds_max=30)
    wait_until(lambda: condition(stack, "broken") == "backoff", "backoff")
    before = time.monotonic()
    stop(supervisor)
    assert time.monotonic() - before < 5
    assert supervisor.returncode == 0


def test_a_stop_reaches_those_who_never_started(stack: Stack) -> None:
    port = free_port()
    rows = [
        {"name": "never ready", "code": SLEEP, "port": port},
        {"name": "waiting", "code": SLEEP, "after": ["never ready"]},
    ]
    supervisor = stack.start(rows)
    stack.identity("never ready", "starting")
    stop(supervisor)
    assert supervisor.returncode == 0
    assert condition(stack, "waiting") == "stopped"


def test_what_a_dead_child_left_running_goes_with_it(stack: Stack) -> None:
    stack.start([{"name": "parent", "code": WITH_CHILD}])
    parent = stack.identity("parent")
    wait_until(lambda: "grandchild" in stack.log("parent"), "the grandchild's pid")
    grandchild = identify(int(stack.log("parent").split()[-1]))
    assert grandchild is not None
    os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not grandchild.is_alive(), "the grandchild to end")


@pytest.mark.skipif(not LINUX, reason="other kernels do not end children with their parent")
def test_a_killed_supervisor_leaves_no_orphan(stack: Stack) -> None:
    supervisor = stack.start(
        [{"name": "one", "code": SLEEP}, {"name": "deaf", "code": IGNORE_SIGTERM}]
    )
    children = [stack.identity("one"), stack.identity("deaf")]
    supervisor.kill()
    wait_until(lambda: not any(child.is_alive() for child in children), "the children to end")


def test_the_next_supervisor_ends_what_a_killed_one_left(stack: Stack) -> None:
    """Where the kernel does not end children: a survivor named in the state file is ended."""
    first = stack.start([{"name": "one", "code": SLEEP}])
    stack.identity("one")
    first.kill()
    first.wait()
    survivor = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        stranger = subprocess.Popen([sys.executable, "-c", SLEEP])
        replace_pid_in_state(stack, survivor.pid)
        stack.start([{"name": "one", "code": SLEEP}])
        stack.identity("one")
        assert survivor.wait(SECONDS_MAX) == -signal.SIGTERM
        assert stranger.poll() is None
    finally:
        for process in (survivor, stranger):
            process.kill()
            process.wait()


def test_a_pid_that_now_means_another_process_is_left_alone(stack: Stack) -> None:
    first = stack.start([{"name": "one", "code": SLEEP}])
    stack.identity("one")
    first.kill()
    first.wait()
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        replace_pid_in_state(stack, stranger.pid, started="some other time")
        stack.start([{"name": "one", "code": SLEEP}])
        stack.identity("one")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_supervisor_on_the_same_folder_is_refused_and_harms_nothing(stack: Stack) -> None:
    stack.start([{"name": "one", "code": SLEEP}])
    one = stack.identity("one")
    second = stack.start([{"name": "one", "code": SLEEP}])
    _, said = second.communicate(timeout=SECONDS_MAX)
    assert second.returncode == 1
    assert "a stack already runs on" in said
    assert "whaletrader down" in said
    assert stack.identity("one") == one


def test_a_table_that_contradicts_itself_is_refused(stack: Stack) -> None:
    supervisor = stack.start([{"name": "one", "code": SLEEP, "after": ["nobody"]}])
    _, said = supervisor.communicate(timeout=SECONDS_MAX)
    assert supervisor.returncode != 0
    assert "'one' depends on 'nobody', which is not in the table" in said


def serving(port: int, after_seconds: float = 0.0) -> str:
    """A program that answers every GET with 200, beginning after a while."""
    return textwrap.dedent(f"""
        import http.server, time
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers()
        time.sleep({after_seconds})
        http.server.HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
    """)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if is_so():
            return
        time.sleep(0.02)
    pytest.fail(f"waited {SECONDS_MAX:.0f} s for {what}")


def stop(supervisor: subprocess.Popen[str], signal_number: int = signal.SIGTERM) -> None:
    supervisor.send_signal(signal_number)
    supervisor.wait(SECONDS_MAX)


def restarts(stack: Stack, name: str) -> int:
    row = stack.row(name)
    return row.restarts if row else 0


def condition(stack: Stack, name: str) -> str:
    row = stack.row(name)
    return row.condition if row else ""


def replace_pid_in_state(stack: Stack, pid: int, started: str | None = None) -> None:
    path = stack.data_dir / "state.json"
    state = json.loads(path.read_text())
    process = identify(pid)
    assert process is not None
    state["processes"][0]["process"] = {"pid": pid, "started": started or process.started}
    path.write_text(json.dumps(state))
