"""Without PostgreSQL the log's own fencing is the claim: who cannot commit does not send."""

import pytest
from google.protobuf.message import Message

from tests.unit.services.execution.execution_bench import Bench
from whaletrader.runtime.core import Inline
from whaletrader.services.execution import log_claim
from whaletrader.services.execution.claims import ClaimLost
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.log_claim import LogClaim
from whaletrader.services.execution.news import News


def placed(bench: Bench, *, is_owner: bool) -> tuple[LogClaim, list[Message]]:
    """Return a claim of a process whose commits go through, or of one that was fenced."""
    desk = Desk()
    desk.restored(bench.core)
    news = News("0xours", desk)
    claim = LogClaim(desk, news)
    put: list[Message] = []

    def commit(message: Message) -> None:
        put.append(message)
        if is_owner:
            desk.committed(bench.core, bench.core.step([Inline(message)], bench.now_ns))

    news.attach(commit)
    return claim, put


async def test_a_commit_of_a_moment_ago_is_the_proof_and_without_one_a_commit_is_made() -> None:
    bench = Bench()
    claim, put = placed(bench, is_owner=True)
    with pytest.raises(ClaimLost):
        claim.require()
    await claim.confirm()
    claim.require()
    await claim.confirm()
    assert len(put) == 1


async def test_who_was_fenced_never_sees_its_commit_and_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_claim, "_COMMIT_TIMEOUT_S", 0.05)
    claim, put = placed(Bench(), is_owner=False)
    with pytest.raises(ClaimLost, match="another may own it"):
        await claim.confirm()
    assert len(put) == 1
    with pytest.raises(ClaimLost):
        claim.require()
