"""What the wallet holds by our own fills, held against what the venue says. Pure.

The first look is the balance to start from; from then on every share and dollar must come from a
fill that stands. A fill that is not settled may or may not be in the venue's figures yet, so a
holding is right anywhere between without and with it. A difference is believed when a second
look still shows it; then nothing new leaves until a person has looked.
"""

from dataclasses import dataclass
from typing import Any

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import notional
from whaletrader.runtime.codec import encode, type_name
from whaletrader.runtime.topics import DEAD_LETTERS
from whaletrader.schemas import agent_pb2, common_pb2, order_pb2, risk_pb2
from whaletrader.services.execution import stops
from whaletrader.services.execution.scene import TOPIC, Scene
from whaletrader.services.execution.state import Balance, ExecutionState, Position, Stop
from whaletrader.services.execution.transitions import FillStage, Phase

# A difference that so many looks in a row have shown is one.
LOOKS_MIN = 2
_EXPLAINING_MAX = 20


@dataclass(frozen=True, slots=True)
class _Range:
    """What a figure may be while fills are on their way."""

    ours_micro: int
    bought_micro: int
    sold_micro: int

    def holds(self, venue_micro: int, tolerance_micro: int = 0) -> bool:
        least = self.ours_micro - self.bought_micro - tolerance_micro
        most = self.ours_micro + self.sold_micro + tolerance_micro
        return least <= venue_micro <= most


def on_holdings(scene: Scene, seen: order_pb2.HoldingsSeen) -> None:
    """Compare a look at the venue with our books."""
    balance = scene.state.balance
    if balance.moved_ns >= seen.began_ns:
        # Something of ours moved while it was read: it proves nothing, the next one may. Least of
        # all may books begin with it: cash from before a fill, and shares from after it.
        return
    if not balance.is_open:
        _open(scene, seen)
        return
    differences = _differences(scene, seen)
    if not differences:
        _agree(scene, seen)
        return
    looks = balance.differing_looks + 1
    digest = _digest(differences)
    if digest != balance.differing_digest:
        looks = 1
    halted = looks >= LOOKS_MIN
    event = order_pb2.ReconciliationFailed(
        wallet=scene.policy.lane,
        condition_id=next((it.condition_id for it in differences if it.condition_id), ""),
        halted=halted,
        looks=looks,
        differences=differences,
        reasons=[_reason(it) for it in differences],
    )
    scene.decision.emit(TOPIC, event)
    if halted and not scene.state.wallet_stop:
        _halt(scene, event)


def note_fill(balance: Balance, event: Any, now_ns: int) -> None:
    """Fold a fill's step into the books: matched counts at once, reversed takes it back."""
    order, fill = event.order, event.fill
    is_buy = order.side == common_pb2.SIDE_BUY
    position = balance.positions.setdefault(order.token_id, Position(order.condition_id))
    money = notional(fill.price_micro, fill.size_micro, up=is_buy)
    money += fill.fee_micro if is_buy else -fill.fee_micro
    if isinstance(event, order_pb2.OrderMatched):
        sign, standing = 1, 1
    else:
        # Settled either way: it is provisional no more, and stands only if it was confirmed.
        sign, standing = -1, 0 if isinstance(event, order_pb2.OrderConfirmed) else -1
    if is_buy:
        position.size_micro += standing * fill.size_micro
        position.bought_provisional_micro += sign * fill.size_micro
        balance.cash_micro -= standing * money
        balance.spent_provisional_micro += sign * money
    else:
        position.size_micro -= standing * fill.size_micro
        position.sold_provisional_micro += sign * fill.size_micro
        balance.cash_micro += standing * money
        balance.received_provisional_micro += sign * money
    balance.moved_ns = now_ns


def note_agreed(state: ExecutionState, event: order_pb2.PositionsReconciled) -> None:
    """Fold a look that agreed, or the opening one, which the books start from."""
    balance = state.balance
    balance.differing_looks, balance.differing_digest = 0, ""
    if not event.opening:
        # Money that came in from outside is ours from now on.
        balance.cash_micro += event.cash_micro - balance.cash_micro if event.reasons else 0
        return
    balance.is_open = True
    balance.cash_micro = event.cash_micro
    for position in balance.positions.values():
        position.size_micro = 0
    for holding in event.opening_holdings:
        position = balance.positions.setdefault(holding.token_id, Position())
        position.size_micro = holding.size_micro


def note_differing(state: ExecutionState, event: order_pb2.ReconciliationFailed) -> None:
    """Fold a look that differed."""
    state.balance.differing_looks = event.looks
    state.balance.differing_digest = _digest(list(event.differences))


def _open(scene: Scene, seen: order_pb2.HoldingsSeen) -> None:
    """Start from what is there, unless fills are on their way: then a later look will do."""
    if any(not position_settled(it) for it in scene.state.balance.positions.values()):
        return
    scene.decision.emit(
        TOPIC,
        order_pb2.PositionsReconciled(
            wallet=scene.policy.lane,
            holdings=len(seen.holdings),
            cash_micro=seen.cash_micro,
            opening=True,
            opening_holdings=seen.holdings,
        ),
    )


