"""A Schema Registry with Confluent's REST API: Apicurio, in memory, for tests and development."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from whaletrader.stack.errors import ServerUnavailable
from whaletrader.stack.ports import LOOPBACK
from whaletrader.stack.probes import HttpReady
from whaletrader.stack.servers.base import Endpoint, KeptSettings, LocalServer, Prepared
from whaletrader.stack.servers.java import FETCH_SECONDS_MAX, fetch, find_java, maven
from whaletrader.stack.spec import ProcessSpec

APICURIO_VERSION = "3.3.3"
JAVA_VERSION_MIN = 21
API_PATH = "/apis/ccompat/v7"


class RegistryServer(LocalServer):
    """Apicurio Registry; its URL is the base of Confluent's REST API. It forgets when stopped."""

    name: ClassVar[str] = "registry"
    start_seconds_max: ClassVar[float] = 90.0

    def prepare(self, data_dir: Path, port: int = 0) -> Prepared:
        """Fetch the application if needed; it is configured by its command line alone."""
        java = find_java(self.name, JAVA_VERSION_MIN)
        application = fetch(self.name, f"apicurio-registry-{APICURIO_VERSION}", _fetch_application)
        data_dir.mkdir(parents=True, exist_ok=True)
        kept = KeptSettings(data_dir)
        chosen, management = kept.port(port), kept.port(0, "management")
        options = (
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            f"-Dquarkus.http.host={LOOPBACK}",
            f"-Dquarkus.http.port={chosen}",
            # Its management port listens on every address unless it is told not to.
            f"-Dquarkus.management.host={LOOPBACK}",
            f"-Dquarkus.management.port={management}",
        )
        spec = ProcessSpec(
            name=self.name,
            argv=(str(java), *options, "-jar", str(application / "quarkus-run.jar")),
            ready=HttpReady(chosen, f"{API_PATH}/subjects"),
            kind="server",
            cwd=data_dir,
        )
        return Prepared(spec, Endpoint(f"http://{LOOPBACK}:{chosen}{API_PATH}", chosen))


def _fetch_application(folder: Path) -> None:
    tar = shutil.which("tar")
    if tar is None:
        raise ServerUnavailable(RegistryServer.name, "needs tar to be unpacked")
    artifact = f"io.apicurio:apicurio-registry-app:{APICURIO_VERSION}:tar.gz:all"
    goal = ["dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
    maven(RegistryServer.name, goal, folder)
    archive = folder / f"apicurio-registry-app-{APICURIO_VERSION}-all.tar.gz"
    answer = subprocess.run(
        [tar, "xzf", str(archive), "-C", str(folder)],
        timeout=FETCH_SECONDS_MAX,
        capture_output=True,
        check=False,
    )
    if answer.returncode != 0 or not (folder / "quarkus-run.jar").exists():
        raise ServerUnavailable(RegistryServer.name, f"{archive.name} could not be unpacked")
    archive.unlink()
