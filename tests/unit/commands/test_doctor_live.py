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
    assert "one private key, not several" in check["found"]
    assert "WHALETRADER_EXECUTION_PRIVATE_KEY_FILE" in check["found"]
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


def test_an_address_without_its_scheme_is_refused_before_anything_is_asked() -> None:
    code, text = said("--venue-url", "localhost:8080", "--json")
    [check] = json.loads(text)["checks"]
    assert code == 1
    assert "WHALETRADER_EXCHANGE_URL: give a whole address, such as http://" in check["found"]


def test_a_refused_setting_is_named_as_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHALETRADER_EXECUTION_SIGNATURE_TYPE", "7")
    code, text = said("--venue-url", NOBODY)
    assert code == 1
    assert "WHALETRADER_EXECUTION_SIGNATURE_TYPE: Input should be" in text


def test_an_exchange_that_is_not_there_fails_every_check_that_asks_it() -> None:
    code, text = said("--venue-url", NOBODY, "--json")
    report = json.loads(text)
    assert code == 1
    assert [check["name"] for check in report["checks"] if check["ok"]] == [
        "signing key",
        "wallet",
    ]
    to_do = {check["name"]: check["to_do"] for check in report["checks"]}
    assert "connection" in to_do["API credentials"]
    assert "'API credentials' first" in to_do["collateral"]
    assert "'market terms' first" in to_do["dry order"]


def test_options_of_the_live_report_are_refused_without_it() -> None:
    result = CliRunner().invoke(app, ["--json"])
    assert result.exit_code == 2
    assert "--live" in result.output
