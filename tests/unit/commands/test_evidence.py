"""`whaletrader evidence` as it is typed."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from tests.unit.lab.evidence.folder import universe
from whaletrader.commands import evidence


def test_it_prints_the_verdict_and_where_the_report_is(tmp_path: Path) -> None:
    data = universe(wallets=4, markets=8, skill=0.0).write(tmp_path / "data")
    arguments = ["--data", str(data), "--out", str(tmp_path / "out"), "--draws", "100"]
    done = CliRunner().invoke(evidence.app, [*arguments, "--seconds", "60", "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("No: ")
    told = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert (told["options"]["delay_s"], told["options"]["seed"]) == (60, 3)
    assert told["verdict"]["sentence"] in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_wrong_folder_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    done = CliRunner().invoke(evidence.app, ["--data", str(tmp_path), "--out", str(tmp_path / "o")])
    assert done.exit_code == 2
    for name in ("activity", "wallets", "resolutions"):
        assert f"{name}.parquet: the file is missing" in done.stderr
    assert not (tmp_path / "o").exists()


def test_an_out_that_is_a_file_is_refused_with_its_name(tmp_path: Path) -> None:
    data = universe(wallets=1, markets=2, skill=0.0).write(tmp_path / "data")
    taken = tmp_path / "taken"
    taken.write_text("kept")
    done = CliRunner().invoke(evidence.app, ["--data", str(data), "--out", str(taken)])
    assert done.exit_code == 2
    assert f"{taken} cannot be written" in done.stderr
    assert taken.read_text() == "kept"


def test_a_wrong_option_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(evidence.app, ["--data", str(tmp_path), "--seconds", "0"])
    assert done.exit_code == 2
    assert "delay_s is 0" in done.stderr


def test_a_missing_library_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def without_pandas(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    monkeypatch.setattr(importlib, "import_module", without_pandas)
    done = CliRunner().invoke(evidence.app, ["--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "pandas is missing" in done.stderr
    assert "make install" in done.stderr
