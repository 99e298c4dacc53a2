"""The scan: whole, resumable, and in the layout that evidence reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from tests.unit.venues.polymarket.history.test_rows import TRADE
from whaletrader.lab.scan.checkpoint import Checkpoint, Plan, ScanError
from whaletrader.lab.scan.command import app
from whaletrader.lab.scan.files import write
from whaletrader.lab.scan.scanner import KINDS, scan
from whaletrader.venues.polymarket.history.calls import Caller, CallOptions, HistoryUnavailable

ONE, TWO = "0x" + "1" * 40, "0x" + "2" * 40
PLAN = Plan("http://data.test", 2, (ONE, TWO), 1_000)


class Quiet:
    """Progress that nobody watches."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def wallets(self, done: int, total: int) -> None:
        self.seen.append(("wallets", done, total))

    def markets(self, done: int, total: int) -> None:
        self.seen.append(("markets", done, total))


class Service:
    """Version 2 for two wallets with two trades each; may go away after some requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers_max = 10**6

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if len(self.asked) >= self.answers_max:
            return httpx.Response(503)
        params = request.url.params
        self.asked.append(f"{request.url.path} {params.get('user', '')} {params.get('type', '')}")
        return httpx.Response(200, json={"data": self._rows(request.url.path, params)})

    def _rows(self, path: str, params: httpx.QueryParams) -> list[dict[str, Any]]:
        if path == "/v2/leaderboard":
            return [{"user_id": params["user"], "pnl": 12.5, "volume": 100, "name": "someone"}]
        if path == "/v2/resolutions":
            won = {"status": "resolved", "payouts": [0, 1_000_000]}
            return [{"condition_id": one, **won} for one in params["condition"].split(",")]
        if params["type"] != "TRADE":
            return []
        late = {**TRADE, "proxy_wallet": params["user"], "timestamp": 50}
        return [late, {**late, "timestamp": 40, "side": "SELL"}]


def calling(service: Callable[[httpx.Request], httpx.Response]) -> Caller:
    client = httpx.AsyncClient(transport=httpx.MockTransport(service))
    return Caller(client, "http://data.test", CallOptions(requests_per_s=1e9, attempts_max=1))


async def test_a_scan_has_every_wallet_every_kind_and_every_end(tmp_path: Path) -> None:
    service, progress = Service(), Quiet()
    found = await scan(calling(service), Checkpoint(tmp_path), PLAN, progress)
    assert [len(one.deeds) for one in found.wallets] == [2, 2]
    assert [deed.at_s for deed in found.wallets[0].deeds] == [40, 50]
    assert found.ends["0xc0"].winner == 1
    assert sum(one.startswith("/v2/activity") for one in service.asked) == 2 * len(KINDS)
    assert ("wallets", 2, 2) in progress.seen


async def test_a_scan_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    service = Service()
    service.answers_max = len(KINDS) + 3
    with pytest.raises(HistoryUnavailable):
        await scan(calling(service), Checkpoint(tmp_path), PLAN, Quiet())
    again = Service()
    found = await scan(calling(again), Checkpoint(tmp_path), PLAN, Quiet())
    assert len(found.wallets) == 2
    assert not any(ONE in one for one in again.asked)


async def test_another_question_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    await scan(calling(Service()), Checkpoint(tmp_path), PLAN, Quiet())
    other = Plan("http://data.test", 2, (ONE,), 1_000)
    with pytest.raises(ScanError, match="other wallets or settings"):
        await scan(calling(Service()), Checkpoint(tmp_path), other, Quiet())


async def test_a_damaged_checkpoint_names_the_file_to_remove(tmp_path: Path) -> None:
    await scan(calling(Service()), Checkpoint(tmp_path), PLAN, Quiet())
    (tmp_path / ".scan" / f"wallet-{ONE}.json").write_text("{")
    with pytest.raises(ScanError, match=f"wallet-{ONE}.json cannot be read"):
        await scan(calling(Service()), Checkpoint(tmp_path), PLAN, Quiet())


async def test_a_history_longer_than_the_limit_is_marked_as_cut(tmp_path: Path) -> None:
    plan = Plan("http://data.test", 2, (ONE,), 1)
    found = await scan(calling(Service()), Checkpoint(tmp_path), plan, Quiet())
    assert found.wallets[0].is_cut


async def test_the_files_hold_what_evidence_reads(tmp_path: Path) -> None:
    found = await scan(calling(Service()), Checkpoint(tmp_path), PLAN, Quiet())
    write(found, tmp_path, "a leaderboard")
    activity = parquet.read_table(tmp_path / "activity.parquet").to_pylist()
    wallets = parquet.read_table(tmp_path / "wallets.parquet").to_pylist()
    ends = parquet.read_table(tmp_path / "resolutions.parquet").to_pylist()
    assert [row["timestamp"] for row in activity] == [40, 50, 40, 50]
    assert (activity[0]["size"], activity[0]["usdcSize"]) == (7.44, 6.72948)
    assert (wallets[0]["published_pnl_usd"], wallets[0]["history_capped"]) == (12.5, False)
    assert (ends[0]["winning_outcome_index"], ends[0]["basis"]) == (1, "published")
    # The last trade was on outcome 1 at 0.9.
    assert ends[0]["last_price_outcome0"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --wallet, --wallets, --top or --listen"),
        (["--wallet", "0xabc"], "not a wallet's address"),
        (["--wallet", ONE, "--period", "decade"], "--period is one of"),
        (["--wallets", "nosuch.txt"], "nosuch.txt"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")
