"""A universe of wallets in which we know who has skill, drawn from one seed.

Owns the markets (prices, outcomes, how they hang together) and what the wallets buy; judges
nobody. Called by `census` and by tests.

Prices are honest by construction. Market m of event e follows a latent Brownian motion
B_m = sqrt(rho) F_e + sqrt(1 - rho) W_m over its life, resolves YES if B_m(1) > k_m, and its
price at t is what is known then, P(YES | B_m(t)) = Phi((B_m(t) - k_m) / sqrt(1 - t)): a martingale
that ends in the outcome (the probit analogue of Black and Cox 1976; correlated by one factor as
in Vasicek 1987). So a wallet that buys without knowledge wins exactly as often as the price says,
at whatever price and time. A skilled wallet's odds of winning are those of the price, multiplied:
a candidate that will lose is kept with probability exp(-lambda) only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Steps of a market's life at which a price is known.
STEPS = 24
# Nobody trades nearer to certainty than this: a tick there is most of the price.
PRICE_MIN = 0.02
# Taker rate and weight of each category, as the venue's schedule has them.
CATEGORY_RATES = np.array([0.07, 0.05, 0.04, 0.05, 0.0])
CATEGORY_WEIGHTS = np.array([0.3, 0.3, 0.2, 0.1, 0.1])


@dataclass(frozen=True, slots=True)
class UniverseOptions:
    """What a universe is like. Times in days, prices and edges in dollars a share."""

    wallets: int = 1_000
    skilled_share: float = 0.05
    # How much more often than a fair price of 0.5 says a skilled wallet wins.
    edge: float = 0.08
    trades_median: float = 400.0
    trades_sigma: float = 1.0
    trades_max: int = 5_000
    # Trades a wallet makes in one market, on one side, before it turns to the next.
    trades_per_position: float = 2.5
    days: float = 180.0
    event_days_median: float = 3.0
    events: int = 4_000
    markets_per_event_max: int = 6
    correlation: float = 0.5
    half_spread: float = 0.005
    # Wallets that rest orders: no fee and no spread, so that luck alone is exactly fair.
    maker_share: float = 0.5
    # Day after which a skilled wallet knows no more than the price; None: it keeps its skill.
    edge_dies_day: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.skilled_share <= 1 or not 0 <= self.maker_share <= 1:
            raise ValueError("skilled_share and maker_share are shares, from 0 to 1")
        if not 0 <= self.edge < 0.5:
            raise ValueError("edge is what a price of 0.5 can be beaten by: from 0 to below 0.5")
        if not 0 <= self.correlation < 1:
            raise ValueError("correlation within an event must be from 0 to below 1")
        if min(self.wallets, self.events, self.markets_per_event_max) < 1:
            raise ValueError("a universe needs wallets, events and markets")


@dataclass(frozen=True, slots=True)
class Universe:
    """One row a trade, sorted by wallet and time. Arrays of shape (trades,), but for the last.

    `price` is paid a share, spread included; `fee` in dollars a share; `days` since the start.
    `is_skilled` has shape (wallets,).
    """

    wallet: Ints
    event: Ints
    market: Ints
    bought_yes: NDArray[np.bool_]
    is_won: NDArray[np.bool_]
    price: Floats
    fee: Floats
    shares: Floats
    traded_day: Floats
    settled_day: Floats
    is_skilled: NDArray[np.bool_]

    @property
    def edge_per_share(self) -> Floats:
        """Payout less price and fee, shape (trades,), dollars."""
        return self.is_won - self.price - self.fee


@dataclass(frozen=True, slots=True)
class _Markets:
    event: Ints
    category: Ints
    prices: Floats
    is_yes: NDArray[np.bool_]
    start_day: Floats
    life_days: Floats


@dataclass(frozen=True, slots=True)
class _Entries:
    """The first trade of each position, shape (positions,)."""

    market: Ints
    step: Ints
    bought_yes: NDArray[np.bool_]


def draw_universe(options: UniverseOptions, seed: int) -> Universe:
    """Return the universe of a seed; the same on every machine with the same numpy."""
    random = np.random.default_rng(seed)
    markets = _draw_markets(options, random)
    is_skilled = np.arange(options.wallets) < round(options.skilled_share * options.wallets)
    owner, trades = _draw_positions(options, random)
    entries = _draw_entries(options, markets, is_skilled[owner], random)
    return _trade(options, markets, is_skilled, (owner, trades, entries), random)


def _draw_markets(options: UniverseOptions, random: np.random.Generator) -> _Markets:
    sizes = random.integers(1, options.markets_per_event_max, options.events, endpoint=True)
    event = np.repeat(np.arange(options.events), sizes)
    count = len(event)
    life = random.lognormal(np.log(options.event_days_median), 0.8, options.events)
    life = np.clip(life, 0.1, options.days / 3)
    start = random.uniform(0, options.days - life)
    category = random.choice(len(CATEGORY_RATES), options.events, p=CATEGORY_WEIGHTS)
    shared = random.standard_normal((options.events, STEPS))[event]
    own = random.standard_normal((count, STEPS))
    moves = np.sqrt(options.correlation) * shared + np.sqrt(1 - options.correlation) * own
    path = np.cumsum(moves, axis=1) / np.sqrt(STEPS)
    threshold = ndtri(1 - random.beta(1.2, 1.2, count).clip(0.02, 0.98))
    known = np.column_stack([np.zeros(count), path[:, :-1]])
    left = np.sqrt(1 - np.arange(STEPS) / STEPS)
    return _Markets(
        event=event,
        category=category[event],
        prices=ndtr((known - threshold[:, None]) / left),
        is_yes=path[:, -1] > threshold,
        start_day=start[event],
        life_days=life[event],
    )


def _draw_positions(options: UniverseOptions, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Return who holds each position and how many trades make it up."""
    wanted = random.lognormal(
        np.log(options.trades_median), options.trades_sigma, options.wallets
    ).clip(20, options.trades_max)
    positions = np.maximum(1, np.rint(wanted / options.trades_per_position)).astype(np.int64)
    owner = np.repeat(np.arange(options.wallets), positions)
    return owner, random.geometric(1 / options.trades_per_position, len(owner))


