"""Holdings that must go: stops, profits taken, time, wallets that are not trusted any more.

Pure. Called by the agent whenever a price of something held is printed, at measures, and when a
wallet is pruned. Trailing and ATR stops ratchet from the best price seen since the holding was
opened; an emergency exit looks at the newest bars.
"""

from dataclasses import dataclass

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.rules import COUNT, NANOSECONDS, PRICE, at_least, at_most, below
from whaletrader.services.risk.state import Lot
from whaletrader.services.risk.views import mark
from whaletrader.services.risk.volatility import true_range

STOP_LOSS = "stop-loss"
TAKE_PROFIT = "take-profit"
TRAILING = "trailing-stop"
ATR = "atr-stop"
EMERGENCY = "emergency-exit"
TIME = "time-exit"
PRUNED = "leader-pruned"
DELEVERAGE = "deleverage"
EXITS: dict[str, str] = {
    STOP_LOSS: "The price is below what was paid by the set share of it.",
    TAKE_PROFIT: "The price is above what was paid by the set share of it.",
    TRAILING: "The price is below its best since the purchase by the set share of it.",
    ATR: "The price is below its best since the purchase by so many average changes.",
    EMERGENCY: "The price fell by so much within two bars.",
    TIME: "The market ends within the set time.",
    PRUNED: "The wallet that was copied is not worth copying any more.",
    DELEVERAGE: "The drawdown reached its limit: a share of every holding goes.",
}
ATR_BARS = 14


@dataclass(frozen=True, slots=True)
class Watched:
    """One holding at one price: its best price so far, and why it must go, if it must."""

    token_id: str
    leader: str
    lot: Lot
    peak_micro: int
    reason: common_pb2.Reason | None

    @property
    def is_news(self) -> bool:
        """Whether the best price is better than what is remembered."""
        return self.peak_micro > self.lot.peak_micro


def watched(desk: Desk, token_id: str = "") -> list[Watched]:
    """Return the holdings of one token, or of all, with what they are held against."""
    return [
        _watch(desk, token, leader, lot)
        for token, leaders in desk.state.lots.items()
        if token_id in ("", token)
        for leader, lot in leaders.items()
        if lot.size_micro > 0 and lot.condition_id not in desk.views.winners
    ]


def may_sell(desk: Desk, lot: Lot) -> bool:
    """Whether a holding may be put up (again) now: not while it is, and not at once after."""
    waits = lot.exit_ns and desk.now_ns < lot.exit_ns + desk.limits.exit_cooldown_ns
    return bool(lot.free_micro) and not waits


def _watch(desk: Desk, token_id: str, leader: str, lot: Lot) -> Watched:
    market = desk.market(lot.condition_id)
    price = mark(desk.views, market, token_id)
    peak = max(lot.peak_micro, price or 0)
    reason = _why(desk, lot, _Seen(token_id, leader, price, peak))
    return Watched(token_id, leader, lot, peak, reason)


@dataclass(frozen=True, slots=True)
class _Seen:
    token_id: str
    leader: str
    price_micro: int | None
    peak_micro: int


def _why(desk: Desk, lot: Lot, seen: _Seen) -> common_pb2.Reason | None:
    """Return the first rule that wants the holding gone, as a reason that failed."""
    market, limits = desk.market(lot.condition_id), desk.limits
    held_against = []
    if limits.exit_pruned and seen.leader in desk.state.barred:
        held_against.append(at_most(PRUNED, 1, 0, COUNT, seen.leader))
    if market is not None and market.ends_ns and limits.exit_before_end_ns:
        left = market.ends_ns - desk.now_ns
        held_against.append(at_least(TIME, left, limits.exit_before_end_ns, NANOSECONDS))
    if seen.price_micro is not None:
        held_against += _stops(desk, lot, seen, seen.price_micro)
    return next((reason for reason in held_against if not reason.passed), None)


def _stops(desk: Desk, lot: Lot, seen: _Seen, price: int) -> list[common_pb2.Reason]:
    limits, paid = desk.limits, lot.cost_micro * MICRO // lot.size_micro
    peak = seen.peak_micro
    found = []
    if limits.emergency_drop_micro:
        found.append(
            below(EMERGENCY, _fall(desk, lot, seen.token_id), limits.emergency_drop_micro, PRICE)
        )
    if limits.stop_loss_micro_ratio:
        floor = paid - paid * limits.stop_loss_micro_ratio // MICRO
        found.append(at_least(STOP_LOSS, price, floor + 1, PRICE))
    if limits.take_profit_micro_ratio:
        ceiling = paid + paid * limits.take_profit_micro_ratio // MICRO
        found.append(below(TAKE_PROFIT, price, ceiling, PRICE))
    # A stop that trails is one from above: it protects what was gained.
    if limits.trailing_micro_ratio and peak > paid:
        floor = peak - peak * limits.trailing_micro_ratio // MICRO
        found.append(at_least(TRAILING, price, floor + 1, PRICE))
    average = true_range(desk.views.bars.get(lot.condition_id), ATR_BARS)
    if limits.atr_micro_multiple and average and peak > paid:
        floor = peak - average * limits.atr_micro_multiple // MICRO
        found.append(at_least(ATR, price, floor + 1, PRICE))
    return found


def _fall(desk: Desk, lot: Lot, token_id: str) -> int:
    """Return by how much the holding's price fell within the newest two bars."""
    market, bars = desk.market(lot.condition_id), desk.views.bars.get(lot.condition_id)
    if market is None or bars is None or len(bars.closes) < 2:
        return 0
    newest = desk.now_ns // desk.limits.bar_ns
    if newest - bars.numbers[-2] > 2:
        return 0
    fall = bars.closes[-2] - bars.closes[-1]
    return fall if token_id == market.tokens[0] else -fall
