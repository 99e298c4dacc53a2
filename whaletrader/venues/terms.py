"""What a venue says of a market and of an account: books, terms, fees, collateral, region.

Plain values in micro-units; adapters make them, the executor and the pre-flight read them. Must
not know any venue's field names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from whaletrader.domain.money import taker_fee


@dataclass(frozen=True, slots=True)
class BookLevel:
    """How much rests at one price."""

    price_micro: int
    size_micro: int


@dataclass(frozen=True, slots=True)
class OrderBook:
    """One token's book. Both sides best first.

    `at_ns` is the venue's time of the last change, 0 where it does not say; `digest` is the
    venue's own hash of the book, to compare with a stream. `last_price_micro` is 0 before the
    first trade.
    """

    token_id: str
    condition_id: str
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    tick_micro: int
    min_size_micro: int
    neg_risk: bool
    digest: str = ""
    at_ns: int = 0
    last_price_micro: int = 0

    @property
    def best_bid_micro(self) -> int:
        """The highest bid, 0 if nobody bids."""
        return self.bids[0].price_micro if self.bids else 0

    @property
    def best_ask_micro(self) -> int:
        """The lowest ask, 0 if nobody asks."""
        return self.asks[0].price_micro if self.asks else 0


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A taker pays shares * rate * (p * (1 - p)) ^ exponent; a maker gets part of that back.

    `maker_rebate_micro` is the makers' share of the takers' fees (1e-6), 0 where unknown: the
    venue pays it out later, by its own rules.
    """

    rate_micro: int
    exponent: int = 1
    is_taker_only: bool = True
    maker_rebate_micro: int = 0

    def taker_fee_micro(self, price_micro: int, size_micro: int) -> int:
        """Return the fee of a taker's fill in micro-dollars, rounded as the venue does."""
        return taker_fee(price_micro, size_micro, self.rate_micro, self.exponent)


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What an order in a market must keep to, and what a fill costs.

    `taker_delay_s` is how long a marketable order is held back, 0 if it is not; with
    `has_taker_delay` the venue says that it is, and not how long.
    """

    condition_id: str
    token_ids: tuple[str, ...]
    tick_micro: int
    min_size_micro: int
    neg_risk: bool
    is_accepting_orders: bool
    fees: FeeSchedule
    taker_delay_s: int = 0
    has_taker_delay: bool = False


@dataclass(frozen=True, slots=True)
class Collateral:
    """What the wallet has, reserved money included, and what each spender may take of it."""

    balance_micro: int
    allowances_micro: Mapping[str, int]

    def allowance_micro(self, spender: str) -> int:
        """Return a contract's allowance, 0 for one that the venue does not list."""
        return self.allowances_micro.get(spender.lower(), 0)


@dataclass(frozen=True, slots=True)
class Region:
    """Where the venue sees us, and whether it lets us trade from there."""

    is_blocked: bool
    country: str
    region: str = ""
