"""What runs did, added up: for the command line, and for tests that want to know it was enough."""

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.faults import CrashPoint
from tests.simulation.world import World


@dataclass(slots=True)
class Tally:
    """Sums over runs."""

    counts: Counter[str] = field(default_factory=Counter)
    crashes: Counter[CrashPoint] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)

    @property
    def crash_points(self) -> int:
        return self.crashes.total()

    def add(self, world: World) -> None:
        self.counts.update(counts_of(world))
        self.crashes.update(world.faults.crashes)
        self.fates.update(world.faults.fates)

    def line(self, world: World) -> str:
        """Return one run in one line."""
        counts = counts_of(world)
        return ", ".join(f"{count:,} {name}" for name, count in counts.items())

    def summary(self) -> str:
        """Return everything, a line each."""
        lines = ["", "in all:"]
        lines += [f"  {count:>9,} {name}" for name, count in self.counts.items()]
        lines += ["crash points:"]
        lines += [f"  {self.crashes[point]:>9,} {point.value}" for point in CrashPoint]
        lines += ["faults:"]
        lines += [f"  {count:>9,} {name}" for name, count in sorted(self.fates.items())]
        lines += ["no invariant was broken"]
        return "\n".join(lines)


def counts_of(world: World) -> dict[str, int]:
    """Return what one run saw."""
    said = world.transcript
    return {
        "steps": world.step,
        "events": said.records,
        "crashes": world.faults.crashes.total(),
        "rests": world.rests,
        "approvals": len(said.approvals),
        "orders": len(said.announced),
        "fills": len(said.matched),
        "markets decided": len(said.winners),
    }
