"""The field guide names tests: each of them exists, and each quirk has one."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "field-guide.md"
SHOWN = re.compile(r"^- Shown by `(tests/[\w/]+\.py)::(test_\w+)`$")
QUIRKS_MIN = 30


def quirks() -> dict[str, list[str]]:
    """Return the lines below each quirk."""
    found: dict[str, list[str]] = {}
    for line in GUIDE.read_text().splitlines():
        if line.startswith("**"):
            found[line] = below = []
        elif line.startswith("- "):
            below.append(line)
    return found


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_each_quirk_says_where_it_bites_what_we_do_and_which_test_shows_it() -> None:
    assert len(quirks()) >= QUIRKS_MIN
    for quirk, lines in quirks().items():
        assert [line.split(":")[0] for line in lines[:2]] == ["- Bites", "- We"], quirk
        assert lines[2:], f"no test shows {quirk}"
        assert all(SHOWN.match(line) for line in lines[2:]), quirk


def test_each_test_that_the_guide_names_exists() -> None:
    for quirk, lines in quirks().items():
        for line in lines[2:]:
            path, name = SHOWN.findall(line)[0]
            assert (ROOT / path).is_file(), f"{path}, named by {quirk}"
            assert name in names_in(ROOT / path), f"{path} has no {name}, named by {quirk}"
