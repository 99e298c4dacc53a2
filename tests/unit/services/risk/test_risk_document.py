"""docs/risk.md names every code, state, exit and limit, and none that is not there."""

import re
from pathlib import Path

import pytest

from whaletrader.schemas import risk_pb2
from whaletrader.services.risk import states, watch
from whaletrader.services.risk.alerts import ALERTS
from whaletrader.services.risk.policy_terms import RiskPolicy, tighter_way
from whaletrader.services.risk.rules import RULES

TEXT = (Path(__file__).resolve().parents[4] / "docs" / "risk.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<code>[^`]+)` \| (?P<rest>.*) \|$", re.MULTILINE)


def table(title: str) -> dict[str, str]:
    """Return the rows of a chapter's table, by code."""
    chapter = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return {row["code"]: row["rest"] for row in ROW.finditer(chapter)}


def test_every_reason_code_is_explained_with_the_rules_own_line() -> None:
    assert table("Reason codes") == {str(rule): line for rule, line in RULES.items()}


def test_every_alert_is_there_with_its_severity() -> None:
    rows = table("Alerts")
    assert list(rows) == [str(alert) for alert in ALERTS]
    for alert, (severity, line) in ALERTS.items():
        is_critical = severity == risk_pb2.SEVERITY_CRITICAL
        assert rows[alert].endswith(line)
        assert rows[alert].startswith("critical") is is_critical


def test_every_transition_and_its_exit_is_there() -> None:
    rows = table("States")
    assert list(rows) == [str(cause) for cause in states.TABLE]
    for cause, (sources, target) in states.TABLE.items():
        names = [risk_pb2.DeskState.Name(state).removeprefix("DESK_STATE_") for state in sources]
        assert rows[cause].startswith(", ".join(names) + " | ")
        name = risk_pb2.DeskState.Name(target).removeprefix("DESK_STATE_")
        assert f" | {name} | {states.EXITS.get(cause, '')}" in rows[cause] + " "


def test_every_exit_is_there() -> None:
    assert table("Exits") == watch.EXITS


@pytest.mark.parametrize("name", list(RiskPolicy.model_fields))
def test_every_limit_is_there_with_its_default_and_which_way_is_tighter(name: str) -> None:
    default = RiskPolicy.model_fields[name].default
    if isinstance(default, bool):
        shown = str(default).lower()
    else:
        shown = ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    assert table("Limits")[name] == f"{shown} | {tighter_way(name)}"


def test_no_limit_is_there_that_is_not_in_the_policy() -> None:
    assert list(table("Limits")) == list(RiskPolicy.model_fields)