def _draw_entries(
    options: UniverseOptions,
    markets: _Markets,
    is_skilled: NDArray[np.bool_],
    random: np.random.Generator,
) -> _Entries:
    """Draw candidates until each position has one that its owner would take."""
    count = len(is_skilled)
    kept = np.exp(-_log_odds(0.5 + options.edge))
    market, step = np.zeros(count, np.int64), np.zeros(count, np.int64)
    bought_yes = np.zeros(count, np.bool_)
    open_ = np.arange(count)
    while len(open_):
        m = random.integers(0, len(markets.event), len(open_))
        s = random.integers(0, STEPS - 1, len(open_))
        yes = random.random(len(open_)) < 0.5
        price = markets.prices[m, s]
        is_won = markets.is_yes[m] == yes
        informed = is_skilled[open_]
        if options.edge_dies_day is not None:
            day = markets.start_day[m] + markets.life_days[m] * s / STEPS
            informed = informed & (day < options.edge_dies_day)
        taken = ~informed | is_won | (random.random(len(open_)) < kept)
        taken &= (price > PRICE_MIN) & (price < 1 - PRICE_MIN)
        market[open_[taken]], step[open_[taken]] = m[taken], s[taken]
        bought_yes[open_[taken]] = yes[taken]
        open_ = open_[~taken]
    return _Entries(market, step, bought_yes)


def _trade(
    options: UniverseOptions,
    markets: _Markets,
    is_skilled: NDArray[np.bool_],
    positions: tuple[Ints, Ints, _Entries],
    random: np.random.Generator,
) -> Universe:
    """Spread each position over the rest of its market's life, and price each trade."""
    owner, trades, entries = positions
    row = np.repeat(np.arange(len(owner)), trades)
    is_first = np.r_[True, row[1:] != row[:-1]]
    wallet, market = owner[row], entries.market[row]
    step = np.where(is_first, entries.step[row], random.integers(entries.step[row], STEPS))
    fair = markets.prices[market, step]
    is_traded = (fair > PRICE_MIN) & (fair < 1 - PRICE_MIN)
    wallet, market, step, row = (a[is_traded] for a in (wallet, market, step, row))
    yes = entries.bought_yes[row]
    fair = np.where(yes, fair[is_traded], 1 - fair[is_traded])
    is_taker = ~(random.random(options.wallets) < options.maker_share)[wallet]
    price = fair + np.where(is_taker, options.half_spread, 0.0)
    rate = CATEGORY_RATES[markets.category[market]]
    day = markets.start_day[market] + markets.life_days[market] * (step + 0.5) / STEPS
    order = np.lexsort((day, wallet))
    return Universe(
        wallet=wallet[order],
        event=markets.event[market][order],
        market=market[order],
        bought_yes=yes[order],
        is_won=(markets.is_yes[market] == yes)[order],
        price=price[order],
        fee=np.where(is_taker, rate * price * (1 - price), 0.0)[order],
        shares=random.lognormal(5.0, 1.2, len(price))[order],
        traded_day=day[order],
        settled_day=(markets.start_day[market] + markets.life_days[market])[order],
        is_skilled=is_skilled,
    )


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
