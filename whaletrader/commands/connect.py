"""Lets a command talk to this machine's stack, or to the one that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from whaletrader.stack.paths import data_home
from whaletrader.stack.state import read_state

# Any of these in the environment means that the user has a log of their own.
_NAMES_A_LOG = ("WHALETRADER_POSTGRES_DSN", "KAFKA_BOOTSTRAP")


def use_stack(data: Path | None) -> None:
    """Put the settings of a local stack into the environment, where commands read them.

    `data` names its directory. Without it an environment that names a log is left as it is, and
    otherwise the default directory is used. Raises NotRunning when no stack is known there.
    """
    if data is None and any(name in os.environ for name in _NAMES_A_LOG):
        return
    os.environ.update(read_state((data or data_home()).absolute()).settings)
