"""The repository's own rules, each failing with what to do about it.

Owns what no off-the-shelf check knows: sizes, the seams of time and chance, names and words.
Formatting, prints and asserts are ruff's, directions of imports import-linter's. Looks at what
git tracks or would track; runs nothing of the product.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

GENERATED = ("whaletrader/schemas/",)
PRODUCT = ("whaletrader/", "services/", "lab/")
# Where time and chance may be asked for directly. Everything else is handed a clock, or derives
# its ids from what caused them, so that a simulation can own both.
SEAMS = (
    "whaletrader/runtime/clock.py",
    "whaletrader/stack/",
    "services/exchange/wire/",
)
COMPOSITION_ROOT = re.compile(r"(services/\w+|whaletrader)/__main__\.py")
CLOCKS = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}
CHANCE = ("random.", "secrets.", "numpy.random.", "os.urandom", "uuid.uuid1", "uuid.uuid4")
# Generators that are deterministic when they are given a seed.
SEEDED = {"random.Random", "numpy.random.default_rng", "numpy.random.Generator"}

VAGUE_NAMES = {"util", "utils", "helper", "helpers", "misc", "stuff", "manager2"}
# One letter in brackets keeps each of these expressions from matching its own line.
REGISTRY_HOST = re.compile(
    r"pyp[i]\.org|pythonhoste[d]|registry\.npmj[s]|npmjs\.or[g]|deb\.debia[n]"
    r"|repo1?\.mave[n]|maven\.or[g]|proxy\.golan[g]|crates\.i[o]"
)
MACHINE_PATH = re.compile(r"/(?:wor[k]|far[m])/|/tmp/brie[f]|/roo[t]/|/hom[e]/\w|/User[s]/\w")
LOOSE_END = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|NotImplementedErro[r])\b")
PROSE_AND_CODE = {".py", ".pyi", ".sh", ".mjs", ".js", ".html", ".css", ".md", ".proto", ".toml"}
PROSE_AND_CODE |= {".yaml", ".yml", ".in", ".sql", ""}


def files() -> list[str]:
    """What git tracks, or would on `git add`: paths from the root, without links."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = [name for name in sorted(set(listed.split("\0"))) if name]
    return [name for name in paths if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def texts() -> Iterator[tuple[str, str]]:
    for name in files():
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # binary: data, pictures, descriptors


def modules(*folders: str) -> Iterator[tuple[str, str]]:
    """Hand-written Python, of all the repository or of the folders named."""
    for name, text in texts():
        if name.endswith(".py") and name.startswith(folders or "") and not is_generated(name):
            yield name, text


def is_generated(name: str) -> bool:
    return name.startswith(GENERATED)


def is_seam(name: str) -> bool:
    return name.startswith(SEAMS) or COMPOSITION_ROOT.fullmatch(name) is not None


def refuse(problems: list[str], advice: str) -> None:
    if problems:
        pytest.fail("\n".join([advice, *(f"  {problem}" for problem in problems)]), pytrace=False)


def long_functions(text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append(f"{node.lineno}: {node.name} has {lines} lines")
    return found


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Which dotted name each imported local name stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """`dt.now` as "datetime.datetime.now" where dt was imported so; "" for what was not."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def uses_of_time_and_chance(text: str) -> list[str]:
    tree = ast.parse(text)
    names = imported_names(tree)
    unseeded = {
        id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and not node.args
    }
    # A generator type that is given a seed, or only named as a type.
    allowed = {
        id(node)
        for node in ast.walk(tree)
        if dotted(node, names) in SEEDED and id(node) not in unseeded
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in allowed:
            name = dotted(node, names)
            if name in CLOCKS or name.startswith(CHANCE):
                found.append(f"{node.lineno}: {name}")
    return found


def matches(pattern: re.Pattern[str], text: str) -> list[str]:
    lines = enumerate(text.splitlines(), start=1)
    return [f"{number}: {hit.group()}" for number, line in lines if (hit := pattern.search(line))]


def test_modules_are_short_enough_to_read() -> None:
    sizes = [(name, len(text.splitlines())) for name, text in modules()]
    refuse(
        [f"{name}: {lines} lines" for name, lines in sizes if lines > MODULE_LINES_MAX],
        f"Split these by what they own: a module has at most {MODULE_LINES_MAX} lines.",
    )


def test_functions_are_short_enough_to_read() -> None:
    refuse(
        [f"{name}:{found}" for name, text in modules() for found in long_functions(text)],
        f"Move straight work out of these: a function has at most {FUNCTION_LINES_MAX} lines.",
    )


def test_time_and_chance_come_through_their_seams() -> None:
    refuse(
        [
            f"{name}:{found}"
            for name, text in modules(*PRODUCT)
            if not is_seam(name)
            for found in uses_of_time_and_chance(text)
        ],
        "Take time from the Clock you are given (whaletrader/runtime/clock.py) and derive ids from"
        " their cause (whaletrader/domain/ids.py); seed every generator.",
    )


def test_modules_are_named_by_what_they_own() -> None:
    refuse(
        [name for name, _ in modules() if VAGUE_NAMES & {*Path(name).parts, Path(name).stem}],
        "Name these by the one thing they own; what fits no name belongs to its only caller.",
    )


def test_no_file_names_a_package_registry() -> None:
    refuse(
        [f"{name}:{found}" for name, text in texts() for found in matches(REGISTRY_HOST, text)],
        "Leave the choice of registry to whoever installs: take the host out. `make lock` writes"
        " locks without any.",
    )


def test_no_file_holds_a_path_of_one_machine() -> None:
    refuse(
        [f"{name}:{found}" for name, text in texts() for found in matches(MACHINE_PATH, text)],
        "Use a path from the repository's root, a temporary folder or a setting.",
    )


def test_no_loose_end_is_left() -> None:
    refuse(
        [
            f"{name}:{found}"
            for name, text in texts()
            if Path(name).suffix in PROSE_AND_CODE and not is_generated(name)
            for found in matches(LOOSE_END, text)
        ],
        "Finish it, or take it out and say so where the limits are listed.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.time_ns()",
        "from time import monotonic as now\nstart = now()",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "from datetime import datetime\nclock = datetime.now",
        "import uuid\nuuid.uuid4()",
        "import os\nos.urandom(8)",
        "import random\nrandom.random()",
        "import random\nrandom.Random()\n",
        "from secrets import token_hex\ntoken_hex()",
        "import numpy as np\nnp.random.normal()",
        "import numpy as np\nnp.random.default_rng()",
    ],
)
def test_a_direct_use_of_time_or_chance_is_found(text: str) -> None:
    assert uses_of_time_and_chance(text)


@pytest.mark.parametrize(
    "text",
    [
        "clock.time_ns()",
        "import time\ntime.sleep(1)",
        "import datetime as dt\ndt.datetime.fromtimestamp(0, dt.UTC)",
        "import uuid\nuuid.uuid5(uuid.NAMESPACE_OID, 'cause')",
        "import random\nrandom.Random(7).random()",
        "import numpy as np\ndef f(rng: np.random.Generator): np.random.default_rng(7)",
    ],
)
def test_a_clock_that_was_handed_in_or_a_seed_is_no_direct_use(text: str) -> None:
    assert not uses_of_time_and_chance(text)


def test_a_long_function_is_found_and_one_of_the_allowed_length_is_not() -> None:
    body = "    pass\n"
    assert not long_functions("def f():\n" + body * (FUNCTION_LINES_MAX - 1))
    assert long_functions("def f():\n" + body * FUNCTION_LINES_MAX)


@pytest.mark.parametrize(("statement", "rule"), [("assert 1", "S101"), ("print(1)", "T201")])
def test_ruff_refuses_asserts_and_prints_in_a_service(statement: str, rule: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise"]
    command += ["--stdin-filename", "services/risk/agent.py", "-"]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        input=f'"""Doc."""\n\n{statement}\n',
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert rule in done.stdout
