"""Each check of the doctor when something is wrong: the verdict, and what it says to do."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from whaletrader.cli import build
from whaletrader.commands import COMMANDS
from whaletrader.stack import doctor
from whaletrader.stack.doctor import Finding, examine
from whaletrader.stack.errors import ServerUnavailable, StackError

PATCH = "whaletrader.stack.doctor"


def finding(check: str, data_dir: Path) -> Finding:
    return next(found for found in examine(data_dir) if found.check == check)


def test_nothing_is_wrong_where_the_tests_run_but_what_is_warned_of(tmp_path: Path) -> None:
    findings = examine(tmp_path)
    assert [found for found in findings if found.verdict == "fail"] == []
    assert all(found.to_do for found in findings if found.verdict != "ok")
    assert not list(tmp_path.iterdir())


def test_an_old_python_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PYTHON_MIN", (99, 0))
    assert finding("python", tmp_path).verdict == "fail"


def test_the_slow_curve_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{PATCH}.importlib.util.find_spec", lambda _: None)
    found = finding("signing curve", tmp_path)
    assert found.verdict == "fail"
    assert found.to_do == "pip install coincurve"


def test_a_data_directory_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = finding("data directory", tmp_path / "file")
    assert found.verdict == "fail"
    assert "--data" in found.to_do


@pytest.mark.parametrize(("least", "verdict"), [(1e9, "fail"), (0.0, "warn")])
def test_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: float, verdict: str
) -> None:
    monkeypatch.setattr(doctor, "DISK_FREE_GB_MIN", least)
    monkeypatch.setattr(doctor, "DISK_FREE_GB_WANTED", 2e9)
    assert finding("disk", tmp_path).verdict == verdict


def test_a_clock_before_the_venues_protocol_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{PATCH}.wall_ns", lambda: 0)
    assert finding("clock", tmp_path).verdict == "fail"


@pytest.mark.parametrize(("drifts", "verdict"), [(True, "warn"), (False, "ok")])
def test_a_clock_that_nobody_sets_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drifts: bool, verdict: str
) -> None:
    monkeypatch.setattr(f"{PATCH}._is_unsynchronised", lambda: drifts)
    assert finding("clock", tmp_path).verdict == verdict


def test_no_java_is_only_a_warning_for_it_is_only_for_kafka(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(server: str, version_min: int) -> Path:
        raise ServerUnavailable(server, f"needs Java {version_min} or later")

    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setattr(f"{PATCH}.find_java", none)
    found = finding("kafka", tmp_path)
    assert found.verdict == "warn"
    assert "whaletrader up --log kafka" in found.to_do


def test_kafka_that_is_not_fetched_needs_maven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr(f"{PATCH}.find_java", lambda *_: Path("java"))
    monkeypatch.setattr(f"{PATCH}.shutil.which", lambda _: None)
    assert "install Maven" in finding("kafka", tmp_path).to_do


def test_a_broker_that_is_given_needs_no_java(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "broker:9092")
    assert finding("kafka", tmp_path).found == "KAFKA_BOOTSTRAP is broker:9092"


def test_a_machine_without_free_ports_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> int:
        raise StackError("no free port found")

    monkeypatch.setattr(f"{PATCH}.free_port", none)
    assert finding("ports", tmp_path).verdict == "fail"


REQUIREMENTS = [
    "coincurve>=21; extra == 'local'",
    'no-such-package>=1; extra == "local"',
    "no-such-package>=1; extra == 'gateway'",
    "whaletrader[gateway]; extra == 'all'",
    "typer>=0.1",
]


def test_an_extra_that_is_half_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{PATCH}.importlib.metadata.requires", lambda _: REQUIREMENTS)
    found = finding("packages", tmp_path)
    assert found.verdict == "fail"
    assert "local lacks no-such-package" in found.found
    monkeypatch.setattr(
        f"{PATCH}.importlib.metadata.requires",
        lambda _: [
            text.replace("'local'", "'risk'").replace('"local"', "'risk'") for text in REQUIREMENTS
        ],
    )
    assert finding("packages", tmp_path).verdict == "warn"


def test_the_command_says_what_to_do_and_exits_by_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PYTHON_MIN", (99, 0))
    said = CliRunner().invoke(build(COMMANDS), ["doctor", "--data", str(tmp_path)])
    assert said.exit_code == 1
    assert "fail python" in said.output
    assert "-> install Python 3.11 or later" in said.output
