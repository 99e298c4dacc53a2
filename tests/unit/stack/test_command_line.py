"""The root command: fast help, sub-commands loaded late, a missing extra named."""

import subprocess
import sys
import types

import pytest
from typer.testing import CliRunner

from whaletrader import __version__
from whaletrader.cli import build
from whaletrader.commands import COMMANDS, CommandRow

RUN = CliRunner()
# What only a sub-command may need; typer and rich are the root's own.
HEAVY = ("pydantic", "msgspec", "asyncio", "asyncpg", "numpy", "confluent_kafka", "redis", "nats")


def test_help_lists_every_command_and_loads_none() -> None:
    code = (
        "import sys\n"
        "from whaletrader.cli import main\n"
        "sys.argv = ['whaletrader', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"print('LOADED', [name for name in {HEAVY} if name in sys.modules])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for row in COMMANDS:
        assert row.name in said
        assert row.summary in said
    assert said.strip().endswith("LOADED []")


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_command_answers_help_with_its_own_options(row: CommandRow) -> None:
    said = RUN.invoke(build(COMMANDS), [row.name, "--help"])
    assert said.exit_code == 0
    assert f"usage: whaletrader {row.name}" in said.output.lower()


def test_the_version_is_printed() -> None:
    assert RUN.invoke(build(COMMANDS), ["--version"]).output.strip() == __version__


def test_an_unknown_command_or_option_is_refused() -> None:
    assert RUN.invoke(build(COMMANDS), ["fly"]).exit_code == 2
    assert RUN.invoke(build(COMMANDS), ["up", "--fly"]).exit_code == 2


@pytest.mark.parametrize(
    "arguments", [["--log", "paper"], ["--mode", "live"], ["--gateway-port", "x"]]
)
def test_up_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    assert RUN.invoke(build(COMMANDS), ["up", *arguments]).exit_code == 2


def test_a_missing_extra_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> types.ModuleType:
        raise ModuleNotFoundError("No module named 'asyncpg'", name="asyncpg")

    monkeypatch.setattr("importlib.import_module", lacking)
    said = RUN.invoke(build(COMMANDS), ["up"])
    assert said.exit_code == 1
    assert "needs the package 'asyncpg': pip install 'whaletrader[local]'" in said.output


def test_a_missing_module_of_our_own_is_a_defect_and_not_an_extra() -> None:
    row = CommandRow("lost", "whaletrader.commands.lost", "Nothing.", "local")
    said = RUN.invoke(build((row, *COMMANDS)), ["lost"])
    assert isinstance(said.exception, ModuleNotFoundError)
    assert "pip install" not in said.output
