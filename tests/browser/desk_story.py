"""A trading desk's story, told in real events and recorded by the recorder's own writer.

Six markets, five wallets, a run of copied trades with their verdicts, orders, fills, profit and
two resolutions; agents that work, one dead letter. Shared by the gateway's tests. Nothing here
is read by the product.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, notional, taker_fee
from whaletrader.runtime.codec import Envelope, key_of, to_record
from whaletrader.runtime.log import Position
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.topics import TOPICS
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    portfolio_pb2,
    risk_pb2,
    wallet_pb2,
    whale_pb2,
)
from whaletrader.store.schema import install
from whaletrader.store.writer import Writer

START_NS = 1_751_400_000 * 10**9
# When the log got the first event, by the wall clock: after START, as with any tape.
LOGGED_NS = 1_790_000_000 * 10**9
HOUR_NS = 3_600 * 10**9
CASH_MICRO = 10_000 * MICRO
FEE_RATE_MICRO = 40_000

# Above 2^53: a browser that takes it for a number shows another token.
YES_TOKENS = [f"9{number:02d}{'7' * 70}" for number in range(6)]
NO_TOKENS = [f"8{number:02d}{'3' * 70}" for number in range(6)]
MARKETS = [f"0x{number:064x}" for number in range(1, 7)]
HOSTILE_TITLE = "Will <img src=x onerror=\"document.title='owned'\"> & <b>friends</b> win?"
QUESTIONS = [
    "Will the Fed cut rates in September?",
    HOSTILE_TITLE,
    "Will Bitcoin close above $120,000 on 31 July?",
    "Lakers vs. Celtics: who wins game 7?",
    "Will a hurricane make landfall in Florida before August?",
    "Will the bill on artificial intelligence pass the Senate this session?",
]
WALLETS = [
    "0x0562c423912e325f83fa79df55085979e1f5594f",
    "0x0c0e270cf879583d6a0142fc817e05b768d0434e",
    "0x7c3db723f1d4d8cb9c550095203b686cb11e5c6b",
    "0x1ff49fdcb6685c94059b65620f43a683be0ce7a5",
    "0xd189664c5308903476f9f079820431e4fd7d06f4",
]


def usd(dollars: float) -> int:
    """Return micro-dollars (or micro-shares, or a price in millionths)."""
    return round(dollars * MICRO)


def reason(
    rule: str, value: int, limit: int, unit: int, passed: bool = True, detail: str = ""
) -> common_pb2.Reason:
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=passed, detail=detail
    )


@dataclass
class Desk:
    """Appends events to a log and keeps the portfolio's books while the story goes on."""

    log: MemoryLog
    clock: list[int]
    event_ns: int = START_NS
    cash: int = CASH_MICRO
    realized: int = 0
    fees: int = 0
    # By market: shares, cost, price of the last trade.
    held: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    told: int = 0
    # The journal entries of each agent.
    journal: dict[str, int] = field(default_factory=dict)

    async def say(
        self, topic: str, message: Message, source: str, cause: Message | None = None
    ) -> Message:
        """Stamp the message and append it, a few milliseconds after the one before."""
        meta = message.meta  # type: ignore[attr-defined]
        self.told += 1
        if not meta.id:
            meta.id = derived_id("story", source, self.told)
        meta.event_time_ns = meta.event_time_ns or self.event_ns
        meta.source = source
        if cause is not None:
            meta.cause = cause.meta.id  # type: ignore[attr-defined]
            meta.correlation = cause.meta.correlation or cause.meta.id  # type: ignore[attr-defined]
        else:
            meta.correlation = meta.correlation or meta.id
        await self.log.append([to_record(Envelope(topic, key_of(topic, message), message))])
        self.clock[0] += 2_500_000 + (self.told * 7_919) % 1_700_000
        return message


async def new_desk() -> Desk:
    clock = [LOGGED_NS]
    log = MemoryLog(lambda: clock[0])
    await log.create_topics(TOPICS)
    return Desk(log, clock)


