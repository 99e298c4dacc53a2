"""Chooses the markets of the sample and turns them into integer rows.

Owns the rules of what goes in; none of them looks at who won or at a wallet's profit. Each
market left out is counted under the first rule that refused it. Called by `__main__`.
"""

import hashlib
from collections import Counter, defaultdict

import msgspec

from whaletrader.lab.sample.categories import FEE_RATE_MICRO, categorise
from whaletrader.lab.sample.resolution import complete_outcomes, resolution_time
from whaletrader.lab.sample.source import Fill, Source, SourceMarket
from whaletrader.lab.sample.tokens import derive_tokens

MICRO = 1_000_000
TICK_MICRO = 10_000
FINE_TICK_MICRO = 1_000
# The venue's usual minimum order; the source does not name one.
MIN_SIZE_MICRO = 5 * MICRO
# Sizes are exact to the micro-share, so this only forgives rounding over many fills.
SHORT_TOLERANCE_SHARES = 0.001

HASH_SALT = "whaletrader sample 1:"


class SampleRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The window (UTC seconds, end exclusive) and how many trades are enough."""

    from_s: int = 1_751_328_000  # 2025-07-01
    to_s: int = 1_771_113_600  # 2026-02-15
    trades_enough: int = 24_000


class SampleMarket(msgspec.Struct, frozen=True):
    """A chosen market with everything the files say of it."""

    condition_id: str
    slug: str
    event_slug: str
    title: str
    category: str
    tick_micro: int
    tokens: tuple[str, str]
    outcomes: tuple[str, str]
    opens_at_s: int
    resolves_at_s: int
    resolves_basis: str
    winning_index: int
    winner_basis: str
    is_neg_risk: bool
    fills: list[Fill]

    @property
    def fee_rate_micro(self) -> int:
        """Today's taker rate of the category, micro-units."""
        return FEE_RATE_MICRO[self.category]


class Selection(msgspec.Struct, frozen=True):
    """The chosen markets by opening time, and (markets, trades) left out by rule."""

    rules: SampleRules
    markets: list[SampleMarket]
    wallet_names: dict[str, str]
    left_out: dict[str, tuple[int, int]]


def select(source: Source, rules: SampleRules) -> Selection:
    """Choose whole markets in the order of a hash until there are enough trades."""
    left_out: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    chosen: list[SampleMarket] = []
    trades = 0
    for market in sorted(source.markets, key=lambda market: _draw(market.condition_id)):
        reason = _refusal(market, source, rules)
        if reason is None and trades >= rules.trades_enough:
            reason = "not drawn (enough trades)"
        if reason is not None:
            left_out[reason][0] += 1
            left_out[reason][1] += len(market.fills)
            continue
        chosen.append(_finish(market))
        trades += len(market.fills)
    chosen.sort(key=lambda market: (market.opens_at_s, market.condition_id))
    counts = {reason: (pair[0], pair[1]) for reason, pair in sorted(left_out.items())}
    return Selection(rules, chosen, source.wallet_names, counts)


def size_micro(fill: Fill) -> int:
    """Shares to micro-shares; the source is exact to 6 decimals."""
    return round(fill.size * MICRO)


def price_micro(fill: Fill) -> int:
    """Average fill price to micro-units, half to even."""
    return round(fill.price * MICRO)


def _draw(condition_id: str) -> str:
    return hashlib.sha256((HASH_SALT + condition_id).encode()).hexdigest()


def _refusal(market: SourceMarket, source: Source, rules: SampleRules) -> str | None:
    if min(fill.at_s for fill in market.fills) < rules.from_s:
        return "first trade before the window"
    if max(fill.at_s for fill in market.fills) >= rules.to_s:
        return "last trade after the window"
    if market.winner_basis not in ("published", "inferred_redeem") or market.winning_index is None:
        return "result not known"
    resolved = resolution_time(market)
    if resolved is None:
        return "nothing says when it resolved"
    if resolved[0] >= rules.to_s:
        return "resolved after the window"
    if source.converted_events & {market.slug, market.event_slug}:
        return "its event has CONVERSION rows"
    if market.has_split_or_merge:
        return "has SPLIT or MERGE rows"
    if any(not 0 < price_micro(f) < MICRO or size_micro(f) <= 0 for f in market.fills):
        return "a price or size rounds to the edge"
    if _sells_more_than_bought(market.fills):
        return "a wallet sells more than it bought"
    return None


def _sells_more_than_bought(fills: list[Fill]) -> bool:
    # Sums at the end of each second: the order inside a second is not known.
    held: Counter[tuple[str, int]] = Counter()
    by_second: dict[int, list[Fill]] = defaultdict(list)
    for fill in fills:
        by_second[fill.at_s].append(fill)
    for second in sorted(by_second):
        touched = set()
        for fill in by_second[second]:
            key = (fill.wallet, fill.outcome_index)
            held[key] += size_micro(fill) if fill.side == "BUY" else -size_micro(fill)
            touched.add(key)
        if any(held[key] < -SHORT_TOLERANCE_SHARES * MICRO for key in touched):
            return True
    return False


def _finish(market: SourceMarket) -> SampleMarket:
    resolved = resolution_time(market)
    if resolved is None or market.winning_index is None:
        raise ValueError(f"{market.condition_id} was chosen without a result")
    tokens, is_neg_risk = derive_tokens(
        market.condition_id, {fill.outcome_index: fill.token_id for fill in market.fills}
    )
    for fill in market.fills:
        if tokens[fill.outcome_index] != fill.token_id:
            raise ValueError(f"{market.condition_id} trades a token that is not its own")
    return SampleMarket(
        condition_id=market.condition_id,
        slug=market.slug,
        event_slug=market.event_slug,
        title=" ".join(market.title.split()),
        category=categorise(market.event_slug, market.slug),
        tick_micro=_tick(market.fills),
        tokens=tokens,
        outcomes=complete_outcomes(market),
        opens_at_s=min(fill.at_s for fill in market.fills),
        resolves_at_s=resolved[0],
        resolves_basis=resolved[1],
        winning_index=market.winning_index,
        winner_basis=market.winner_basis,
        is_neg_risk=is_neg_risk,
        fills=sorted(market.fills, key=_fill_order),
    )


def _tick(fills: list[Fill]) -> int:
    # A price off the 0.001 grid is an average over levels and says nothing about the tick.
    on_grid = [p for p in map(price_micro, fills) if p % FINE_TICK_MICRO == 0]
    is_fine = bool(on_grid) and all(price % TICK_MICRO for price in on_grid)
    return FINE_TICK_MICRO if is_fine else TICK_MICRO


def _fill_order(fill: Fill) -> tuple[int, str, str, int, str, int, int]:
    # Content only, so that the bytes do not depend on the order of rows in the source.
    return (
        fill.at_s,
        fill.tx_hash,
        fill.wallet,
        fill.outcome_index,
        fill.side,
        size_micro(fill),
        price_micro(fill),
    )
