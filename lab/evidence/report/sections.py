"""The tables of the report and its closing notes.

Owns which columns are shown and how they read. Called by `page`.
"""

import json
from html import escape

import msgspec

from whaletrader.lab.evidence.evidence import Copy, Estimate, Evidence, WalletEvidence
from whaletrader.lab.evidence.report.tables import Cell, Column, number, table, text
from whaletrader.lab.evidence.wording import cents, short_name, spread

_RULES = {
    "events_min": "too few events",
    "effective_events_min": "a few events carry it all",
    "q_value_max": "luck explains it",
    "bootstrap_p_max": "bootstrap not convinced",
    "edge_lower_above": "interval reaches zero",
    "edge_without_best_event_above": "gone without its best event",
}


def published(evidence: Evidence) -> str:
    """The comparison of every wallet with a whole history and a published figure."""
    columns = (
        Column("wallet"),
        Column("published", is_number=True),
        Column("ledger", is_number=True),
        Column("difference", is_number=True),
        Column("board"),
        Column("why"),
    )
    rows = []
    for row in evidence.wallets:
        told = row.published
        if told is None or not told.is_compared:
            continue
        css = "" if told.matches else "warn"
        rows.append(
            (
                _who(row),
                number(told.published),
                number(told.computed),
                number(told.difference, "+,.0f", css),
                text(told.board),
                text(told.explanation, "text"),
            )
        )
    return table(columns, rows)


def skill_counts(evidence: Evidence) -> str:
    """How many wallets came out how, by which results count."""
    columns = (
        Column("results"),
        Column("wallets", is_number=True),
        Column("skilled", is_number=True),
        Column("unproven", is_number=True),
        Column("bad", is_number=True),
        Column("least q", is_number=True),
        Column("below 5 % uncorrected", is_number=True),
    )
    rows = [
        (
            text(count.sample),
            number(count.tested),
            number(count.skilled),
            number(count.unproven),
            number(count.bad),
            number(count.least_q_value, ".2g"),
            number(count.uncorrected),
        )
        for count in evidence.skill.counts
    ]
    return table(columns, rows) + (
        "<p>The first line is the verdict's. <em>marked</em> takes open markets at their last "
        "recorded price, <em>known</em> adds results known by redemption: both flatter, because a "
        "market that turns against the only wallet recorded in it is seldom traded or redeemed "
        "again.</p>"
    )


def baselines(evidence: Evidence) -> str:
    """The same dollars spent otherwise."""
    copier = evidence.copier
    if copier is None:
        return ""
    columns = (
        Column("the same dollars on"),
        Column("¢ a dollar", is_number=True),
        Column("interval"),
        Column("copier less that", is_number=True),
        Column("interval"),
    )
    names = {"favourite": "the favourite at the same print", "coin": "a side by coin"}
    rows: list[tuple[Cell, ...]] = [
        (
            text(names[line.name]),
            _cents(line.per_dollar),
            text(spread(line.per_dollar)),
            _cents(line.copier_less_baseline),
            text(spread(line.copier_less_baseline)),
        )
        for line in copier.baselines
    ]
    lots = copier.random_wallets
    less = copier.main.per_dollar.value - lots.mean
    rows.append(
        (
            text(f"{lots.wallets} of the {lots.of_wallets} wallets by lot"),
            number(100 * lots.mean, "+.1f"),
            text(f"{cents(lots.lower)} to {cents(lots.upper)}"),
            number(100 * less, "+.1f"),
            text(f"{lots.share_at_least_as_good:.0%} of lots did as well"),
        )
    )
    return table(columns, rows)


def copies(evidence: Evidence) -> str:
    """Every way of copying that was tried."""
    copier = evidence.copier
    if copier is None:
        return ""
    columns = (
        Column("wallets"),
        Column("way"),
        Column("delay, s", is_number=True),
        Column("filled", is_number=True),
        Column("of", is_number=True),
        Column("¢ a dollar", is_number=True),
        Column("by market"),
        Column("by event"),
    )
    shown = [copier.main, copier.everyone, *copier.variants, *copier.by_delay]
    rows = [
        (
            text(copy.sample),
            text(_way(copy, copier.main)),
            number(copy.delay_s),
            number(copy.filled),
            number(copy.offered),
            _cents(copy.per_dollar),
            text(spread(copy.per_dollar)),
            text(spread(copy.per_dollar_by_event)),
        )
        for copy in shown
    ]
    return "<h3>Every way of copying</h3>\n" + table(columns, rows)


