"""One number to rank wallets by, made of parts that can be told apart.

Owns normalisation by quantile and the weighted score: the five-factor whale quality score (size,
profitability, impact, liquidity, risk control) and composites of any other columns. A score
orders wallets; whether one has skill is the verdict's business (skill). Called by discovery and
wallet pages.

Quantiles make dollars, ratios and rates comparable and let no outlier buy a rank. Wallets are
ranked by the lower end of their score, so that what is little known does not come first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri  # type: ignore[import-untyped]

from whaletrader.quant.information import ranks
from whaletrader.quant.ragged import Floats, Ints


@dataclass(frozen=True, slots=True)
class WhaleFactors:
    """The five factors, arrays (wallets,), each better when higher; nan: not known.

    `size`: capital at work, such as mean stake in dollars. `profitability`: shrunk edge after
    fees, dollars a share. `impact`: how far prices move its way after it trades, dollars a
    share. `liquidity`: depth or volume of the markets it trades in, dollars. `risk_control`:
    return over deepest drawdown, or another ratio that punishes ruin.
    """

    size: Floats
    profitability: Floats
    impact: Floats
    liquidity: Floats
    risk_control: Floats


# Profit after fees is what is copied, so it weighs most; size and liquidity only say how much.
QUALITY_WEIGHTS: Final[Mapping[str, float]] = {
    "size": 0.15,
    "profitability": 0.35,
    "impact": 0.15,
    "liquidity": 0.10,
    "risk_control": 0.25,
}


@dataclass(frozen=True, slots=True)
class Composite:
    """Scores from 0 to 1, arrays (wallets,); `components` (columns, wallets) in order of names.

    `lower` is the lower end of the score's interval; `rank` 1 is the highest lower end, ties in
    order of wallets.
    """

    score: Floats
    lower: Floats
    rank: Ints
    components: Floats
    names: tuple[str, ...]


def quantile_normalised(values: ArrayLike) -> Floats:
    """Return (rank - 1/2) / n of each value, ties alike; nan, what is not known, becomes 0."""
    flat = np.asarray(values, dtype=np.float64)
    if flat.ndim != 1:
        raise ValueError("one value a wallet")
    is_known = ~np.isnan(flat)
    found = np.zeros(len(flat))
    if is_known.any():
        found[is_known] = (ranks(flat[is_known]) - 0.5) / is_known.sum()
    return found


def whale_quality(
    factors: WhaleFactors,
    errors: Mapping[str, ArrayLike] | None = None,
    weights: Mapping[str, float] = QUALITY_WEIGHTS,
    confidence: float = 0.90,
) -> Composite:
    """Return the five-factor score; `errors` are standard errors of factors, by name."""
    columns = {field.name: getattr(factors, field.name) for field in fields(factors)}
    return composite_score(columns, weights, errors, confidence)


def composite_score(
    columns: Mapping[str, ArrayLike],
    weights: Mapping[str, float],
    errors: Mapping[str, ArrayLike] | None = None,
    confidence: float = 0.90,
) -> Composite:
    """Return the weighted mean of quantiles of the columns, each better when higher.

    `weights` one a column, positive, brought to sum 1. `errors`: standard errors of columns,
    those not named are taken as exact. What a column loses between its value and the lower end
    of its `confidence` interval adds up in squares over columns, as independent errors do (the
    delta method with the empirical distribution in place of a slope). Raises ValueError.
    """
    names = tuple(columns)
    if not names or set(names) != set(weights) or set(errors or {}) - set(names):
        raise ValueError("weights must name the columns, and errors none but columns")
    share = np.array([weights[name] for name in names], dtype=np.float64)
    if not (share > 0).all():
        raise ValueError("a weight is not positive: leave the column out instead")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    share = share / share.sum()
    values = np.stack([np.asarray(columns[name], np.float64) for name in names])
    components = np.stack([quantile_normalised(row) for row in values])
    score = share @ components
    reach = float(ndtri((1 + confidence) / 2))
    squares = np.zeros(values.shape[1])
    for row, name in enumerate(names):
        if errors is not None and name in errors:
            low = values[row] - reach * _checked_error(errors[name], values[row])
            lost = components[row] - _place(low, values[row])
            squares += (share[row] * np.maximum(lost, 0.0)) ** 2
    lower = np.maximum(score - np.sqrt(squares), 0.0)
    rank = np.empty(len(score), dtype=np.int64)
    rank[np.argsort(-lower, kind="stable")] = np.arange(1, len(score) + 1)
    return Composite(score, lower, rank, components, names)


def _checked_error(error: ArrayLike, values: Floats) -> Floats:
    sizes = np.asarray(error, dtype=np.float64)
    if sizes.shape != values.shape or (sizes < 0).any():
        raise ValueError("every value needs its error, not negative; nan where it is not known")
    # A value without a known error has an unknown place: its lower end is the lowest.
    return np.where(np.isnan(sizes), np.inf, sizes)


def _place(at: Floats, values: Floats) -> Floats:
    """The quantile, among the values known, of points that need not be among them."""
    known = np.sort(values[~np.isnan(values)])
    below = np.searchsorted(known, at, side="left")
    upto = np.searchsorted(known, at, side="right")
    place = np.maximum((below + upto) / 2 - np.where(upto > below, 0.0, 0.5), 0.0)
    return np.where(np.isnan(at), 0.0, place / max(len(known), 1))
