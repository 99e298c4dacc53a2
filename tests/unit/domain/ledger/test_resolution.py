"""Which source is believed about who won."""

import pytest

from whaletrader.domain.ledger import (
    Resolution,
    ResolutionConflict,
    ResolutionTracker,
    payouts_of_winner,
)


def said(winner: int, basis: str, at_ns: int = 5) -> Resolution:
    return Resolution("rain", payouts_of_winner(winner), at_ns, basis)


def test_a_more_trusted_source_replaces_a_lesser_one() -> None:
    tracker = ResolutionTracker()
    assert tracker.record(said(0, "inferred_redeem"))
    assert tracker.record(said(1, "venue"))
    found = tracker.of("rain")
    assert found is not None
    assert found.winner == 1


def test_a_lesser_source_changes_nothing() -> None:
    tracker = ResolutionTracker()
    tracker.record(said(1, "venue"))
    assert not tracker.record(said(0, "published"))
    assert tracker.of("rain") == said(1, "venue")


def test_equal_sources_that_disagree_are_a_conflict() -> None:
    tracker = ResolutionTracker()
    tracker.record(said(1, "published"))
    with pytest.raises(ResolutionConflict, match="published"):
        tracker.record(said(0, "published"))
    assert tracker.of("rain") == said(1, "published")


def test_the_earliest_time_of_equal_sources_is_kept() -> None:
    tracker = ResolutionTracker()
    tracker.record(said(1, "published", at_ns=0))
    tracker.record(said(1, "published", at_ns=9))
    tracker.record(said(1, "published", at_ns=4))
    tracker.record(said(1, "published", at_ns=7))
    found = tracker.of("rain")
    assert found is not None
    assert found.at_ns == 4


@pytest.mark.parametrize(
    "wrong",
    [
        Resolution("rain", (1_000_000, 1_000_000), 1, "venue"),
        Resolution("rain", (2_000_000, -1_000_000), 1, "venue"),
        Resolution("rain", (1_000_000, 0), 1, "hearsay"),
    ],
)
def test_what_is_no_result_is_refused(wrong: Resolution) -> None:
    with pytest.raises(ValueError, match=r"payouts|basis"):
        ResolutionTracker().record(wrong)
