"""The report's charts, each from the evidence alone.

Owns what is drawn and how it is labelled; computes nothing. Called by `page`.
"""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from whaletrader.lab.evidence.evidence import Copy, Evidence
from whaletrader.lab.evidence.report.drawing import (
    ACCENT,
    GOOD,
    INK,
    LINE,
    MUTED,
    WARN,
    drawn,
    named,
)

# A dollar more than doubled or lost more than once does not fit; it stands at the edge.
PER_DOLLAR_MAX = 1.5
# Below this width every delay's name would stand on its neighbour's.
NARROW_PIXELS = 500


def published_chart(evidence: Evidence) -> str:
    """Computed against published profit, both in dollars, logarithmic."""
    told = [row.published for row in evidence.wallets if row.published is not None]
    shown = [row for row in told if row.is_compared and row.published > 0]
    if not shown:
        return ""

    def draw(axes: Axes) -> None:
        ends = [
            min(row.published for row in shown) / 1.5,
            max(row.published for row in shown) * 1.5,
        ]
        axes.plot(ends, ends, color=LINE, linewidth=1.2)
        for matches, colour, marker, label in (
            (True, GOOD, "o", "agrees within 1 % or 500 dollars"),
            (False, WARN, "D", "differs; explained in the table"),
        ):
            rows = [row for row in shown if row.matches is matches]
            computed = [max(row.computed, ends[0]) for row in rows]
            axes.scatter(
                [row.published for row in rows],
                computed,
                s=34,
                color=colour,
                marker=marker,
                label=label,
                alpha=0.85,
                linewidths=0,
            )
        axes.set(xscale="log", yscale="log", xlabel="published profit", ylabel="our ledger")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(_dollars))
            axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        named(axes)

    return drawn("published", draw)


def q_value_chart(evidence: Evidence) -> str:
    """Sorted p-values against what luck alone would give, and the line of the correction."""
    values = sorted(
        row.skill.p_value
        for row in evidence.wallets
        if row.skill is not None and row.skill.p_value is not None
    )
    if not values:
        return ""
    count, rate = len(values), evidence.skill.discovery_rate

    def draw(axes: Axes) -> None:
        ranks = list(range(1, count + 1))
        axes.plot(
            ranks,
            [rank / (count + 1) for rank in ranks],
            color=MUTED,
            linewidth=1.2,
            linestyle=(0, (4, 3)),
            label="luck alone, on average",
        )
        axes.plot(
            ranks,
            [rate * rank / count for rank in ranks],
            color=WARN,
            linewidth=1.6,
            label=f"to be called skilled (false discovery rate {rate:.0%})",
        )
        axes.scatter(ranks, values, s=16, color=ACCENT, linewidths=0, label="a wallet")
        axes.set(
            yscale="log", xlabel="wallets, the most surprising first", ylabel="p-value of profit"
        )
        axes.set_ylim(bottom=min(*values, rate / count) / 2, top=1.5)
        named(axes)

    return drawn("q-values", draw)


def persistence_chart(evidence: Evidence) -> str:
    """The first half's lower bound against the second half's profit a dollar."""
    if not evidence.persistence:
        return ""
    halves = evidence.persistence[0].halves

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=0.9)
        axes.axvline(0, color=MUTED, linewidth=0.9)
        for is_followed, colour, label in (
            (False, ACCENT, "a wallet"),
            (True, GOOD, "among the best by its first half"),
        ):
            rows = [half for half in halves if half.is_followed is is_followed]
            axes.scatter(
                [max(half.first_lower, -PER_DOLLAR_MAX) for half in rows],
                [_inside(half.second_profit_per_dollar) for half in rows],
                s=[16 + 60 * _size(half.second_dollars) for half in rows],
                color=colour,
                alpha=0.75,
                linewidths=0,
                label=label,
            )
        axes.set(
            xlabel="first half: lower end of edge, dollars a share",
            ylabel="second half: profit a dollar",
        )
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        for handle in named(axes).legend_handles:
            handle.set_sizes([34])  # type: ignore[union-attr]

    return drawn("persistence", draw)


def delay_chart(evidence: Evidence) -> str:
    """What a dollar earned by how late the copier was."""
    if evidence.copier is None:
        return ""
    copies = [copy for copy in evidence.copier.by_delay if copy.prints == "any" and copy.filled]

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=INK, linewidth=0.9)
        for sample, colour, label in (
            ("everyone", ACCENT, "every wallet"),
            ("followed", GOOD, "the best by their first half"),
        ):
            _band(axes, [copy for copy in copies if copy.sample == sample], colour, label)
        axes.set(xscale="log", xlabel="copier's delay", ylabel="profit a dollar")
        delays = sorted({copy.delay_s for copy in copies})
        is_narrow = axes.figure.bbox.width < NARROW_PIXELS
        axes.set_xticks([delays[0], delays[-1], *delays[2:-2:2]] if is_narrow else delays)
        axes.xaxis.set_major_formatter(FuncFormatter(_delay))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        named(axes)

    return drawn("delay", draw) if copies else ""


def calibration_chart(evidence: Evidence) -> str:
    """Prices paid against how often they won."""
    if not evidence.calibration:
        return ""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        styles = ((GOOD, "o", -0.006), (WARN, "s", 0.006))
        for curve, (colour, marker, shift) in zip(evidence.calibration, styles, strict=False):
            below = [o - low for o, low in zip(curve.observed, curve.lower, strict=True)]
            above = [up - o for o, up in zip(curve.observed, curve.upper, strict=True)]
            axes.errorbar(
                [price + shift for price in curve.predicted],
                curve.observed,
                yerr=[[max(0.0, b) for b in below], [max(0.0, a) for a in above]],
                color=colour,
                marker=marker,
                markersize=5,
                linewidth=1.2,
                elinewidth=0.9,
                label=_RESULTS[curve.sample],
            )
        axes.set(xlabel="price paid", ylabel="share that won", xlim=(0, 1), ylim=(0, 1))
        named(axes)

    return drawn("calibration", draw)


_RESULTS = {
    "published": "results published by others",
    "known": "with results known by redemption",
    "marked": "open markets at their last price",
}


def _band(axes: Axes, copies: Sequence[Copy], colour: str, label: str) -> None:
    delays = [copy.delay_s for copy in copies]
    axes.plot(
        delays,
        [copy.per_dollar.value for copy in copies],
        color=colour,
        marker="o",
        markersize=4,
        linewidth=1.6,
        label=label,
    )
    axes.fill_between(
        delays,
        [copy.per_dollar.lower for copy in copies],
        [copy.per_dollar.upper for copy in copies],
        color=colour,
        alpha=0.16,
        linewidth=0,
    )


def _inside(value: float) -> float:
    return min(max(value, -1.0), PER_DOLLAR_MAX)


def _size(dollars: float) -> float:
    """From 0 to 1 between a hundred dollars and a million."""
    return min(max((math.log10(max(dollars, 1.0)) - 2.0) / 4.0, 0.0), 1.0)


def _dollars(value: float, _: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= unit:
            return f"${value / unit:g}{name}"
    return f"${value:g}"


def _delay(seconds: float, _: int) -> str:
    for unit, name in ((3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"
