"""The whole study on made-up universes: the same bytes twice, and the truth that was planted."""

import html
import json
import re
from pathlib import Path

import msgspec
import pytest

from tests.unit.lab.evidence.folder import universe
from whaletrader.lab.evidence import StudyOptions, run
from whaletrader.lab.evidence.evidence import SCHEMA_VERSION, Evidence
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.options import OptionError
from whaletrader.lab.evidence.report.sections import wallets
from whaletrader.lab.evidence.run import HTML_NAME, JSON_NAME, study

QUICK = StudyOptions(draws=200)


def silent(stage: str, done: int, of: int) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Evidence]:
    """A universe without skill, and what the study made of it."""
    path = tmp_path_factory.mktemp("fair")
    data = universe(wallets=12, markets=24, skill=0.0).write(path / "data")
    return data, path / "out", run(data, path / "out", QUICK, silent)


def test_the_same_folder_gives_the_same_bytes(fair: tuple[Path, Path, Evidence]) -> None:
    data, out, _ = fair
    run(data, out.parent / "again", QUICK, silent)
    for name in (JSON_NAME, HTML_NAME):
        assert (out / name).read_bytes() == (out.parent / "again" / name).read_bytes()


def test_another_seed_changes_draws_and_nothing_else(fair: tuple[Path, Path, Evidence]) -> None:
    data, _, first = fair
    other = study(read_inputs(data), StudyOptions(draws=200, seed=8), silent)
    assert first.copier is not None
    assert other.copier is not None
    assert other.copier.main.per_dollar == first.copier.main.per_dollar
    assert other.copier.random_wallets != first.copier.random_wallets


def test_luck_is_called_luck(fair: tuple[Path, Path, Evidence]) -> None:
    _, _, found = fair
    assert found.verdict.answer == "no"
    assert found.verdict.sentence.startswith("No: none of the 13 wallets")
    assert "does not show that copying these wallets pays" in found.verdict.sentence


def test_planted_skill_is_found(tmp_path: Path) -> None:
    data = universe(wallets=20, markets=40, skill=0.25, skilled=10).write(tmp_path)
    found = study(read_inputs(data), QUICK, silent)
    judged = {row.name: row.skill.verdict for row in found.wallets if row.skill is not None}
    assert sum(judged[f"wallet{number}"] == "skilled" for number in range(10)) >= 8
    assert sum(judged[f"wallet{number}"] == "skilled" for number in range(10, 20)) <= 1
    assert found.copier is not None
    assert found.copier.main.per_dollar.lower > 0
    main = found.persistence[0]
    assert main.rank_correlation.lower > 0
    assert main.quintile_p_value < 0.1
    (again, fell), (rose, stayed) = main.winners
    assert again + fell == rose + stayed == main.wallets // 2
    assert again > fell
    assert main.winners_z > 0
    assert found.verdict.answer == "yes"
    assert found.verdict.sentence.startswith("Yes: ")
    stranger = [row for row in found.wallets if row.name == "stranger"]
    assert stranger[0].skill is not None
    assert stranger[0].skill.verdict == "bad"


def test_the_file_says_what_it_is_made_of(fair: tuple[Path, Path, Evidence]) -> None:
    data, out, _ = fair
    told = json.loads((out / JSON_NAME).read_text())
    assert told["schema_version"] == SCHEMA_VERSION
    assert set(told) == {field.encode_name for field in msgspec.structs.fields(Evidence)}
    assert [file["name"] for file in told["inputs"]] == [
        "activity.parquet",
        "wallets.parquet",
        "resolutions.parquet",
    ]
    assert told["options"]["seed"] == QUICK.seed
    assert len(told["wallets"]) == 13
    assert str(data) not in json.dumps(told)


def test_the_report_needs_nothing_else(fair: tuple[Path, Path, Evidence]) -> None:
    _, out, found = fair
    file = (out / HTML_NAME).read_text()
    words = html.unescape(file)
    assert found.verdict.sentence.split(":", 1)[1].strip() in words
    linked = re.findall(r'(?:src|href)="([^"]*)"', file)
    assert all(address.startswith("#") for address in linked), linked
    assert "@import" not in file
    assert file.count("<svg") == 2 * 4  # no figure was published: one chart less
    ids = re.findall(r'\bid="([^"]*)"', file)
    assert len(ids) == len(set(ids))
    assert "prefers-color-scheme: dark" in file


def test_names_from_the_data_are_escaped(tmp_path: Path) -> None:
    folder = universe(wallets=1, markets=2, skill=0.0)
    next(iter(folder.wallets.values()))["pseudonym"] = "<script>alert(1)</script>"
    found = wallets(study(read_inputs(folder.write(tmp_path)), QUICK, silent))
    assert "&lt;script&gt;alert(1)" in found
    assert "<script>alert" not in found


def test_a_folder_with_little_in_it_is_still_answered(tmp_path: Path) -> None:
    data = universe(wallets=1, markets=2, skill=0.0).write(tmp_path)
    found = study(read_inputs(data), QUICK, silent)
    assert found.verdict.answer == "no"
    assert found.copier is None
    assert "too few wallets" in found.verdict.sentence


def test_a_folder_without_any_result_is_still_answered(tmp_path: Path) -> None:
    folder = universe(wallets=3, markets=6, skill=0.0)
    for market in folder.markets.values():
        market.update(basis="unknown", winning_outcome_index=None)
    found = run(folder.write(tmp_path / "data"), tmp_path / "out", QUICK, silent)
    assert found.verdict.sentence.startswith("No: no wallet has a settled market to be judged by")
    assert found.skill.counts == []
    assert all(row.skill is None for row in found.wallets)
    assert (tmp_path / "out" / HTML_NAME).is_file()


def test_options_out_of_bounds_are_all_told_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as refused:
        run(tmp_path, tmp_path / "out", StudyOptions(delay_s=0, draws=1, slippage=2.0), silent)
    for name in ("delay_s", "draws", "slippage"):
        assert name in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_every_name_of_the_schema_is_documented() -> None:
    document = (Path(__file__).resolve().parents[4] / "docs" / "evidence.md").read_text()
    for field in msgspec.structs.fields(Evidence):
        assert f"`{field.name}`" in document, field.name
