"""Execution quality in groups: by market, tactic, phase or leader, and of all. Pure.

What is traded in one market shares its book and its news, so it is not as many observations: the
interval of a mean slippage is clustered by market (quant.cluster_errors, Cameron and Miller 2015,
section II.B) with Student's t on the number of markets less one. Called by `whaletrader quality`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal, get_args

import numpy as np

from whaletrader.domain.money import MICRO
from whaletrader.quant.cluster_errors import mean_errors
from whaletrader.quant.ragged import Ragged
from whaletrader.quant.student import t_multiplier
from whaletrader.store.execution_rows import ExecutionQuality, Part, PhaseTime

Grouping = Literal["market", "tactic", "phase", "leader"]
GROUPINGS: Final[tuple[str, ...]] = get_args(Grouping)
ALL: Final = "all"
CONFIDENCE: Final = 0.95
# With fewer markets a clustered interval is known to be too narrow (Cameron, Gelbach and Miller
# 2008, who put "few" at 5 to 30); below it we say that there is little data.
MARKETS_MIN: Final = 10


@dataclass(frozen=True, slots=True)
class Observation:
    """One approved trade, or one phase of one. Slippage as a share of the mid; None: unknown."""

    group: str
    market: str
    ordered_micro: int
    filled_micro: int
    maker_micro: int
    fees_micro: int
    rebates_micro: int
    slippage: float | None
    slippage_micro: int | None
    # Paid above the limit (sold below it), a share: never positive. None: nothing was filled.
    beyond_limit_micro: int | None
    first_fill_ns: int
    full_fill_ns: int
    skips: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One group's figures. Ratios are of one; None where nothing is known.

    `slippages` observations in `markets` markets carry the mean, whose 95 % interval is None with
    a single market. `slippage_cost_micro` is in micro-dollars, over all that was filled.
    """

    group: str
    works: int
    filled_works: int
    slippages: int
    markets: int
    mean_slippage: float | None
    lower: float | None
    upper: float | None
    median_slippage: float | None
    mean_slippage_micro: float | None
    slippage_cost_micro: int
    # What was gained on the limit, a share: known without a book, too.
    mean_better_than_limit_micro: float | None
    fill_rate: float | None
    first_fill_s: float | None
    full_fill_s: float | None
    maker_share: float | None
    fees_micro: int
    rebates_micro: int
    skips: int

    @property
    def is_little(self) -> bool:
        """Whether there are too few markets to believe the mean or its interval."""
        return self.markets < MARKETS_MIN


def summaries(
    works: Sequence[ExecutionQuality], by: Grouping, times: Iterable[PhaseTime] = ()
) -> list[Summary]:
    """Return each group's figures, the largest first, and last those of all works.

    `times` are needed by phase only: a work does not say when each of its phases was filled.
    """
    if by == "phase":
        known = {(time.approval_id, time.phase): time for time in times}
        observed = [one for work in works for one in _phases(work, known)]
    else:
        observed = [_observation(work, _label(work, by)) for work in works]
    grouped: dict[str, list[Observation]] = {}
    for one in observed:
        grouped.setdefault(one.group, []).append(one)
    found = [_summary(name, group) for name, group in grouped.items()]
    if by == "phase":
        found.sort(key=lambda it: int(it.group))
    else:
        found.sort(key=lambda it: (-it.works, it.group))
    whole = [_observation(work, ALL) for work in works]
    return [*found, _summary(ALL, whole)] if whole else []


def _label(work: ExecutionQuality, by: Grouping) -> str:
    if by == "market":
        return work.condition_id
    return work.tactic if by == "tactic" else work.leader


def _observation(work: ExecutionQuality, group: str) -> Observation:
    return Observation(
        group=group,
        market=work.condition_id,
        ordered_micro=work.size_micro,
        filled_micro=work.filled_size_micro,
        maker_micro=work.maker_size_micro,
        fees_micro=work.fees_micro,
        rebates_micro=work.rebates_expected_micro,
        slippage=work.slippage_micro / work.arrival_mid_micro if work.has_slippage else None,
        slippage_micro=work.slippage_micro if work.has_slippage else None,
        beyond_limit_micro=_beyond_limit(work, work.average_price_micro),
        first_fill_ns=work.time_to_first_fill_ns if work.filled_size_micro else -1,
        full_fill_ns=work.time_to_full_fill_ns if work.result == "filled" else -1,
        skips=sum(skip.count for skip in work.skips),
    )


