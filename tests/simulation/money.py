"""The invariants about money: limits, positions, cash. Part of invariants.py, which lists them.

They hold the log against the engine's own books and against what risk and attribution believe.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.simulation import agents
from tests.simulation.scene import BUY, Scene
from tests.simulation.venue import WALLET
from whaletrader.domain.money import notional
from whaletrader.schemas import order_pb2, risk_pb2
from whaletrader.services.exchange.engine.model import Side


def exposure_stays_within_limits(scene: Scene) -> Iterator[str]:
    """(2) Money at stake, counted from the log and the venue's book, is within every limit."""
    limits = agents.SETTINGS.limits()
    total = 0
    by: dict[str, Counter[str]] = defaultdict(Counter)
    for at_stake, approval in money_at_stake(scene):
        total += at_stake
        by["position"][approval.token_id] += at_stake
        by["market"][approval.condition_id] += at_stake
        by["leader"][approval.leader] += at_stake
    if total > limits.total_micro_max:
        yield f"{total} micro-dollars are at stake of {limits.total_micro_max}"
    maxima = {
        "position": limits.position_micro_max,
        "market": limits.market_micro_max,
        "leader": limits.leader_micro_max,
    }
    for name, counts in by.items():
        for key, amount in counts.items():
            if amount > maxima[name]:
                yield f"{name} {key}: {amount} micro-dollars are at stake of {maxima[name]}"


def money_at_stake(scene: Scene) -> Iterator[tuple[int, risk_pb2.ApprovedTrade]]:
    """Yield, by approval to buy, the least that is at stake: fills at cost, and what may fill.

    While an approval is worked, all that it leaves to be filled may be, at its limit price; after
    that, what the venue has on its book all the same. A holding that was sold, or whose market is
    decided, counts no more.
    """
    transcript = scene.transcript
    orders: dict[str, list[order_pb2.OrderAnnounced]] = defaultdict(list)
    for events in transcript.announced.values():
        for event in events.values():
            orders[event.order.approval_id].append(event)
    filled: Counter[str] = Counter()
    cost: Counter[str] = Counter()
    sold: Counter[tuple[str, str]] = Counter()
    for event in transcript.standing():
        if event.order.side == BUY:
            filled[event.order.approval_id] += event.fill.size_micro
            cost[event.order.approval_id] += notional(event.fill.price_micro, event.fill.size_micro)
        else:
            sold[(event.order.token_id, event.order.leader)] += event.fill.size_micro
    for approval_id, approval in transcript.approvals.items():
        if approval.side != BUY or approval_id in transcript.refused:
            continue
        is_held = approval.condition_id not in transcript.winners
        is_kept = is_held and not sold[(approval.token_id, approval.leader)]
        at_stake = cost[approval_id] if is_kept else 0
        if _may_be_filled(scene, approval, is_ordered=approval_id in orders):
            rest = max(0, approval.size_micro - filled[approval_id])
            at_stake += notional(approval.limit_price_micro, rest)
        else:
            at_stake += sum(_on_the_book(scene, event) for event in orders[approval_id])
        yield at_stake, approval


def _may_be_filled(scene: Scene, approval: risk_pb2.ApprovedTrade, *, is_ordered: bool) -> bool:
    """Whether the log leaves open that more of an approval is bought."""
    if approval.approval_id in scene.transcript.finished:
        return False
    grace_ns = agents.SETTINGS.limits().expiry_grace_ns
    return is_ordered or scene.now_ns < approval.expires_ns + grace_ns


def _on_the_book(scene: Scene, announced: order_pb2.OrderAnnounced) -> int:
    order = scene.engine.state.orders.get(announced.order.order_id)
    if order is None or not order.is_open:
        return 0
    return notional(announced.order.price_micro, order.remaining_micro)


def risk_adds_up(scene: Scene) -> Iterator[str]:
    """(2) Risk's sums are the sums of its parts, and none is negative or over its limit."""
    state = scene.state_of("risk")
    limit = agents.SETTINGS.limits().total_micro_max
    if not 0 <= state.exposure_micro <= limit:
        yield f"risk counts an exposure of {state.exposure_micro}, limit {limit}"
    for name in ("by_token", "by_market", "by_leader"):
        if sum(getattr(state, name).values()) != state.exposure_micro:
            yield f"risk's {name} does not add up to its exposure {state.exposure_micro}"
    reserved = sum(approval.reserved_micro for approval in state.approvals.values())
    if reserved != state.reserved_micro:
        yield f"risk has set aside {state.reserved_micro}, its approvals {reserved}"


