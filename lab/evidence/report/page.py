"""The page: verdict first, then what it rests on, then every wallet.

Owns the order and the words around numbers. Style and script are the two files beside it, put
into the page, so that it needs no network. Called by `run`.
"""

from html import escape
from importlib import resources

from whaletrader.lab.evidence.evidence import Estimate, Evidence, Persistence
from whaletrader.lab.evidence.report import charts, crowd, sections
from whaletrader.lab.evidence.wording import cents, spread


def page(evidence: Evidence) -> str:
    """Return the whole HTML file."""
    folder = resources.files(__package__)
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    script = folder.joinpath("page.js").read_text(encoding="utf-8")
    body = "\n".join(
        (
            _top(evidence),
            _selection(evidence),
            _ledger(evidence),
            _skill(evidence),
            _persistence(evidence),
            _copier(evidence),
            crowd.track_records(evidence),
            crowd.crowd(evidence),
            sections.wallets(evidence),
            sections.method(evidence),
        )
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Are these wallets worth copying?</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _top(evidence: Evidence) -> str:
    answer, rest = evidence.verdict.sentence.split(":", 1)
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in evidence.verdict.facts)
    return (
        "<h1>Are these wallets worth copying?</h1>\n"
        f'<p class="verdict {evidence.verdict.answer}"><b>{escape(answer)}:</b>{escape(rest)}</p>\n'
        f'<div class="figures">{"".join(_figures(evidence))}</div>\n<ul>{facts}</ul>'
    )


def _figures(evidence: Evidence) -> list[str]:
    found = [
        (
            f"{evidence.ledger.matches} of {evidence.ledger.compared}",
            "ledgers agree with the published profit",
        )
    ]
    if evidence.skill.counts:
        main = evidence.skill.counts[0]
        found.append((f"{main.skilled} of {main.tested}", "wallets skilled, after correction"))
    if evidence.persistence:
        rho = evidence.persistence[0].rank_correlation
        found.append(
            (
                f"{rho.value:+.2f}".replace("-", "−"),
                f"rank correlation of the halves ({rho.lower:+.2f} to {rho.upper:+.2f})".replace(
                    "-", "−"
                ),
            )
        )
    if evidence.copier is not None:
        main_copy = evidence.copier.main
        found.append(
            (
                f"{cents(main_copy.per_dollar.value)} ¢",
                f"a dollar for the copier, {main_copy.delay_s} s late "
                f"({spread(main_copy.per_dollar)})",
            )
        )
    return [f"<div><b>{escape(big)}</b><span>{escape(small)}</span></div>" for big, small in found]


def _selection(evidence: Evidence) -> str:
    span = evidence.span
    bias = "".join(f"<li>{escape(line)}</li>" for line in evidence.selection.bias)
    return (
        "<h2>Who these wallets are</h2>\n"
        f"<p>{span.trades:,} trades of {span.wallets} wallets in {span.markets:,} markets, "
        f"{span.first_trade[:10]} to {span.last_trade[:10]}. The result is known in "
        f"{span.markets_known:,} markets: {span.markets_published:,} from somebody else's record, "
        f"{span.markets_inferred:,} because a wallet here redeemed.</p>\n<ul>{bias}</ul>\n"
        + _figure(
            charts.calibration_chart(evidence),
            "Prices paid against how often they won, each wallet's side of a market once. Fair "
            "prices lie on the dashed line. Results known by redemption lie above it: the losers "
            "among them were never redeemed, so nobody knows of them.",
        )
    )


def _ledger(evidence: Evidence) -> str:
    ledger = evidence.ledger
    return (
        "<h2>The ledger against published profit</h2>\n"
        f"<p>{ledger.rows:,} rows were booked. Of {ledger.compared} wallets with a whole history "
        f"and a published figure, {ledger.matches} agree within 1 % (or 500 dollars if that is "
        "more). A figure from a topic's leaderboard turns out to hold that topic's markets only, "
        f"realised and unrealised; the median difference is "
        f"{ledger.median_difference_share:.3%} with rewards and yield left out, "
        f"{ledger.median_difference_share_with_income:.3%} with them in.</p>\n"
        + _figure(
            charts.published_chart(evidence),
            "Dollars, logarithmic. On the line, both agree. A ledger "
            "below the scale, such as a loss, stands at its lower edge.",
        )
        + sections.published(evidence)
    )


