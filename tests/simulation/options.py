"""What one run of the simulation is made from, and how it says that something is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.simulation.faults import Rates
from tests.simulation.process import Role

# What is wrong once is often wrong in a hundred ways.
SHOWN_MAX: Final = 10
ChangeRole = Callable[[Role], Role]


class Violation(BaseException):
    """An invariant does not hold. Says how to see it again.

    No Exception: what is found while a performer runs must not become its failure.
    """

    def __init__(self, wrong: list[str], options: "Options", step: int) -> None:
        flags = " --sample" * options.is_sample + " --eager" * (options.is_eager is True)
        lines = "\n  ".join(wrong[:SHOWN_MAX])
        super().__init__(
            f"seed {options.seed}, step {step}:\n  {lines}\n"
            f"again: python -m tests.simulation --seed {options.seed} "
            f"--steps {options.steps}{flags}"
        )


@dataclass(frozen=True, slots=True)
class Options:
    """What one run is made from. The same options give the same run."""

    seed: int
    steps: int = 3_000
    windows: int = 24
    is_sample: bool = False
    # Nothing given: what the seed says.
    rates: Rates | None = None
    rereads_all: bool = False
    # Whether every wallet's trades are copied, or those of whom discovery calls a whale. Nothing
    # given: every second seed.
    is_eager: bool | None = None
    # How often an operator stops trading, by action.
    stops: float = 0.002
    # For tests of the simulation itself: plants a defect in a role.
    change_role: ChangeRole = lambda role: role
