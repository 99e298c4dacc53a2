"""What a process is: how to start it, how to tell that it is ready, how to stop it.

Plain values shared by the servers and the supervisor. `launch_command` is the one way any of them
turns a specification into an argument list.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from whaletrader.stack import launch
from whaletrader.stack.errors import BadTable

Probe = Callable[[], bool]
Kind = Literal["server", "agent"]


@dataclass(frozen=True)
class ProcessSpec:
    """One process. `env` is added to ours; `ready` None means: ready when it runs.

    `before_start` runs before each start in a thread, may block, and may raise StackError.
    `on_parent_death` is what the kernel sends when its parent dies (Linux).
    `root_as` is how root hides from the program, see launch.py.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    ready: Probe | None = None
    kind: Kind = "agent"
    stop_signal: int = signal.SIGTERM
    stop_seconds_max: float = 10.0
    on_parent_death: int = signal.SIGKILL
    root_as: str | None = None
    root_user: str = "nobody"
    cwd: Path | None = None
    before_start: Callable[[], None] | None = None


@dataclass(frozen=True)
class RestartPolicy:
    """How a dead process comes back: at once, then ever slower, then not at all.

    100 restarts in a row at 10 s each are a quarter of an hour: longer than any server restart,
    short enough that a broken installation stops by itself.
    """

    first_seconds: float = 0.2
    factor: float = 2.0
    seconds_max: float = 10.0
    healthy_after_seconds: float = 30.0
    in_a_row_max: int = 100

    def delay_s(self, failures_in_a_row: int) -> float:
        """Return the seconds to wait before the next start; the first failure counts as 1."""
        exponent = min(max(failures_in_a_row - 1, 0), 64)  # beyond that a float would overflow
        return min(self.first_seconds * self.factor**exponent, self.seconds_max)


def launch_command(spec: ProcessSpec) -> list[str]:
    """Return the arguments that start `spec` as a child of this process.

    On Linux the child dies with the *thread* that starts it: start from the main thread.
    """
    command = [sys.executable, "-I", "-S", launch.__file__]
    command += ["--parent", str(os.getpid()), "--death-signal", str(int(spec.on_parent_death))]
    if spec.root_as is not None:
        command += ["--root-as", spec.root_as, "--user", spec.root_user]
    return [*command, "--", *spec.argv]


def launch_environment(spec: ProcessSpec) -> dict[str, str]:
    """Return our environment with the specification's settings over it."""
    return {**os.environ, **spec.env}


def in_start_order(specs: tuple[ProcessSpec, ...]) -> tuple[ProcessSpec, ...]:
    """Return the table so that each process follows what it depends on; refuse a bad table."""
    by_name: dict[str, ProcessSpec] = {}
    for spec in specs:
        if spec.name in by_name:
            raise BadTable(f"two processes are called '{spec.name}'")
        by_name[spec.name] = spec
    for spec in specs:
        for needed in spec.depends_on:
            if needed not in by_name:
                raise BadTable(f"'{spec.name}' depends on '{needed}', which is not in the table")
    ordered: dict[str, ProcessSpec] = {}
    while len(ordered) < len(specs):
        startable = [
            spec
            for spec in specs
            if spec.name not in ordered and all(name in ordered for name in spec.depends_on)
        ]
        if not startable:
            circle = sorted(set(by_name) - set(ordered))
            raise BadTable(f"these processes wait for each other: {', '.join(circle)}")
        ordered.update((spec.name, spec) for spec in startable)
    return tuple(ordered.values())
