"""Finding the programs that pip wheels bring, without importing the wheels."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from whaletrader.stack.errors import ServerUnavailable

INSTALL_HINT = "pip install 'whaletrader[local]'"


def package_folder(server: str, package: str) -> Path:
    """Return where an installed package lies; ServerUnavailable when it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServerUnavailable(server, f"the package {package} is missing: {INSTALL_HINT}")
    return Path(spec.submodule_search_locations[0])


def script(server: str, distribution: str, name: str) -> Path:
    """Return a program that a wheel put into its scripts folder, or one on the PATH."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return Path(str(file.locate())).resolve()
    if found := shutil.which(name):
        return Path(found)
    raise ServerUnavailable(server, f"the package {distribution} is missing: {INSTALL_HINT}")
