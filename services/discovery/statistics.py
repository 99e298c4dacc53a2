"""What is remembered of settled markets: sums by wallet, and sums over all wallets.

Owns the arithmetic that keeps both exact: everything is an integer, so taking a wallet's old
part out of the base and putting its new one in leaves no drift, and one settled market costs the
same whether there are ten wallets or ten thousand. Edges are 1e-6 dollars a share, their squares
1e-12. Called by state and scoring.
"""

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.quant.shrinkage import GroupSums
from whaletrader.services.discovery.ledger import MarketResult


class WalletStats(msgspec.Struct, frozen=True):
    """Sums over a wallet's settled markets, each market counting once whatever its size."""

    markets: int = 0
    markets_won: int = 0
    trades: int = 0
    edge_sum: int = 0
    edge_squares: int = 0
    chance_variances: int = 0
    profit_micro: int = 0
    fees_micro: int = 0
    volume_micro: int = 0

    def plus(self, result: MarketResult) -> "WalletStats":
        """Return the sums with one more settled market."""
        return WalletStats(
            markets=self.markets + 1,
            markets_won=self.markets_won + (result.profit_micro > 0),
            trades=self.trades + result.trades,
            edge_sum=self.edge_sum + result.edge_micro,
            edge_squares=self.edge_squares + result.edge_micro**2,
            chance_variances=self.chance_variances + result.chance_variance,
            profit_micro=self.profit_micro + result.profit_micro,
            fees_micro=self.fees_micro + result.fees_micro,
            volume_micro=self.volume_micro + result.volume_micro,
        )

    @property
    def variance(self) -> int:
        """Variance of one market's edge: as measured, or by the prices paid if that is more."""
        if self.markets == 0:
            return 0
        by_prices = self.chance_variances // self.markets
        if self.markets == 1:
            return by_prices
        spread = self.edge_squares - self.edge_sum**2 // self.markets
        return max(by_prices, spread // (self.markets - 1))


class BaseSums(msgspec.Struct, frozen=True):
    """Sums over all wallets with a settled market: what the base rate is made of."""

    wallets: int = 0
    markets: int = 0
    squared_markets: int = 0
    edge_sum: int = 0
    weighted_squared_means: int = 0
    variances: int = 0
    weighted_variances: int = 0

    def moved(self, before: WalletStats, after: WalletStats) -> "BaseSums":
        """Return the sums with one wallet's part replaced."""
        old, new = _part(before), _part(after)
        return BaseSums(
            *(
                value - taken + given
                for value, taken, given in zip(msgspec.structs.astuple(self), old, new, strict=True)
            )
        )

    def in_dollars(self) -> GroupSums:
        """Return the sums in dollars a share."""
        square = float(MICRO * MICRO)
        return GroupSums(
            groups=self.wallets,
            observations=float(self.markets),
            squared_observations=float(self.squared_markets),
            totals=self.edge_sum / MICRO,
            weighted_squared_means=self.weighted_squared_means / square,
            variances=self.variances / square,
            weighted_variances=self.weighted_variances / square,
        )


def _part(stats: WalletStats) -> tuple[int, ...]:
    count, variance = stats.markets, stats.variance
    if count == 0:
        return (0,) * 7
    return (
        1,
        count,
        count * count,
        stats.edge_sum,
        stats.edge_sum**2 // count,
        variance,
        count * variance,
    )
