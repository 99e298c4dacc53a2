"""Monte Carlo on binary contracts whose events move together, kept so that one more is cheap.

Owns the drawing: one factor for all, one for each group, one for each event (Gaussian copula;
Vasicek 1987, "Probability of loss on loan portfolio"; Li 2000, "On default correlation", section
4). The latent of event e in group g is

    X_e = sqrt(c) M + sqrt(r - c) G_g + sqrt(1 - r) E_e

and the outcome is the one in whose slice of [0, 1] Phi(X_e) falls, so two events of one group
have latent correlation r and others c. A generator is seeded by (seed, name), not by order: the
book is a function of what it holds, in whatever order it was put there. Called by risk, which
keeps a book as a view. Integers are summed, so adding and taking away leave no trace.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt

import numpy as np
from scipy.special import ndtri  # type: ignore[import-untyped]

from whaletrader.quant.risk.binary import EventExposure, all_probabilities, merged, worst_first
from whaletrader.quant.risk.tail import Floats, Ints, Tail, tail_of_pnl

SCENARIOS_MIN = 100
# 100,000 scenarios of 200 events take 320 MB; nothing that answers in time needs more.
SCENARIOS_MAX = 100_000
# Factors of groups that are kept: 10 MB with 10,000 scenarios. More groups are drawn anew.
FACTORS_MAX = 128


@dataclass(frozen=True, slots=True)
class ScenarioOptions:
    """How many scenarios, from which seed, and how strongly latents hang together.

    `group_correlation` is that of two events of one group, `common_correlation` of any two.
    With `is_adverse` an event's outcomes are ordered by what they earn, so that losses come
    together whichever side is held; else in the order given, so that YES in two events of a
    group is one bet and YES in one with NO in the other a hedge.
    """

    seed: int
    scenarios: int = 10_000
    group_correlation: float = 0.5
    common_correlation: float = 0.1
    is_adverse: bool = True

    def __post_init__(self) -> None:
        if not SCENARIOS_MIN <= self.scenarios <= SCENARIOS_MAX:
            raise ValueError(f"scenarios must be {SCENARIOS_MIN} to {SCENARIOS_MAX}")
        if not 0 <= self.common_correlation <= self.group_correlation < 1:
            raise ValueError("need 0 <= common_correlation <= group_correlation < 1")
        if self.seed < 0:
            raise ValueError(f"a seed of {self.seed} is below zero")


class ScenarioBook:
    """Profits of what is held in each scenario. Memory: 16 bytes an event and scenario."""

    def __init__(self, options: ScenarioOptions) -> None:
        self.options = options
        self._pnl_micro: Ints = np.zeros(options.scenarios, dtype=np.int64)
        self._by_event: dict[str, Ints] = {}
        self._exposures: dict[str, EventExposure] = {}
        self._latents: dict[str, Floats] = {}
        self._factors: dict[str, Floats] = {}

    @property
    def events(self) -> list[str]:
        """The names of the events held, sorted."""
        return sorted(self._exposures)

    @property
    def exposures(self) -> Mapping[str, EventExposure]:
        """What is held, by event."""
        return self._exposures

    @property
    def pnl_micro(self) -> Ints:
        """Summed profit by scenario, micro-dollars, shape (scenarios,). A copy."""
        return self._pnl_micro.copy()

    def put(self, exposure: EventExposure) -> None:
        """Hold this in its event, in place of what was held there."""
        if self._exposures.get(exposure.event) == exposure:
            return
        latent = self._latent(exposure)
        profits = self._profits(exposure, latent)
        self.remove(exposure.event)
        self._exposures[exposure.event] = exposure
        self._latents[exposure.event] = latent
        self._by_event[exposure.event] = profits
        self._pnl_micro += profits

    def remove(self, event: str) -> None:
        """Hold nothing in that event; unknown ones are no error."""
        profits = self._by_event.pop(event, None)
        if profits is not None:
            self._pnl_micro -= profits
            del self._exposures[event], self._latents[event]

    def tail(self, confidence: float) -> Tail:
        """Return VaR and CVaR of what is held, in micro-dollars. Raises ValueError."""
        return tail_of_pnl(self._pnl_micro, confidence)

    def tail_with(self, exposures: Iterable[EventExposure], confidence: float) -> Tail:
        """Return the tail as it were if these were held too; nothing is changed.

        An exposure stands for all that is then held in its event: it replaces, like `put`.
        """
        return tail_of_pnl(self.pnl_with(exposures), confidence)

    def pnl_with(self, exposures: Iterable[EventExposure]) -> Ints:
        """Return the profits by scenario as `tail_with` takes them."""
        total = self._pnl_micro.copy()
        for exposure in {it.event: it for it in exposures}.values():
            total += self._profits(exposure, self._latent(exposure))
            held = self._by_event.get(exposure.event)
            if held is not None:
                total -= held
        return total

    def contributions(self, confidence: float) -> dict[str, float]:
        """Return each event's share of CVaR in micro-dollars; they add to it.

        Euler's allocation: the event's mean loss where the whole is in its tail (Tasche 1999,
        "Risk contributions and performance measurement", section 5). The atom at VaR counts with
        the part that belongs to the tail.
        """
        whole = self.tail(confidence)
        losses = -self._pnl_micro
        weights = (losses > whole.var) / (losses.size * (1 - confidence))
        is_at_var = losses == whole.var
        left = 1 - float(weights.sum())
        if left > 0 and is_at_var.any():
            weights = weights + is_at_var * (left / int(is_at_var.sum()))
        return {event: -float(weights @ self._by_event[event]) for event in self.events}

    def error(self, confidence: float) -> float:
        """Return the standard error of CVaR in micro-dollars, from drawing finitely often.

        CVaR = VaR + E[(L - VaR)+] / (1 - confidence), whose error is that of the mean, since VaR
        minimises it (Rockafellar and Uryasev 2000, eq. 4; Trindade et al. 2007).
        """
        whole = self.tail(confidence)
        excess = np.maximum(0.0, -self._pnl_micro - whole.var)
        return float(excess.std(ddof=1)) / sqrt(excess.size) / (1 - confidence)

    def _profits(self, exposure: EventExposure, latent: Floats) -> Ints:
        if self.options.is_adverse:
            boundaries, profits = worst_first(exposure)
        else:
            pairs = zip(exposure.pnl_micro, all_probabilities(exposure), strict=True)
            boundaries, profits = merged(list(pairs))
        earned = np.full(latent.size, profits[0], dtype=np.int64)
        # A step of the profit at each boundary: adding beats searching, there are but a few.
        steps = np.diff(np.array(profits, dtype=np.int64))
        for boundary, step in zip(ndtri(boundaries), steps, strict=True):
            earned += step * (latent >= boundary)
        return earned

    def _latent(self, exposure: EventExposure) -> Floats:
        held = self._exposures.get(exposure.event)
        if held is not None and held.group == exposure.group:
            return self._latents[exposure.event]
        options = self.options
        # Without a group nothing is shared but the common factor.
        shared = options.group_correlation if exposure.group else options.common_correlation
        latent = sqrt(1 - shared) * self._drawn("event", exposure.event)
        if options.common_correlation > 0:
            latent += sqrt(options.common_correlation) * self._factor("common", "")
        if shared > options.common_correlation:
            weight = sqrt(shared - options.common_correlation)
            latent += weight * self._factor("group", exposure.group)
        return latent

    def _factor(self, kind: str, name: str) -> Floats:
        # Kept, as a group outlives its positions; the one unused for longest goes, and can be
        # drawn again as it was.
        key = f"{kind}/{name}"
        factor = self._factors.pop(key, None)
        if factor is None:
            factor = self._drawn(kind, name)
            if len(self._factors) >= FACTORS_MAX:
                del self._factors[next(iter(self._factors))]
        self._factors[key] = factor
        return factor

    def _drawn(self, kind: str, name: str) -> Floats:
        digest = blake2b(f"{self.options.seed}/{kind}/{name}".encode(), digest_size=16).digest()
        generator = np.random.default_rng(int.from_bytes(digest, "big"))
        return generator.standard_normal(self.options.scenarios)
