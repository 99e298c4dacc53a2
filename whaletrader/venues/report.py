"""What a pre-flight found: one line a check, what to do about each failure. Plain values.

Made by `preflight` and `watch`, printed by `whaletrader doctor --live`, logged by execution.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `to_do` says what helps, if it failed."""

    name: str
    is_ok: bool
    found: str
    to_do: str = ""

    def __str__(self) -> str:
        line = f"{'ok' if self.is_ok else 'failed':6} {self.name}: {self.found}"
        return line if self.is_ok or not self.to_do else f"{line}\n       -> {self.to_do}"


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one pre-flight, in the order in which they were made."""

    venue: str
    wallet: str
    checks: tuple[Check, ...]

    @property
    def has_passed(self) -> bool:
        """Whether every check did; a report without checks has not."""
        return bool(self.checks) and all(check.is_ok for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.is_ok)

    def as_json(self) -> dict[str, Any]:
        """Return what a machine reads."""
        return {
            "passed": self.has_passed,
            "venue": self.venue,
            "wallet": self.wallet,
            "checks": [
                {"name": c.name, "ok": c.is_ok, "found": c.found, "to_do": c.to_do}
                for c in self.checks
            ],
        }
