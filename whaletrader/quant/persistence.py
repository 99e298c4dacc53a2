"""Does it last? Results of the first half against results of the second.

Owns the cross-sectional regression of later on earlier performance (Carhart 1997, "On persistence
in mutual fund performance"; Kahn and Rudd 1995) and its rank form. Called by the evidence study.
One row a wallet; any unit, such as edge a share.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr  # type: ignore[import-untyped]

from whaletrader.quant.cluster_errors import ols
from whaletrader.quant.information import ranks
from whaletrader.quant.permutation import correlation_test
from whaletrader.quant.ragged import Floats


@dataclass(frozen=True, slots=True)
class Persistence:
    """later = intercept + slope earlier, errors clustered; p-values one-sided (slope above 0)."""

    slope: float
    intercept: float
    slope_error: float
    t: float
    p_value: float
    rank_correlation: float
    rank_p_value: float
    wallets: int


def persistence_regression(
    earlier: ArrayLike,
    later: ArrayLike,
    clusters: ArrayLike | None = None,
    draws: int = 1_000,
    *,
    random: np.random.Generator,
) -> Persistence:
    """Regress later on earlier results; nan in either leaves the wallet out.

    `clusters` (wallets,) codes of wallets that move together, such as those of one owner; None:
    each its own, which is White's (1980) robust error. The rank p-value is a permutation's.
    Raises ValueError with fewer than four wallets.
    """
    first, second = np.asarray(earlier, np.float64), np.asarray(later, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError("earlier and later results must be flat and of one length")
    groups = np.arange(len(first)) if clusters is None else np.asarray(clusters)
    is_known = np.isfinite(first) & np.isfinite(second)
    first, second, groups = first[is_known], second[is_known], groups[is_known]
    if len(first) < 4:
        raise ValueError(f"{len(first)} wallets with results in both halves: needs four")
    fit = ols(np.column_stack([np.ones(len(first)), first]), second, groups)
    slope, error = float(fit.coefficients[1]), float(fit.errors[1])
    t = slope / error if error > 0 else np.nan
    return Persistence(
        slope=slope,
        intercept=float(fit.coefficients[0]),
        slope_error=error,
        t=t,
        p_value=float(stdtr(fit.clusters - 1, -t)),
        rank_correlation=rank_correlation(first, second),
        rank_p_value=correlation_test(ranks(first), ranks(second), draws, random),
        wallets=len(first),
    )


def rank_correlation(first: Floats, second: Floats) -> float:
    """Return Spearman's rho, nan when one side is all ties."""
    ours, theirs = ranks(first), ranks(second)
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()
    size = float(np.sqrt((ours @ ours) * (theirs @ theirs)))
    return float(ours @ theirs) / size if size > 0 else np.nan


def winners_and_losers(earlier: ArrayLike, later: ArrayLike) -> tuple[Floats, float]:
    """Return the 2 x 2 table of above and below median, and its cross-product ratio's z.

    Brown and Goetzmann (1995), "Performance persistence", section II: z = ln(WW LL / WL LW) over
    sqrt of the sum of inverse counts. Rows: earlier winner, loser; columns: later. nan with an
    empty cell.
    """
    first, second = np.asarray(earlier, np.float64), np.asarray(later, np.float64)
    is_known = np.isfinite(first) & np.isfinite(second)
    first, second = first[is_known], second[is_known]
    if len(first) < 4:
        raise ValueError(f"{len(first)} wallets with results in both halves: needs four")
    won, again = first > np.median(first), second > np.median(second)
    table = np.array(
        [
            [(won & again).sum(), (won & ~again).sum()],
            [(~won & again).sum(), (~won & ~again).sum()],
        ],
        dtype=np.float64,
    )
    if (table == 0).any():
        return table, np.nan
    ratio = table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0])
    return table, float(np.log(ratio) / np.sqrt((1 / table).sum()))
