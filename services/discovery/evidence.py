"""How much the settled bets speak against luck, however often and whenever one looks.

Owns a betting martingale a wallet (Shafer 2021, "Testing by betting"; Waudby-Smith and Ramdas
2023, "Estimating means of bounded random variables by betting", section 4). Somebody starts with
one dollar and stakes a fixed fraction of it on each event that the wallet bets on, at the wallet's
own cost. If the prices are fair, fee and slippage paid, his wealth is not expected to grow, so
P(it ever reaches 1/a) <= a (Ville 1939): looks may be repeated, and stopped at will. Markets of
one event are added, which holds however they depend; events are multiplied, which takes them to
be independent given what was known at the trade. Fractions are not tuned: the wealth is the mean
over a grid of them.

Over wallets: Wang and Ramdas 2022, "False discovery rate control with e-values", their e-BH rule.
It holds at any one moment, whatever the wallets have to do with each other; not for the list of
all that were called whales at some time.

Sums are integers of 1e-9 nats, so that a part taken out leaves no drift. Called by track, scoring.
"""

from collections.abc import Iterable
from math import exp, log, log1p
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.services.discovery.config import Rules

# Shares of the wealth staked on a bet of weight one. An event loses at most
# 2 * (1 + slippage of 0.05), so the largest leaves something.
FRACTIONS: Final = (0.05, 0.1, 0.2, 0.4)
NOTHING: Final = (0,) * len(FRACTIONS)
_NANO: Final = 1_000_000_000

Wealth = tuple[int, ...]


def growth(gain_micro: int) -> Wealth:
    """Return what an event's gain (weights times dollars a share) does to the log wealth."""
    gain = gain_micro / MICRO
    return tuple(round(log1p(fraction * gain) * _NANO) for fraction in FRACTIONS)


def moved(wealth: Wealth, before_micro: int, after_micro: int) -> Wealth:
    """Return the wealth with one event's gain replaced."""
    old, new = growth(before_micro), growth(after_micro)
    return tuple(now - was + is_ for now, was, is_ in zip(wealth, old, new, strict=True))


def added(first: Wealth, second: Wealth) -> Wealth:
    return tuple(one + other for one, other in zip(first, second, strict=True))


def evidence_micro(wealth: Wealth) -> int:
    """Return the log of the mean wealth over the fractions, in 1e-6 nats."""
    most = max(wealth)
    mean = sum(exp((one - most) / _NANO) for one in wealth) / len(wealth)
    return round((most / _NANO + log(mean)) * MICRO)


def bar_micro(evidence: Iterable[int], rate_micro: int) -> int:
    """Return what a wallet's evidence must reach, in 1e-6 nats, by e-BH over all that were tried.

    With k wallets at K / (k * rate) or more, the largest such k; none: what one would need.
    """
    ordered = sorted(evidence, reverse=True)
    tried = max(1, len(ordered))
    found = 1
    for place, one in enumerate(ordered, 1):
        if one >= _needed(tried, place, rate_micro):
            found = place
    return _needed(tried, found, rate_micro)


def bar_for_more(bar: int, tried: int, wallets: int, rules: Rules) -> tuple[int, int]:
    """Return the bar and the wallets tried when there are more than at the last round.

    Each wallet more is one more that may look good by luck: the bar rises by the log of it.
    """
    if tried == 0:
        return _needed(max(1, wallets), 1, rules.false_discovery_micro), wallets
    more = max(tried, wallets)
    return bar + round(log(more / tried) * MICRO), more


def luck_micro(evidence: int) -> int:
    """Return the chance of ever seeing this evidence by luck, at most 1, in 1e-6, rounded up."""
    return min(MICRO, int(exp(-max(evidence, 0) / MICRO) * MICRO) + 1)


def _needed(tried: int, place: int, rate_micro: int) -> int:
    return round(log(tried * MICRO / (place * rate_micro)) * MICRO)
