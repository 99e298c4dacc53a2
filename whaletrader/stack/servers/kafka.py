"""Apache Kafka: one real broker that is its own controller (KRaft), from its Maven jars.

Fit for development, tests and chaos runs: it comes back on the same port and data after SIGKILL.
One broker replicates nothing; a desk that must survive a lost disk runs a cluster elsewhere.
"""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path
from typing import ClassVar

from whaletrader.stack.errors import ServerFailed
from whaletrader.stack.ports import LOOPBACK
from whaletrader.stack.probes import KafkaReady
from whaletrader.stack.servers.base import Endpoint, KeptSettings, LocalServer, Prepared
from whaletrader.stack.servers.java import fetch, find_java, maven
from whaletrader.stack.spec import ProcessSpec

KAFKA_VERSION = "4.3.1"
JAVA_VERSION_MIN = 17
_SLF4J_VERSION = "1.7.36"
_FORMAT_SECONDS_MAX = 60

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>whaletrader</groupId>
  <artifactId>local-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>{_SLF4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class KafkaServer(LocalServer):
    """A Kafka broker; its URL is the bootstrap address."""

    name: ClassVar[str] = "kafka"
    start_seconds_max: ClassVar[float] = 60.0

    def prepare(self, data_dir: Path, port: int = 0) -> Prepared:
        """Fetch the jars if needed, write the properties, format the log folder once."""
        java = find_java(self.name, JAVA_VERSION_MIN)
        libraries = fetch(self.name, f"kafka-{KAFKA_VERSION}", _fetch_jars) / "libs"
        data_dir.mkdir(parents=True, exist_ok=True)
        kept = KeptSettings(data_dir)
        chosen = kept.port(port)
        controller = kept.port(0, "controller")
        properties = data_dir / "server.properties"
        properties.write_text(_properties(data_dir / "data", chosen, controller))
        command = (
            str(java),
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
            "-cp",
            f"{libraries}/*",
        )
        if not (data_dir / "data/meta.properties").exists():
            self._format(command, kept.identifier(_cluster_id()), properties)
        spec = ProcessSpec(
            name=self.name,
            argv=(
                *command[:1],
                "-Xms256m",
                "-Xmx512m",
                *command[1:],
                "kafka.Kafka",
                str(properties),
            ),
            ready=KafkaReady(chosen),
            kind="server",
            stop_seconds_max=30.0,
            cwd=data_dir,
        )
        return Prepared(spec, Endpoint(f"{LOOPBACK}:{chosen}", chosen))

    def _format(self, command: tuple[str, ...], cluster: str, properties: Path) -> None:
        log = properties.parent / "format.log"
        storage_tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
        with log.open("wb") as output:
            answer = subprocess.run(
                [*command, *storage_tool],
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_FORMAT_SECONDS_MAX,
                check=False,
            )
        if answer.returncode != 0:
            raise ServerFailed(self.name, "formatting its log folder failed", log)


def _fetch_jars(folder: Path) -> None:
    (folder / "pom.xml").write_text(_POM)
    goal = ["dependency:copy-dependencies", "-DoutputDirectory=libs", "-DincludeScope=runtime"]
    maven(KafkaServer.name, goal, folder)


def _cluster_id() -> str:
    # Kafka's form of a uuid: 22 characters of base64; a leading dash reads as an option.
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _properties(log_dir: Path, port: int, controller: int) -> str:
    broker_listener = f"PLAINTEXT://{LOOPBACK}:{port}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        "listeners": f"{broker_listener},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": broker_listener,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(log_dir),
        # Topics come from the one topic table, never from a consumer's typing error.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # One broker: nothing can be replicated.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.num.partitions": "3",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
