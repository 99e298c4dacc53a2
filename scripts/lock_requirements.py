"""Writes the hash-locked requirements/<extra>.txt, or says which of them is out of date.

Owns the lock files. The ranges stand in requirements/*.in; which of those an extra is made of
stands in pyproject.toml, which the installed package's extras are read from as well, so there
is no second list. `make lock` calls it; `make check` calls it with --check, which needs no
network: each lock file records the digest of the ranges it was made from.
"""

import argparse
import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The widest lock, made first: the others may only pick versions from it, so that an agent's
# container runs what the tests ran.
WIDEST = "dev"
# No index and no annotation: a lock must name no host, or it ties its users to one mirror.
# One version for all Pythons, because a replay must give the same numbers on each.
UV_OPTIONS = [
    *("--generate-hashes", "--no-emit-index-url", "--no-annotate", "--no-header", "--universal"),
    *("--python-version=3.11", "--fork-strategy=fewest", "--quiet"),
]


def inputs_by_lock() -> dict[str, list[Path]]:
    """The .in files that each lock is made of, the widest lock first."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dynamic = tomllib.load(file)["tool"]["setuptools"]["dynamic"]
    base = dynamic["dependencies"]["file"]
    extras = dynamic["optional-dependencies"]
    locks = {name: [ROOT / path for path in base + extras[name]["file"]] for name in extras}
    locks["build"] = [ROOT / "requirements/build.in"]
    return {WIDEST: locks[WIDEST], **locks}


def digest(inputs: list[Path]) -> str:
    """What a lock depends on: its ranges in order, without comments and blank lines."""
    lines = [line.partition("#")[0].strip() for path in inputs for line in path.open()]
    return hashlib.sha256("\n".join(filter(None, lines)).encode()).hexdigest()


def header(inputs: list[Path]) -> str:
    names = " ".join(path.name for path in inputs)
    return f"# Made by `make lock` from {names}\n# Digest of those ranges: {digest(inputs)}\n"


def stale() -> list[str]:
    """Names of the locks whose ranges have changed since they were made."""
    found = []
    for name, inputs in inputs_by_lock().items():
        lock = ROOT / "requirements" / f"{name}.txt"
        if not lock.is_file() or not lock.read_text().startswith(header(inputs)):
            found.append(name)
    return found


def write_lock(name: str, inputs: list[Path], is_upgrade: bool) -> None:
    lock = ROOT / "requirements" / f"{name}.txt"
    widest = ROOT / "requirements" / f"{WIDEST}.txt"
    command = ["uv", "pip", "compile", *UV_OPTIONS, *map(str, inputs), "-o", str(lock)]
    if name != WIDEST:
        lock.unlink(missing_ok=True)  # its old pins must not outvote the widest lock's
        command += ["-c", str(widest)]
    elif is_upgrade:
        command.append("--upgrade")
    subprocess.run(command, check=True, cwd=ROOT)
    lock.write_text(header(inputs) + lock.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions in the ranges")
    options = parser.parse_args()
    if options.check:
        names = stale()
        if names:
            sys.stderr.write(f"out of date: {', '.join(names)}. Run `make lock`.\n")
        return 1 if names else 0
    for name, inputs in inputs_by_lock().items():
        write_lock(name, inputs, options.upgrade)
        sys.stdout.write(f"requirements/{name}.txt\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
