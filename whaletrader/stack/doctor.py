"""Looks at this machine and says, for each thing that is missing, what to do about it.

Reads only, apart from a temporary file in the data directory. Called by `whaletrader doctor`.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from whaletrader.stack.clock import wall_ns
from whaletrader.stack.errors import ServerUnavailable, StackError
from whaletrader.stack.paths import cache_home
from whaletrader.stack.ports import free_port
from whaletrader.stack.servers import kafka, registry
from whaletrader.stack.servers.java import find_java
from whaletrader.stack.servers.postgres import chosen_flavour, find_installation
from whaletrader.stack.servers.root import root_disguise
from whaletrader.stack.state import is_locked

Verdict = Literal["ok", "warn", "fail"]

PYTHON_MIN = (3, 11)
DISK_FREE_GB_MIN = 2.0  # Kafka segments, PostgreSQL with its journal, the recorded sample
DISK_FREE_GB_WANTED = 10.0
CLOCK_YEAR_MIN = 2025  # the venue's present protocol did not exist before
_TIME_ERROR = 5  # adjtimex(2): the kernel's clock is not synchronised


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was found, and what to do unless it is ok."""

    check: str
    verdict: Verdict
    found: str
    to_do: str = ""


def examine(data_dir: Path) -> tuple[Finding, ...]:
    """Run all checks; `fail` means the stack will not run, `warn` that a part will not."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _packages,
        lambda: _data_dir(data_dir),
        lambda: _disk(data_dir),
        _ports,
        lambda: _stack(data_dir),
        _postgres,
        _signing_curve,
        _clock,
        _kafka,
        _registry,
    )
    return tuple(check() for check in checks)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_MIN:
        return Finding("python", "fail", found, "install Python 3.11 or later")
    return Finding("python", "ok", found)


def _packages() -> Finding:
    try:
        requirements = importlib.metadata.requires("whaletrader") or []
    except importlib.metadata.PackageNotFoundError:
        return Finding("packages", "fail", "whaletrader is not installed", "pip install .")
    partial: list[str] = []
    complete: list[str] = []
    for extra, packages in sorted(_by_extra(requirements).items()):
        missing = [package for package in packages if not _is_installed(package)]
        if not missing:
            complete.append(extra)
        elif len(missing) < len(packages):
            partial.append(f"{extra} lacks {', '.join(missing)}")
    if any(text.startswith(("base ", "local ")) for text in partial):
        return Finding("packages", "fail", "; ".join(partial), "pip install 'whaletrader[local]'")
    found = f"complete: {', '.join(complete) or 'none'}"
    if partial:
        to_do = "only if you want them: pip install 'whaletrader[<extra>]'"
        return Finding("packages", "warn", f"{found}; {'; '.join(partial)}", to_do)
    return Finding("packages", "ok", found)


def _by_extra(requirements: list[str]) -> dict[str, list[str]]:
    by_extra: dict[str, list[str]] = {}
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        # An extra that only names other extras of ours brings nothing itself.
        if name is not None and name.group() != "whaletrader":
            by_extra.setdefault(extra.group(1) if extra else "base", []).append(name.group())
    return by_extra


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _data_dir(data_dir: Path) -> Finding:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=data_dir) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return Finding(
            "data directory", "fail", f"{data_dir}: {error.strerror}", "choose another with --data"
        )
    return Finding("data directory", "ok", f"{data_dir} is writable")


def _disk(data_dir: Path) -> Finding:
    existing = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    found = f"{free_gb:.1f} GB free at {existing}"
    if free_gb < DISK_FREE_GB_MIN:
        return Finding("disk", "fail", found, f"free {DISK_FREE_GB_MIN:.0f} GB or use --data")
    if free_gb < DISK_FREE_GB_WANTED:
        return Finding("disk", "warn", found, "enough for a demo, not for weeks of recording")
    return Finding("disk", "ok", found)


def _ports() -> Finding:
    try:
        free_port()
    except StackError as error:
        return Finding("ports", "fail", str(error), "allow listening on 127.0.0.1")
    return Finding("ports", "ok", "loopback ports can be bound")


def _stack(data_dir: Path) -> Finding:
    if is_locked(data_dir):
        return Finding("stack", "ok", f"one runs on {data_dir}")
    return Finding("stack", "ok", f"none runs on {data_dir}")


def _postgres() -> Finding:
    try:
        flavour = chosen_flavour()
        installation = find_installation(flavour)
        disguise = root_disguise()
    except ServerUnavailable as error:
        return Finding("postgres", "fail", error.reason, "pip install 'whaletrader[local]'")
    found = f"{flavour}" + (" with TimescaleDB" if installation.has_timescaledb else "")
    if disguise.method is not None:
        found += f"; as root, hidden by {disguise.method}"
    return Finding("postgres", "ok", found)


def _signing_curve() -> Finding:
    if importlib.util.find_spec("coincurve") is None:
        return Finding(
            "signing curve",
            "fail",
            "coincurve is missing: signing an order would take 3 ms instead of 0.3",
            "pip install coincurve",
        )
    return Finding("signing curve", "ok", "coincurve")


def _clock() -> Finding:
    now = datetime.fromtimestamp(wall_ns() / 1e9, UTC)
    if now.year < CLOCK_YEAR_MIN:
        return Finding("clock", "fail", now.isoformat(), "set the clock: approvals expire by it")
    if _is_unsynchronised():
        return Finding(
            "clock",
            "warn",
            f"{now:%Y-%m-%d %H:%M:%S} UTC, the kernel says it is not synchronised",
            "run an NTP client; live trading refuses a clock that disagrees with the venue",
        )
    return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _is_unsynchronised() -> bool:
    if sys.platform != "linux":
        return False
    # adjtimex only reads with modes 0. The struct is 208 bytes on 64-bit Linux; ask with room.
    buffer = ctypes.create_string_buffer(512)
    answer: int = ctypes.CDLL(None).adjtimex(buffer)
    return answer == _TIME_ERROR


def _kafka() -> Finding:
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP"):
        return Finding("kafka", "ok", f"KAFKA_BOOTSTRAP is {bootstrap}")
    cached = (cache_home() / f"kafka-{kafka.KAFKA_VERSION}").is_dir()
    return _java_server("kafka", kafka.JAVA_VERSION_MIN, cached, "whaletrader up --log kafka")


def _registry() -> Finding:
    cached = (cache_home() / f"apicurio-registry-{registry.APICURIO_VERSION}").is_dir()
    return _java_server("registry", registry.JAVA_VERSION_MIN, cached, "its tests")


def _java_server(name: str, version_min: int, is_cached: bool, needed_by: str) -> Finding:
    try:
        java = find_java(name, version_min)
    except ServerUnavailable as error:
        return Finding(name, "warn", error.reason, f"only for {needed_by}: install a JDK")
    if is_cached:
        return Finding(name, "ok", f"{java}; fetched")
    if shutil.which("mvn") is None:
        to_do = f"only for {needed_by}: install Maven"
        return Finding(name, "warn", f"{java}; not fetched, and there is no mvn", to_do)
    return Finding(name, "ok", f"{java}; will be fetched on first use")
