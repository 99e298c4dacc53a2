"""What the agents' own rooms import of quant needs numpy and scipy only.

The images of risk and discovery install no more; a library that is only on the tester's machine
must not be found missing there.
"""

import subprocess
import sys

import pytest

HEAVY = ("arch", "matplotlib", "networkx", "numba", "pandas", "river", "ruptures")
HEAVY += ("sklearn", "statsmodels")
LIGHT = ["kelly", "bandits"]
LIGHT += [f"risk.{name}" for name in ("tail", "cornish_fisher", "binary", "scenarios", "exact")]
LIGHT += [f"risk.{name}" for name in ("contributions", "correlation", "diversification")]
LIGHT += [f"risk.{name}" for name in ("high_water", "backtest")]
LIGHT += [f"change.{name}" for name in ("cusum", "page_hinkley", "adwin", "breaks", "lifecycle")]
LIGHT += [f"together.{name}" for name in ("overlap", "mfdcca", "hierarchy")]
LIGHT += [f"surveillance.{name}" for name in ("wash", "spoofing", "churn")]


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Top-level modules after all of them were imported by a fresh interpreter."""
    code = "import importlib, sys\n"
    code += f"for name in {LIGHT!r}: importlib.import_module('whaletrader.quant.' + name)\n"
    code += "print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("library", HEAVY)
def test_no_heavy_library_comes_along(loaded: set[str], library: str) -> None:
    assert "scipy" in loaded
    assert library not in loaded
