"""The official TypeScript clients, unmodified: only their hosts are changed.

`make test` installs them beside the scripts that drive them; where they are missing these tests
are skipped and say so, and REQUIRE_REAL=1 makes that a failure.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest
from eth_account import Account

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    BOB_KEY,
    CONDITION,
    NO,
    YES,
    rig,
)
from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.wire.welcome import snippets

FOLDER = Path(__file__).parent / "typescript"
ALICE = Account.from_key(ALICE_KEY).address
BOB = Account.from_key(BOB_KEY).address
# A bound, not a measure: a busy machine may be slow.
RUN_S_MAX = 120
MISSING = shutil.which("node") is None or not (FOLDER / "node_modules").exists()
TEXT = f"the TypeScript clients are not installed: npm ci in {FOLDER.name}/"


@pytest.fixture(autouse=True)
def installed() -> None:
    if MISSING and os.environ.get("REQUIRE_REAL") == "1":
        pytest.fail(TEXT)
    if MISSING:
        pytest.skip(TEXT)


async def run(*arguments: str) -> str:
    """Run node in the clients' folder; return the last line that it said."""
    node = await asyncio.create_subprocess_exec(
        *("node", *arguments),
        cwd=FOLDER,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, trouble = await asyncio.wait_for(node.communicate(), RUN_S_MAX)
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
    assert node.returncode == 0, trouble.decode()
    return (said.decode().splitlines() or [""])[-1]


@pytest.mark.parametrize(
    ("script", "which", "generation", "steps"),
    [
        ("clob.mjs", "v2", 2, 11),
        ("clob.mjs", "legacy", 1, 11),
        ("current.mjs", "current", 2, 10),
        ("rtds.mjs", "rtds", 2, 7),
    ],
)
async def test_a_client_does_all_that_it_can(
    script: str, which: str, generation: int, steps: int
) -> None:
    # The legacy client reads the hashes of its time from the answer to an order.
    settings = {"generation": generation, "hashes_in_answer": generation == 1}
    async with rig(mode="agents", **settings) as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        said = await run(script, made.url, which, YES, NO, CONDITION, ALICE_KEY, BOB_KEY)
        assert len(json.loads(said)) == steps
        assert (await made.http.get("/admin/state")).json()["conserved"]


@pytest.mark.parametrize("generation", [2, 1])
async def test_each_typescript_snippet_runs_as_it_is_printed(generation: int) -> None:
    async with rig(mode="agents", generation=generation) as made:
        shown = snippets(made.url, ExchangeConfig(mode="agents", generation=generation))
        chosen = {name: code for name, code in shown.items() if name.startswith("TypeScript")}
        assert len(chosen) == (1 if generation == 1 else 3)
        for name, code in chosen.items():
            said = await run("--input-type=module", "--eval", code)
            assert "1000000000" in said or "crypto_prices" in said, f"{name} said {said}"
