"""What discovery remembers, and how its own events change it.

Owns the state and every write to it. The events are private copies of what it has read (trades,
deeds, listings, resolutions, rulings) and what it has said. Called by the agent only.
"""

import zlib
from typing import Final

import msgspec

from whaletrader.domain.ids import id_prefix
from whaletrader.domain.ledger import EventRoster, ResolutionTracker, WalletBook
from whaletrader.domain.money import MICRO, notional
from whaletrader.schemas import common_pb2, market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery import books
from whaletrader.services.discovery.books import Charges
from whaletrader.services.discovery.config import Rules
from whaletrader.services.discovery.evidence import NOTHING, Wealth
from whaletrader.services.discovery.settling import ends_of, open_figures
from whaletrader.services.discovery.stake import (
    FIRST_STAKES_MAX,
    Stake,
    bet_on,
    counted_weight,
    usual_stake,
)
from whaletrader.services.discovery.statistics import BaseSums, EventSums
from whaletrader.services.discovery.track import EVENTS_MAX, Track, followed, watching

# Resolved markets that are remembered so that a late trade in them is known to be late. The venue
# resolves a few thousand a day; a trade is at most hours late.
RESOLVED_MAX: Final = 50_000
# Trades of a wallet that its churn is read from; half of them are round trips at most.
TRADES_KEPT_MAX: Final = 96
# First stakes of a market whose effect on the price is waited for, and for how long at least.
WAITING_MAX: Final = 256
IMPACT_NS: Final = 60 * 1_000_000_000
UNLISTED: Final = -1


class Waiting(msgspec.Struct, frozen=True):
    """A first stake until somebody else trades: what the price does then is its impact."""

    wallet: str
    # 1 if it bet on outcome 0, -1 on outcome 1; and the price of outcome 0 then.
    sign: int
    price_micro: int
    at_ns: int


class Market(msgspec.Struct):
    """A market that has not settled, and who is in it."""

    event: str
    fee_rate_micro: int = UNLISTED
    fee_exponent: int = 1
    # By outcome; empty until listed or traded.
    tokens: list[str] = msgspec.field(default_factory=lambda: ["", ""])
    # The last price of outcome 0 that one of our wallets traded at; -1 before.
    mark_micro: int = -1
    volume_micro: int = 0
    stakes: dict[str, Stake] = msgspec.field(default_factory=dict)
    waiting: list[Waiting] = msgspec.field(default_factory=list)


class KeptTrade(msgspec.Struct, frozen=True, array_like=True):
    """What churn is read from. `token` is a checksum: it tells tokens of one wallet apart."""

    token: int
    size_micro: int
    price_micro: int
    fee_micro: int
    at_s: int


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A component of the quality score, as it was last said."""

    name: str
    value: int
    unit: int
    quantile_micro: int
    weight_micro: int
    is_known: bool


class Standing(msgspec.Struct, frozen=True):
    """A wallet among all others, as of the last full round."""

    quality_micro: int = 0
    quality_lower_micro: int = 0
    quality_rank: int = 0
    parts: tuple[Part, ...] = ()
    share_micro: int = 0
    is_churning: bool = False


class WalletRecord(msgspec.Struct):
    """A wallet: its settled past, its open books, and what was last said of it."""

    track: Track = msgspec.field(default_factory=Track)
    book: WalletBook = msgspec.field(default_factory=WalletBook)
    standing: Standing = msgspec.field(default_factory=Standing)
    is_whale: bool = False
    stage: int = whale_pb2.STAGE_EMERGING
    stage_cause: str = ""
    stage_since_ns: int = 0
    ruling: int = whale_pb2.RULING_CLEAR
    ruled_by: str = ""
    # Of the last WhaleScored.
    said_edge_micro: int = 0
    said_edge_lower_micro: int = 0
    # What open losses take off the evidence; open positions at cost and at mark; last round's.
    open_wealth: Wealth = NOTHING
    open_cost_micro: int = 0
    open_value_micro: int = 0
    first_stakes: list[int] = msgspec.field(default_factory=list)
    last_traded_ns: int = 0
    trades: list[KeptTrade] = msgspec.field(default_factory=list)
    impact_micro: int = 0
    impacts: int = 0


class DiscoveryState(msgspec.Struct):
    """Fold of discovery's journal."""

    rules: Rules | None = None
    markets: dict[str, Market] = msgspec.field(default_factory=dict)
    # Markets of an event that are open: conversions hand out shares of all of them.
    events: dict[str, dict[str, None]] = msgspec.field(default_factory=dict)
    wallets: dict[str, WalletRecord] = msgspec.field(default_factory=dict)
    base: BaseSums = msgspec.field(default_factory=BaseSums)
    resolved: dict[str, None] = msgspec.field(default_factory=dict)
    # The timer that is set, the round it belongs to, and where in the round it is.
    due_ns: int = 0
    round_due_ns: int = 0
    cursor: int = 0
    # As of the last step of a round.
    bar_micro: int = 0
    tried: int = 0


