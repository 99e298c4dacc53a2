"""Where data and downloads live. Reads the environment, creates nothing."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """Return the default data directory: WHALETRADER_HOME, else the user's data folder."""
    if chosen := os.environ.get("WHALETRADER_HOME"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "whaletrader"


def cache_home() -> Path:
    """Return where downloaded servers are kept; losing it costs a download only."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "whaletrader"
