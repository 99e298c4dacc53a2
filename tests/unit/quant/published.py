"""The rows of docs/published-numbers.md, for the tests that compute them."""

from collections.abc import Sequence
from pathlib import Path

_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "published-numbers.md"


def rows(sections: Sequence[str]) -> list[list[str]]:
    """Return the cells of each row under the headings: example, source, theirs, ours, tolerance."""
    found, is_wanted = [], False
    for line in _DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            is_wanted = line.removeprefix("## ").strip() in sections
        elif is_wanted and line.startswith("|") and not set(line) <= set("|- :"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0] != "Example":
                found.append(cells)
    return found
