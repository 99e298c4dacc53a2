"""The simulation finds planted defects: if it could not, its silence would mean nothing."""

import asyncio

import pytest

from tests.simulation import mutants
from tests.simulation.mutants import changed_agent, changed_plugs
from tests.simulation.options import ChangeRole, Options, Violation
from tests.simulation.world import World

SEEDS_MAX = 12

PLANTED: list[tuple[ChangeRole, str]] = [
    (changed_agent("orchestrator", mutants.changes_state_while_deciding), "orchestrator"),
    (changed_agent("orchestrator", mutants.draws_from_what_no_journal_holds), "replayed"),
    (changed_agent("orchestrator", mutants.cannot_handle_some_trades), "could not handle"),
    (changed_agent("risk", mutants.forgets_what_it_set_aside), "at stake|set aside"),
    (changed_agent("risk", mutants.forgets_its_verdicts), "risk"),
    (changed_agent("execution", mutants.makes_two_orders_of_an_approval), "was used for"),
    (changed_agent("attribution", mutants.loses_reports_of_settled_fills), "by attribution"),
    (changed_plugs("execution", mutants.takes_silence_for_a_refusal), "at the venue|rests|ended"),
    (
        changed_plugs("execution", mutants.sends_blind_with_a_fresh_salt),
        "before it is announced|could not handle",
    ),
    (changed_plugs("execution", mutants.does_not_hear_the_halt), "leaves after"),
    (changed_plugs("discovery", mutants.commits_without_positions), "out of order|no rest"),
    (changed_plugs("risk", mutants.answers_before_it_commits), "is not on the log"),
    (changed_plugs("execution", mutants.forgets_its_pending_effects), "execution|ended"),
]


@pytest.mark.parametrize(
    ("change", "finding"),
    PLANTED,
    ids=[change.__closure__[0].cell_contents.__name__ for change, _ in PLANTED],  # type: ignore[attr-defined, index, misc]
)
def test_a_planted_defect_is_found(change: ChangeRole, finding: str) -> None:
    # A halt that is not heard is seen only where there are halts.
    stops = 0.03 if finding == "leaves after" else 0.002
    found = _first_violation(change, stops)
    assert any(word in found for word in finding.split("|")), found
    assert "again: python -m tests.simulation --seed" in found


def _first_violation(change: ChangeRole, stops: float) -> str:
    for seed in range(1, SEEDS_MAX + 1):
        try:
            asyncio.run(_eager(seed, stops, change).run())
        except Violation as violation:
            return str(violation)
    return f"{SEEDS_MAX} seeds found nothing"


def _eager(seed: int, stops: float, change: ChangeRole) -> World:
    return World(Options(seed, 2_500, windows=20, is_eager=True, stops=stops, change_role=change))
