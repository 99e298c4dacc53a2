"""One wallet in one market, from its first trade to the market's resolution.

Owns what a trade does to a holding and what is left of it when the market settles, as someone
would have earned who made the same trades at the same prices and paid the taker fee on each.
Money is in integers; nothing here knows of other wallets, of time or of messages.
"""

from typing import Final

import msgspec

from whaletrader.domain.money import MICRO, notional, taker_fee


class Lots(msgspec.Struct):
    """Shares of one token: what is held, at which cost, and what was ever bought."""

    held_micro: int = 0
    # Of what is held, by average cost.
    cost_micro: int = 0
    bought_micro: int = 0
    paid_micro: int = 0


class Holding(msgspec.Struct):
    """A wallet's open business in one market."""

    lots: dict[str, Lots] = msgspec.field(default_factory=dict)
    realized_micro: int = 0
    fees_micro: int = 0
    trades: int = 0
    # Sales of shares that were never seen bought: they count for nothing but are told.
    unmatched_sells: int = 0
    # First 64 bits of the ids of its trades: a trade that comes again changes nothing.
    trade_ids: dict[int, None] = msgspec.field(default_factory=dict)


class MarketTerms(msgspec.Struct, frozen=True):
    """What a market charges takers: shares * rate * (p * (1 - p)) ^ exponent."""

    fee_rate_micro: int
    fee_exponent: int = 1


class MarketResult(msgspec.Struct, frozen=True):
    """What a wallet made of one settled market. `edge_micro` is profit a share bought, net."""

    profit_micro: int
    fees_micro: int
    volume_micro: int
    edge_micro: int
    # What chance alone does to the edge if the prices paid were right, in 1e-12.
    chance_variance: int
    trades: int


def buy(holding: Holding, token_id: str, price_micro: int, size_micro: int, fee: int) -> None:
    """Add a purchase. The cost is rounded up, as for whoever pays it."""
    lots = holding.lots.setdefault(token_id, Lots())
    cost = notional(price_micro, size_micro, up=True)
    lots.held_micro += size_micro
    lots.cost_micro += cost
    lots.bought_micro += size_micro
    lots.paid_micro += cost
    holding.fees_micro += fee
    holding.trades += 1


def sell(
    holding: Holding, token_id: str, price_micro: int, size_micro: int, terms: MarketTerms
) -> None:
    """Take a sale against the average cost; what exceeds the shares held is only counted."""
    lots = holding.lots.get(token_id)
    matched = min(size_micro, lots.held_micro if lots else 0)
    if matched < size_micro:
        holding.unmatched_sells += 1
    holding.trades += 1
    if lots is None or matched == 0:
        return
    released = lots.cost_micro * matched // lots.held_micro
    holding.realized_micro += notional(price_micro, matched) - released
    holding.fees_micro += trade_fee(price_micro, matched, terms)
    lots.held_micro -= matched
    lots.cost_micro -= released


def trade_fee(price_micro: int, size_micro: int, terms: MarketTerms) -> int:
    """Return what a copier pays the venue for the trade, in micro-dollars."""
    return taker_fee(price_micro, size_micro, terms.fee_rate_micro, terms.fee_exponent)


def settle(holding: Holding, winning_token_id: str) -> MarketResult | None:
    """Return the result of the market; None if nothing was bought that we have seen."""
    bought = sum(lots.bought_micro for lots in holding.lots.values())
    if bought == 0:
        return None
    profit = holding.realized_micro - holding.fees_micro
    for token_id, lots in holding.lots.items():
        payout = lots.held_micro if token_id == winning_token_id else 0
        profit += payout - lots.cost_micro
    return MarketResult(
        profit_micro=profit,
        fees_micro=holding.fees_micro,
        volume_micro=sum(lots.paid_micro for lots in holding.lots.values()),
        edge_micro=profit * MICRO // bought,
        chance_variance=_chance_variance(holding, bought),
        trades=holding.trades,
    )


# One outcome's price is one dollar less the other's, so shares of both cancel out.
_OUTCOMES: Final = 2


def _chance_variance(holding: Holding, bought: int) -> int:
    """Return the variance of the edge if each outcome wins as often as its price says.

    Ten favourites bought at 0.97 that all won show no variance at all; this is what they risked.
    """
    sizes = sorted(holding.lots.values(), key=lambda lots: lots.bought_micro)[-_OUTCOMES:]
    largest = sizes[-1]
    net = largest.bought_micro - (sizes[0].bought_micro if len(sizes) == _OUTCOMES else 0)
    # Costs are rounded up, so dust can cost a whole dollar a share.
    price = min(largest.paid_micro * MICRO // largest.bought_micro, MICRO)
    share = net * MICRO // bought
    return share * share * price * (MICRO - price) // (MICRO * MICRO)
