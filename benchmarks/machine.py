"""What the numbers were taken on: without it they mean nothing to anybody else."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

_DRIVERS: Final = ("asyncpg", "confluent-kafka", "nats-py", "httpx", "protobuf")


def describe() -> list[str]:
    """Return one line a fact: processor, memory, system, versions, load, commit."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    drivers = ", ".join(f"{name} {version(name)}" for name in _DRIVERS)
    return [
        f"processor: {_processor()}, {os.cpu_count()} cores, {_memory_gib()} GiB",
        f"system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"drivers: {drivers}",
        f"load average before the run (1, 5, 15 min): {load}",
        f"commit: {_commit()}",
    ]


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _memory_gib() -> int:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return round(pages * size / 2**30)


def _commit() -> str:
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=10"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()
