"""The report's words on track records and on the wallets among each other.

Owns which figures are shown and how they read; computes nothing. Called by `page`.
"""

from html import escape

from whaletrader.lab.evidence.description import Crowd, TrackRecord
from whaletrader.lab.evidence.evidence import Evidence, WalletEvidence
from whaletrader.lab.evidence.report.tables import Cell, Column, number, table, text
from whaletrader.lab.evidence.wording import short_name

_GROUPS_SHOWN_MAX = 20


def track_records(evidence: Evidence) -> str:
    """One row a wallet with enough days, the most probable first."""
    shown = [(row, row.track_record) for row in evidence.wallets if row.track_record is not None]
    if not shown:
        return ""
    shown.sort(key=lambda pair: (-(pair[1].probabilistic_sharpe or 0.0), pair[0].wallet))
    columns = (
        Column("wallet"),
        Column("days", is_number=True),
        Column("profit, $", is_number=True),
        Column("capital, $", is_number=True),
        Column("Sharpe", is_number=True),
        Column("interval"),
        Column("recent", is_number=True),
        Column("Sortino", is_number=True),
        Column("Calmar", is_number=True),
        Column("profit factor", is_number=True),
        Column("deepest fall, $", is_number=True),
        Column("days above 0", is_number=True),
        Column("markets won"),
        Column("P(Sharpe > 0)", is_number=True),
        Column("days needed", is_number=True),
        Column("edge fell"),
    )
    rows = [_record(row, told) for row, told in shown]
    return (
        "<h2>Track records</h2>\n<p>Daily profit of settled markets whose record is whole, as "
        "shares of the most dollars at stake at one time. These ratios describe and prove nothing: "
        "they know neither the prices paid nor how many wallets were tried, and the verdict does "
        "not read them. <em>Recent</em> counts a day half after 60 days, <em>days above 0</em> is "
        "the share of 30-day windows with a Sharpe ratio above zero, <em>markets won</em> leans on "
        "how often such markets are won. A dash: not defined, such as a profit factor without a "
        "loss.</p>\n" + table(columns, rows)
    )


def crowd(evidence: Evidence) -> str:
    """What one wallet alone cannot say, as a list."""
    found = evidence.crowd
    names = {row.wallet: short_name(row) for row in evidence.wallets}
    lines = [
        *_chances(found, names, evidence.skill.discovery_rate),
        *_fading(found),
        *_together(found, names),
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>Among each other</h2>\n<ul>{items}</ul>\n{_pairs(found, names)}"


def _record(row: WalletEvidence, told: TrackRecord) -> tuple[Cell, ...]:
    low, high, rate = told.sharpe_lower, told.sharpe_upper, told.win_rate
    interval = "–" if low is None or high is None else f"{low:+.1f} to {high:+.1f}"
    return (
        text(short_name(row)),
        number(told.days),
        number(told.profit),
        number(told.capital),
        number(told.sharpe, "+.1f"),
        text(interval.replace("-", "−")),
        number(told.recent_sharpe, "+.1f"),
        number(told.sortino, "+.1f"),
        number(told.calmar, "+.1f"),
        number(told.profit_factor, ".2f"),
        number(told.deepest_fall),
        number(told.steady_share, ".0%"),
        text(f"{rate.value:.0%} ({rate.lower:.0%} to {rate.upper:.0%})"),
        number(told.probabilistic_sharpe, ".2f"),
        number(told.days_needed),
        text(_fell(row)),
    )


def _fell(row: WalletEvidence) -> str:
    if row.turns is None:
        return "too few markets"
    detectors = (
        ("CUSUM", row.turns.cusum),
        ("Page-Hinkley", row.turns.page_hinkley),
        ("ADWIN", row.turns.adwin),
    )
    return "; ".join(f"{day} ({name})" for name, day in detectors if day) or "not noticed"


def _chances(found: Crowd, names: dict[str, str], rate: float) -> list[str]:
    told = []
    if found.corrections:
        passing = ", ".join(f"{one.passing} ({one.name})" for one in found.corrections)
        told.append(
            f"Wallets whose profit passes at {rate:.0%} by the p-value alone, by correction: "
            f"{passing}. Benjamini and Yekutieli's holds whatever the wallets have to do with each "
            "other."
        )
    best = found.best_of_all
    if best is not None:
        told.append(
            f"The best of {best.wallets} daily records is {names[best.best]}. Were none better "
            f"than doing nothing, the best would look as good with probability {best.spa_p:.2f} "
            f"(Hansen; {best.spa_p_lower:.2f} to {best.spa_p_upper:.2f}), "
            f"{best.reality_check_p:.2f} by "
            "White's reality check."
        )
    return told


def _fading(found: Crowd) -> list[str]:
    if found.fading is None:
        return []
    parts = ", ".join(
        f"{'not defined' if ic is None else format(ic, '+.2f').replace('-', '−')} after "
        f"{days:.1f} days"
        for ic, days in zip(
            found.fading.information_coefficient, found.fading.horizon_days, strict=True
        )
    )
    half = found.fading.half_life_days
    fades = "it has no half-life" if half is None else f"its half-life is {half:.0f} days"
    return [
        f"Rank correlation of the first half with each third of the second: {parts}; {fades} "
        f"({found.fading.wallets} wallets)."
    ]


def _together(found: Crowd, names: dict[str, str]) -> list[str]:
    return [
        f"{found.pairs_together:,} of {found.pairs_tested:,} pairs of wallets share more markets "
        "than chance explains.",
        _groups("results move together", found.moving_together, names),
        *_closest(found, names),
        _groups("habits are alike (HDBSCAN on sizes, prices, hours, pauses)", found.alike, names),
        f"Wallets that buy and sell back for less than the fees: "
        f"{', '.join(names[one] for one in found.churning) or 'none'}.",
    ]


def _closest(found: Crowd, names: dict[str, str]) -> list[str]:
    pair = found.closest
    if pair is None:
        return []
    spans = ", ".join(
        f"{value:+.2f} over {days}".replace("-", "−")
        for days, value in zip(pair.scale_days, pair.coefficients, strict=True)
    )
    return [
        f"Closest in their results are {names[pair.first]} and {names[pair.second]}: correlation "
        f"{pair.correlation:+.2f} a day; detrended, {spans} days.".replace("+-", "−")
    ]


def _groups(what: str, groups: list[list[str]], names: dict[str, str]) -> str:
    shown = "; ".join(
        ", ".join(names[wallet] for wallet in group) for group in groups[:_GROUPS_SHOWN_MAX]
    )
    more = f"; and {len(groups) - _GROUPS_SHOWN_MAX} more" * (len(groups) > _GROUPS_SHOWN_MAX)
    return f"Groups whose {what}: {shown + more or 'none'}."


def _pairs(found: Crowd, names: dict[str, str]) -> str:
    if not found.shared_markets:
        return ""
    columns = (
        Column("wallet"),
        Column("and"),
        Column("markets shared", is_number=True),
        Column("Jaccard", is_number=True),
        Column("overlap", is_number=True),
        Column("q", is_number=True),
    )
    rows = [
        (
            text(names[pair.first]),
            text(names[pair.second]),
            number(pair.shared),
            number(pair.jaccard, ".2f"),
            number(pair.overlap, ".2f"),
            number(pair.q_value, ".1g"),
        )
        for pair in found.shared_markets
    ]
    return table(columns, rows)
