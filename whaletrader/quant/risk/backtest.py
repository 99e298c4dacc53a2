"""Did the VaR hold? Tests of the days on which more was lost than it said.

Owns the proportion of failures (Kupiec 1995, "Techniques for verifying the accuracy of risk
measurement models", eq. for LR_PF), independence and conditional coverage (Christoffersen 1998,
"Evaluating interval forecasts", eq. 6 to 9) and the supervisors' zones (Basel Committee 1996,
"Supervisory framework for the use of backtesting", table 2). Called by risk and by reports.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, gammaincc, xlogy  # type: ignore[import-untyped]

# Cumulative probabilities of an accurate model at which the zones begin (Basel 1996, section III).
YELLOW_FROM = 0.95
RED_FROM = 0.9999


class Light(StrEnum):
    """Basel's zones: no concern, some, and the presumption that the model is wrong."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class CoverageTest:
    """A likelihood ratio, chi-squared with `degrees` of freedom if the VaR is right."""

    statistic: float
    p_value: float
    degrees: int


def kupiec(exceptions: int, days: int, probability: float) -> CoverageTest:
    """Test whether `exceptions` in `days` fit a VaR exceeded with `probability` a day.

    0.01 for a VaR of 99 %. Raises ValueError.
    """
    _check(exceptions, days, probability)
    share = exceptions / days
    restricted = _log_likelihood(days - exceptions, exceptions, probability)
    free = _log_likelihood(days - exceptions, exceptions, share)
    return _tested(2 * (free - restricted), 1)


def christoffersen(exceeded: ArrayLike) -> CoverageTest:
    """Test whether exceptions come independently of the day before.

    `exceeded` of shape (t,), truth values, oldest first, t of at least 2. Without an exception
    nothing contradicts independence: the statistic is 0. Raises ValueError.
    """
    n00, n01, n10, n11 = _transitions(exceeded)
    after_calm = n01 / (n00 + n01) if n00 + n01 else 0.0
    after_loss = n11 / (n10 + n11) if n10 + n11 else 0.0
    overall = (n01 + n11) / (n00 + n01 + n10 + n11)
    free = _log_likelihood(n00, n01, after_calm) + _log_likelihood(n10, n11, after_loss)
    restricted = _log_likelihood(n00 + n10, n01 + n11, overall)
    return _tested(2 * (free - restricted), 1)


def conditional_coverage(exceeded: ArrayLike, probability: float) -> CoverageTest:
    """Test both at once: the right number, and independent. LR_cc = LR_uc + LR_ind.

    The coverage part is taken on all days, independence on those that have a day before, as is
    usual. Raises ValueError.
    """
    independence = christoffersen(exceeded)
    days = np.asarray(exceeded)
    coverage = kupiec(int(np.count_nonzero(days)), days.size, probability)
    return _tested(coverage.statistic + independence.statistic, 2)


def traffic_light(exceptions: int, days: int = 250, probability: float = 0.01) -> Light:
    """Return the zone: by the probability of that many exceptions or fewer, were the VaR right.

    Green below 95 %, red from 99.99 %. Raises ValueError.
    """
    _check(exceptions, days, probability)
    cumulative = float(bdtr(exceptions, days, probability))
    if cumulative < YELLOW_FROM:
        return Light.GREEN
    return Light.RED if cumulative >= RED_FROM else Light.YELLOW


def _transitions(exceeded: ArrayLike) -> tuple[int, int, int, int]:
    days = np.asarray(exceeded)
    if days.ndim != 1 or days.size < 2 or not np.isin(days, (0, 1)).all():
        raise ValueError("give at least two days in one dimension, each exceeded or not")
    before, after = days[:-1].astype(bool), days[1:].astype(bool)
    return (
        int((~before & ~after).sum()),
        int((~before & after).sum()),
        int((before & ~after).sum()),
        int((before & after).sum()),
    )


def _log_likelihood(calm: int, exceptions: int, probability: float) -> float:
    # xlogy: 0 log 0 = 0, the likelihood's limit.
    return float(xlogy(calm, 1 - probability) + xlogy(exceptions, probability))


def _tested(statistic: float, degrees: int) -> CoverageTest:
    positive = max(0.0, statistic)
    return CoverageTest(positive, float(gammaincc(degrees / 2, positive / 2)), degrees)


def _check(exceptions: int, days: int, probability: float) -> None:
    if days < 1 or not 0 <= exceptions <= days:
        raise ValueError(f"{exceptions} exceptions in {days} days")
    if not 0 < probability < 1:
        raise ValueError(f"a probability of {probability} is not between 0 and 1: give 0.01")
