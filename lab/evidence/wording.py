"""The verdict in words: one sentence, and the facts it follows from.

Owns the rule of the answer, which is strict on purpose. `yes` needs all three: a wallet that is
skilled after correction, a first half that says something of the second, and a copier whose
profit a dollar is above zero at both ends of the interval, by market and by event. Anything else
is `no`: this data does not show that copying pays. Called by `run`.
"""

import datetime as dt
import math
from dataclasses import dataclass

from whaletrader.lab.evidence.evidence import (
    Copier,
    Copy,
    Estimate,
    Persistence,
    Selection,
    Skill,
    Verdict,
    WalletEvidence,
)
from whaletrader.lab.evidence.markets import KNOWN
from whaletrader.lab.evidence.options import StudyOptions


@dataclass(frozen=True)
class Findings:
    """What the verdict follows from."""

    selection: Selection
    skill: Skill
    persistence: list[Persistence]
    copier: Copier | None
    options: StudyOptions


def verdict(found: Findings) -> Verdict:
    """Return the answer, its sentence and its facts."""
    is_yes = _has_skill(found) and _lasts(found) and _pays(found)
    parts = ", ".join((_skill_part(found), _persistence_part(found)))
    sentence = (
        f"{'Yes' if is_yes else 'No'}: {parts}, and {_copier_part(found)}"
        f"{'' if is_yes else '; this data does not show that copying these wallets pays'}."
    )
    return Verdict(answer="yes" if is_yes else "no", sentence=sentence, facts=_facts(found))


def cents(value: float) -> str:
    """Return dollars a dollar as signed cents."""
    return f"{100 * value:+.1f}".replace("-", "−")


def spread(estimate: Estimate) -> str:
    """Return an interval in cents."""
    if not math.isfinite(estimate.lower):
        return "no interval"
    return f"{cents(estimate.lower)} to {cents(estimate.upper)}"


def short_name(row: WalletEvidence) -> str:
    """Return a wallet's name and the ends of its address."""
    short = f"{row.wallet[:6]}…{row.wallet[-4:]}"
    return f"{row.name} {short}" if row.name else short


def day_of(at_s: int) -> str:
    """Return the UTC day of a moment."""
    return dt.datetime.fromtimestamp(at_s, dt.UTC).date().isoformat()


def _has_skill(found: Findings) -> bool:
    return found.skill.counts[0].skilled > 0 if found.skill.counts else False


def _lasts(found: Findings) -> bool:
    return bool(found.persistence) and found.persistence[0].rank_correlation.lower > 0


def _pays(found: Findings) -> bool:
    if found.copier is None:
        return False
    main = found.copier.main
    return main.per_dollar.lower > 0 and main.per_dollar_by_event.lower > 0


def _skill_part(found: Findings) -> str:
    if not found.skill.counts:
        return "no wallet has a settled market to be judged by"
    main = found.skill.counts[0]
    if main.skilled == 0:
        return (
            f"none of the {main.tested} wallets with settled markets can be told from a lucky one"
        )
    return (
        f"{main.skilled} of the {main.tested} wallets with settled markets can be told from "
        f"lucky ones at a false discovery rate of {found.skill.discovery_rate:.0%}"
    )


def _persistence_part(found: Findings) -> str:
    if not found.persistence:
        return "too few wallets have two halves to say whether it lasts"
    main = found.persistence[0]
    rho = main.rank_correlation
    says = "says something of" if rho.lower > 0 else "says nothing of"
    if rho.upper < 0:
        says = "speaks against"
    return (
        f"a wallet's first half {says} its second (rank correlation {rho.value:+.2f}, "
        f"{rho.lower:+.2f} to {rho.upper:+.2f})"
    ).replace("-", "−")


def _copier_part(found: Findings) -> str:
    if found.copier is None or not found.copier.main.filled:
        return "there is nobody whose later trades could have been copied"
    main = found.copier.main
    share = f"{found.options.followed_share:.0%}"
    verb = "earned" if main.per_dollar.value > 0 else "lost"
    return (
        f"whoever copied the best {share} by their first half {main.delay_s} seconds later "
        f"{verb} {abs(100 * main.per_dollar.value):.1f} cents on each dollar after fees and "
        f"slippage ({found.options.confidence:.0%} interval {spread(main.per_dollar)})"
    )


def _facts(found: Findings) -> list[str]:
    told = [_flattery(found), *_copier_facts(found)]
    return [fact for fact in told if fact]


def _flattery(found: Findings) -> str:
    """What a careless choice of results would have found."""
    counts = {count.sample: count for count in found.skill.counts}
    careless = counts.get(KNOWN)
    if careless is None or found.copier is None or found.skill.counts[0].sample == KNOWN:
        return ""
    told = _variant(found.copier, "everyone", KNOWN)
    if told is None:
        return ""
    return (
        "Counting also the results that are known only because one of these wallets redeemed, "
        f"{careless.skilled} wallets would look skilled and copying everyone would show "
        f"{cents(told.per_dollar.value)} cents a dollar ({spread(told.per_dollar)}): redeeming "
        "picks winners, so those numbers are not evidence."
    )


def _copier_facts(found: Findings) -> list[str]:
    if found.copier is None:
        return []
    copier = found.copier
    told = [
        f"Copying the first purchases of all wallets, who are winners by selection: "
        f"{cents(copier.everyone.per_dollar.value)} cents a dollar "
        f"({spread(copier.everyone.per_dollar)}).",
        f"{copier.main.filled} of {copier.main.offered} copies found a print to fill at; "
        f"{copier.main.own_prints_share:.0%} of those prints were the copied wallet's own.",
    ]
    told += [
        f"The same dollars on the {_BASELINES[line.name]} at the same moments: "
        f"{cents(line.per_dollar.value)} cents; the copier less that: "
        f"{cents(line.copier_less_baseline.value)} ({spread(line.copier_less_baseline)})."
        for line in copier.baselines
    ]
    lots = copier.random_wallets
    if lots.draws:
        told.append(
            f"Copying {lots.wallets} wallets drawn by lot from {lots.of_wallets}: "
            f"{cents(lots.mean)} cents ({cents(lots.lower)} to {cents(lots.upper)}); "
            f"{lots.share_at_least_as_good:.0%} of the draws did at least as well as the chosen."
        )
    return told


_BASELINES = {"favourite": "favourite", "coin": "side a coin names"}


def _variant(copier: Copier, sample: str, results: str) -> Copy | None:
    for copy in copier.variants:
        if copy.sample == sample and copy.results == results:
            return copy
    return None
