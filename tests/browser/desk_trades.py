"""What whales do and what becomes of it: copied to the last cent, refused, resolved."""

from dataclasses import dataclass

from tests.browser.desk_stage import (
    FEE_RATE_MICRO,
    HOUR_NS,
    MARKETS,
    NO_TOKENS,
    WALLETS,
    YES_TOKENS,
    Desk,
    heard,
    reason,
    usd,
    value,
)
from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import notional, taker_fee
from whaletrader.schemas import (
    common_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    portfolio_pb2,
    risk_pb2,
    wallet_pb2,
)


def proposal_of(
    desk: Desk, traded: wallet_pb2.WalletTraded, limit: int, size: int
) -> risk_pb2.TradeProposal:
    proposal = risk_pb2.TradeProposal(
        portfolio="main",
        leader=traded.wallet,
        strategy="copy",
        condition_id=traded.condition_id,
        token_id=traded.token_id,
        side=traded.side,
        limit_price_micro=limit,
        max_size_micro=size,
        fair_value_micro=limit + usd(0.04),
        deadline_ns=desk.event_ns + HOUR_NS,
    )
    proposal.meta.id = derived_id("story", "proposal", traded.meta.id)
    proposal.meta.cause = traded.meta.id
    proposal.meta.correlation = traded.meta.id
    proposal.meta.event_time_ns = desk.event_ns
    proposal.meta.source = "orchestrator"
    return proposal


async def whale_buys(
    desk: Desk, wallet: int, market: int, dollars: float, shares: float
) -> wallet_pb2.WalletTraded:
    traded = wallet_pb2.WalletTraded(
        wallet=WALLETS[wallet],
        condition_id=MARKETS[market],
        token_id=YES_TOKENS[market],
        side=common_pb2.SIDE_BUY,
        price_micro=usd(dollars),
        size_micro=usd(shares * 20),
        trade_id=f"trade-{desk.told}",
        transaction_hash="0x" + derived_id("tx", desk.told) * 2,
    )
    said = await desk.say("wallet.trades", traded, "feeds")
    assert isinstance(said, wallet_pb2.WalletTraded)
    return said


async def propose(
    desk: Desk, traded: wallet_pb2.WalletTraded, limit: int, size: int
) -> risk_pb2.TradeProposal:
    """The orchestrator proposes the copy, and risk has heard it."""
    proposal = proposal_of(desk, traded, limit, size)
    proposed = decision_pb2.DecisionMade(
        outcome=decision_pb2.DECISION_OUTCOME_PROPOSED,
        leader=traded.wallet,
        strategy="copy",
        condition_id=traded.condition_id,
        token_id=traded.token_id,
        proposal=proposal,
        reasons=[
            reason("orchestrator.whale", 1, 1, common_pb2.UNIT_COUNT, detail=traded.wallet),
            reason(
                "orchestrator.signal_age",
                40 * 10**9,
                600 * 10**9,
                common_pb2.UNIT_NANOSECONDS,
            ),
            reason("orchestrator.edge_min", usd(0.04), usd(0.01), common_pb2.UNIT_MICRO_PRICE),
        ],
    )
    await desk.say("decision.made", proposed, "orchestrator", traded)
    await heard(desk, "risk", proposal)
    return proposal


def verdict_reasons(limit: int, size: int, failed: str = "") -> list[common_pb2.Reason]:
    usd_unit, count = common_pb2.UNIT_MICRO_USD, common_pb2.UNIT_COUNT
    cost = notional(limit, size)
    over = usd(2_140) if failed == "total-limit" else usd(830)
    return [
        reason("well-formed", 1, 1, count),
        reason(
            "halted",
            0 if failed == "halted" else 1,
            1,
            count,
            failed != "halted",
            "operator-halt" if failed == "halted" else "",
        ),
        reason("edge", limit + usd(0.04), limit + usd(0.011), common_pb2.UNIT_MICRO_PRICE),
        reason("kelly", cost, usd(212.4), usd_unit),
        reason("trade-limit", cost, usd(250), usd_unit),
        reason("total-limit", over, usd(2_000), usd_unit, failed != "total-limit"),
        reason("cash", cost, usd(7_400), usd_unit),
        reason("minimum-size", size, usd(5), common_pb2.UNIT_MICRO_SHARES),
    ]


async def reject(
    desk: Desk, wallet: int, market: int, rule: str = "total-limit", dollars: float = 0.45
) -> decision_pb2.DecisionMade:
    """A whale buys, risk says no. Returns the decision."""
    traded = await whale_buys(desk, wallet, market, dollars, 100)
    limit, size = usd(dollars + 0.01), usd(100)
    proposal = await propose(desk, traded, limit, size)
    refusal = risk_pb2.RejectedTrade(
        proposal_id=proposal.meta.id,
        portfolio="main",
        leader=traded.wallet,
        condition_id=traded.condition_id,
        token_id=traded.token_id,
        rule=rule,
        reasons=verdict_reasons(limit, size, rule),
    )
    await desk.say("trade.rejected", refusal, "risk", proposal)
    made = decision_pb2.DecisionMade(
        outcome=decision_pb2.DECISION_OUTCOME_REJECTED,
        leader=traded.wallet,
        strategy="copy",
        condition_id=traded.condition_id,
        token_id=traded.token_id,
        proposal=proposal,
        reasons=refusal.reasons,
    )
    said = await desk.say("decision.made", made, "orchestrator", refusal)
    assert isinstance(said, decision_pb2.DecisionMade)
    return said


@dataclass
class Copied:
    """What came of one copied trade."""

    traded: wallet_pb2.WalletTraded
    decision: decision_pb2.DecisionMade
    order: order_pb2.OrderRef


