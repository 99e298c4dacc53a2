"""The holdings at the last prices: what they are worth, and what a day may do to them.

A cache beside the agent's state and a function of it: worth, worst case and scenarios of each
market are computed anew when something in it changed, and of all when a new bar begins, so that
an approval costs the same with few and with many positions. Sums are of integers and leave no
trace of the order. Nothing here is journaled, and what is decided rests on (state, views, bar).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from whaletrader.domain.money import MICRO
from whaletrader.quant.risk.binary import EventExposure
from whaletrader.quant.risk.cornish_fisher import Moments, modified_var
from whaletrader.quant.risk.scenarios import ScenarioBook, ScenarioOptions
from whaletrader.quant.risk.tail import Ints, tail_of_pnl
from whaletrader.services.risk.correlations import Correlations
from whaletrader.services.risk.state import DAY_NS, RiskState
from whaletrader.services.risk.views import Market, RiskViews, mark
from whaletrader.services.risk.volatility import day_move

SCENARIOS: Final = 2_000
# Markets that were asked for and are not held, whose draws are kept.
ASKED_MAX: Final = 256
# How likely a market is decided within a day, in millionths: one whose end is known and further
# off, and one whose end nobody told.
JUMP_MICRO: Final = 10_000
JUMP_UNKNOWN_MICRO: Final = 50_000
PRICE_MIN_MICRO: Final = 10_000


@dataclass(frozen=True, slots=True)
class Stake:
    """What is in one market: shares of each outcome, held and bid for; their worth, the worst."""

    held_micro: tuple[int, int]
    bid_micro: tuple[int, int]
    value_micro: int
    worst_micro: int

    def net_at_risk(self, price_micro: int, added_micro: tuple[int, int] = (0, 0)) -> int:
        """Return the shares of the first outcome less the second's, at the turn that loses most.

        A bid may fill or not, so it adds to a risk and never takes from one.
        """
        held = self.held_micro[0] - self.held_micro[1]
        most = held + self.bid_micro[0] + added_micro[0]
        least = held - self.bid_micro[1] - added_micro[1]
        up, down = most * price_micro, -least * (MICRO - price_micro)
        return most if up >= down else least


@dataclass(frozen=True, slots=True)
class Added:
    """A buy that is being judged."""

    condition_id: str
    token_id: str
    size_micro: int
    cost_micro: int


@dataclass(frozen=True, slots=True)
class DayAhead:
    """What a day may cost in micro-dollars, losses positive."""

    var_99_micro: int
    cvar_975_micro: int
    modified_var_99_micro: int


class Marks:
    """Follows one agent's state and views; `touch` says what changed in them."""

    def __init__(self) -> None:
        self.correlations = Correlations()
        self._book = ScenarioBook(ScenarioOptions(seed=1, scenarios=SCENARIOS))
        self._stakes: dict[str, Stake] = {}
        self._touched: dict[str, None] = {}
        self._asked: dict[str, None] = {}
        self._bar = -1
        self._value_micro = 0
        self._worst_micro = 0
        self._now_ns = 0

    def touch(self, condition_id: str) -> None:
        """Say that something changed in a market."""
        self._touched[condition_id] = None
        self.correlations.forget(condition_id)

    def see(self, condition_id: str) -> None:
        """Say that something was traded in a market: news where it is held."""
        if condition_id in self._stakes:
            self._touched[condition_id] = None
        self.correlations.forget(condition_id)

    def refresh(self, state: RiskState, views: RiskViews, now_ns: int, bar_ns: int) -> None:
        """Bring everything up to date."""
        bar = now_ns // bar_ns
        if bar != self._bar:
            self._bar = bar
            self._now_ns = bar * bar_ns
            self._touched = dict.fromkeys((*self._stakes, *_held(state)))
            self.correlations.restart(bar)
        for condition_id in self._touched:
            self._renew(state, views, condition_id)
        self._touched.clear()

    @property
    def value_micro(self) -> int:
        """What the holdings are worth at the last prices."""
        return self._value_micro

    @property
    def worst_micro(self) -> int:
        """What is lost if every market takes its worst turn."""
        return self._worst_micro

    def day_ahead(self, state: RiskState, views: RiskViews, added: Added | None = None) -> DayAhead:
        """Return what a day may cost, as it is or with a buy on top."""
        if added is None:
            return _measured(self._book.pnl_micro)
        exposure = self._exposure(state, views, added.condition_id, added)
        self._draw_once(exposure)
        return _measured(self._book.pnl_with([exposure] if exposure is not None else []))

    def _draw_once(self, exposure: EventExposure | None) -> None:
        """Hold nothing in a market that is asked for: the next question finds it drawn."""
        if exposure is None or exposure.event in self._book.exposures:
            return
        zeros = (0,) * len(exposure.pnl_micro)
        flat = EventExposure(exposure.event, exposure.group, exposure.probabilities, zeros)
        self._book.put(flat)
        self._asked[exposure.event] = None
        if len(self._asked) > ASKED_MAX:
            oldest = next(iter(self._asked))
            del self._asked[oldest]
            if oldest not in self._stakes:
                self._book.remove(oldest)

    def worst_with(self, state: RiskState, views: RiskViews, added: Added) -> int:
        """Return the worst case with a buy on top. What is bid for hedges nothing yet."""
        before = self._stakes.get(added.condition_id)
        after = _stake(state, views, added.condition_id)
        return (
            self._worst_micro
            - (before.worst_micro if before else 0)
            + max(0, after.worst_micro + added.cost_micro)
        )

    def _renew(self, state: RiskState, views: RiskViews, condition_id: str) -> None:
        old = self._stakes.pop(condition_id, None)
        if old is not None:
            self._value_micro -= old.value_micro
            self._worst_micro -= old.worst_micro
        is_held = condition_id in state.by_market or _has_lots(state, views, condition_id)
        exposure = self._exposure(state, views, condition_id) if is_held else None
        if exposure is None:
            self._book.remove(condition_id)
        else:
            self._book.put(exposure)
        if is_held:
            stake = self._stakes[condition_id] = _stake(state, views, condition_id)
            self._value_micro += stake.value_micro
            self._worst_micro += stake.worst_micro

    def _exposure(
        self, state: RiskState, views: RiskViews, condition_id: str, added: Added | None = None
    ) -> EventExposure | None:
        market = views.markets.get(condition_id)
        if market is None or len(market.tokens) != 2:
            amount = state.by_market.get(condition_id, 0) + (added.cost_micro if added else 0)
            # Nothing is known of it: all may be gone within the day.
            return EventExposure(condition_id, condition_id, (0.5,), (-amount, amount))
        price = mark(views, market, market.tokens[0])
        price = MICRO // 2 if price is None else price
        bought = added.size_micro if added is not None else 0
        is_first = added is not None and added.token_id == market.tokens[0]
        on_top = (bought, 0) if is_first else (0, bought)
        net = _stake(state, views, condition_id).net_at_risk(price, on_top)
        if not net:
            return None
        jump = _jump_micro(market, self._now_ns)
        move = day_move(views.bars.get(condition_id), price)
        down, up = min(move, price), min(move, MICRO - price)
        stays = (MICRO - jump) / MICRO
        chances = (
            jump / MICRO * (MICRO - price) / MICRO,
            stays * up / (up + down) if up + down else stays,
            jump / MICRO * price / MICRO,
        )
        pnl = tuple(net * change // MICRO for change in (-price, -down, MICRO - price, up))
        return EventExposure(condition_id, market.topic, chances, pnl)


def _stake(state: RiskState, views: RiskViews, condition_id: str) -> Stake:
    market = views.markets.get(condition_id)
    tokens = market.tokens if market else _tokens_held(state, condition_id)
    held, bid, value = [0, 0], [0, 0], 0
    for index, token in enumerate(tokens[:2]):
        lots = state.lots.get(token, {}).values()
        size = sum(lot.size_micro for lot in lots)
        cost = sum(max(0, lot.cost_micro) for lot in lots)
        price = mark(views, market, token)
        value += cost if price is None else size * price // MICRO
        set_aside = max(0, state.by_token.get(token, 0) - cost)
        at = max(price if price is not None else MICRO // 2, PRICE_MIN_MICRO)
        held[index], bid[index] = size, set_aside * MICRO // at
    hedged = max(0, min(held)) if len(tokens) == 2 else 0
    worst = state.by_market.get(condition_id, 0) - hedged
    return Stake((held[0], held[1]), (bid[0], bid[1]), value, max(0, worst))


def _has_lots(state: RiskState, views: RiskViews, condition_id: str) -> bool:
    # Of a market that nothing is at risk in: a holding that was given away, or is below zero.
    market = views.markets.get(condition_id)
    if market is not None:
        return any(token in state.lots for token in market.tokens)
    return bool(_tokens_held(state, condition_id))


def _tokens_held(state: RiskState, condition_id: str) -> tuple[str, ...]:
    # For a market that the catalogue does not know, or whose holding cost nothing: rare.
    return tuple(
        token
        for token, leaders in state.lots.items()
        if any(lot.condition_id == condition_id for lot in leaders.values())
    )


def _held(state: RiskState) -> list[str]:
    lots = (lot.condition_id for leaders in state.lots.values() for lot in leaders.values())
    return [*state.by_market, *lots]


def _jump_micro(market: Market, now_ns: int) -> int:
    if not market.ends_ns:
        return JUMP_UNKNOWN_MICRO
    return MICRO if market.ends_ns - now_ns <= 2 * DAY_NS else JUMP_MICRO


def _moments(pnl_micro: Ints) -> Moments:
    # As quant's `moments`, by products: numpy's powers take ten times as long.
    mean = float(pnl_micro.mean())
    centred = pnl_micro - mean
    squares = centred * centred
    variance = float(squares.mean())
    if variance < 1:
        return Moments(mean, 0.0, 0.0, 0.0)
    skew = float((squares * centred).mean()) / variance**1.5
    return Moments(mean, variance**0.5, skew, float((squares * squares).mean()) / variance**2 - 3)


def _measured(pnl_micro: Ints) -> DayAhead:
    if not pnl_micro.any():
        return DayAhead(0, 0, 0)
    at_99 = tail_of_pnl(pnl_micro, 0.99)
    at_975 = tail_of_pnl(pnl_micro, 0.975)
    modified = modified_var(_moments(pnl_micro), 0.99)
    # Outside its domain the expansion is no quantile; the scenarios' own is.
    told = modified.var if modified.is_valid else at_99.var
    return DayAhead(*(max(0, round(float(np.ceil(it)))) for it in (at_99.var, at_975.cvar, told)))
