"""The verdict on every wallet, and on samples of markets that choose less by outcome.

Owns the samples: the main one (see `markets.main_results`), with every market of a wallet counting
alike; the same weighted by shares, which is what the money earned; and the other results, to show
what a careless choice would find. The rule is quant's. Called by `run`.
"""

from dataclasses import dataclass

import numpy as np

from whaletrader.lab.evidence.bets import settled_bets
from whaletrader.lab.evidence.estimates import known
from whaletrader.lab.evidence.evidence import Rule, Skill, SkillCount, WalletSkill
from whaletrader.lab.evidence.markets import KNOWN, MARKED, PUBLISHED, Markets, Trades
from whaletrader.lab.evidence.options import StudyOptions
from whaletrader.quant.edge import Bets, counted_once
from whaletrader.quant.skill import SkillOptions, Verdict, Verdicts, skill_verdicts

BY_SIZE = "by size"


@dataclass(frozen=True)
class Judged:
    """Verdicts of the main sample, by wallet, and the counts of all samples."""

    skill: Skill
    wallets: dict[int, WalletSkill]


def judge(trades: Trades, markets: Markets, wallets: int, options: StudyOptions) -> Judged:
    """Judge all wallets at once: the corrections count every wallet with a settled bet.

    Without a settled bet there is nobody to judge, and no sample is told.
    """
    results = markets.main_results
    bets = settled_bets(trades, markets, results)
    samples = {results: counted_once(bets), f"{results}, {BY_SIZE}": bets}
    for other in (PUBLISHED, MARKED, KNOWN):
        if other not in samples:
            samples[other] = counted_once(settled_bets(trades, markets, other))
    found = {
        name: _verdicts(sample, wallets, options) for name, sample in samples.items() if len(sample)
    }
    main = found.get(results)
    if main is None:
        return Judged(Skill(discovery_rate=options.discovery_rate, counts=[]), {})
    return Judged(
        skill=Skill(
            discovery_rate=options.discovery_rate,
            counts=[_count(name, verdicts, options) for name, verdicts in found.items()],
        ),
        wallets={
            wallet: _told(main, wallet)
            for wallet in range(wallets)
            if main.edges.trades[wallet] > 0
        },
    )


def _verdicts(bets: Bets, wallets: int, options: StudyOptions) -> Verdicts:
    limits = SkillOptions(
        false_discovery_rate=options.discovery_rate,
        draws=options.draws,
        confidence=options.confidence,
    )
    return skill_verdicts(bets, wallets, limits, np.random.default_rng(options.seed))


def _count(name: str, verdicts: Verdicts, options: StudyOptions) -> SkillCount:
    tested = np.isfinite(verdicts.p_value)
    q_values = verdicts.q_value[tested]
    verdict = verdicts.verdict[tested]
    return SkillCount(
        sample=name,
        tested=int(tested.sum()),
        skilled=int((verdict == Verdict.SKILLED).sum()),
        unproven=int((verdict == Verdict.UNPROVEN).sum()),
        bad=int((verdict == Verdict.BAD).sum()),
        least_q_value=float(q_values.min()) if len(q_values) else None,
        uncorrected=int((verdicts.p_value[tested] <= 1 - options.confidence).sum()),
    )


def _told(verdicts: Verdicts, wallet: int) -> WalletSkill:
    edges = verdicts.edges
    return WalletSkill(
        verdict=Verdict(int(verdicts.verdict[wallet])).name.lower(),
        edge=known(edges.edge[wallet]),
        edge_lower=known(edges.lower[wallet]),
        edge_upper=known(edges.upper[wallet]),
        p_value=known(verdicts.p_value[wallet]),
        q_value=known(verdicts.q_value[wallet]),
        shrunk_edge=known(verdicts.shrunk.mean[wallet]),
        shrunk_lower=known(verdicts.shrunk_lower[wallet]),
        deflated_sharpe=known(verdicts.deflated_sharpe[wallet]),
        markets=int(edges.markets[wallet]),
        events=int(edges.events[wallet]),
        trades=int(edges.trades[wallet]),
        rules=[
            Rule(
                name=rule.name,
                value=known(rule.value),
                limit=known(rule.limit),
                passed=rule.passed,
            )
            for rule in verdicts.reasons(wallet)
        ],
    )