async def copy(desk: Desk, wallet: int, market: int, dollars: float, shares: float) -> Copied:
    """A whale buys and is copied: approved, ordered, filled, settled, booked and valued."""
    traded = await whale_buys(desk, wallet, market, dollars, shares)
    limit, size = usd(dollars + 0.01), usd(shares)
    proposal = await propose(desk, traded, limit, size)
    approved = risk_pb2.ApprovedTrade(
        approval_id=derived_id("approval", proposal.meta.id),
        proposal_id=proposal.meta.id,
        portfolio="main",
        leader=traded.wallet,
        strategy="copy",
        condition_id=traded.condition_id,
        token_id=traded.token_id,
        side=traded.side,
        limit_price_micro=limit,
        size_micro=size,
        expires_ns=desk.event_ns + HOUR_NS,
        reasons=verdict_reasons(limit, size),
        key_id="k1",
        signature=b"s" * 64,
    )
    await desk.say("trade.approved", approved, "risk", proposal)
    made = decision_pb2.DecisionMade(
        outcome=decision_pb2.DECISION_OUTCOME_APPROVED,
        leader=traded.wallet,
        strategy="copy",
        condition_id=traded.condition_id,
        token_id=traded.token_id,
        proposal=proposal,
        approval_id=approved.approval_id,
        reasons=approved.reasons,
    )
    await desk.say("decision.made", made, "orchestrator", approved)
    order = await _order(desk, approved)
    await _fill(desk, order, market)
    return Copied(traded, made, order)


async def _order(desk: Desk, approved: risk_pb2.ApprovedTrade) -> order_pb2.OrderRef:
    order = order_pb2.OrderRef(
        order_id="0x" + derived_id("order", approved.approval_id) * 2,
        approval_id=approved.approval_id,
        proposal_id=approved.proposal_id,
        portfolio="main",
        leader=approved.leader,
        strategy="copy",
        condition_id=approved.condition_id,
        token_id=approved.token_id,
        side=approved.side,
        price_micro=approved.limit_price_micro,
        size_micro=approved.size_micro,
    )
    announced = order_pb2.OrderAnnounced(
        order=order, order_type=order_pb2.ORDER_TYPE_GTC, salt=7, venue="polymarket"
    )
    said = await desk.say("order.events", announced, "execution", approved)
    accepted = order_pb2.OrderAccepted(order=order, venue_status="live")
    await desk.say("order.events", accepted, "execution", said)
    return order


async def _fill(desk: Desk, order: order_pb2.OrderRef, market: int) -> None:
    """The venue tells of the fill, which begins a chain of its own."""
    fee = taker_fee(order.price_micro, order.size_micro, FEE_RATE_MICRO)
    fill = order_pb2.Fill(
        trade_id=derived_id("fill", order.order_id),
        price_micro=order.price_micro,
        size_micro=order.size_micro,
        fee_micro=fee,
        liquidity=order_pb2.LIQUIDITY_TAKER,
    )
    matched = order_pb2.OrderMatched(order=order, fill=fill)
    seen = order_pb2.VenueTradeSeen(
        order_id=order.order_id, fill=fill, status=order_pb2.TRADE_STATUS_MATCHED
    )
    seen.meta.id = seen.meta.correlation = derived_id("seen", fill.trade_id)
    seen.meta.event_time_ns = desk.event_ns
    seen.meta.source = "venue"
    await heard(desk, "execution", seen)
    await desk.say("order.events", matched, "execution", seen)
    cost = notional(order.price_micro, order.size_micro, up=True)
    booked = portfolio_pb2.ProfitAttributed(
        portfolio="main",
        leader=order.leader,
        strategy="copy",
        condition_id=order.condition_id,
        token_id=order.token_id,
        day=desk.event_ns // (24 * HOUR_NS),
        fee_delta_micro=fee,
        cash_delta_micro=-cost - fee,
        size_delta_micro=order.size_micro,
        cost_delta_micro=cost,
        approval_id=order.approval_id,
        order_id=order.order_id,
    )
    await desk.say("portfolio.attribution", booked, "attribution", matched)
    desk.cash -= cost + fee
    desk.fees += fee
    size, paid, _ = desk.held.get(market, (0, 0, 0))
    desk.held[market] = (size + order.size_micro, paid + cost, order.price_micro)
    await value(desk, matched)
    confirmed = order_pb2.OrderConfirmed(order=order, fill=fill)
    await desk.say("order.events", confirmed, "execution", matched)
    closed = order_pb2.OrderClosed(
        order=order, status=order_pb2.CLOSE_STATUS_FILLED, filled_size_micro=order.size_micro
    )
    await desk.say("order.events", closed, "execution", confirmed)


async def resolve(desk: Desk, market: int, leader: int, *, won: bool) -> None:
    """A market is decided: its shares pay a dollar or nothing."""
    winner = YES_TOKENS[market] if won else NO_TOKENS[market]
    resolved = market_pb2.MarketResolved(
        condition_id=MARKETS[market], winning_index=0 if won else 1, winning_token_id=winner
    )
    said = await desk.say("market.data", resolved, "feeds")
    size, cost, _ = desk.held.pop(market)
    paid = size if won else 0
    desk.cash += paid
    desk.realized += paid - cost
    booked = portfolio_pb2.ProfitAttributed(
        portfolio="main",
        leader=WALLETS[leader],
        strategy="copy",
        condition_id=MARKETS[market],
        token_id=YES_TOKENS[market],
        day=desk.event_ns // (24 * HOUR_NS),
        realized_delta_micro=paid - cost,
        cash_delta_micro=paid,
        size_delta_micro=-size,
        cost_delta_micro=-cost,
    )
    await desk.say("portfolio.attribution", booked, "attribution", said)
    await value(desk, said)
