"""From options to a process table: which servers to run here, and the settings all share.

A server whose address is already in the environment is somebody else's: it is used, not started.
Blocking (a first start makes a database, and may download Kafka); called before the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from whaletrader.stack.options import StackOptions
from whaletrader.stack.ports import LOOPBACK, free_port
from whaletrader.stack.processes import agent_specs
from whaletrader.stack.servers.base import KeptSettings, LocalServer
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.servers.nats import NatsServer
from whaletrader.stack.servers.postgres import PostgresServer
from whaletrader.stack.servers.valkey import ValkeyServer
from whaletrader.stack.spec import ProcessSpec


@dataclass(frozen=True)
class Plan:
    """A process table and the settings its processes share."""

    specs: tuple[ProcessSpec, ...]
    settings: Mapping[str, str]


def plan(options: StackOptions) -> Plan:
    """Prepare what runs here; ServerUnavailable when a server cannot be had."""
    settings: dict[str, str] = {"WHALETRADER_LOG": options.log, "WHALETRADER_MODE": options.mode}
    specs: list[ProcessSpec] = []
    for setting, server in _wanted(options):
        if given := os.environ.get(setting):
            settings[setting] = given
            continue
        prepared = server.prepare(options.data_dir / "servers" / server.name)
        settings[setting] = prepared.endpoint.url
        specs.append(replace(prepared.spec, kind="server"))
    # Kept with the data, like the servers' ports: addresses are the same after a restart.
    folder = options.data_dir / "servers" / "exchange"
    folder.mkdir(parents=True, exist_ok=True)
    exchange_port = KeptSettings(folder).port(0)
    settings |= {
        "WHALETRADER_EXCHANGE_URL": f"http://{LOOPBACK}:{exchange_port}",
        # Risk makes its keys in its own folder; execution needs the public half.
        "WHALETRADER_RISK_PUBLIC_KEY_PATH": str(
            options.data_dir / "agents" / "risk" / "keys" / "risk.pub.pem"
        ),
    }
    if options.servers_only:
        return Plan(tuple(specs), settings)
    settings |= {
        "WHALETRADER_EXCHANGE_PORT": str(exchange_port),
        "WHALETRADER_GATEWAY_PORT": str(options.gateway_port or free_port((exchange_port,))),
    }
    servers = tuple(spec.name for spec in specs)
    agents = agent_specs(options.mode, servers, settings, options.data_dir)
    return Plan((*specs, *agents), settings)


def _wanted(options: StackOptions) -> tuple[tuple[str, LocalServer], ...]:
    wanted: tuple[tuple[str, LocalServer], ...] = (
        # With Kafka as the log PostgreSQL still holds the event store and the read models.
        ("WHALETRADER_POSTGRES_DSN", PostgresServer()),
        ("WHALETRADER_NATS_URL", NatsServer()),
        ("WHALETRADER_REDIS_URL", ValkeyServer()),
    )
    if options.log == "kafka":
        wanted = (*wanted, ("KAFKA_BOOTSTRAP", KafkaServer()))
    return wanted
