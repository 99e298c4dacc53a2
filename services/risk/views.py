"""What risk has seen of the world: terms of markets, last prices, results. Never needed to
rebuild its book; without them it refuses."""

import msgspec

from whaletrader.schemas import market_pb2


class Market(msgspec.Struct, frozen=True):
    """The terms of a market that the rules need."""

    tokens: tuple[str, ...]
    tick_micro: int
    min_size_micro: int
    fee_rate_micro: int
    fee_exponent: int
    opens_ns: int
    # 0: nobody said.
    ends_ns: int


class LastPrice(msgspec.Struct, frozen=True):
    price_micro: int
    at_ns: int


class RiskViews(msgspec.Struct):
    """By condition id, and prices by token id."""

    markets: dict[str, Market] = msgspec.field(default_factory=dict)
    prices: dict[str, LastPrice] = msgspec.field(default_factory=dict)
    # The winning token of each decided market.
    winners: dict[str, str] = msgspec.field(default_factory=dict)


def see_market(views: RiskViews, listed: market_pb2.MarketListed) -> None:
    """Note a market's terms. One without tick or tokens stays unknown, so it is not traded."""
    if listed.tick_size_micro <= 0 or not listed.tokens:
        return
    views.markets[listed.condition_id] = Market(
        tokens=tuple(token.token_id for token in listed.tokens),
        tick_micro=listed.tick_size_micro,
        min_size_micro=listed.min_size_micro,
        fee_rate_micro=listed.fee_rate_micro,
        fee_exponent=listed.fee_exponent,
        opens_ns=listed.opens_ns,
        ends_ns=listed.ends_ns,
    )


def see_print(views: RiskViews, printed: market_pb2.TradePrinted) -> None:
    """Note the last price, by event time."""
    last = views.prices.get(printed.token_id)
    at_ns = printed.meta.event_time_ns
    if (last is None or last.at_ns <= at_ns) and printed.condition_id not in views.winners:
        views.prices[printed.token_id] = LastPrice(printed.price_micro, at_ns)


def see_resolution(views: RiskViews, resolved: market_pb2.MarketResolved) -> None:
    """Note the result and forget the market's prices."""
    views.winners.setdefault(resolved.condition_id, resolved.winning_token_id)
    market = views.markets.get(resolved.condition_id)
    for token in market.tokens if market else ():
        views.prices.pop(token, None)
