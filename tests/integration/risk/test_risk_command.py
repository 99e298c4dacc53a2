"""`whaletrader risk` as a person calls it: of risk at work, of its book alone, and of nothing."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from tests.browser.desk_stage import new_desk, record
from tests.integration.risk.risk_pair import MARKETS, furnish, write_policy
from tests.integration.risk.risk_stand import POLICY, Stand, stand
from tests.unit.runtime.stage import until
from tests.unit.services.risk.risk_room import yes
from whaletrader.commands import risk as risk_command
from whaletrader.runtime.logs import open_log
from whaletrader.schemas import control_pb2

CHECK = ("check", "--market", MARKETS[0], "--side", "buy", "--price", "0.51", "--size", "20")


async def call(env: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, output and error output of `whaletrader risk ...`, in this process."""
    result = await asyncio.to_thread(
        CliRunner().invoke, risk_command.app, list(arguments), env=dict(env)
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


async def run_it(env: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Return the same of a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "whaletrader", "risk", *arguments),
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
def env(postgres_dsn: str, nats_url: str) -> dict[str, str]:
    return {
        "WHALETRADER_LOG": "postgres",
        "WHALETRADER_MODE": "paper",
        "WHALETRADER_POSTGRES_DSN": postgres_dsn,
        "WHALETRADER_NATS_URL": nats_url,
    }


@pytest.fixture
async def at_work(postgres_dsn: str, nats_url: str) -> AsyncIterator[Stand]:
    """Risk at work on PostgreSQL, with a holding and something set aside."""
    log = await open_log("postgres", postgres_dsn=postgres_dsn, now_ns=time.time_ns)
    try:
        async with stand(nats_url, log=log) as risk:
            await furnish(log)
            desk = await new_desk()
            await furnish(desk.log)
            await record(desk, postgres_dsn)
            (worker,) = risk.shell.workers
            await until(lambda: len(worker.core.agent.views.prices) == len(MARKETS))
            await risk.buy(0)
            await risk.ask(risk.proposal(1))
            yield risk
    finally:
        await log.close()


async def test_the_desk_is_told_in_words_and_as_json(at_work: Stand, env: dict[str, str]) -> None:
    code, out, err = await run_it(env)
    assert (code, err) == (0, "")
    for words in ("NORMAL", "market-limit", "Exposure by whales", "✓ approved", MARKETS[0]):
        assert words in out
    code, out, err = await call(env, "--json", "--verdicts", "1")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert int(told["measured"]["reserved_micro"]) == at_work.state.reserved_micro
    markets = {
        one["key"]: int(one["value"]) for one in told["exposures"] if one["rule"] == "market-limit"
    }
    assert markets == at_work.state.by_market
    assert len(told["verdicts"]) == 1
    await at_work.control(control_pb2.CONTROL_ACTION_HALT)
    await until(lambda: bool(at_work.state.halt))
    _, out, _ = await call(env)
    assert "HALT" in out
    assert "cause: operator-halt" in out
    assert "ends when: a person resumes" in out
    assert "whaletrader resume" in out


async def test_what_if_prints_every_rule_and_sets_nothing_aside(
    at_work: Stand, env: dict[str, str]
) -> None:
    before, verdicts = dict(at_work.state.by_market), len(at_work.state.verdicts)
    code, out, err = await call(env, *CHECK)
    assert (code, err) == (0, "")
    assert "would be approved: 20 shares at $0.51 a share" in out
    for rule in ("kelly", "market-limit", "cvar", "price-fresh"):
        assert rule in out
    code, out, _ = await call(env, *CHECK, "--fair", "0.4", "--json")
    told = json.loads(out)
    assert (code, told["approved"], told["rule"]) == (1, False, "edge")
    code, out, _ = await call(env, *CHECK, "--outcome", "no")
    assert code == 1
    assert "would be refused" in out
    assert dict(at_work.state.by_market) == before
    assert len(at_work.state.verdicts) == verdicts


BAD: Final = (
    (("--price", "1.5"), "--price 1.5 is not between"),
    (("--price", "sixty"), "is no number: write 0.62"),
    (("--size", "0"), "--size 0 is not between"),
    (("--market", "0x*"), "is no condition id and no slug"),
    (("--market", "nowhere"), "no market is known by 'nowhere'"),
    (("--market", "0x0"), "several markets begin with '0x0'"),
    (("--outcome", "maybe"), "the market has no outcome 'maybe', but 'Yes', 'No'"),
)


async def test_what_cannot_be_asked_is_told_in_one_line(
    at_work: Stand, env: dict[str, str]
) -> None:
    assert at_work.state.charter.is_open
    for arguments, words in BAD:
        code, out, err = await call(env, *CHECK, *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("whaletrader risk: ")
        assert words in err


async def test_the_policy_is_proposed_confirmed_and_withdrawn(
    at_work: Stand, env: dict[str, str], tmp_path: Path
) -> None:
    first = at_work.state.charter.digest
    code, out, _ = await call(env, "policy", "show")
    assert code == 0
    assert first in out
    assert '"trade_usd_max"' in out
    tighter = POLICY.model_copy(update={"losses_in_row_max": 7})
    code, out, _ = await call(env, "policy", "propose", str(write_policy(tmp_path, tighter)))
    assert code == 0
    assert "tighter: holds" in out
    assert at_work.state.charter.digest == tighter.digest
    code, out, _ = await call(env, "policy", "propose", str(write_policy(tmp_path, POLICY)))
    assert code == 0
    assert "looser: waits" in out
    assert at_work.state.charter.digest == tighter.digest
    code, out, _ = await call(env, "policy", "confirm", "another")
    assert code == 1
    assert "refused" in out
    code, out, _ = await call(env, "policy", "confirm", POLICY.digest, "--note", "looked at it")
    assert code == 0
    assert at_work.state.charter.digest == POLICY.digest
    wider = POLICY.model_copy(update={"losses_in_row_max": 1_001})
    await call(env, "policy", "propose", str(write_policy(tmp_path, wider)))
    assert at_work.state.charter.pending_digest == wider.digest
    code, _, _ = await call(env, "policy", "withdraw")
    assert code == 0
    assert at_work.state.charter.pending_digest == ""
    broken = tmp_path / "broken.toml"
    broken.write_text("trade_usd_max = -1\nsurprise = 2\n", encoding="utf-8")
    code, _, err = await call(env, "policy", "propose", str(broken))
    assert code == 2
    assert "surprise" in err
    assert "trade_usd_max" in err


async def test_where_risk_does_not_run_its_book_answers_and_says_so(
    postgres_dsn: str, nats_url: str, env: dict[str, str], tmp_path: Path
) -> None:
    log = await open_log("postgres", postgres_dsn=postgres_dsn, now_ns=time.time_ns)
    try:
        async with stand(nats_url, log=log) as risk:
            await furnish(log)
            (worker,) = risk.shell.workers
            await until(lambda: len(worker.core.agent.views.prices) == len(MARKETS))
            await risk.buy(0)
            held = dict(risk.state.by_market)
    finally:
        await log.close()
    code, out, err = await call(env, "--json")
    told = json.loads(out)
    assert code == 0
    assert "no risk is there to answer risk.show: this is its book as of" in err
    assert {
        one["key"]: int(one["value"]) for one in told["exposures"] if one["rule"] == "market-limit"
    } == held
    code, out, err = await call(env, *CHECK, "--token", yes(MARKETS[0]))
    assert code == 0
    assert "would be approved" in out
    assert "this is its book" in err
    # What changes something needs risk itself.
    policy = str(write_policy(tmp_path, POLICY))
    code, out, err = await call(env, "policy", "propose", policy)
    assert (code, out) == (2, "")
    assert "no risk is there to answer risk.policy" in err


async def test_where_nothing_runs_it_says_what_to_do(
    postgres_dsn: str, nats_url: str, env: dict[str, str], tmp_path: Path
) -> None:
    code, out, err = await call(env)
    assert (code, out) == (2, "")
    assert "it has never run here" in err or "start the stack" in err
    lost = {
        **env,
        "WHALETRADER_NATS_URL": "nats://127.0.0.1:1",
        "WHALETRADER_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none",
    }
    code, out, err = await call(lost)
    assert (code, out) == (2, "")
    assert "NATS is not there" in err
    assert "start the stack with `whaletrader up`" in err
    nowhere = {name: value for name, value in env.items() if name != "WHALETRADER_POSTGRES_DSN"}
    code, out, err = await call(nowhere, "--data", str(tmp_path / "none"))
    assert (code, out) == (2, "")
    assert err.startswith("whaletrader risk: ")