def wallets(evidence: Evidence) -> str:
    """One row a wallet."""
    columns = (
        Column("wallet"),
        Column("verdict"),
        Column("p", is_number=True),
        Column("q", is_number=True),
        Column("edge, ¢", is_number=True),
        Column("interval"),
        Column("shrunk", is_number=True),
        Column("markets", is_number=True),
        Column("profit, $", is_number=True),
        Column("trades", is_number=True),
        Column("why not"),
    )
    rows = [_wallet(row) for row in sorted(evidence.wallets, key=_surprise)]
    return (
        "<h2>Every wallet</h2>\n<p>Profit is trading's, whole history or what is recorded of it, "
        "at payouts and last prices. Edges are a share after fees, every market counting alike, "
        "in markets whose result counts.</p>\n" + table(columns, rows)
    )


def method(evidence: Evidence) -> str:
    """What was read, with which options, and where the method is told."""
    files = "".join(
        f"<li>{escape(file.name)}: {file.rows:,} rows, <code>sha256 {file.sha256}</code></li>"
        for file in evidence.inputs
    )
    options = escape(json.dumps(msgspec.to_builtins(evidence.options)))
    versions = escape(", ".join(f"{name} {held}" for name, held in evidence.versions.items()))
    return (
        f"<footer><p>The same folder and options give the same numbers. Read:</p><ul>{files}</ul>"
        f"<p>Options: <code>{options}</code></p><p>{versions}. All numbers are in "
        "<code>evidence.json</code>; the method and the schema in <code>docs/evidence.md</code>. "
        "Past results promise nothing.</p></footer>"
    )


def _wallet(row: WalletEvidence) -> tuple[Cell, ...]:
    skill = row.skill
    end = (number(row.computed_profit), number(row.trades))
    if skill is None:
        dash = number(None)
        middle = (dash, dash, dash, text("–"), dash, number(0))
        return (_who(row), text("not judged"), *middle, *end, text("no settled market", "text"))
    lower, upper = skill.edge_lower, skill.edge_upper
    # A share cannot earn more than a dollar; with two events Student's t reaches beyond.
    interval = (
        "–"
        if lower is None or upper is None
        else f"{cents(max(lower, -1.0))} to {cents(min(upper, 1.0))}"
    )
    failed = [_RULES.get(rule.name, rule.name) for rule in skill.rules if not rule.passed]
    return (
        _who(row),
        text(skill.verdict, {"skilled": "good", "bad": "warn"}.get(skill.verdict, "")),
        number(skill.p_value, ".2g"),
        number(skill.q_value, ".2g"),
        _in_cents(skill.edge),
        text(interval),
        _in_cents(skill.shrunk_edge),
        number(skill.markets),
        *end,
        text("; ".join(failed), "text"),
    )


def _surprise(row: WalletEvidence) -> tuple[float, str]:
    p_value = row.skill.p_value if row.skill is not None else None
    return (2.0 if p_value is None else p_value, row.wallet)


def _way(copy: Copy, main: Copy) -> str:
    """How a copy differs from the main one."""
    told = [
        words
        for differs, words in (
            (copy.prints != main.prints, "first print of somebody else"),
            (copy.fees != main.fees, f"fees {_FEES[copy.fees]}"),
            (copy.slippage != main.slippage, f"slippage {100 * copy.slippage:g} ¢"),
            (copy.exits != main.exits, "sells when the whale sells"),
            (copy.signals != main.signals, "every purchase"),
            (copy.stake != main.stake, "a share each instead of a dollar"),
            (copy.price_least != main.price_least, "at any price"),
            (copy.results != main.results, f"results: {copy.results}"),
        )
        if differs
    ]
    return ", ".join(told) or "as above"


_FEES = {"then": "of the day", "today": "of today", "none": "left out"}


def _who(row: WalletEvidence) -> Cell:
    return text(short_name(row))


def _in_cents(value: float | None) -> Cell:
    return number(None if value is None else 100 * value, "+.1f")


def _cents(estimate: Estimate) -> Cell:
    return number(100 * estimate.value, "+.1f")
