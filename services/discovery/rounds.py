"""One step of a full round: some wallets held against all others.

Owns what a step finds; the agent says it. Bounded: however many wallets there are, a step scores
no more than `round_wallets_max` of them, and what needs all of them at once is vectorised. Pure.
"""

from dataclasses import dataclass
from typing import Final

from whaletrader.quant.shrinkage import Prior
from whaletrader.schemas import whale_pb2
from whaletrader.services.discovery.config import Rules
from whaletrader.services.discovery.evidence import evidence_micro
from whaletrader.services.discovery.ranking import Ranking, bar_of, is_churning, shares_of
from whaletrader.services.discovery.scoring import Subject
from whaletrader.services.discovery.settling import open_figures
from whaletrader.services.discovery.state import DiscoveryState, Standing, WalletRecord

# Between two steps of a round.
STEP_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RoundStep:
    """What the step found: the event to keep (its times are the agent's), and whom to score."""

    event: whale_pb2.RoundAdvanced
    subjects: dict[str, Subject]


def step_of(state: DiscoveryState, prior: Prior | None, seed: int, rules: Rules) -> RoundStep:
    """Return the step at the state's cursor; cursor 0 in the event: the round is done."""
    bar, tried = bar_of(state.wallets, rules)
    ranking = Ranking(state.wallets, prior, rules)
    whales = {
        wallet: record.track.stats
        for wallet, record in state.wallets.items()
        if record.is_whale and record.track.stats.events
    }
    shares = shares_of(whales, prior, seed, rules)
    names = list(state.wallets)
    end = state.cursor + rules.round_wallets_max
    event = whale_pb2.RoundAdvanced(
        cursor=end if end < len(names) else 0, evidence_bar_micro=bar, wallets_tried=tried
    )
    subjects = {}
    for wallet in names[state.cursor : end]:
        record = state.wallets[wallet]
        if record.track.last_settled_ns == 0 and not record.is_whale:
            continue
        standing = _standing(record, ranking.of(wallet), shares.get(wallet, 0))
        event.standings.append(_said(wallet, standing))
        found = open_figures(state.markets, wallet, record)
        subjects[wallet] = Subject(
            record, record.track, standing, found.wealth, found.cost_micro, found.value_micro
        )
    return RoundStep(event, subjects)


def _standing(
    record: WalletRecord, ranked: tuple[int, int, int, tuple[object, ...]], share: int
) -> Standing:
    quality, lower, rank, parts = ranked
    # Nobody asks whether a wallet churns that has no evidence for it anyway.
    is_candidate = record.is_whale or evidence_micro(record.track.wealth) > 0
    return Standing(
        quality,
        lower,
        rank,
        parts,  # type: ignore[arg-type]
        share,
        is_candidate and is_churning(record.trades),
    )


def _said(wallet: str, standing: Standing) -> whale_pb2.Standing:
    return whale_pb2.Standing(
        wallet=wallet,
        quality_micro=standing.quality_micro,
        quality_lower_micro=standing.quality_lower_micro,
        quality_rank=standing.quality_rank,
        components=[
            whale_pb2.Component(
                name=part.name,
                value=part.value,
                unit=part.unit,  # type: ignore[arg-type]
                quantile_micro=part.quantile_micro,
                weight_micro=part.weight_micro,
                is_known=part.is_known,
            )
            for part in standing.parts
        ],
        capital_share_micro=standing.share_micro,
        is_churning=standing.is_churning,
    )
