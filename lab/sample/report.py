"""What the chosen sample holds, in numbers: shown by the builder and written to ATTRIBUTION.md.

Pure: a selection in, a frozen value out. Profits are the wallets' own, from the sample's fills
alone, every fill charged as a taker's; they never feed back into the selection.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from whaletrader.lab.sample.selection import (
    MICRO,
    SampleMarket,
    Selection,
    price_micro,
    size_micro,
)
from whaletrader.lab.sample.source import Fill

# The venue rounds fees to 5 decimals: 10 micro-units.
FEE_STEP_MICRO = 10
USDC_TOLERANCE = 0.01
BUCKETS_S = (300, 900, 3600)


class SampleReport(msgspec.Struct, frozen=True):
    """Counts of the sample. Distributions are (least, quarter, median, three quarters, most)."""

    markets: int
    neg_risk_markets: int
    trades: int
    wallets: int
    days: int
    first_day: str
    last_day: str
    trades_a_wallet: tuple[int, int, int, int, int]
    markets_a_wallet: tuple[int, int, int, int, int]
    wallets_with_10_markets: int
    wallets_in_profit_before_fees: int
    wallets_in_profit_after_fees: int
    wallets_in_loss_after_fees: int
    markets_by_category: dict[str, int]
    trades_by_month: dict[str, int]
    resolution_time_basis: dict[str, int]
    winner_basis: dict[str, int]
    named_by_negation: int
    buckets: dict[int, int]
    usdc_deviations: int
    usdc_deviations_off_crypto_windows: int
    usdc_deviation_percent_max: float
    holdings_on_the_winner: dict[str, tuple[int, int]]
    left_out: dict[str, tuple[int, int]]


def describe(selection: Selection) -> SampleReport:
    """Count the sample. Raises ValueError when nothing was chosen."""
    markets = selection.markets
    if not markets:
        raise ValueError("no market fits the rules: nothing to ship")
    fills = [(market, fill) for market in markets for fill in market.fills]
    trades = Counter(fill.wallet for _, fill in fills)
    touched: dict[str, set[str]] = defaultdict(set)
    for market, fill in fills:
        touched[fill.wallet].add(market.condition_id)
    before, after = _profits(markets, with_fees=False), _profits(markets, with_fees=True)
    start_s, end_s = markets[0].opens_at_s, max(market.resolves_at_s for market in markets)
    off_usdc = [(market, fill) for market, fill in fills if _usdc_deviation(fill) > USDC_TOLERANCE]
    return SampleReport(
        markets=len(markets),
        neg_risk_markets=sum(market.is_neg_risk for market in markets),
        trades=len(fills),
        wallets=len(trades),
        days=(end_s - start_s) // 86_400,
        first_day=_day(start_s),
        last_day=_day(end_s),
        trades_a_wallet=_five(list(trades.values())),
        markets_a_wallet=_five([len(ids) for ids in touched.values()]),
        wallets_with_10_markets=sum(len(ids) >= 10 for ids in touched.values()),
        wallets_in_profit_before_fees=sum(profit > 0 for profit in before.values()),
        wallets_in_profit_after_fees=sum(profit > 0 for profit in after.values()),
        wallets_in_loss_after_fees=sum(profit < 0 for profit in after.values()),
        markets_by_category=_counts(market.category for market in markets),
        trades_by_month=dict(sorted(Counter(_day(fill.at_s)[:7] for _, fill in fills).items())),
        resolution_time_basis=_counts(market.resolves_basis for market in markets),
        winner_basis=_counts(market.winner_basis for market in markets),
        named_by_negation=sum(
            any(name.startswith("not ") for name in market.outcomes) for market in markets
        ),
        buckets={width_s: _buckets(markets, width_s) for width_s in BUCKETS_S},
        usdc_deviations=len(off_usdc),
        usdc_deviations_off_crypto_windows=sum(
            market.resolves_basis != "window_end" for market, _ in off_usdc
        ),
        usdc_deviation_percent_max=round(
            max((100 * _usdc_deviation(fill) / fill.usdc for _, fill in off_usdc), default=0.0), 2
        ),
        holdings_on_the_winner=_holdings(markets),
        left_out=selection.left_out,
    )


def _profits(markets: list[SampleMarket], *, with_fees: bool) -> dict[str, int]:
    # Units: price x size is micro x micro; kept so until the end to lose nothing.
    square: Counter[str] = Counter()
    for market in markets:
        for fill in market.fills:
            size, price = size_micro(fill), price_micro(fill)
            worth = MICRO if fill.outcome_index == market.winning_index else 0
            sign = 1 if fill.side == "BUY" else -1
            square[fill.wallet] += sign * size * (worth - price)
            if with_fees:
                square[fill.wallet] -= MICRO * _fee_micro(size, price, market.fee_rate_micro)
    return {wallet: profit // MICRO for wallet, profit in square.items()}


def _fee_micro(size: int, price: int, rate: int) -> int:
    exact = size * rate * price * (MICRO - price)
    step = FEE_STEP_MICRO * MICRO**3
    return (exact + step // 2) // step * FEE_STEP_MICRO


def _holdings(markets: list[SampleMarket]) -> dict[str, tuple[int, int]]:
    # (on the winner, all) wallet positions above one share left at the end, by winner basis.
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for market in markets:
        held: Counter[tuple[str, int]] = Counter()
        for fill in market.fills:
            key = (fill.wallet, fill.outcome_index)
            held[key] += size_micro(fill) if fill.side == "BUY" else -size_micro(fill)
        for (_, outcome), size in held.items():
            if size > MICRO:
                counts[market.winner_basis][0] += outcome == market.winning_index
                counts[market.winner_basis][1] += 1
    return {basis: (pair[0], pair[1]) for basis, pair in sorted(counts.items())}


def _usdc_deviation(fill: Fill) -> float:
    return abs(fill.size * fill.price - fill.usdc)


def _buckets(markets: list[SampleMarket], width_s: int) -> int:
    times = {fill.at_s for market in markets for fill in market.fills}
    times |= {second for m in markets for second in (m.opens_at_s, m.resolves_at_s)}
    return len({second // width_s for second in times})


def _five(values: list[int]) -> tuple[int, int, int, int, int]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return (
        ordered[0],
        ordered[last // 4],
        ordered[last // 2],
        ordered[last * 3 // 4],
        ordered[last],
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def _day(second: int) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d")
