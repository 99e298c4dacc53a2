"""How much lies in few hands or few markets.

Owns the Herfindahl-Hirschman index (Hirschman 1964) and the number of equal parts that it comes
to. Called by scores and reports. Amounts in any one unit, not negative.
"""

import numpy as np

from whaletrader.quant.ragged import Floats, Ragged, divided, sums_by


def herfindahl(amounts: Ragged) -> Floats:
    """Return sum of squared shares of each group, 1 / n (all equal) to 1 (one has all).

    nan for a group without an amount. Times 10,000 it is the index of merger guidelines. Raises
    ValueError for a negative amount.
    """
    if (amounts.values < 0).any():
        raise ValueError("an amount is negative: concentration is of sizes, not of profits")
    total = amounts.sums()
    squares = sums_by(amounts.labels, amounts.values**2, amounts.groups)
    return divided(squares, total**2)


def effective_number(amounts: Ragged) -> Floats:
    """Return 1 / herfindahl: how many equal parts are as concentrated (Laakso, Taagepera 1979)."""
    return divided(1.0, np.nan_to_num(herfindahl(amounts)))