def _phases(
    work: ExecutionQuality, times: Mapping[tuple[str, int], PhaseTime]
) -> Iterable[Observation]:
    for phase in work.phases:
        parts = [part for part in work.parts if part.phase == phase]
        filled = sum(part.filled_size_micro for part in parts)
        paid = sum(part.filled_size_micro * part.average_price_micro for part in parts)
        slipped: int | None = None
        if filled and work.arrival_mid_micro:
            above = round(paid / filled) - work.arrival_mid_micro
            slipped = above if work.side == "buy" else -above
        time = times.get((work.approval_id, phase))
        first_ns = time.first_fill_ns - time.announced_ns if time and time.first_fill_ns else -1
        yield Observation(
            group=str(phase),
            market=work.condition_id,
            ordered_micro=_ordered(parts),
            filled_micro=filled,
            maker_micro=sum(it.filled_size_micro for it in parts if it.liquidity == "maker"),
            fees_micro=sum(part.fees_micro for part in parts),
            # Told for the whole work only.
            rebates_micro=0,
            slippage=None if slipped is None else slipped / work.arrival_mid_micro,
            slippage_micro=slipped,
            beyond_limit_micro=_beyond_limit(work, round(paid / filled) if filled else 0),
            first_fill_ns=first_ns,
            full_fill_ns=-1,
            skips=0,
        )


def _beyond_limit(work: ExecutionQuality, average_micro: int) -> int | None:
    if not average_micro:
        return None
    above = average_micro - work.limit_price_micro
    return above if work.side == "buy" else -above


def _ordered(parts: Iterable[Part]) -> int:
    """Add up what was ordered: each tactic of a phase once, however it was filled."""
    return sum({part.tactic: part.ordered_size_micro for part in parts}.values())


def _summary(name: str, group: Sequence[Observation]) -> Summary:
    told = [one for one in group if one.slippage is not None]
    slips = [one.slippage for one in told if one.slippage is not None]
    micros = [one.slippage_micro for one in told if one.slippage_micro is not None]
    mean, lower, upper, markets = _interval(slips, [one.market for one in told])
    gains = [-it.beyond_limit_micro for it in group if it.beyond_limit_micro is not None]
    filled = sum(one.filled_micro for one in group)
    ordered = sum(one.ordered_micro for one in group)
    return Summary(
        group=name,
        works=len(group),
        filled_works=sum(one.filled_micro > 0 for one in group),
        slippages=len(slips),
        markets=markets,
        mean_slippage=mean,
        lower=lower,
        upper=upper,
        median_slippage=median(slips) if slips else None,
        mean_slippage_micro=sum(micros) / len(micros) if micros else None,
        slippage_cost_micro=sum(
            one.slippage_micro * one.filled_micro // MICRO
            for one in told
            if one.slippage_micro is not None
        ),
        mean_better_than_limit_micro=sum(gains) / len(gains) if gains else None,
        fill_rate=filled / ordered if ordered else None,
        first_fill_s=_median_s(one.first_fill_ns for one in group),
        full_fill_s=_median_s(one.full_fill_ns for one in group),
        maker_share=sum(one.maker_micro for one in group) / filled if filled else None,
        fees_micro=sum(one.fees_micro for one in group),
        rebates_micro=sum(one.rebates_micro for one in group),
        skips=sum(one.skips for one in group),
    )


def _interval(
    values: Sequence[float], markets: Sequence[str]
) -> tuple[float | None, float | None, float | None, int]:
    """Return mean, lower, upper and how many markets there are."""
    if not values:
        return None, None, None, 0
    codes = np.unique(np.asarray(markets, dtype=str), return_inverse=True)[1].ravel()
    found = mean_errors(Ragged.of([values]), np.ones(len(values)), codes.astype(np.int64))
    mean, count = float(found.mean[0]), int(found.clusters[0])
    if count < 2:
        return mean, None, None, count
    half = t_multiplier(CONFIDENCE, count - 1) * float(found.error[0])
    return mean, mean - half, mean + half, count


def _median_s(times_ns: Iterable[int]) -> float | None:
    known = [time_ns for time_ns in times_ns if time_ns >= 0]
    return median(known) / 1_000_000_000 if known else None