async def opening(desk: Desk) -> None:
    """The markets are listed, the wallets scored: three are whales, one was one."""
    for number, question in enumerate(QUESTIONS):
        listed = market_pb2.MarketListed(
            condition_id=MARKETS[number],
            question=question,
            slug=f"market-{number}",
            category="politics",
            tokens=[
                market_pb2.OutcomeToken(token_id=YES_TOKENS[number], outcome="Yes"),
                market_pb2.OutcomeToken(token_id=NO_TOKENS[number], outcome="No"),
            ],
            tick_size_micro=1_000,
            min_size_micro=5 * MICRO,
            fee_rate_micro=FEE_RATE_MICRO,
            fee_exponent=1,
            opens_ns=START_NS - 1_000 * HOUR_NS,
            ends_ns=START_NS + 2_000 * HOUR_NS,
            venue="polymarket",
        )
        await desk.say("market.catalog", listed, "feeds")
        await price(desk, number, 0.42 + 0.05 * number)
    for number, wallet in enumerate(WALLETS):
        await _scored(desk, number, wallet)


async def _scored(desk: Desk, number: int, wallet: str) -> None:
    edge = (0.061, 0.043, 0.028, 0.012, -0.021)[number]
    score = whale_pb2.Score(
        edge_micro=usd(edge),
        edge_lower_micro=usd(edge - 0.02 - 0.004 * number),
        edge_upper_micro=usd(edge + 0.022 + 0.004 * number),
        realized_profit_micro=usd(edge * 90_000),
        fees_micro=usd(310 + number),
        volume_micro=usd(240_000 - 31_000 * number),
        trades=480 - 83 * number,
        markets=57 - 9 * number,
        markets_won=38 - 8 * number,
        base_edge_micro=usd(0.004),
        shrinkage_micro=usd(0.31),
    )
    is_whale = number < 3
    why = [
        reason("discovery.wallets_min", 40, 10, common_pb2.UNIT_COUNT),
        reason("discovery.markets_min", score.markets, 10, common_pb2.UNIT_COUNT),
        reason("discovery.trades_min", score.trades, 30, common_pb2.UNIT_COUNT),
        reason(
            "discovery.edge_lower_min",
            score.edge_lower_micro,
            0,
            common_pb2.UNIT_MICRO_PRICE,
            score.edge_lower_micro > 0,
        ),
    ]
    scored = whale_pb2.WhaleScored(wallet=wallet, score=score, is_whale=is_whale)
    said = await desk.say("whale.scored", scored, "discovery")
    if number < 4:
        found = whale_pb2.WhaleDiscovered(wallet=wallet, score=score, reasons=why)
        await desk.say("whale.discovered", found, "discovery", said)
    if number == 3:
        desk.event_ns += HOUR_NS
        pruned = whale_pb2.WhalePruned(wallet=wallet, score=score, reasons=why)
        await desk.say("whale.pruned", pruned, "discovery", said)


async def price(desk: Desk, number: int, dollars: float) -> None:
    """Print a trade in a market, which is what its holders' shares are worth from then on."""
    printed = market_pb2.TradePrinted(
        condition_id=MARKETS[number],
        token_id=YES_TOKENS[number],
        side=common_pb2.SIDE_BUY,
        price_micro=usd(dollars),
        size_micro=usd(120),
        print_id=f"print-{desk.told}",
    )
    await desk.say("market.data", printed, "feeds")
    if number in desk.held:
        size, cost, _ = desk.held[number]
        desk.held[number] = (size, cost, usd(dollars))


async def value(desk: Desk, cause: Message | None = None) -> None:
    """Value the portfolio: one more point of the profit curve."""
    valued = portfolio_pb2.PortfolioValued(
        portfolio="main",
        cash_micro=desk.cash,
        positions_value_micro=sum(notional(mark, size) for size, _, mark in desk.held.values()),
        positions_cost_micro=sum(cost for _, cost, _ in desk.held.values()),
        realized_micro=desk.realized,
        fees_micro=desk.fees,
        open_positions=len(desk.held),
    )
    await desk.say("portfolio.attribution", valued, "attribution", cause)


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


