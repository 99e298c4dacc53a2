"""The types of `evidence.json` that describe and decide nothing, and the base of all its types.

Owns what is told of a wallet's record and of the wallets among each other; `evidence` has the
rest, the schema's version and its rules. Holds no logic.
"""

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every object in the file."""


class Range(Record, frozen=True, kw_only=True):
    """A number and its interval at the study's confidence."""

    value: float
    lower: float
    upper: float


class TrackRecord(Record, frozen=True, kw_only=True):
    """Ratios of the daily profit of settled markets, from the first result to the last.

    Returns are shares of `capital`, the most dollars at stake at one time; a year has 365 days.
    Recent forms weigh a day by its age, half after 60 days before the last result.
    """

    days: float | None
    capital: float | None
    profit: float | None
    sharpe: float | None
    sharpe_autocorrelated: float | None
    sharpe_lower: float | None
    sharpe_upper: float | None
    sortino: float | None
    calmar: float | None
    # Against the same dollars on the favourite.
    information_ratio: float | None
    profit_factor: float | None
    deepest_fall: float | None
    longest_fall_days: float | None
    recent_sharpe: float | None
    recent_sortino: float | None
    recent_profit_factor: float | None
    # Share of 30-day windows whose Sharpe ratio is above zero.
    steady_share: float | None
    probabilistic_sharpe: float | None
    days_needed: float | None
    effective_events: float | None
    # Of markets in profit, shrunk towards the rate of such markets in its categories.
    win_rate: Range


class Turns(Record, frozen=True, kw_only=True):
    """When a wallet's edge a market changed: days of results, null where nothing was noticed.

    `breaks` in hindsight; the others are the first fall that each detector would have told then.
    """

    markets: int
    breaks: list[str]
    sup_f: float | None
    cusum: str | None
    page_hinkley: str | None
    adwin: str | None


class Correction(Record, frozen=True, kw_only=True):
    """How many p-values of profit pass at the discovery rate; other rules are not asked."""

    name: str
    passing: int
    least: float


class BestOfAll(Record, frozen=True, kw_only=True):
    """Does the best wallet's daily profit beat doing nothing, given how many there are?"""

    wallets: int
    days: int
    block_length_days: float
    reality_check_p: float
    spa_p: float
    spa_p_lower: float
    spa_p_upper: float
    best: str


class Fading(Record, frozen=True, kw_only=True):
    """Rank correlation of the first half with each third of the second, and its half-life."""

    horizon_days: list[float]
    information_coefficient: list[float | None]
    wallets: int
    half_life_days: float | None


class SharedMarkets(Record, frozen=True, kw_only=True):
    """Two wallets in the same markets more often than free choice would have them."""

    first: str
    second: str
    shared: int
    jaccard: float
    overlap: float
    q_value: float


class Closest(Record, frozen=True, kw_only=True):
    """The two wallets whose daily results go together most, and over which spans they do.

    `coefficients` are detrended cross-correlations of their running profit in windows of
    `scale_days`; `hurst` is the joint exponent of second order, `width` that of the spectrum, both
    null with one scale.
    """

    first: str
    second: str
    correlation: float
    scale_days: list[int]
    coefficients: list[float]
    hurst: float | None
    width: float | None


class Crowd(Record, frozen=True, kw_only=True):
    """The wallets among each other. Groups are lists of wallets."""

    corrections: list[Correction]
    best_of_all: BestOfAll | None
    fading: Fading | None
    pairs_tested: int
    pairs_together: int
    shared_markets: list[SharedMarkets]
    moving_together: list[list[str]]
    closest: Closest | None
    alike: list[list[str]]
    churning: list[str]
