"""Averages with intervals, in the form the report shows them.

Owns the step from arrays to an `Estimate`: which cluster a row belongs to, and Student's t with
one degree of freedom less than clusters. The variance is quant's (cluster-robust). Called by
every part that fills the file.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whaletrader.lab.evidence.evidence import Estimate
from whaletrader.quant.cluster_errors import mean_errors
from whaletrader.quant.ragged import Ragged
from whaletrader.quant.student import t_multiplier

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def weighted_mean(
    values: FloatArray, weights: FloatArray, clusters: IntArray, confidence: float
) -> Estimate:
    """Return sum(weights * values) / sum(weights) with its cluster-robust interval.

    All arrays (n,). With fewer than two clusters nothing is known of the error: nan bounds.
    """
    count = len(values)
    if count == 0:
        return Estimate(value=np.nan, lower=np.nan, upper=np.nan, observations=0, clusters=0)
    codes = pd.factorize(clusters, sort=True)[0].astype(np.int64)
    found = mean_errors(Ragged.of([values]), weights, codes)
    mean, error, groups = float(found.mean[0]), float(found.error[0]), int(found.clusters[0])
    half = np.nan
    if groups > 1 and np.isfinite(error):
        half = t_multiplier(confidence, groups - 1) * error
    return Estimate(
        value=mean, lower=mean - half, upper=mean + half, observations=count, clusters=groups
    )


def known(value: float) -> float | None:
    """Return the number, None where it is not defined: the file's null."""
    return float(value) if np.isfinite(value) else None
