"""Finding Java and fetching Java servers by Maven coordinates, once, into the cache folder.

A fetch is written beside its place and renamed when it is whole, under a lock, so that two
processes may ask for the same thing and an interrupted download leaves nothing half-made.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from whaletrader.stack.errors import ServerUnavailable
from whaletrader.stack.paths import cache_home

FETCH_SECONDS_MAX = 600  # the registry is 159 MB
_VERSION_SECONDS_MAX = 20


def find_java(server: str, version_min: int) -> Path:
    """Return a `java` of at least that major version.

    Looks at JAVA21 (when 21 or more is wanted), JAVA_HOME, the PATH, and the folders where other
    JDKs lie beside the one on the PATH, which no alternatives entry needs to know.
    """
    seen: set[Path] = set()
    for candidate in _candidates(version_min):
        java = candidate.resolve()
        if java in seen or not os.access(java, os.X_OK):
            continue
        seen.add(java)
        if java_version(java) >= version_min:
            return java
    raise ServerUnavailable(server, f"needs Java {version_min} or later")


def java_version(java: Path) -> int:
    """Return the major version of a `java` program, 0 when it does not tell."""
    release = java.parent.parent / "release"
    try:
        text = release.read_text(errors="replace")
    except OSError:
        text = _ask_version(java)
    found = re.search(r'(?:JAVA_VERSION=|version )"(\d+)', text)
    return int(found.group(1)) if found else 0


def fetch(server: str, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` in the cache, made by `make(empty folder)` when it is missing."""
    folder = cache_home() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f".{name}.lock"):
        if folder.is_dir():
            return folder
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{name}."))
        try:
            make(draft)
            draft.chmod(0o755)
            draft.rename(folder)
        except subprocess.TimeoutExpired as error:
            raise ServerUnavailable(
                server, f"fetching took longer than {error.timeout} s"
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def maven(server: str, arguments: list[str], folder: Path) -> None:
    """Run Maven quietly in a folder; ServerUnavailable with its first error line."""
    program = shutil.which("mvn")
    if program is None:
        raise ServerUnavailable(server, "needs Maven (mvn) to be fetched once")
    answer = subprocess.run(
        [program, "-B", "-q", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS_MAX,
        check=False,
    )
    if answer.returncode != 0:
        lines = [line for line in answer.stdout.splitlines() if line.startswith("[ERROR]")]
        why = lines[0].removeprefix("[ERROR]").strip() if lines else "no reason given"
        raise ServerUnavailable(server, f"Maven could not fetch it: {why[:200]}")


def _candidates(version_min: int) -> Iterator[Path]:
    if version_min >= 21 and (named := os.environ.get("JAVA21")):
        yield Path(named)
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin/java"
    on_path = shutil.which("java")
    folders = [Path("/usr/lib/jvm"), Path("/opt/homebrew/opt")]
    if on_path is not None:
        yield Path(on_path)
        folders.insert(0, Path(on_path).resolve().parents[2])
    for folder in folders:
        yield from sorted(folder.glob("*/bin/java"), reverse=True)
    if sys.platform == "darwin":
        yield from sorted(
            Path("/Library/Java/JavaVirtualMachines").glob("*/Contents/Home/bin/java")
        )


def _ask_version(java: Path) -> str:
    try:
        answer = subprocess.run(
            [java, "-version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stderr


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
