"""What is remembered of settled events: sums by wallet, and sums over all wallets.

Owns the arithmetic that keeps both exact: everything is an integer, so taking a wallet's old
part out of the base and putting its new one in leaves no drift, and one settled market costs the
same whether there are ten wallets or ten thousand. An event is one observation, because its
markets win together. Edges are 1e-6 dollars a share, their squares 1e-12. Called by track, state
and scoring.
"""

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.quant.shrinkage import GroupSums


class EventSums(msgspec.Struct, frozen=True):
    """A wallet's bets in one event. `counted` is what its trades count, settled or not."""

    counted_micro: int = 0
    weight_micro: int = 0
    gain_micro: int = 0
    chance: int = 0

    @property
    def edge_micro(self) -> int:
        """Gain a share counted."""
        return self.gain_micro * MICRO // self.weight_micro

    @property
    def chance_variance(self) -> int:
        """What chance alone does to the edge if the prices paid were right, in 1e-12.

        Ten favourites bought at 0.97 that all won show no variance; this is what they risked.
        """
        return self.chance * MICRO * MICRO // self.weight_micro**2


class WalletStats(msgspec.Struct, frozen=True):
    """Sums over a wallet's settled events and, from `markets` on, over its settled markets."""

    events: int = 0
    edge_sum: int = 0
    edge_squares: int = 0
    chance_variances: int = 0
    markets: int = 0
    markets_won: int = 0
    markets_inferred: int = 0
    trades: int = 0
    profit_micro: int = 0
    fees_micro: int = 0
    volume_micro: int = 0

    def replaced(self, before: EventSums | None, after: EventSums) -> "WalletStats":
        """Return the sums with one event's bets as they are now."""
        stats = self
        if before is not None and before.weight_micro:
            stats = stats._with(before, -1)
        return stats._with(after, 1) if after.weight_micro else stats

    @property
    def variance(self) -> int:
        """Variance of one event's edge: as measured, or by the prices paid if that is more."""
        if self.events == 0:
            return 0
        by_prices = self.chance_variances // self.events
        if self.events == 1:
            return by_prices
        spread = self.edge_squares - self.edge_sum**2 // self.events
        return max(by_prices, spread // (self.events - 1))

    def _with(self, event: EventSums, sign: int) -> "WalletStats":
        edge = event.edge_micro
        return msgspec.structs.replace(
            self,
            events=self.events + sign,
            edge_sum=self.edge_sum + sign * edge,
            edge_squares=self.edge_squares + sign * edge**2,
            chance_variances=self.chance_variances + sign * event.chance_variance,
        )


class BaseSums(msgspec.Struct, frozen=True):
    """Sums over all wallets with a settled event: what the base rate is made of."""

    wallets: int = 0
    events: int = 0
    squared_events: int = 0
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
            observations=float(self.events),
            squared_observations=float(self.squared_events),
            totals=self.edge_sum / MICRO,
            weighted_squared_means=self.weighted_squared_means / square,
            variances=self.variances / square,
            weighted_variances=self.weighted_variances / square,
        )


def _part(stats: WalletStats) -> tuple[int, ...]:
    count, variance = stats.events, stats.variance
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