class DiscoveryViews(msgspec.Struct):
    """Nothing: every decision follows from the state."""


def on_listed(state: DiscoveryState, event: market_pb2.MarketListed) -> None:
    if event.condition_id in state.resolved:
        return
    name = event.event_slug or event.condition_id
    market = state.markets.setdefault(event.condition_id, Market(name))
    if not market.stakes and market.event != name:
        _leave_event(state, market.event, event.condition_id)
        market.event = name
    market.fee_rate_micro = event.fee_rate_micro
    # Exponent 0 is proto's unset: the venue's schedules all have one.
    market.fee_exponent = max(1, event.fee_exponent)
    if event.tokens:
        market.tokens = [token.token_id for token in event.tokens]
    state.events.setdefault(market.event, {})[event.condition_id] = None


def on_traded(state: DiscoveryState, trade: wallet_pb2.WalletTraded, rules: Rules) -> None:
    market = _market(state, trade.condition_id)
    outcome = outcome_of(market, trade)
    market.tokens[outcome] = trade.token_id
    record = _record(state, trade.wallet, trade.meta.event_time_ns)
    stake = market.stakes.setdefault(trade.wallet, Stake(market.event))
    charges = charges_of(market, rules)
    row = books.trade_row(trade, outcome, market.event, charges)
    _tell_impacts(state, market, trade, outcome)
    record.book.apply(row, EventRoster(), ResolutionTracker())
    _count(record, stake, (market, outcome), trade, rules)
    stake.trades += 1
    stake.met[id_prefix(trade.meta.cause)] = None
    record.last_traded_ns = max(record.last_traded_ns, trade.meta.event_time_ns)
    kept = KeptTrade(
        zlib.crc32(trade.token_id.encode()),
        trade.size_micro if trade.side == common_pb2.SIDE_BUY else -trade.size_micro,
        trade.price_micro,
        row.fee_micro,
        trade.meta.event_time_ns // 1_000_000_000,
    )
    record.trades = [*record.trades, kept][-TRADES_KEPT_MAX:]
    if state.due_ns == 0:
        state.due_ns = state.round_due_ns = first_due_ns(trade, rules)


def on_acted(state: DiscoveryState, acted: wallet_pb2.WalletActed) -> None:
    record = _record(state, acted.wallet, acted.meta.event_time_ns)
    event = acted.event_slug
    members = tuple(state.events.get(event, ()))
    if acted.condition_id:
        market = _market(state, acted.condition_id)
        event, members = market.event, (acted.condition_id,)
    roster = EventRoster({event: state.events.get(event, {})})
    row = books.deed_row(acted, event)
    # A result read off a redemption closes these books; skill waits for the market's own result.
    record.book.apply(row, roster, ResolutionTracker())
    for condition_id in members:
        stakes = state.markets[condition_id].stakes
        stake = stakes.setdefault(acted.wallet, Stake(state.markets[condition_id].event))
        stake.met[id_prefix(acted.meta.cause)] = None


def on_resolved(state: DiscoveryState, event: market_pb2.MarketResolved, rules: Rules) -> None:
    market = state.markets.pop(event.condition_id, None)
    state.resolved[event.condition_id] = None
    if len(state.resolved) > RESOLVED_MAX:
        del state.resolved[next(iter(state.resolved))]
    if market is None:
        return
    _leave_event(state, market.event, event.condition_id)
    for wallet, end in ends_of(state.wallets, market, event, rules).items():
        record = state.wallets[wallet]
        before, record.track = record.track.stats, followed(record.track, end)
        state.base = state.base.moved(before, record.track.stats)
        books.close(record.book, event.condition_id)


def on_ruled(state: DiscoveryState, event: whale_pb2.WhaleRuled) -> None:
    record = _record(state, event.wallet, event.meta.event_time_ns)
    record.ruling, record.ruled_by = event.ruling, event.operator


def on_scored(state: DiscoveryState, event: whale_pb2.WhaleScored, rules: Rules) -> None:
    record = state.wallets[event.wallet]
    record.is_whale = event.is_whale
    record.said_edge_micro = event.score.edge_micro
    record.said_edge_lower_micro = event.score.edge_lower_micro
    record.stage_cause = event.score.stage_cause
    if event.score.stage == record.stage:
        return
    record.stage = event.score.stage
    record.stage_since_ns = event.meta.event_time_ns
    record.track = msgspec.structs.replace(record.track, stage_markets=0, watch=None)
    if record.stage in (whale_pb2.STAGE_PROVEN, whale_pb2.STAGE_REVIVED):
        record.track = watching(record.track, rules)


