"""Whatever comes in whatever order: the books balance, and a restart finds them as they were."""

from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.attribution.attribution_books import (
    HOUR_NS,
    STARTING_CASH,
    Books,
    fill,
    printed,
    resolved,
    same_state,
)
from whaletrader.domain.money import notional
from whaletrader.runtime.core import Core
from whaletrader.schemas import agent_pb2, common_pb2, order_pb2
from whaletrader.services.attribution.agent import AttributionAgent
from whaletrader.services.attribution.config import AttributionSettings

KINDS = (order_pb2.OrderMatched, order_pb2.OrderConfirmed, order_pb2.OrderReversed)
MATCHED, CONFIRMED, REVERSED = KINDS

amounts = st.tuples(
    st.sampled_from((common_pb2.SIDE_BUY, common_pb2.SIDE_SELL)),
    st.integers(1, 999_999),
    st.integers(1, 30_000_000),
    st.integers(0, 200_000),
    st.sampled_from(("a", "b")),
    st.sampled_from((("m1", "y1", 0), ("m1", "n1", 1), ("m2", "y2", 0))),
)
tables = st.lists(amounts, min_size=1, max_size=6)
steps = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 5), st.sampled_from(KINDS)),
        st.tuples(st.just("print"), st.integers(1, 999_999)),
        st.tuples(st.just("resolve"), st.sampled_from((("m1", "y1"), ("m1", "n1"), ("m2", "n2")))),
    ),
    max_size=40,
)


@dataclass
class Model:
    """What should stand, told by nothing but the order of events."""

    status: dict = field(default_factory=dict)
    winners: dict = field(default_factory=dict)

    def fill(self, number: int, kind: type) -> None:
        before = self.status.get(number)
        if before in (None, MATCHED):
            self.status[number] = kind

    def standing(self, table: list) -> list:
        return [table[number] for number, kind in self.status.items() if kind is not REVERSED]

    def sizes(self, table: list) -> dict:
        sizes: dict = defaultdict(int)
        for side, _, size, _, leader, (market, token, _) in self.standing(table):
            if market not in self.winners:
                sizes[leader, token] += size if side == common_pb2.SIDE_BUY else -size
        return {key: size for key, size in sizes.items() if size}

    def cash(self, table: list) -> int:
        cash = STARTING_CASH
        for side, price, size, fee, _, (market, token, _) in self.standing(table):
            is_buy = side == common_pb2.SIDE_BUY
            money = notional(price, size, up=is_buy)
            cash += (-money if is_buy else money) - fee
            if self.winners.get(market) == token:
                cash += size if is_buy else -size
        return cash


def play(table: list, sequence: list) -> tuple[Books, Model]:
    books, model = Books(), Model()
    for what, detail in sequence:
        if what == "print":
            books.tell(printed(detail, condition_id="m1"), after_ns=HOUR_NS // 3)
        elif what == "resolve":
            model.winners.setdefault(*detail)
            books.tell(resolved(detail[1], detail[0]))
        else:
            number = what % len(table)
            side, price, size, fee, leader, (market, token, index) = table[number]
            model.fill(number, detail)
            event = fill(
                detail,
                f"t{number}",
                side,
                price,
                size,
                fee=fee,
                leader=leader,
                condition_id=market,
                token_id=token,
                outcome_index=index,
            )
            books.tell(event)
        check(books, model, table)
    return books, model


def check(books: Books, model: Model, table: list) -> None:
    account = books.state.accounts.get("main")
    sizes: dict = defaultdict(int)
    for profit in books.profits():
        sizes[profit.leader, profit.token_id] += profit.size_delta_micro
    assert {key: size for key, size in sizes.items() if size} == model.sizes(table)
    if account is None:
        return
    assert account.cash_micro == model.cash(table)
    earned = STARTING_CASH + account.realized_micro - account.fees_micro
    assert account.cash_micro + account.open_cost_micro == earned
    held = [p.totals for positions in books.state.positions.values() for p in positions.values()]
    assert sum(totals.cost_micro for totals in held) == account.open_cost_micro
    assert sum(1 for totals in held if totals.size_micro) == account.open_count
    profits = books.profits()
    assert sum(p.cash_delta_micro for p in profits) == account.cash_micro - STARTING_CASH
    assert sum(p.realized_delta_micro for p in profits) == account.realized_micro
    assert sum(p.fee_delta_micro for p in profits) == account.fees_micro
    assert sum(p.cost_delta_micro for p in profits) == account.open_cost_micro
    if books.valuations():
        last = books.valuations()[-1]
        assert last.cash_micro == account.cash_micro
        assert last.realized_micro == account.realized_micro
        assert last.positions_cost_micro == account.open_cost_micro
        assert last.open_positions == account.open_count


@given(tables, steps)
@settings(max_examples=150, deadline=None)
def test_the_books_balance_to_the_micro_dollar_whatever_comes(table: list, sequence: list) -> None:
    play(table, sequence)


@given(tables, steps)
@settings(max_examples=100, deadline=None)
def test_following_the_journal_gives_the_same_books(table: list, sequence: list) -> None:
    books, _ = play(table, sequence)
    assert same_state(books.restored(), books.core)


@given(tables, steps, steps)
@settings(max_examples=50, deadline=None)
def test_a_snapshot_goes_on_as_if_nothing_had_happened(
    table: list, first: list, second: list
) -> None:
    books, _ = play(table, first)
    snapshot = agent_pb2.AgentSnapshot.FromString(books.core.snapshot(0).value)
    restarted = Core(AttributionAgent(AttributionSettings(starting_cash_micro=STARTING_CASH)))
    assert restarted.load(snapshot)
    twin = Books(core=restarted, now_ns=books.now_ns, entries=list(books.entries))
    for what, detail in second:
        if what == "resolve":
            message = resolved(detail[1], detail[0])
        elif what == "print":
            message = printed(detail, condition_id="m1")
        else:
            side, price, size, fee, leader, (market, token, index) = table[what % len(table)]
            message = fill(
                detail,
                f"t{what % len(table)}",
                side,
                price,
                size,
                fee=fee,
                leader=leader,
                condition_id=market,
                token_id=token,
                outcome_index=index,
            )
        assert twin.tell(message) == books.tell(message)
    assert msgspec.msgpack.encode(twin.state) == msgspec.msgpack.encode(books.state)


@given(tables, st.data())
@settings(max_examples=100, deadline=None)
def test_cash_after_all_is_settled_does_not_depend_on_the_order_of_events(
    table: list, data: st.DataObject
) -> None:
    events = [(number, MATCHED) for number in range(len(table))]
    events += [(number, CONFIRMED) for number in range(len(table))]
    shuffled = data.draw(st.permutations([*events, ("resolve", ("m1", "y1"))]))
    books, model = play(table, [*shuffled, ("resolve", ("m2", "n2"))])
    assert books.state.accounts["main"].cash_micro == model.cash(table)
    assert not books.state.positions
    assert not books.letters()
