"""What the servers share: settings that survive a restart, a pid file, a log, a deadline.

A subclass says in `prepare` how its server is configured and started. Everything that may go
wrong between start and stop is handled here, once. Called by test fixtures and benchmarks through
`start`, and by the supervisor through `prepare` alone.
"""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from whaletrader.stack.clock import monotonic_s, pause
from whaletrader.stack.errors import InUse, NotRunning, ServerFailed
from whaletrader.stack.files import write_private
from whaletrader.stack.identity import ProcessIdentity, end, identify, myself
from whaletrader.stack.ports import LOOPBACK, free_port, is_free, promise
from whaletrader.stack.spec import ProcessSpec, launch_command, launch_environment

_POLL_SECONDS = 0.02
_EARLY_EXIT_PAUSE_SECONDS = 0.3
_KILL_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Endpoint:
    """Where a server answers. `url` may hold a password: do not print it, print `address`."""

    url: str
    port: int

    @property
    def address(self) -> str:
        """Return host and port, safe to print."""
        return f"{LOOPBACK}:{self.port}"


@dataclass(frozen=True)
class Prepared:
    """A server whose files are in place: how to start it, and where it will answer."""

    spec: ProcessSpec
    endpoint: Endpoint


class _Kept(msgspec.Struct):
    """What must be the same after a restart on the same data directory."""

    ports: dict[str, int] = {}
    password: str = ""
    identifier: str = ""


class _PidFile(msgspec.Struct):
    server: ProcessIdentity
    owner: ProcessIdentity


class LocalServer(ABC):
    """A server process on 127.0.0.1. Start it from the main thread (see `launch_command`)."""

    name: ClassVar[str]
    start_seconds_max: ClassVar[float] = 30.0
    # How often a server that dies while starting is started again within the deadline.
    early_exits_max: ClassVar[int] = 0

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared: Prepared | None = None
        self._data_dir: Path | None = None

    @abstractmethod
    def prepare(self, data_dir: Path, port: int = 0) -> Prepared:
        """Write what the server needs below `data_dir`; idempotent. Port 0: any free one.

        Raises ServerUnavailable when this machine cannot run it.
        """

    def start(self, data_dir: Path, port: int = 0) -> Endpoint:
        """Start and wait until it is ready. Port 0 means the one used before here, or a free one.

        An orphan left on this data directory is ended first. Raises InUse when a live process
        owns it, ServerUnavailable, or ServerFailed with the end of the log.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        self._evict_orphan(data_dir)
        self._data_dir = data_dir
        self._prepared = self.prepare(data_dir, port)
        deadline = monotonic_s() + self.start_seconds_max
        for attempt in range(self.early_exits_max + 1):
            self._spawn(self._prepared.spec, data_dir)
            if self._wait_ready(self._prepared.spec, deadline):
                return self._prepared.endpoint
            if attempt < self.early_exits_max:
                pause(_EARLY_EXIT_PAUSE_SECONDS)
        raise ServerFailed(self.name, "ended while starting", self.log)

    def stop(self) -> None:
        """Stop cleanly, or by SIGKILL after the specification's deadline. Harmless when stopped."""
        if self._process is None or self._prepared is None:
            return
        self._send(self._prepared.spec.stop_signal)
        try:
            self._process.wait(self._prepared.spec.stop_seconds_max)
        except subprocess.TimeoutExpired:
            self._send(signal.SIGKILL)
            self._process.wait(_KILL_SECONDS_MAX)
        self._forget()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would; data and port stay for `restart`."""
        if self._process is None:
            return
        self._send(signal.SIGKILL)
        self._process.wait(_KILL_SECONDS_MAX)
        self._forget()

    def restart(self) -> Endpoint:
        """Stop if it runs, and start again on the same data directory and port."""
        if self._data_dir is None or self._prepared is None:
            raise NotRunning(f"{self.name} was never started")
        self.stop()
        return self.start(self._data_dir, self._prepared.endpoint.port)

    @property
    def endpoint(self) -> Endpoint:
        """Return where it answers, or answered before it was stopped."""
        if self._prepared is None:
            raise NotRunning(f"{self.name} was never started")
        return self._prepared.endpoint

    @property
    def pid(self) -> int | None:
        """Return the pid while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """Return the log file of the last start."""
        if self._data_dir is None:
            raise NotRunning(f"{self.name} was never started")
        return self._data_dir / "server.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, spec: ProcessSpec, data_dir: Path) -> None:
        if spec.before_start is not None:
            spec.before_start()
        with (data_dir / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                launch_command(spec),
                env=launch_environment(spec),
                cwd=spec.cwd or data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.stop)
        server = identify(self._process.pid)
        if server is not None:
            write_private(_pid_file(data_dir), msgspec.json.encode(_PidFile(server, myself())))

    def _wait_ready(self, spec: ProcessSpec, deadline: float) -> bool:
        if self._process is None:
            raise NotRunning(f"{self.name} was never started")
        while monotonic_s() < deadline:
            if self._process.poll() is not None:
                self._forget()
                return False
            if spec.ready is None or spec.ready():
                return True
            pause(_POLL_SECONDS)
        self.kill()
        raise ServerFailed(self.name, f"not ready after {self.start_seconds_max:.0f} s", self.log)

    def _send(self, signal_number: int) -> None:
        # The process was made a group leader: the group takes its own children along.
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal_number)
                if signal_number == signal.SIGKILL:
                    os.killpg(self._process.pid, signal_number)

    def _forget(self) -> None:
        self._process = None
        atexit.unregister(self.stop)
        if self._data_dir is not None:
            _pid_file(self._data_dir).unlink(missing_ok=True)

    def _evict_orphan(self, data_dir: Path) -> None:
        try:
            known = msgspec.json.decode(_pid_file(data_dir).read_bytes(), type=_PidFile)
        except (FileNotFoundError, msgspec.DecodeError):
            return
        if known.server.is_alive():
            if known.owner.is_alive():
                raise InUse(f"{self.name} with pid {known.server.pid} runs on {data_dir}")
            end(known.server, signal.SIGTERM, 10.0)
        _pid_file(data_dir).unlink(missing_ok=True)


class KeptSettings:
    """Ports, password and identifier of one data directory, made once and kept in a private file.

    A port that was given wins; a kept one is used again while it is free.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "settings.json"
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            self._kept = _Kept()

    def port(self, given: int, use: str = "main") -> int:
        """Return the port for one use of this server and keep it."""
        kept = self._kept.ports.get(use, 0)
        port = given or (kept if kept and is_free(kept) else free_port())
        promise(port)
        self._kept.ports[use] = port
        self._save()
        return port

    def password(self) -> str:
        """Return the password of this data directory; loopback is open to every local user."""
        if not self._kept.password:
            self._kept.password = secrets.token_hex(16)
            self._save()
        return self._kept.password

    def identifier(self, new: str) -> str:
        """Return the kept identifier, or keep `new`."""
        if not self._kept.identifier:
            self._kept.identifier = new
            self._save()
        return self._kept.identifier

    def _save(self) -> None:
        write_private(self._path, msgspec.json.encode(self._kept))


def _pid_file(data_dir: Path) -> Path:
    return data_dir / "server.pid"