def _skill(evidence: Evidence) -> str:
    return (
        "<h2>Skill or luck</h2>\n"
        "<p>Each trade is a bet at its price; a wallet that knows nothing wins as often as its "
        "prices say. The p-value is the chance that such a wallet earns at least as much, bets of "
        "one event resolving together. Of many wallets some are always lucky, so the line that a "
        "p-value has to stay under falls with the number tried (Benjamini and Hochberg).</p>\n"
        + _figure(
            charts.q_value_chart(evidence),
            "One dot a wallet. Below the solid line, and past the other rules in the table of "
            "wallets, it would be called skilled.",
        )
        + sections.skill_counts(evidence)
    )


def _persistence(evidence: Evidence) -> str:
    if not evidence.persistence:
        return "<h2>Does it last?</h2>\n<p>Too few wallets have two halves.</p>"
    main = evidence.persistence[0]
    rows = "".join(_persistence_line(found) for found in evidence.persistence)
    if evidence.by_calendar is not None:
        rows += _persistence_line(evidence.by_calendar, f"all cut on {evidence.by_calendar_split}")
    else:
        rows += (
            f"<li>all cut on one day, {escape(evidence.by_calendar_split)}: too few wallets traded "
            "enough on both sides</li>"
        )
    return (
        "<h2>Does it last?</h2>\n"
        f"<p>{main.wallets} wallets have enough settled markets to be cut in two. They are ranked "
        "by the lower end of their edge in the first half, valued on what was known at the cut, "
        "and held against what the ledger says they earned in the second.</p>\n"
        + _figure(
            charts.persistence_chart(evidence),
            "One dot a wallet, its area by the dollars of the second half. If skill lasted, the "
            "dots would rise to the right.",
        )
        + f"<ul>{rows}</ul>"
    )


def _persistence_line(found: Persistence, cut: str = "") -> str:
    rho = found.rank_correlation
    name = {"published": "published results", "known": "all known results (flattering)"}
    return (
        f"<li>{escape(name.get(found.results, found.results))}"
        f"{', ' + escape(cut) if cut else ''}: rank correlation "
        f"{_signed(rho)} over {found.wallets} wallets; second half of the best fifth "
        f"{_cents(found.quintile)} a dollar, of the best tenth {_cents(found.decile)}, of the rest "
        f"{_cents(found.rest)}; by lot, wallets of the best fifth would earn as much more a dollar "
        f"than the others with probability {found.quintile_p_value:.2f}; of those above the median "
        f"{found.winners[0][0]:.0f} of {sum(found.winners[0]):.0f} stayed above it</li>"
    )


def _copier(evidence: Evidence) -> str:
    if evidence.copier is None:
        return "<h2>The copier</h2>\n<p>Nobody could be chosen to be copied.</p>"
    main = evidence.copier.main
    return (
        "<h2>The copier</h2>\n"
        f"<p>The copier follows {len(evidence.copier.followed_wallets)} wallets, chosen by their "
        "first half, from their cut on: their first purchase of each outcome, a dollar each, held "
        f"to the end. He buys at the first print of the same outcome {main.delay_s} seconds or "
        f"more after the whale's, {100 * main.slippage:g} cents worse, pays the taker fee of the "
        f"day, and leaves prices outside {100 * main.price_least:g} to "
        f"{100 * main.price_most:g} cents alone. Where no such print follows he gets nothing: "
        f"{main.filled} of {main.offered} were filled. Most prints here are the copied wallet's "
        "own next fills, since only these wallets were recorded; the table also shows the first "
        "print of somebody else.</p>\n"
        + _figure(
            charts.delay_chart(evidence),
            "Profit on each dollar by the copier's delay, with intervals clustered by market.",
        )
        + sections.baselines(evidence)
        + sections.copies(evidence)
    )


def _figure(chart: str, caption: str) -> str:
    if not chart:
        return ""
    return (
        f'<figure role="img" aria-label="{escape(caption)}">{chart}'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def _signed(estimate: Estimate) -> str:
    told = f"{estimate.value:+.2f} ({estimate.lower:+.2f} to {estimate.upper:+.2f})"
    return told.replace("-", "−")


def _cents(estimate: Estimate) -> str:
    return f"{cents(estimate.value)} ¢ ({spread(estimate)})"
