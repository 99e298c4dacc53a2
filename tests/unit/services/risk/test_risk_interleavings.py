"""Whatever comes in whatever order: no limit is exceeded, no money is made up, and the journal
alone gives the same book.

The moves are risk_moves.py's; here is what must hold after each of them.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from tests.unit.services.risk.risk_moves import LIMITS, START, Moves
from tests.unit.services.risk.risk_room import BUY, SELL, standing
from whaletrader.domain.money import notional
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk.marks import Marks
from whaletrader.services.risk.rules import Rule

# `RISK_INTERLEAVINGS=5000 pytest ...` looks longer.
EXAMPLES = int(os.environ.get("RISK_INTERLEAVINGS", "25"))


class Interleavings(Moves):
    def __init__(self) -> None:
        super().__init__()
        self.before = standing(self.risk)
        self.room.after_each = self.nothing_grows_beyond_its_limit

    def counts_are_what_was_told(self, approval: risk_pb2.ApprovedTrade) -> None:
        """What each limit was held against is what the book holds afterwards."""
        state, desk = self.room.state, self.risk._desk
        topic = next(
            sum(markets.values())
            for markets in state.by_topic.values()
            if approval.condition_id in markets
        )
        actual = {
            Rule.POSITION_LIMIT: state.by_token.get(approval.token_id, 0),
            Rule.MARKET_LIMIT: state.by_market.get(approval.condition_id, 0),
            Rule.LEADER_LIMIT: state.by_leader.get(approval.leader, 0),
            Rule.STRATEGY_LIMIT: state.by_strategy.get(approval.strategy, 0),
            Rule.CATEGORY_LIMIT: sum(state.by_category.values()),
            Rule.TOPIC_LIMIT: topic,
            Rule.GROUP_LIMIT: topic,
            Rule.TOTAL_LIMIT: state.exposure_micro,
            Rule.CAPITAL_PHASE: state.exposure_micro,
            Rule.WORST_CASE: desk.marks.worst_micro,
            Rule.OPEN_POSITIONS: len(state.by_token),
        }
        told = {reason.rule: reason for reason in approval.reasons}
        for rule_, value in actual.items():
            # It was held against at least that: sizes may be cut after it, never grown.
            assert value <= told[rule_].value <= told[rule_].limit
        assert told[Rule.CVAR].value < told[Rule.CVAR].limit
        assert told[Rule.MODIFIED_VAR].value < told[Rule.MODIFIED_VAR].limit

    def nothing_grows_beyond_its_limit(self) -> None:
        """After each message. Where capital was lost, nothing is added to what is there."""
        now = standing(self.risk)
        # A hedge that is undone makes the worst worse: that one is held at approvals, above.
        now = {place: it for place, it in now.items() if place[0] != Rule.WORST_CASE}
        for place, (used, limit) in now.items():
            assert used <= max(limit, self.before.get(place, (0, 0))[0]), (place, used, limit)
        self.before = now

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        state, limits = self.room.state, LIMITS.limits()
        assert state.exposure_micro <= limits.total_micro_max
        assert max(state.by_market.values(), default=0) <= limits.market_micro_max
        assert max(state.by_leader.values(), default=0) <= limits.leader_micro_max
        assert max(state.by_token.values(), default=0) <= limits.position_micro_max
        assert len(state.by_token) <= limits.open_positions_max

    @invariant()
    def tags_and_totals_agree(self) -> None:
        state = self.room.state
        by_strategy: dict[str, int] = {}
        for leaders in state.tags.values():
            for tag in (tag for tags in leaders.values() for tag in tags):
                amount = by_strategy.get(tag.strategy, 0) + tag.exposure_micro
                by_strategy[tag.strategy] = amount
        assert {k: v for k, v in by_strategy.items() if v} == state.by_strategy
        topics = sum(sum(markets.values()) for markets in state.by_topic.values())
        assert topics == state.exposure_micro == sum(state.by_category.values())

    @invariant()
    def what_is_cached_is_what_is_computed_anew(self) -> None:
        desk = self.risk._desk
        fresh = Marks()
        fresh.refresh(desk.state, desk.views, desk.now_ns, desk.limits.bar_ns)
        assert (fresh.value_micro, fresh.worst_micro) == (
            desk.marks.value_micro,
            desk.marks.worst_micro,
        )
        assert fresh.day_ahead(desk.state, desk.views) == desk.marks.day_ahead(
            desk.state, desk.views
        )

    @invariant()
    def exposure_is_what_is_held_set_aside_and_not_final(self) -> None:
        state = self.room.state
        expected: dict[str, int] = {}
        for token, leaders in state.lots.items():
            for lot in leaders.values():
                expected[token] = expected.get(token, 0) + max(0, lot.cost_micro)
        for approval in state.approvals.values():
            sold = -sum(min(0, fill.cost_micro) for fill in approval.fills.values())
            amount = approval.reserved_micro + (sold if approval.side == SELL else 0)
            expected[approval.token_id] = expected.get(approval.token_id, 0) + amount
        assert {token: value for token, value in expected.items() if value} == state.by_token
        totals = (state.by_token, state.by_market, state.by_leader)
        assert {sum(each.values()) for each in totals} == {state.exposure_micro}
        assert state.reserved_micro == sum(a.reserved_micro for a in state.approvals.values())
        assert min((a.reserved_micro for a in state.approvals.values()), default=0) >= 0

    @invariant()
    def positions_and_cash_are_the_fills_that_stand(self) -> None:
        state = self.room.state
        cash, positions = START, dict[tuple[str, str], int]()
        for one in self.standing:
            ref, fill = one.order.ref, one.fill
            key = (ref.token_id, ref.leader)
            if ref.side == BUY:
                cash -= notional(fill.price_micro, fill.size_micro, up=True) + fill.fee_micro
                positions[key] = positions.get(key, 0) + fill.size_micro
            else:
                cash += notional(fill.price_micro, fill.size_micro) - fill.fee_micro
                positions[key] = positions.get(key, 0) - fill.size_micro
        for (token, leader), size in list(positions.items()):
            winner = self.decided.get(token.rsplit("-", 1)[0])
            if winner is not None:
                cash += size if token == winner else 0
                del positions[token, leader]
        held = {
            (token, leader): lot.size_micro
            for token, leaders in state.lots.items()
            for leader, lot in leaders.items()
        }
        assert state.cash_micro == cash
        assert {k: v for k, v in held.items() if v} == {k: v for k, v in positions.items() if v}
        assert state.cash_micro + state.cost_micro == START + state.realized_micro
        assert state.fees_micro == sum(one.fill.fee_micro for one in self.standing)

    @invariant()
    def what_is_promised_to_sales_is_what_their_approvals_hold(self) -> None:
        state = self.room.state
        promised: dict[tuple[str, str], int] = {}
        for approval in state.approvals.values():
            if approval.side == common_pb2.SIDE_SELL:
                key = (approval.token_id, approval.leader)
                promised[key] = promised.get(key, 0) + approval.rest_micro
        selling = {
            (token, leader): lot.selling_micro
            for token, leaders in state.lots.items()
            for leader, lot in leaders.items()
        }
        assert {k: v for k, v in selling.items() if v} == {k: v for k, v in promised.items() if v}

    def teardown(self) -> None:
        assert self.room.restored() == self.room.state


Interleavings.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestInterleavings = Interleavings.TestCase
