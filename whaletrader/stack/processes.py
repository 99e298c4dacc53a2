"""The process table: who runs on one machine, after whom, and with which settings.

This is data with one function that turns it into specifications. To add an agent, add a row. An
agent is `python -m whaletrader.services.<name>`; it learns everything from its environment:

  WHALETRADER_LOG            postgres or kafka: where its log is
  WHALETRADER_MODE           demo or paper
  WHALETRADER_DATA_DIR       a folder of its own
  WHALETRADER_POSTGRES_DSN   WHALETRADER_NATS_URL   WHALETRADER_REDIS_URL   KAFKA_BOOTSTRAP
  WHALETRADER_EXCHANGE_URL   the local exchange (it listens on WHALETRADER_EXCHANGE_PORT)
  WHALETRADER_GATEWAY_PORT   where the gateway serves the dashboard
  WHALETRADER_HEALTH_PORT    where it serves /livez, /readyz, /startupz, /metrics; its own
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from whaletrader.stack.errors import BadTable
from whaletrader.stack.options import Mode
from whaletrader.stack.ports import free_port
from whaletrader.stack.probes import HttpReady
from whaletrader.stack.spec import ProcessSpec


@dataclass(frozen=True)
class AgentRow:
    """One agent. `after` names agents that must have been ready once before it starts.

    `port_setting` names the setting with the port that it is given as `--port` and asked for its
    health on: the exchange serves one port, and people start it alone.
    """

    name: str
    after: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ("demo", "paper")
    port_setting: str = ""


# Every agent also waits for the servers. Few depend on each other: the log keeps what one has
# missed, so only those who call another directly name it.
AGENTS: tuple[AgentRow, ...] = (
    AgentRow("exchange", port_setting="WHALETRADER_EXCHANGE_PORT"),
    AgentRow("feeds", after=("exchange",)),
    AgentRow("discovery"),
    AgentRow("intelligence"),
    AgentRow("orchestrator"),
    AgentRow("risk"),
    AgentRow("execution", after=("exchange",)),
    AgentRow("attribution"),
    AgentRow("recorder"),
    AgentRow("gateway"),
    AgentRow("notifier"),
)

AGENT_STOP_SECONDS_MAX = 10.0  # time to end the batch at hand and close the log


def agent_specs(
    mode: Mode,
    servers: tuple[str, ...],
    settings: Mapping[str, str],
    data_dir: Path,
    agents: tuple[AgentRow, ...] = AGENTS,
) -> tuple[ProcessSpec, ...]:
    """Return the agents of a mode, each with its folder and its own health port."""
    rows = [row for row in agents if mode in row.modes]
    names = {row.name for row in rows}
    taken = {int(value) for key, value in settings.items() if key.endswith("_PORT")}
    specs: list[ProcessSpec] = []
    for row in rows:
        if missing := set(row.after) - names:
            raise BadTable(f"'{row.name}' comes after {sorted(missing)}, not part of mode {mode}")
        arguments: tuple[str, ...] = ()
        if row.port_setting:
            port = int(settings[row.port_setting])
            arguments = ("--port", str(port))
        else:
            port = free_port(taken)
            taken.add(port)
        folder = data_dir / "agents" / row.name
        folder.mkdir(parents=True, exist_ok=True)
        own = {
            "WHALETRADER_HEALTH_PORT": str(port),
            "WHALETRADER_DATA_DIR": str(folder),
            "PYTHONUNBUFFERED": "1",  # a log line must not be lost in a crash
        }
        specs.append(
            ProcessSpec(
                name=row.name,
                argv=(sys.executable, "-m", f"whaletrader.services.{row.name}", *arguments),
                env={**settings, **own},
                depends_on=(*servers, *row.after),
                ready=HttpReady(port),
                stop_seconds_max=AGENT_STOP_SECONDS_MAX,
            )
        )
    return tuple(specs)
