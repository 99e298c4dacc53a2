"""Commands that look back, where nothing was ever recorded: one line, never a stack trace."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whaletrader.cli import build
from whaletrader.commands import COMMANDS

WALLET = "0x" + "1" * 40


@pytest.mark.parametrize(
    "arguments",
    [("whales",), ("whales", WALLET), ("whales", WALLET, "--pin"), ("audit",), ("why", "x")],
)
def test_a_folder_where_nothing_ran_is_told_in_one_line(
    tmp_path: Path, arguments: Sequence[str]
) -> None:
    done = CliRunner().invoke(build(COMMANDS), [*arguments, "--data", str(tmp_path)])
    assert done.exit_code in {1, 2}
    assert isinstance(done.exception, SystemExit)
    assert f"nothing was ever started on {tmp_path}" in done.stderr
    assert done.stderr.count("\n") == 1
