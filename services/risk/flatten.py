"""Selling what risk wants gone: which holdings go up for sale, how much, down to which price.

Pure. Called by the agent when an operator flattens, when the desk deleverages, and for exits of
watched holdings. Nothing is sold without a last price to start from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.gates import price_reason
from whaletrader.services.risk.rules import COUNT, SHARES, Rule, at_least, at_most, holds
from whaletrader.services.risk.state import FLATTEN, Lot
from whaletrader.services.risk.verdict import price_on_tick
from whaletrader.services.risk.views import mark

EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Sale:
    """One holding and what it was held against. It is for sale if every reason passed."""

    token_id: str
    leader: str
    lot: Lot
    price_micro: int
    size_micro: int
    reasons: tuple[common_pb2.Reason, ...]
    strategy: str = FLATTEN
    # How much of the holding is to go.
    micro_ratio: int = MICRO

    @property
    def is_possible(self) -> bool:
        return all(reason.passed for reason in self.reasons)


def sales(desk: Desk, token_id: str = "", micro_ratio: int = MICRO) -> list[Sale]:
    """Return a sale for each holding with free shares: of one token, or of all."""
    return [
        sale_of(desk, (token, leader), lot, micro_ratio=micro_ratio)
        for token, leaders in desk.state.lots.items()
        if token_id in ("", token)
        for leader, lot in leaders.items()
        if lot.free_micro and lot.condition_id not in desk.views.winners
    ]


def unsold(before: Desk, after: Desk, changes: Sequence[risk_pb2.ExposureChanged]) -> list[Sale]:
    """Return a sale for what came back unsold of the holdings that are being cut down."""
    found = []
    for approval_id in dict.fromkeys(change.approval_id for change in changes):
        old = before.state.approvals.get(approval_id)
        if old is None or old.strategy != FLATTEN or old.side != common_pb2.SIDE_SELL:
            continue
        new = after.state.approvals.get(approval_id)
        lot = after.state.lot(old.token_id, old.leader)
        sold = -sum(it.position_delta_micro for it in changes if it.approval_id == approval_id)
        rest = old.rest_micro - (new.rest_micro if new is not None else 0) - sold
        if rest > 0 and lot is not None and lot.size_micro > 0:
            ratio = min(MICRO, -(-rest * MICRO // lot.size_micro))
            found.append(sale_of(after, (old.token_id, old.leader), lot, micro_ratio=ratio))
    return found


def sale_of(
    desk: Desk,
    whose: tuple[str, str],
    lot: Lot,
    cause: common_pb2.Reason | None = None,
    *,
    micro_ratio: int = MICRO,
) -> Sale:
    """Return the sale of a holding: of one that must go for a cause, or of one put up."""
    token_id, leader = whose
    market = desk.market(lot.condition_id)
    last = mark(desk.views, market, token_id)
    known = [
        holds(Rule.MARKET_KNOWN, market is not None, lot.condition_id),
        holds(Rule.PRICE_FRESH, last is not None, "" if last else "no trade was ever seen"),
    ]
    if cause is None:
        most = desk.limits.flatten_attempts_max
        known.append(at_most(Rule.FLATTEN_ATTEMPTS, lot.flattens + 1, most, COUNT))
    strategy = FLATTEN if cause is None else EXIT
    if market is None or last is None:
        return Sale(token_id, leader, lot, 0, 0, tuple(known), strategy, micro_ratio)
    floor = max(market.tick_micro, last - desk.limits.flatten_slippage_micro)
    price = price_on_tick(floor, market.tick_micro, is_buy=False)
    wanted = min(lot.free_micro, -(-lot.size_micro * micro_ratio // MICRO))
    smallest = max(market.min_size_micro, sizing.LOT_MICRO)
    # A part below the smallest order goes as the smallest order, if so much is there.
    size = floor_to(min(lot.free_micro, max(wanted, smallest)), sizing.LOT_MICRO)
    reasons = (
        *known,
        price_reason(price, market.tick_micro),
        at_least(Rule.MINIMUM_SIZE, size, smallest, SHARES),
    )
    return Sale(token_id, leader, lot, price, size, reasons, strategy, micro_ratio)
