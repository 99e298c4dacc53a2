"""What the venue checks before it takes an order, in its own words.

Pure: terms and market in, price and size out, or `OrderRefused`. The price is not on the wire: it
is the ratio of the two amounts, which clients round in slightly different ways, so an order is held
against tick, lot and amount rules and never against one client's arithmetic.
"""

from __future__ import annotations

from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.model import (
    LOT_MICRO,
    MICRO,
    NS,
    Market,
    NewOrder,
    OrderType,
    Side,
)

GTC, GTD = OrderType.GTC, OrderType.GTD

# Decimals that the venue allows in the derived amount, by tick size.
AMOUNT_DECIMALS = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}
TICKS = frozenset(AMOUNT_DECIMALS)
_AMOUNT_STEPS = {tick: 10 ** (6 - places) for tick, places in AMOUNT_DECIMALS.items()}

# 2262: what a signed 64-bit count of nanoseconds ends with.
_EXPIRATION_NS_END = 1 << 63

NOT_READY = "the market is not yet ready to process new orders"
TRADING_DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
CANCEL_ONLY = (
    "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
)
POST_ONLY_MODE = "post-only mode: only post-only orders and cancels are allowed"
UNKNOWN_TOKEN = "No orderbook exists for the requested token id"
INVALID_PAYLOAD = "Invalid order payload"
INVALID_EXPIRATION = "invalid expiration"
POST_ONLY_CROSSES = "invalid post-only order: order crosses book"
FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = (
    "no orders found to match with FAK order. "
    "FAK orders are partially filled or killed if no match is found."
)


def plain(micro: int) -> str:
    """Write micro-units as the venue writes decimals: no exponent, no trailing zeros."""
    whole, part = divmod(abs(micro), MICRO)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if micro < 0 else text


def price_and_size(new: NewOrder, market: Market) -> tuple[int, int]:
    """Return (price, size) in micro-units of an order that keeps the tick and lot rules.

    The size of a market BUY is what its dollars buy at the limit; it may come to more.
    """
    if new.maker_amount <= 0 or new.taker_amount <= 0:
        raise OrderRefused(INVALID_PAYLOAD)
    is_buy = new.side is Side.BUY
    cost, size = (
        (new.maker_amount, new.taker_amount) if is_buy else (new.taker_amount, new.maker_amount)
    )
    tick = market.tick_size_micro
    amount_step = _AMOUNT_STEPS[tick]
    price, rest = divmod(cost * MICRO, size)
    off_grid = False
    if rest or price % tick:
        price = (2 * cost * MICRO + size * tick) // (2 * size * tick) * tick
        off_grid = abs(cost * MICRO - price * size) > amount_step * MICRO
    if off_grid or not tick <= price <= MICRO - tick:
        stated = plain(cost * MICRO // size)
        raise OrderRefused(
            f"order {new.order_id} is invalid. "
            f"Price ({stated}) breaks minimum tick size rule: {plain(tick)}"
        )
    if new.order_type is GTC or new.order_type is GTD:
        _check_resting_size(new, market, size)
    else:
        _check_market_amounts(new, amount_step)
    return price, size


def closed_only(address: str) -> str:
    """Return the refusal of an order that would open a position."""
    return f"'{address}' address in closed only mode"


def check_expiration(new: NewOrder, now_ns: int, security_s: int) -> None:
    """Refuse a GTD order that would be dropped at once, and an expiration on any other type."""
    if new.order_type is not OrderType.GTD:
        if new.expiration_s != 0:
            raise OrderRefused(INVALID_EXPIRATION)
        return
    if not now_ns + security_s * NS < new.expiration_s * NS < _EXPIRATION_NS_END:
        raise OrderRefused(INVALID_EXPIRATION)


def check_marketable_buy(new: NewOrder, cost_micro: int, minimum_micro: int) -> None:
    if new.side is Side.BUY and cost_micro < minimum_micro:
        raise OrderRefused(
            f"invalid amount for a marketable BUY order (${plain(cost_micro)}), "
            f"min size: ${plain(minimum_micro)}"
        )


def not_enough(available_micro: int, needed_micro: int) -> OrderRefused:
    """Build the venue's refusal; amounts are base units, as on chain."""
    return OrderRefused(
        "not enough balance / allowance: the balance is not enough -> "
        f"balance: {available_micro}, order amount: {needed_micro}"
    )


def _check_resting_size(new: NewOrder, market: Market, size: int) -> None:
    if size % LOT_MICRO:
        places = len(plain(size).partition(".")[2])
        raise OrderRefused(
            f"order {new.order_id} is invalid. Size ({plain(size)}) has {places} decimal places. "
            "Maximum lot size is 2"
        )
    if size < market.min_size_micro:
        raise OrderRefused(
            f"order {new.order_id} is invalid. Size ({plain(size)}) "
            f"lower than the minimum: {plain(market.min_size_micro)}"
        )


def _check_market_amounts(new: NewOrder, amount_step: int) -> None:
    if new.post_only:
        raise OrderRefused(INVALID_PAYLOAD)
    if new.maker_amount % LOT_MICRO or new.taker_amount % amount_step:
        places = 6 - (len(str(amount_step)) - 1)
        kind = "buy" if new.side is Side.BUY else "sell"
        raise OrderRefused(
            f"invalid amounts, the market {kind} orders maker amount supports a max accuracy of "
            f"2 decimals, taker amount a max of {places} decimals"
        )
