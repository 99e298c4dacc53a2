"""Performance ratios of many wallets at once.

Owns ratios of whole track records; drawdowns, rolling and decayed forms and what a Sharpe ratio
proves have modules of their own. Called by reports, scores and the evidence study. Returns are
fractions of capital a period; `periods_per_year` is how many periods make a year (365 for days:
prediction markets never close). Undefined (too few values, no risk): nan.
"""

import numpy as np

from whaletrader.quant.drawdown import drawdowns, equity_of
from whaletrader.quant.ragged import Floats, Ints, Ragged, centred_squares, divided, sums_by


def deviations(returns: Ragged) -> Floats:
    """Return the sample standard deviation (n - 1) of each group, nan below two values."""
    _, squares = centred_squares(returns)
    return np.asarray(np.sqrt(divided(squares, np.maximum(returns.counts - 1, 0))), np.float64)


def sharpe_ratio(returns: Ragged, periods_per_year: float, risk_free: float = 0.0) -> Floats:
    """Return the annualised Sharpe ratio (Sharpe 1994, eqs. 3 to 6), shape (groups,).

    `risk_free` is a year's rate, spread evenly over its periods. Annualised by the square root
    of time (Lo 2002, eq. 8), which is right for uncorrelated returns only: see sharpe_ratio_lo.
    """
    _check_periods(periods_per_year)
    excess = returns.means() - risk_free / periods_per_year
    return divided(excess, _positive(deviations(returns))) * float(np.sqrt(periods_per_year))


def autocorrelations(returns: Ragged, lags: int) -> Floats:
    """Return autocorrelations at lags 1..lags, shape (lags, groups): Box and Jenkins's c_k / c_0.

    nan for a group with no more values than the lag, or without variance.
    """
    if lags < 1:
        raise ValueError("lags must be at least 1")
    centred, total = centred_squares(returns)
    found = np.empty((lags, returns.groups))
    for lag in range(1, lags + 1):
        # A pair counts only when both of its values are of one group.
        is_pair = returns.labels[lag:] == returns.labels[:-lag]
        products = centred[lag:] * centred[:-lag]
        together = sums_by(returns.labels[lag:][is_pair], products[is_pair], returns.groups)
        found[lag - 1] = np.where(returns.counts > lag, divided(together, total), np.nan)
    return found


def time_scale(correlations: Floats, periods: int) -> Floats:
    """Return eta(q), the factor from one period's Sharpe ratio to that of q = `periods`.

    eta(q) = q / sqrt(q + 2 sum_{k<q} (q - k) rho_k) (Lo 2002, eq. 20). `correlations` has shape
    (lags, groups); those beyond `lags` are taken as 0. nan where the variance would not be
    positive.
    """
    used = min(len(correlations), periods - 1)
    weights = periods - np.arange(1, used + 1, dtype=np.float64)
    variance = np.full(correlations.shape[1:], float(periods))
    for weight, correlation in zip(weights, correlations[:used], strict=True):
        variance = variance + 2 * weight * correlation
    return divided(float(periods), np.sqrt(_positive(variance)))


def sharpe_ratio_lo(returns: Ragged, periods_per_year: int, lags: int) -> Floats:
    """Return the annualised Sharpe ratio corrected for autocorrelation up to `lags`.

    Lo (2002), "The statistics of Sharpe ratios", eqs. 19 and 20. Positive autocorrelation, such
    as stale prices give, makes the square root of time flatter.
    """
    _check_periods(periods_per_year)
    single = divided(returns.means(), _positive(deviations(returns)))
    return single * time_scale(autocorrelations(returns, lags), periods_per_year)


def sortino_ratio(returns: Ragged, periods_per_year: float, target: float = 0.0) -> Floats:
    """Return the annualised Sortino ratio (Sortino and Price 1994); `target` is a period's.

    Downside deviation over all n periods, those above the target counting as 0.
    """
    _check_periods(periods_per_year)
    short = np.minimum(returns.values - target, 0.0)
    downside = np.sqrt(divided(sums_by(returns.labels, short**2, returns.groups), returns.counts))
    return divided(returns.means() - target, downside) * float(np.sqrt(periods_per_year))


def calmar_ratio(returns: Ragged, periods_per_year: float) -> Floats:
    """Return compound annual growth over the deepest drawdown (Young 1991), shape (groups,).

    nan without a drawdown, without values or once the capital is gone.
    """
    _check_periods(periods_per_year)
    equity = equity_of(returns, start=1.0, is_compounded=True)
    final = equity.values[equity.offsets[1:] - 1]
    years = divided(returns.counts, periods_per_year)
    growth = np.power(_positive(final), divided(1.0, years)) - 1
    return divided(growth, drawdowns(equity).depth_share)


def information_ratio(returns: Ragged, benchmark: Ragged, periods_per_year: float) -> Floats:
    """Return the annualised ratio of active return to its deviation (Grinold and Kahn 1999).

    Both have one layout: each wallet's returns beside its benchmark's in the same periods.
    """
    if not np.array_equal(returns.offsets, benchmark.offsets):
        raise ValueError("returns and benchmark must have the same periods for every wallet")
    active = returns.with_values(returns.values - benchmark.values)
    return sharpe_ratio(active, periods_per_year)


def profit_factor(profits: Ragged) -> Floats:
    """Return gross gains over gross losses, shape (groups,); inf without a loss, nan without both.

    Profits in any one unit.
    """
    return _gains_over_losses(profits.labels, profits.values, profits.groups)


def weighted_profit_factor(profits: Ragged, weights: Floats) -> Floats:
    """Return the profit factor of profits that count by `weights` (n,), such as their age's."""
    return _gains_over_losses(profits.labels, profits.values * weights, profits.groups)


def _gains_over_losses(labels: Ints, values: Floats, groups: int) -> Floats:
    gains = sums_by(labels, np.maximum(values, 0.0), groups)
    losses = sums_by(labels, np.maximum(-values, 0.0), groups)
    without_loss = np.where(gains > 0, np.inf, np.nan)
    return np.where(losses > 0, divided(gains, losses), without_loss)


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def _check_periods(periods_per_year: float) -> None:
    if not periods_per_year > 0:
        raise ValueError(f"{periods_per_year} periods a year: must be positive")
