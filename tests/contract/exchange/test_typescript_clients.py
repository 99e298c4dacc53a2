"""The official TypeScript clients, unmodified, where they are installed.

Optional: `npm install` in the folder `typescript` beside this file fetches them; without that, or
without node, these tests are skipped and say so.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tests.contract.exchange.exchange_rig import ALICE_KEY, YES, rig

FOLDER = Path(__file__).parent / "typescript"
ALICE = Account.from_key(ALICE_KEY).address
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (FOLDER / "node_modules").exists(),
    reason=f"the TypeScript clients are not installed: npm install in {FOLDER.name}/",
)


async def run(url: str, which: str) -> dict[str, Any]:
    node = await asyncio.create_subprocess_exec(
        *("node", "trade.mjs", url, which, ALICE_KEY, ALICE, YES),
        cwd=FOLDER,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, trouble = await asyncio.wait_for(node.communicate(), 60)
    assert node.returncode == 0, trouble.decode()
    answer: dict[str, Any] = json.loads(said.decode().splitlines()[-1])
    return answer


@pytest.mark.parametrize(("which", "generation"), [("v2", 2), ("legacy", 1), ("current", 2)])
async def test_it_signs_places_reads_and_cancels(which: str, generation: int) -> None:
    async with rig(mode="agents", generation=generation) as made:
        await made.fund(ALICE)
        said = await run(made.url, which)
        assert said["status"] == "live"
        assert said["open"] == said["canceled"] == [said["id"]]
        if which != "current":
            assert said["hash"] == said["computed"]
            assert said["ok"] == "OK"