async def heard(desk: Desk, agent: str, message: Message) -> None:
    """Something reached an agent outside the log: its journal tells."""
    desk.journal[agent] = desk.journal.get(agent, 0) + 1
    entry = agent_pb2.JournalEntry(agent=agent, sequence=desk.journal[agent], now_ns=desk.event_ns)
    inline = entry.inputs.add().inline
    inline.type = message.DESCRIPTOR.full_name
    inline.payload = message.SerializeToString(deterministic=True)
    entry.outputs.add()
    headers = {"ce_type": entry.DESCRIPTOR.full_name, "ce_id": ""}
    from whaletrader.runtime.log import Record

    await desk.log.append(
        [Record(f"journal.{agent}", agent, entry.SerializeToString(), headers, 0)]
    )
    desk.clock[0] += 1_800_000


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
    await _fill(desk, order, approved, market)
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


async def _fill(desk: Desk, order: order_pb2.OrderRef, cause: Message, market: int) -> None:
    fee = taker_fee(order.price_micro, order.size_micro, FEE_RATE_MICRO)
    fill = order_pb2.Fill(
        trade_id=derived_id("fill", order.order_id),
        price_micro=order.price_micro,
        size_micro=order.size_micro,
        fee_micro=fee,
        liquidity=order_pb2.LIQUIDITY_TAKER,
    )
    matched = order_pb2.OrderMatched(order=order, fill=fill)
    await desk.say("order.events", matched, "execution", cause)
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


async def agents_report(desk: Desk) -> None:
    for number, name in enumerate(("discovery", "execution", "orchestrator", "risk")):
        health = agent_pb2.AgentHealth(
            agent=name,
            member=f"{name}@desk",
            status=agent_pb2.AGENT_STATUS_RUNNING,
            shards=[0],
            pending_effects=number,
            inputs_total=1_200 * (number + 1),
            open_circuits=["venue"] if name == "execution" else [],
        )
        await desk.say("agent.health", health, name)
        await heard(desk, name, agent_pb2.TimerFired(timer_id="t"))
    dead = agent_pb2.DeadLettered(
        agent="discovery",
        topic="wallet.trades",
        partition=3,
        offset=41,
        type="whaletrader.wallet.v1.WalletTraded",
        error="price 65000000 is not between 0 and 1000000 micro-dollars",
        key=b"k",
        payload=b"\x00\x01broken",
    )
    await desk.say("dead.letter", dead, "discovery")


def drift(number: int, step: int) -> float:
    """Return a market's price at a step of the story: no chance, only a shape."""
    wave = ((step * (7 + 3 * number)) % 29 - 14) / 400
    return max(0.04, min(0.96, 0.42 + 0.05 * number + 0.006 * step * (0.6 - 0.2 * number) + wave))


async def whole_story(desk: Desk) -> Copied:
    """Tell all of it. Returns the last trade that was copied."""
    await opening(desk)
    last: Copied | None = None
    for step in range(60):
        desk.event_ns += 6 * HOUR_NS
        for number in range(6):
            await price(desk, number, drift(number, step))
        if step % 5 == 1 and step < 50:
            number = (step // 5) % 6
            last = await copy(desk, step // 5 % 3, number, drift(number, step), 60 + 9 * number)
        if step % 9 == 4:
            await reject(desk, step % 3, (step + 2) % 6, "total-limit" if step % 2 else "halted")
        if step == 34:
            await resolve(desk, 0, 0, won=True)
        if step == 44:
            await resolve(desk, 4, 1, won=False)
        await value(desk)
    await agents_report(desk)
    if last is None:
        raise AssertionError("the story copies nothing")
    return last


async def record(desk: Desk, dsn: str, seen: dict[tuple[str, int], int] | None = None) -> int:
    """Write what the log holds into the database with the recorder's writer, from `seen` on."""
    seen = {} if seen is None else seen
    connection = await asyncpg.connect(dsn)
    try:
        await install(connection)
        records = []
        for topic, partition in _partitions():
            start = seen.get((topic, partition), 0)
            found = await desk.log.read(Position(topic, partition, start), 1_000_000)
            seen[(topic, partition)] = start + len(found)
            records += found
        records.sort(key=lambda stored: stored.timestamp_ns)
        writer = Writer()
        written = await writer.write(connection, writer.prepare(records))
        return written.events
    finally:
        await connection.close()


def _partitions() -> Iterator[tuple[str, int]]:
    for topic in TOPICS:
        for partition in range(topic.partitions):
            yield topic.name, partition
