"""Settings refuse what would trade by mistake, and print no secret."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from whaletrader.runtime.settings import Mode
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.__main__ import build
from whaletrader.services.execution.config import ExecutionSettings
from whaletrader.services.execution.working.terms import S, TacticSettings
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner

LOCAL = "http://127.0.0.1:9"
KEY = "0x" + "5c" * 32


def made(**changes: Any) -> ExecutionSettings:
    return ExecutionSettings(**{"exchange_url": LOCAL, "mode": Mode.DEMO} | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"exchange_url": ""},
        {"exchange_url": "", "mode": Mode.PAPER, "private_key": KEY, "live_confirmed": True},
        {"exchange_url": "", "mode": Mode.LIVE, "private_key": KEY},
        {"exchange_url": "", "mode": Mode.DEMO, "live_confirmed": True},
        # The development key is public knowledge.
        {"mode": Mode.PAPER},
        {"mode": Mode.LIVE},
        {"private_key": KEY, "private_key_file": Path("key")},
        {"signature_type": 3},
        {"funder": "0x12"},
        {"working_time_s": 0},
        {"unknown_grace_s": 9},
        {"unheard_of": 1},
    ],
)
def test_what_would_trade_by_mistake_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**changes)


def test_production_needs_the_mode_and_the_confirmation() -> None:
    settings = made(exchange_url="", mode=Mode.LIVE, live_confirmed=True, private_key=KEY)
    assert settings.working_ns == 60 * 10**9


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHALETRADER_EXCHANGE_URL", LOCAL)
    monkeypatch.setenv("WHALETRADER_MODE", "paper")
    monkeypatch.setenv("WHALETRADER_EXECUTION_PRIVATE_KEY", KEY)
    monkeypatch.setenv("WHALETRADER_EXECUTION_WORKING_TIME_S", "30")
    settings = ExecutionSettings()
    assert (settings.exchange_url, settings.mode) == (LOCAL, Mode.PAPER)
    assert settings.working_ns == 30 * 10**9
    assert settings.key().get_secret_value() == KEY


def test_a_demo_works_orders_for_hours_and_uses_the_development_key() -> None:
    assert made().working_ns == 6 * 3_600 * 10**9
    assert made().key() == SecretStr(DEVELOPMENT_KEY)


def test_the_defaults_are_one_set_of_numbers_wherever_they_are_written() -> None:
    settings = made(mode=Mode.PAPER, private_key=KEY)
    tactics = settings.tactics()
    assert tactics == TacticSettings()
    assert [
        (it.duration_ns // S, it.offset_micro, it.size_micro_ratio) for it in tactics.phases
    ] == [(30, 0, 1_000_000), (45, 20_000, 900_000), (60, 50_000, 750_000)]
    assert (tactics.iceberg_micro_ratio, tactics.wide_spread_micro_ratio) == (100_000, 30_000)
    slippage = (tactics.limit_slippage_micro_ratio, tactics.market_slippage_micro_ratio)
    assert slippage == (20_000, 50_000)
    assert (settings.holdings_s, settings.sends_heartbeats) == (300, True)


def test_in_a_demo_each_trade_is_one_order_and_nothing_runs_by_the_clock() -> None:
    settings = made()
    assert settings.tactics().fixed == order_pb2.TACTIC_SINGLE
    assert (settings.holdings_s, settings.sends_heartbeats) == (0, False)


def test_the_key_is_read_from_its_file_and_printed_nowhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "key").chmod(0o600)
    by_file = made(private_key_file=tmp_path / "key")
    by_text = made(private_key=KEY)
    assert by_file.key().get_secret_value() == KEY
    for settings in (by_file, by_text):
        service = build(settings)
        shown = f"{settings!r}{settings}{settings.model_dump_json()}{service!r}"
        assert KEY[2:] not in shown
        assert service.sources[0].facts() == {_wallet(): 0}


def _wallet() -> str:
    return LocalSigner(SecretStr(KEY)).address.lower()