def on_round(state: DiscoveryState, event: whale_pb2.RoundAdvanced) -> None:
    state.due_ns, state.round_due_ns = event.due_ns, event.round_due_ns
    state.cursor = event.cursor
    state.bar_micro, state.tried = event.evidence_bar_micro, event.wallets_tried
    for said in event.standings:
        record = state.wallets[said.wallet]
        record.standing = Standing(
            said.quality_micro,
            said.quality_lower_micro,
            said.quality_rank,
            tuple(
                Part(one.name, one.value, one.unit, one.quantile_micro, one.weight_micro,
                     one.is_known)
                for one in said.components
            ),
            said.capital_share_micro,
            said.is_churning,
        )  # fmt: skip
        found = open_figures(state.markets, said.wallet, record)
        record.open_wealth = found.wealth
        record.open_cost_micro, record.open_value_micro = found.cost_micro, found.value_micro


def outcome_of(market: Market | None, trade: wallet_pb2.WalletTraded) -> int:
    """Return the outcome that a trade's token stands for: as listed, else as the trade says."""
    tokens = market.tokens if market else ["", ""]
    return tokens.index(trade.token_id) if trade.token_id in tokens else trade.outcome_index


def charges_of(market: Market | None, rules: Rules) -> Charges:
    """Return the market's fee schedule; the dearest there is while it has no listing."""
    if market is None or market.fee_rate_micro == UNLISTED:
        return Charges(rules.unlisted_fee_rate_micro)
    return Charges(market.fee_rate_micro, market.fee_exponent)


def first_due_ns(trade: wallet_pb2.WalletTraded, rules: Rules) -> int:
    """Return when the first round is due if this trade is the first thing that was met."""
    return trade.meta.event_time_ns + rules.rescore_interval_ns


def _market(state: DiscoveryState, condition_id: str) -> Market:
    market = state.markets.get(condition_id)
    if market is None:
        market = state.markets[condition_id] = Market(condition_id)
        state.events.setdefault(condition_id, {})[condition_id] = None
    return market


def _leave_event(state: DiscoveryState, event: str, condition_id: str) -> None:
    members = state.events.get(event, {})
    members.pop(condition_id, None)
    if not members:
        state.events.pop(event, None)


def _record(state: DiscoveryState, wallet: str, now_ns: int) -> WalletRecord:
    record = state.wallets.get(wallet)
    if record is None:
        record = state.wallets[wallet] = WalletRecord(stage_since_ns=now_ns, last_traded_ns=now_ns)
    return record


def _count(
    record: WalletRecord,
    stake: Stake,
    place: tuple[Market, int],
    trade: wallet_pb2.WalletTraded,
    rules: Rules,
) -> None:
    """Count the trade as a bet, by what was known before it."""
    market, outcome = place
    is_first = stake.cap_micro == 0
    if is_first:
        stake.cap_micro = usual_stake(record.first_stakes, trade.size_micro)
        kept = [*record.first_stakes, trade.size_micro]
        record.first_stakes = kept[-FIRST_STAKES_MAX:]
    events = record.track.events
    held = events.pop(stake.event, EventSums())
    weight = counted_weight(stake, stake.cap_micro, trade.size_micro, held.counted_micro)
    events[stake.event] = msgspec.structs.replace(held, counted_micro=held.counted_micro + weight)
    _forget_events(events)
    is_buy = trade.side == common_pb2.SIDE_BUY
    side, price = bet_on(outcome, is_buy, trade.price_micro)
    fee = books.trade_fee(trade.price_micro, MICRO, charges_of(market, rules))
    stake.staked_micro += trade.size_micro
    stake.weights[side] += weight
    stake.costs[side] += notional(price + fee + rules.slippage_micro, weight, up=True)
    _see_price((market, side, is_first), trade, outcome)


def _forget_events(events: dict[str, EventSums]) -> None:
    """Let the oldest event go that has no open bet: what it came to stays in the sums."""
    if len(events) <= EVENTS_MAX:
        return
    for name, held in events.items():
        if held.counted_micro <= held.weight_micro:
            del events[name]
            return


def _tell_impacts(
    state: DiscoveryState, market: Market, trade: wallet_pb2.WalletTraded, outcome: int
) -> None:
    """Note where the price has gone since others' first stakes; each is told once."""
    mark = trade.price_micro if outcome == 0 else MICRO - trade.price_micro
    due_ns = trade.meta.event_time_ns - IMPACT_NS
    left = []
    for one in market.waiting:
        if one.wallet == trade.wallet or one.at_ns > due_ns:
            left.append(one)
            continue
        record = state.wallets[one.wallet]
        record.impact_micro += one.sign * (mark - one.price_micro)
        record.impacts += 1
    market.waiting = left


def _see_price(
    place: tuple[Market, int, bool],
    trade: wallet_pb2.WalletTraded,
    outcome: int,
) -> None:
    market, side, is_first = place
    mark = trade.price_micro if outcome == 0 else MICRO - trade.price_micro
    market.mark_micro = mark
    market.volume_micro += notional(trade.price_micro, trade.size_micro)
    if is_first and len(market.waiting) < WAITING_MAX:
        sign = 1 if side == 0 else -1
        market.waiting.append(Waiting(trade.wallet, sign, mark, trade.meta.event_time_ns))
