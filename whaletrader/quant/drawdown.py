"""Drawdowns: how far below its peak an equity curve went, for how long, and how it came back.

Owns curves and their drawdowns; Magdon-Ismail and Atiya (2004), "Maximum drawdown", define the
depth. Called by performance, scores and reports. Curves are in any one unit; time is counted in
periods of the curve.
"""

from dataclasses import dataclass

import numpy as np

from whaletrader.quant.ragged import Floats, Ragged, divided


@dataclass(frozen=True, slots=True)
class Drawdowns:
    """The deepest drawdown of each group, and its times; arrays (groups,).

    `depth` in the curve's unit, `depth_share` of the peak (nan where the peak is not positive).
    `length`: periods from that peak until it was reached again, or to the end. `recovery`:
    periods from the trough until then, nan while it has not recovered. `longest`: periods of the
    longest spell below a peak, deepest or not.
    """

    depth: Floats
    depth_share: Floats
    length: Floats
    recovery: Floats
    longest: Floats


def equity_of(changes: Ragged, start: float, is_compounded: bool) -> Ragged:
    """Return the curve that begins with `start` and takes up each group's changes.

    Compounded changes are returns a period; else they are profits in the unit of `start`. Each
    group has one value more than its changes. Raises ValueError for a start that is not positive
    when compounding.
    """
    if is_compounded and start <= 0:
        raise ValueError("compounding needs a positive start")
    curves = []
    for index in range(changes.groups):
        part = changes.group(index)
        grown = start * np.cumprod(1 + part) if is_compounded else start + np.cumsum(part)
        curves.append(np.concatenate([[start], grown]))
    return Ragged.of(curves)


def drawdowns(equity: Ragged) -> Drawdowns:
    """Return the deepest drawdown of each curve; nan for an empty curve, 0 for one that only rose.

    Of equally deep ones the first. `depth_share` is the largest share of a peak that was lost,
    which may be another drawdown than the deepest in the curve's unit.
    """
    found = np.full((5, equity.groups), np.nan)
    for index in range(equity.groups):
        if equity.counts[index]:
            found[:, index] = _deepest(equity.group(index))
    return Drawdowns(*found)


def underwater(equity: Ragged) -> Ragged:
    """Return how far each point lies below the peak so far, in the curve's unit, 0 at a peak."""
    parts = [equity.group(index) for index in range(equity.groups)]
    return Ragged.of([np.maximum.accumulate(part) - part if len(part) else part for part in parts])


def _deepest(curve: Floats) -> tuple[float, float, float, float, float]:
    peaks = np.maximum.accumulate(curve)
    below = peaks - curve
    trough = int(np.argmax(below))
    depth = float(below[trough])
    if depth == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    shares = divided(below, np.where(peaks > 0, peaks, 0.0))
    # Every peak passed before the trough is positive, or the share means nothing.
    share = float(np.max(shares)) if peaks[0] > 0 else np.nan
    peak = int(np.argmax(curve[: trough + 1] == peaks[trough]))
    peak += int(np.flatnonzero(curve[peak : trough + 1] == peaks[trough])[-1])
    back = np.flatnonzero(curve[trough:] >= peaks[trough])
    end = trough + int(back[0]) if len(back) else len(curve) - 1
    recovery = float(back[0]) if len(back) else np.nan
    return depth, share, float(end - peak), recovery, _longest_spell(below)


def _longest_spell(below: Floats) -> float:
    at_peak = np.flatnonzero(below == 0)
    to_next = np.diff(at_peak)
    last = len(below) - 1 - at_peak[-1]
    # Neighbouring peaks are one period apart: that is no spell.
    spells = to_next[to_next > 1]
    return float(max(spells.max(initial=0), last))
