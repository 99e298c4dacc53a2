"""The table of agents: who is in it, what each is told, what a bad row does."""

from pathlib import Path

import pytest

from whaletrader.stack.errors import BadTable
from whaletrader.stack.processes import AGENTS, AgentRow, agent_specs
from whaletrader.stack.spec import in_start_order

SETTINGS = {"WHALETRADER_LOG": "postgres", "WHALETRADER_EXCHANGE_PORT": "20001"}


def test_every_agent_of_the_one_machine_stack_is_in_the_table() -> None:
    assert {row.name for row in AGENTS} == {
        "exchange",
        "feeds",
        "discovery",
        "intelligence",
        "orchestrator",
        "risk",
        "execution",
        "attribution",
        "recorder",
        "gateway",
        "notifier",
    }


def test_an_agent_waits_for_every_server_and_is_told_everything(tmp_path: Path) -> None:
    specs = {spec.name: spec for spec in agent_specs("demo", ("db",), SETTINGS, tmp_path)}
    risk = specs["risk"]
    assert risk.argv[1:] == ("-m", "whaletrader.services.risk")
    assert risk.depends_on == ("db",)
    assert specs["execution"].depends_on == ("db", "exchange")
    assert risk.env["WHALETRADER_LOG"] == "postgres"
    assert Path(risk.env["WHALETRADER_DATA_DIR"]) == tmp_path / "agents/risk"
    assert (tmp_path / "agents/risk").is_dir()


def test_health_ports_are_each_agents_own(tmp_path: Path) -> None:
    specs = agent_specs("demo", (), SETTINGS, tmp_path)
    ports = [int(spec.env["WHALETRADER_HEALTH_PORT"]) for spec in specs]
    assert len(set(ports)) == len(AGENTS)


def test_the_exchange_serves_its_health_on_the_port_that_everyone_is_told(tmp_path: Path) -> None:
    specs = {spec.name: spec for spec in agent_specs("demo", (), SETTINGS, tmp_path)}
    assert specs["exchange"].argv[-2:] == ("--port", "20001")
    assert specs["exchange"].env["WHALETRADER_HEALTH_PORT"] == "20001"


def test_every_dependency_of_the_table_is_in_it(tmp_path: Path) -> None:
    for mode in ("demo", "paper"):
        specs = agent_specs(mode, (), SETTINGS, tmp_path)
        assert len(in_start_order(specs)) == len(specs)


def test_an_agent_after_one_that_its_mode_leaves_out_is_refused(tmp_path: Path) -> None:
    rows = (AgentRow("a", modes=("demo",)), AgentRow("b", after=("a",)))
    assert len(agent_specs("demo", (), {}, tmp_path, rows)) == 2
    with pytest.raises(BadTable, match="'b' comes after"):
        agent_specs("paper", (), {}, tmp_path, rows)
