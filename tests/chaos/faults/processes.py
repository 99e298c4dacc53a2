"""Processes that a test starts, kills, freezes and reads the last words of."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_START_TIMEOUT_S = 120
_LAST_LINES = 30


class Process:
    """One Python module as a process of its own; what it says goes to a file."""

    def __init__(self, module: str, folder: Path, *arguments: str) -> None:
        self._command = (sys.executable, "-m", module, *arguments)
        self._folder = folder
        self._name = module.rsplit(".", 1)[-1]
        self._process: asyncio.subprocess.Process | None = None
        self.said = folder / f"{self._name}.log"

    async def start(self, **environment: str) -> None:
        """Begin a life. Settings of the caller's own environment do not reach it."""
        lives = len(list(self._folder.glob(f"{self._name}-*.log")))
        self.said = self._folder / f"{self._name}-{lives + 1}.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("WHALETRADER_")}
        with self.said.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env=inherited | {"PYTHONUNBUFFERED": "1"} | environment,
                stdout=file,
                stderr=file,
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def first_line(self) -> str:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while "\n" not in (text := self.said.read_text()):
                if not self.is_running:
                    raise AssertionError(f"{self._name} did not start:\n{self.last_words()}")
                await asyncio.sleep(0.05)
        return text.split("\n", 1)[0]

    def send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def ended(self, timeout_s: float = _START_TIMEOUT_S) -> int:
        """Wait for its end; return the exit code."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), timeout_s)

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def last_words(self) -> str:
        return "\n".join(self.said.read_text(errors="replace").splitlines()[-_LAST_LINES:])
