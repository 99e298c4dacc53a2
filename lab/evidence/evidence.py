"""The types of `evidence.json`: what is written, under which names, in which units.

Owns the schema (documented in docs/evidence.md) and its version, raised with every change that
could break a reader. Money is dollars, times are UTC, shares and rates are fractions. What is not
defined is null. Holds no logic; filled by the parts of the study, read by the report.
"""

from typing import Final

from whaletrader.lab.evidence.description import Crowd, Record, TrackRecord, Turns
from whaletrader.lab.evidence.options import StudyOptions

SCHEMA_VERSION: Final = 1


class Estimate(Record, frozen=True, kw_only=True):
    """A number with its interval at the study's confidence, and how many stand behind it."""

    value: float
    lower: float
    upper: float
    observations: int
    clusters: int


class InputFile(Record, frozen=True, kw_only=True):
    name: str
    rows: int
    sha256: str


class Span(Record, frozen=True, kw_only=True):
    """What the folder holds."""

    first_trade: str
    last_trade: str
    rows: int
    trades: int
    wallets: int
    markets: int
    markets_known: int
    markets_published: int
    markets_inferred: int


class Selection(Record, frozen=True, kw_only=True):
    """How the wallets were chosen, as far as the folder tells, and what that does."""

    wallets: int
    histories_cut: int
    with_published_figure: int
    published_in_profit: int
    published_sources: dict[str, int]
    computed_in_profit: int
    edge_published: Estimate
    edge_inferred: Estimate
    losing_redemptions_share: float
    bias: list[str]


class Comparison(Record, frozen=True, kw_only=True):
    """One wallet's ledger against its published figure, in dollars."""

    source: str
    board: str
    published: float
    computed: float
    difference: float
    tolerance: float
    is_compared: bool
    matches: bool
    explanation: str


class LedgerCheck(Record, frozen=True, kw_only=True):
    """The ledger as a whole."""

    compared: int
    matches: int
    median_difference_share: float
    median_difference_share_with_income: float
    rows: int
    conversions_ambiguous: int
    conversions_unexplained: int
    redemptions_unmatched: int
    markets_not_whole: int
    result_conflicts: list[str]


class Rule(Record, frozen=True, kw_only=True):
    """One condition that a verdict was held against."""

    name: str
    value: float | None
    limit: float | None
    passed: bool


class WalletSkill(Record, frozen=True, kw_only=True):
    """The verdict on one wallet: profit a share after fees against the price paid."""

    verdict: str
    edge: float | None
    edge_lower: float | None
    edge_upper: float | None
    p_value: float | None
    q_value: float | None
    shrunk_edge: float | None
    shrunk_lower: float | None
    deflated_sharpe: float | None
    markets: int
    events: int
    trades: int
    rules: list[Rule]


class WalletEvidence(Record, frozen=True, kw_only=True):
    """One wallet. Profit is trading's, at payouts and marks; income apart."""

    wallet: str
    name: str
    history_capped: bool
    computed_profit: float
    realized: float
    unredeemed: float
    unrealized: float
    income: float
    fees: float
    trades: int
    markets: int
    published: Comparison | None
    skill: WalletSkill | None
    track_record: TrackRecord | None
    turns: Turns | None


class SkillCount(Record, frozen=True, kw_only=True):
    """How many wallets of a sample came out how."""

    sample: str
    tested: int
    skilled: int
    unproven: int
    bad: int
    least_q_value: float | None
    uncorrected: int


class Skill(Record, frozen=True, kw_only=True):
    """Verdicts over all wallets, corrected for how many were tried."""

    discovery_rate: float
    counts: list[SkillCount]


class Half(Record, frozen=True, kw_only=True):
    """One wallet's two halves: edge a share known then, and profit a dollar afterwards."""

    wallet: str
    first_edge: float
    first_lower: float
    second_profit_per_dollar: float
    second_dollars: float
    is_followed: bool


class Persistence(Record, frozen=True, kw_only=True):
    """Does the first half say anything about the second? Wallets cut on one day are apart."""

    results: str
    wallets: int
    rank_correlation: Estimate
    rank_p_value: float
    rank_correlation_of_edges: Estimate
    slope: float
    slope_p_value: float
    quintile: Estimate
    quintile_wallets: int
    decile: Estimate
    decile_wallets: int
    rest: Estimate
    # Of the best fifth earning so much more a dollar than the rest, by permutation.
    quintile_p_value: float
    # Above and below the median before (rows) and after (columns), and the odds ratio's z.
    winners: list[list[float]]
    winners_z: float
    halves: list[Half]


class Copy(Record, frozen=True, kw_only=True):
    """One way of copying: what each dollar earned after fees and slippage."""

    sample: str
    prints: str
    signals: str
    fees: str
    exits: str
    stake: str
    delay_s: int
    slippage: float
    price_least: float
    price_most: float
    results: str
    per_dollar: Estimate
    per_dollar_by_event: Estimate
    offered: int
    filled: int
    own_prints_share: float
    median_wait_s: float


class Baseline(Record, frozen=True, kw_only=True):
    """The copier's dollars spent otherwise at the same prints, and the difference."""

    name: str
    per_dollar: Estimate
    copier_less_baseline: Estimate


class RandomWallets(Record, frozen=True, kw_only=True):
    """Copying as many wallets drawn by lot."""

    draws: int
    wallets: int
    of_wallets: int
    mean: float
    lower: float
    upper: float
    share_at_least_as_good: float


class Copier(Record, frozen=True, kw_only=True):
    """The copier's result: the one the verdict rests on, and every variant."""

    followed_wallets: list[str]
    main: Copy
    everyone: Copy
    baselines: list[Baseline]
    random_wallets: RandomWallets
    by_delay: list[Copy]
    variants: list[Copy]


class Curve(Record, frozen=True, kw_only=True):
    """Prices paid against how often they won, by price bin."""

    sample: str
    predicted: list[float]
    observed: list[float]
    lower: list[float]
    upper: list[float]
    counts: list[int]
    # score = reliability - resolution + uncertainty + what varies within bins.
    brier_score: float
    brier_reliability: float
    brier_resolution: float
    brier_uncertainty: float


class Verdict(Record, frozen=True, kw_only=True):
    """One sentence, and the facts it follows from."""

    answer: str
    sentence: str
    facts: list[str]


class Evidence(Record, frozen=True, kw_only=True):
    """The whole file."""

    schema_version: int
    versions: dict[str, str]
    options: StudyOptions
    inputs: list[InputFile]
    span: Span
    verdict: Verdict
    selection: Selection
    ledger: LedgerCheck
    skill: Skill
    persistence: list[Persistence]
    by_calendar: Persistence | None
    by_calendar_split: str
    copier: Copier | None
    crowd: Crowd
    calibration: list[Curve]
    wallets: list[WalletEvidence]
