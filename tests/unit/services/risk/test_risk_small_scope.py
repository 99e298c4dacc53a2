"""Every order of a few messages in a few markets: no sequence of them breaks a limit.

Two markets of one topic, limits that two buys reach. All sequences of the moves below are played,
as deep as DEPTH; `RISK_DEPTH=4 pytest ...` goes deeper.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from google.protobuf.message import Message

from tests.unit.services.risk.risk_room import (
    BUY,
    MARKETS,
    NOW,
    SHARE,
    USD,
    agent,
    fill_of,
    listing,
    no,
    opening,
    order_of,
    standing,
    tight,
    yes,
)
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Core, Inline
from whaletrader.schemas import agent_pb2, common_pb2, market_pb2, order_pb2, risk_pb2
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.state import RiskState

DEPTH = int(os.environ.get("RISK_DEPTH", "3"))
POLICY = tight(
    trade_usd_max=60,
    position_usd_max=70,
    market_usd_max=80,
    leader_usd_max=90,
    total_usd_max=90,
    strategy_ratio_max="0.88",
    category_ratio_max="0.87",
    topic_ratio_max="0.86",
    group_ratio_max="0.86",
    worst_case_ratio_max="0.85",
    open_positions_max=2,
    notional_usd_min=1,
)


@dataclass
class World:
    """A risk agent, its journal, and what execution and the venue know."""

    core: Core
    entries: list[agent_pb2.JournalEntry] = field(default_factory=list)
    approvals: list[risk_pb2.ApprovedTrade] = field(default_factory=list)
    provisional: list[tuple[order_pb2.OrderRef, order_pb2.Fill]] = field(default_factory=list)
    open_orders: list[order_pb2.OrderRef] = field(default_factory=list)
    # What was in each place that a limit is on: where capital was lost, nothing is added.
    before: dict[tuple[str, str], int] = field(default_factory=dict)

    def tell(self, message: Message) -> list[Message]:
        meta: common_pb2.Meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("move", len(self.entries))
        meta.event_time_ns = meta.event_time_ns or NOW
        step = self.core.step([Inline(message)], NOW)
        assert "dead.letter" not in {topic for _, topic, _ in step.events}, step.events
        self.entries.append(step.entry)
        return [event for _, _, event in step.events]

    def twin(self) -> "World":
        core = Core(agent())
        saved = self.core.snapshot(0).value
        assert core.load(agent_pb2.AgentSnapshot.FromString(saved))
        return World(
            core,
            list(self.entries),
            list(self.approvals),
            list(self.provisional),
            list(self.open_orders),
            dict(self.before),
        )

    @property
    def state(self) -> RiskState:
        state = self.core.agent.state
        assert isinstance(state, RiskState)
        return state


def opened() -> World:
    world = World(Core(agent()))
    world.tell(opening(POLICY, Decimal(100)))
    for market in MARKETS[:2]:
        world.tell(listing(market, event_slug="election"))
        world.tell(
            market_pb2.TradePrinted(
                condition_id=market,
                token_id=yes(market),
                price_micro=500_000,
                size_micro=10_000 * SHARE,
            )
        )
    return world


def buy(market: str) -> Callable[[World], None]:
    def move(world: World) -> None:
        events = world.tell(
            risk_pb2.TradeProposal(
                portfolio="main",
                leader="0xw",
                strategy="copy",
                condition_id=market,
                token_id=yes(market),
                side=BUY,
                limit_price_micro=500_000,
                max_size_micro=100 * SHARE,
                fair_value_micro=990_000,
                deadline_ns=NOW,
                asked_ns=NOW,
            )
        )
        world.approvals += [e for e in events if isinstance(e, risk_pb2.ApprovedTrade)]

    return move


def work(world: World) -> None:
    if world.approvals:
        order = order_of(world.approvals.pop(0))
        world.tell(order_pb2.OrderAnnounced(order=order))
        world.open_orders.append(order)


def match(world: World) -> None:
    if world.open_orders:
        order = world.open_orders[0]
        taken = {f.trade_id for o, f in world.provisional if o.order_id == order.order_id}
        fill = fill_of(order, trade_id=f"t{len(taken)}", size_micro=order.size_micro // 3)
        if len(taken) < 2:
            world.provisional.append((order, fill))
            world.tell(order_pb2.OrderMatched(order=order, fill=fill))


def undo(world: World) -> None:
    if world.provisional:
        order, fill = world.provisional.pop()
        world.tell(order_pb2.OrderReversed(order=order, fill=fill))


def cancel(world: World) -> None:
    if world.open_orders:
        order = world.open_orders.pop(0)
        filled = sum(f.size_micro for o, f in world.provisional if o.order_id == order.order_id)
        world.tell(order_pb2.OrderClosed(order=order, filled_size_micro=filled))


def refuse(world: World) -> None:
    if world.approvals:
        approval = world.approvals.pop(0)
        world.tell(order_pb2.ApprovalRefused(approval_id=approval.approval_id, portfolio="main"))


def lose(world: World) -> None:
    market = MARKETS[0]
    world.tell(market_pb2.MarketResolved(condition_id=market, winning_token_id=no(market)))


MOVES = (buy(MARKETS[0]), buy(MARKETS[1]), work, match, undo, cancel, refuse, lose)


def check(world: World) -> None:
    state, risk = world.state, world.core.agent
    assert isinstance(risk, RiskAgent)
    now = standing(risk)
    for place, (used, limit) in now.items():
        assert 0 <= used <= max(limit, world.before.get(place, 0)), place
    world.before = {place: used for place, (used, _) in now.items()}
    assert 0 <= state.reserved_micro == sum(a.reserved_micro for a in state.approvals.values())
    assert state.available_micro >= 0
    assert state.cash_micro + state.cost_micro == 100 * USD + state.realized_micro


def play(world: World, depth: int) -> int:
    """Try every move from here; return how many sequences were played to their end."""
    if depth == 0:
        return 1
    ends = 0
    for move in MOVES:
        after = world.twin()
        before = len(after.entries)
        move(after)
        if len(after.entries) == before:
            continue
        check(after)
        ends += play(after, depth - 1)
    return ends


def test_no_order_of_a_few_messages_breaks_a_limit() -> None:
    start = opened()
    for first in (buy(MARKETS[0]), buy(MARKETS[1])):
        world = start.twin()
        first(world)
        work(world)
        assert play(world, DEPTH) > 4**DEPTH


def test_a_journal_of_moves_gives_the_same_state_as_having_made_them() -> None:
    world = opened()
    for index in range(3 * len(MOVES)):
        MOVES[index * 5 % len(MOVES)](world)
        check(world)
        again = Core(agent())
        for entry in world.entries:
            again.follow(entry, {})
        assert again.agent.state == world.state
