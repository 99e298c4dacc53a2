"""Risk's state: the book of one portfolio, the policy in force, the desk's stance and its record.

The fold of risk's own events only; folding.py and standing.py change it, nothing here judges.
Amounts are micro-dollars and micro-shares.
"""

from typing import Final

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.limits import Limits

DAY_NS: Final = 86_400 * 1_000_000_000
# Monday, so that a week is a trading week: 1970-01-01 was a Thursday.
WEEK_OFFSET_DAYS: Final = 3
FLATTEN: Final = "flatten"
NORMAL: Final = risk_pb2.DESK_STATE_NORMAL


class Lot(msgspec.Struct):
    """What is held of one token for one leader."""

    condition_id: str
    size_micro: int = 0
    # What was paid for it, fees included.
    cost_micro: int = 0
    # Promised to sales that were approved and are not filled.
    selling_micro: int = 0
    # How often it was put up for sale in the flattening under way.
    flattens: int = 0
    # Realised since it was opened: a loss in a row is counted when it is closed.
    realized_micro: int = 0
    # The best price seen since it was opened, and the exit under way.
    peak_micro: int = 0
    exit_rule: str = ""
    exit_ns: int = 0

    @property
    def free_micro(self) -> int:
        return max(0, self.size_micro - self.selling_micro)


class Tag(msgspec.Struct):
    """What a part of the exposure of one token for one leader is counted under, while it lasts.

    It stays as it was when the money was set aside: a limit that was held then is held until the
    end, whatever the catalogue says later and whoever else trades the same token.
    """

    strategy: str
    category: str
    topic: str
    exposure_micro: int = 0


class Fill(msgspec.Struct, frozen=True):
    """What booking a fill changed, so that it can be undone exactly."""

    position_micro: int
    cost_micro: int
    fee_micro: int
    realized_micro: int
    cash_micro: int


class Child(msgspec.Struct):
    """One order under an approval: what it may still fill, and what of its fills stands."""

    size_micro: int
    standing_micro: int = 0
    is_closed: bool = False

    @property
    def claim_micro(self) -> int:
        """What it takes of the approved size."""
        return self.standing_micro if self.is_closed else max(self.size_micro, self.standing_micro)


class Approval(msgspec.Struct):
    """One approval until its orders and all fills are final."""

    condition_id: str
    token_id: str
    leader: str
    # UNSPECIFIED: an order appeared under an approval that was never given.
    side: int = 0
    limit_price_micro: int = 0
    size_micro: int = 0
    expires_ns: int = 0
    strategy: str = ""
    reserved_micro: int = 0
    # Not filled yet of what was approved; for a sale, the shares still promised.
    rest_micro: int = 0
    # Ever matched, and what of it was not undone.
    matched_micro: int = 0
    standing_micro: int = 0
    # What the closed order, or the finished work, says was filled; -1 while it is open.
    final_micro: int = -1
    announced: bool = False
    closed: bool = False
    # Several orders may come of it, until the work is said to be finished.
    is_worked: bool = False
    children: dict[str, Child] = msgspec.field(default_factory=dict)
    # By name, see facts.py. Fills by the name of their match.
    facts: dict[str, bool] = msgspec.field(default_factory=dict)
    fills: dict[str, Fill] = msgspec.field(default_factory=dict)
    # The facts that would make a provisional fill final, and the fill they speak of.
    awaits: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def claimed_micro(self) -> int:
        """What its orders take of the approved size."""
        return sum(child.claim_micro for child in self.children.values())


class Done(msgspec.Struct, frozen=True):
    """What is remembered of an approval after its end."""

    announced: bool
    facts: dict[str, bool]


class Verdict(msgspec.Struct, frozen=True):
    """An answer that was given, and what it answered: asked again, the same is said again."""

    type: str
    payload: bytes
    # Names what was asked; empty for what risk decided by itself.
    asked: str


class Charter(msgspec.Struct):
    """The policy in force and the one that waits; both journaled."""

    is_open: bool = False
    starting_cash_micro: int = 0
    document: str = ""
    digest: str = ""
    limits: Limits | None = None
    file_digest: str = ""
    pending_document: str = ""
    pending_digest: str = ""
    pending_operator: str = ""
    pending_until_ns: int = 0


class Stance(msgspec.Struct):
    """The state of the desk: which, why, since when and until when."""

    number: int = NORMAL
    # The cause: an Alert.
    rule: str = ""
    since_ns: int = 0
    # 0: it does not end by itself at a time.
    until_ns: int = 0
    needs_person: bool = False
    exit_condition: str = ""
    size_micro_ratio: int = MICRO

    @property
    def state(self) -> "risk_pb2.DeskState.ValueType":
        return risk_pb2.DeskState.ValueType(self.number)