def nothing_stays_set_aside(scene: Scene) -> Iterator[str]:
    """(2, at the end) With every order ended and approval expired, no money is set aside."""
    reserved = scene.state_of("risk").reserved_micro
    if reserved:
        yield f"{reserved} micro-dollars are still set aside"


def positions_are_the_sum_of_fills(scene: Scene) -> Iterator[str]:
    """(4) Shares by token: the log's standing fills, the venue's ledger and risk agree.

    Of a decided market nobody holds anything, but for what a trade is still to bring: the venue
    pays that out only once it is settled.
    """
    held: Counter[str] = Counter()
    for event in scene.transcript.standing():
        if event.order.condition_id not in scene.transcript.winners:
            sign = 1 if event.order.side == BUY else -1
            held[event.order.token_id] += sign * event.fill.size_micro
    coming = _bought_and_not_settled(scene)
    at_venue: dict[str, int] = {}
    for token, size in scene.engine.state.ledger.account(WALLET).positions.items():
        if not _is_decided(scene, token):
            at_venue[token] = size
        elif size > coming[token]:
            yield f"the venue holds {size} of {token} back after its market is decided"
    ours = {token: size for token, size in held.items() if size}
    at_venue = {token: size for token, size in at_venue.items() if size}
    if ours != at_venue:
        yield f"by the log we hold {_differing(ours, at_venue)}, by the venue's books (second)"
    in_risk: Counter[str] = Counter()
    for token, leaders in scene.state_of("risk").lots.items():
        in_risk[token] += sum(lot.size_micro for lot in leaders.values())
    believed = {token: size for token, size in in_risk.items() if size}
    if believed != at_venue:
        yield f"risk believes in {_differing(believed, at_venue)}, the venue's books (second)"


def cash_agrees_to_the_micro_unit(scene: Scene) -> Iterator[str]:
    """(4) Cash of the log, the venue, risk and attribution is one number; the ledger balances.

    A winning share of a decided market is cash, also while the venue waits for its settlement.
    """
    engine = scene.engine.state
    engine.ledger.check(engine.markets)
    cash = agents.CASH_MICRO
    payouts: Counter[str] = Counter()
    for event in scene.transcript.standing():
        fill, ref = event.fill, event.order
        buys = ref.side == BUY
        money = notional(fill.price_micro, fill.size_micro, up=buys)
        cash += -money - fill.fee_micro if buys else money - fill.fee_micro
        payouts[ref.token_id] += fill.size_micro if buys else -fill.size_micro
    winners = scene.transcript.winners.values()
    cash += sum(payouts[winner] for winner in winners)
    account = scene.state_of("attribution").accounts.get("main")
    wallet = engine.ledger.account(WALLET)
    said = {
        "the venue": wallet.cash_micro + sum(wallet.positions.get(it, 0) for it in winners),
        "risk": scene.state_of("risk").cash_micro,
        "attribution": account.cash_micro if account is not None else agents.CASH_MICRO,
    }
    for who, amount in said.items():
        if amount != cash:
            yield f"by the log there is {cash} in cash, by {who} {amount}"


def _bought_and_not_settled(scene: Scene) -> Counter[str]:
    coming: Counter[str] = Counter()
    for trade in scene.engine.state.trades_by_principal[WALLET]:
        for leg in trade.legs:
            if leg.principal == WALLET and leg.side is Side.BUY and not trade.status.is_final:
                coming[leg.token_id] += leg.size_micro
    return coming


def _is_decided(scene: Scene, token_id: str) -> bool:
    market = scene.engine.state.market_of_token[token_id]
    return market.condition_id in scene.transcript.winners


def _differing(ours: dict[str, int], theirs: dict[str, int]) -> dict[str, tuple[int, int]]:
    keys = [key for key in {**ours, **theirs} if ours.get(key, 0) != theirs.get(key, 0)]
    return {key: (ours.get(key, 0), theirs.get(key, 0)) for key in keys}
