"""`whaletrader doctor --live` before it reaches any venue: settings that cannot work."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whaletrader.commands.doctor import app
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WHALETRADER_MODE", "WHALETRADER_EXCHANGE_URL"):
        monkeypatch.delenv(name, raising=False)


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--live", *arguments])
    return result.exit_code, result.output


def test_production_needs_a_key_of_ones_own() -> None:
    code, text = said()
    assert code == 1
    assert "the development key is for the demo only" in text
    assert "docs/live-trading.md" in text


def test_a_key_that_is_no_key_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHALETRADER_EXECUTION_PRIVATE_KEY", "0xnot-a-key-but-secret")
    code, text = said("--venue-url", NOBODY)
    assert code == 1
    assert "32 bytes of hexadecimal" in text
    assert "secret" not in text


def test_two_keys_are_refused_without_printing_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WHALETRADER_EXECUTION_PRIVATE_KEY", DEVELOPMENT_KEY)
    monkeypatch.setenv("WHALETRADER_EXECUTION_PRIVATE_KEY_FILE", str(tmp_path / "key"))
    code, text = said("--venue-url", NOBODY, "--json")
    assert code == 1
    [check] = json.loads(text)["checks"]
    assert "not twice" in check["found"]
    assert DEVELOPMENT_KEY[2:] not in text


def test_a_key_file_that_others_may_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(DEVELOPMENT_KEY)
    file.chmod(0o644)
    monkeypatch.setenv("WHALETRADER_EXECUTION_PRIVATE_KEY_FILE", str(file))
    code, text = said("--venue-url", NOBODY)
    assert code == 1
    assert f"chmod 600 {file}" in text


def test_an_exchange_that_is_not_there_fails_every_check_that_asks_it() -> None:
    code, text = said("--venue-url", NOBODY, "--json")
    report = json.loads(text)
    assert code == 1
    assert [check["name"] for check in report["checks"] if check["ok"]] == [
        "signing key",
        "wallet",
    ]


def test_options_of_the_live_report_are_refused_without_it() -> None:
    result = CliRunner().invoke(app, ["--json"])
    assert result.exit_code == 2
    assert "--live" in result.output