class History(msgspec.Struct):
    """What the desk has been through: losses, the high-water mark, phases, told VaRs."""

    day: int = 0
    day_realized_micro: int = 0
    week: int = 0
    week_realized_micro: int = 0
    # Of this week, by leader.
    leader_realized_micro: dict[str, int] = msgspec.field(default_factory=dict)
    losses_in_row: int = 0
    closed_positions: int = 0
    measured_ns: int = 0
    equity_micro: int = 0
    high_water_micro: int = 0
    # The mark that drawdown states look at: a person's resume starts it anew.
    review_high_micro: int = 0
    # Equity at the last measure of each of the latest days.
    daily_equity_micro: list[int] = msgspec.field(default_factory=list)
    equity_day: int = 0
    told_var_micro: int = 0
    told_modified_var_micro: int = 0
    # Of the latest days, oldest first: was more lost than the VaR told the day before?
    var_exceeded: list[bool] = msgspec.field(default_factory=list)
    phase: int = 0
    phase_since_ns: int = 0
    phase_closed_positions: int = 0
    phase_high_micro: int = 0
    phase_equity_micro: int = 0
    phase_drawdown_micro_ratio: int = 0


class RiskState(msgspec.Struct):
    """The book of one portfolio. Exposures count cost of holdings plus money set aside."""

    cash_micro: int = 0
    cost_micro: int = 0
    reserved_micro: int = 0
    # Proceeds of sales that are not final: neither spent nor counted as lower exposure.
    unsettled_micro: int = 0
    realized_micro: int = 0
    fees_micro: int = 0
    exposure_micro: int = 0
    by_token: dict[str, int] = msgspec.field(default_factory=dict)
    by_market: dict[str, int] = msgspec.field(default_factory=dict)
    by_leader: dict[str, int] = msgspec.field(default_factory=dict)
    by_strategy: dict[str, int] = msgspec.field(default_factory=dict)
    by_category: dict[str, int] = msgspec.field(default_factory=dict)
    # Topic -> market -> exposure.
    by_topic: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    # Token id -> leader -> tags in the order of their making, and lot.
    tags: dict[str, dict[str, list[Tag]]] = msgspec.field(default_factory=dict)
    lots: dict[str, dict[str, Lot]] = msgspec.field(default_factory=dict)
    approvals: dict[str, Approval] = msgspec.field(default_factory=dict)
    done: dict[str, Done] = msgspec.field(default_factory=dict)
    verdicts: dict[str, Verdict] = msgspec.field(default_factory=dict)
    # Wallets whose trades are not copied any more.
    barred: dict[str, bool] = msgspec.field(default_factory=dict)
    charter: Charter = msgspec.field(default_factory=Charter)
    stance: Stance = msgspec.field(default_factory=Stance)
    history: History = msgspec.field(default_factory=History)

    @property
    def halt(self) -> str:
        """Why nothing is bought; empty while buying goes on."""
        is_stopped = self.stance.state >= risk_pb2.DESK_STATE_PAUSE
        return self.stance.rule if is_stopped else ""

    @property
    def available_micro(self) -> int:
        """Cash that is settled and not set aside."""
        return self.cash_micro - self.reserved_micro - self.unsettled_micro

    @property
    def capital_micro(self) -> int:
        """Cash plus holdings at cost."""
        return self.cash_micro + self.cost_micro

    def realized_on(self, day: int) -> int:
        is_same = booked_as(day, self.history.day) == self.history.day
        return self.history.day_realized_micro if is_same else 0

    def realized_in(self, week: int) -> int:
        is_same = booked_as(week, self.history.week) == self.history.week
        return self.history.week_realized_micro if is_same else 0

    def leader_realized_in(self, week: int, leader: str) -> int:
        if booked_as(week, self.history.week) != self.history.week:
            return 0
        return self.history.leader_realized_micro.get(leader, 0)

    def lot(self, token_id: str, leader: str) -> Lot | None:
        return self.lots.get(token_id, {}).get(leader)


def day_of(now_ns: int) -> int:
    """Return the UTC day, counted from 1970-01-01."""
    return now_ns // DAY_NS


def week_of(now_ns: int) -> int:
    """Return the week, from Monday to Sunday in UTC."""
    return (day_of(now_ns) + WEEK_OFFSET_DAYS) // 7


def booked_as(number: int, latest: int) -> int:
    """Return the day (or week) that counts: a clock set back past midnight forgets no loss."""
    return latest if number == latest - 1 else number


def without_answers(state: RiskState) -> RiskState:
    """Return a copy to try something on, without the verdicts that were given."""
    bare = msgspec.structs.replace(state, verdicts={})
    return msgspec.msgpack.decode(msgspec.msgpack.encode(bare), type=RiskState)
