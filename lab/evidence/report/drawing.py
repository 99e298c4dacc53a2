"""Charts as SVG that takes its colours from the page, so one file is light and dark.

Owns the look shared by all charts. Each is drawn twice, wide and narrow, and the page shows the
one that fits. Colours are drawn as stand-ins and replaced by the page's variables; ids get the
chart's name before them, since several charts stand in one page. Called by `charts`.
"""

import io
import re
from collections.abc import Callable
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

# Stand-in -> variable of the page. The values occur in no other place.
INK, MUTED, LINE, GOOD, WARN, ACCENT = (
    "#010101",
    "#020202",
    "#030303",
    "#040404",
    "#050505",
    "#060606",
)
_VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    GOOD: "var(--good)",
    WARN: "var(--warn)",
    ACCENT: "var(--accent)",
}
# Inches at 72 dots; the page scales down from there.
WIDE: Final = (8.6, 4.4)
NARROW: Final = (4.4, 4.0)
_STYLE: Final[dict[Any, Any]] = {
    "figure.dpi": 100,
    "svg.fonttype": "none",
    "svg.hashsalt": "whaletrader evidence",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def drawn(name: str, draw: Callable[[Axes], None]) -> str:
    """Return the chart as two SVGs, wide and narrow, in a div each."""
    parts = []
    for kind, size in (("wide", WIDE), ("narrow", NARROW)):
        with mpl.rc_context(_STYLE):
            figure = Figure(figsize=size)
            axes = figure.add_subplot()
            draw(axes)
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        parts.append(f'<div class="{kind}">{_inline(buffer.getvalue(), f"{name}-{kind}")}</div>')
    return "".join(parts)


def named(axes: Axes) -> Legend:
    """Return the chart's legend, above it, where no point can hide behind it."""
    return axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2, handletextpad=0.5
    )


def _inline(svg: str, name: str) -> str:
    svg = svg[svg.index("<svg") :]
    # The page names the chart; what matplotlib says of itself is no use to a reader.
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