def position_settled(position: Position) -> bool:
    """Whether no fill of the token is on its way."""
    return not (position.bought_provisional_micro or position.sold_provisional_micro)


def _agree(scene: Scene, seen: order_pb2.HoldingsSeen) -> None:
    balance = scene.state.balance
    reasons = []
    cash = balance.cash_micro
    is_settled = not (balance.spent_provisional_micro or balance.received_provisional_micro)
    if is_settled and seen.cash_micro > cash + scene.policy.cash_tolerance_micro:
        reasons.append(
            common_pb2.Reason(
                rule="holdings.cash_came_in",
                value=seen.cash_micro,
                limit=cash,
                unit=common_pb2.UNIT_MICRO_USD,
                passed=True,
                detail="a deposit, a payout or a rebate",
            )
        )
        cash = seen.cash_micro
    scene.decision.emit(
        TOPIC,
        order_pb2.PositionsReconciled(
            wallet=scene.policy.lane,
            holdings=len(seen.holdings),
            cash_micro=cash,
            reasons=reasons,
        ),
    )


def _differences(scene: Scene, seen: order_pb2.HoldingsSeen) -> list[order_pb2.HoldingDifference]:
    balance = scene.state.balance
    at_venue = {it.token_id: it.size_micro for it in seen.holdings}
    found = []
    for token_id in sorted({*balance.positions, *at_venue}):
        terms = scene.views.tokens.get(token_id)
        condition_id = terms.condition_id if terms is not None else ""
        ours = balance.positions.get(token_id, Position(condition_id))
        condition_id = condition_id or ours.condition_id
        if condition_id in scene.views.resolved:
            # Decided: its shares are paid out, or wait to be, as the venue likes.
            continue
        span = _Range(ours.size_micro, ours.bought_provisional_micro, ours.sold_provisional_micro)
        venue_micro = at_venue.get(token_id, 0)
        if not span.holds(venue_micro):
            found.append(_difference(scene, seen, (token_id, condition_id), span, venue_micro))
    # Of money only what is missing is a difference: more of it comes from outside.
    cash = _Range(
        balance.cash_micro, balance.received_provisional_micro, balance.spent_provisional_micro
    )
    least = cash.ours_micro - cash.bought_micro - scene.policy.cash_tolerance_micro
    if seen.cash_micro < least:
        found.append(_difference(scene, seen, ("", ""), cash, seen.cash_micro))
    return found


def _difference(
    scene: Scene,
    seen: order_pb2.HoldingsSeen,
    what: tuple[str, str],
    span: _Range,
    venue_micro: int,
) -> order_pb2.HoldingDifference:
    token_id, condition_id = what
    unknown = [name for name in seen.open_order_ids if name not in scene.state.orders]
    ours = [
        order_id
        for order_id, record in scene.state.orders.items()
        if (not token_id or record.token_id == token_id)
        and (
            record.phase in (Phase.UNKNOWN, Phase.SUBMITTED)
            or record.size_in(FillStage.MATCHED, FillStage.MINED) > 0
            or (not record.phase.is_end and record.venue_status)
        )
    ]
    return order_pb2.HoldingDifference(
        token_id=token_id,
        condition_id=condition_id,
        ours_micro=span.ours_micro,
        provisional_bought_micro=span.bought_micro,
        provisional_sold_micro=span.sold_micro,
        venue_micro=venue_micro,
        order_ids=[*unknown, *ours][:_EXPLAINING_MAX],
    )


def _reason(difference: order_pb2.HoldingDifference) -> common_pb2.Reason:
    is_cash = not difference.token_id
    orders = ", ".join(difference.order_ids)
    return common_pb2.Reason(
        rule="holdings.cash" if is_cash else "holdings.shares",
        value=difference.venue_micro,
        limit=difference.ours_micro,
        unit=common_pb2.UNIT_MICRO_USD if is_cash else common_pb2.UNIT_MICRO_SHARES,
        passed=False,
        detail=f"explained by {orders}" if orders else "explained by no order of ours",
    )


def _halt(scene: Scene, event: order_pb2.ReconciliationFailed) -> None:
    words = "; ".join(f"{it.rule} {it.value}, ours {it.limit}: {it.detail}" for it in event.reasons)
    scene.decision.keep(
        risk_pb2.TradingStateChanged(halted=True, rule=Stop.DIFFERENCE, detail=words)
    )
    scene.decision.emit(
        DEAD_LETTERS,
        agent_pb2.DeadLettered(
            agent="execution",
            topic=TOPIC,
            partition=-1,
            offset=-1,
            type=type_name(event),
            error=f"the venue holds something else than our fills add up to: {words}",
            key=scene.policy.lane.encode(),
            payload=encode(event),
        ),
    )
    stops.stop_wallet(scene, Stop.DIFFERENCE)


def _digest(differences: list[order_pb2.HoldingDifference]) -> str:
    return derived_id(*(f"{it.token_id}:{it.ours_micro}:{it.venue_micro}" for it in differences))
