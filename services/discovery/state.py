"""What discovery remembers, and how its own events change it.

Owns the state and every write to it. The events are private copies of what it has read (trades,
listings, resolutions, the timer) and what it has said of a wallet. Called by the agent only.
"""

from typing import Final

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import id_prefix
from whaletrader.schemas import common_pb2, market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.discovery.ledger import (
    Holding,
    MarketTerms,
    buy,
    sell,
    settle,
    trade_fee,
)
from whaletrader.services.discovery.statistics import BaseSums, WalletStats

# Resolved markets that are remembered so that a late trade in them is known to be late. The venue
# resolves a few thousand a day; a trade is at most hours late.
RESOLVED_MAX: Final = 50_000


class WalletRecord(msgspec.Struct):
    """A wallet's settled past, and what was last said of it."""

    stats: WalletStats = msgspec.field(default_factory=WalletStats)
    is_whale: bool = False
    # Of the last WhaleScored.
    said_edge_micro: int = 0
    said_edge_lower_micro: int = 0
    unmatched_sells: int = 0


class DiscoveryState(msgspec.Struct):
    """Fold of discovery's journal."""

    terms: dict[str, MarketTerms] = msgspec.field(default_factory=dict)
    # By market, then wallet: what has not settled yet.
    holdings: dict[str, dict[str, Holding]] = msgspec.field(default_factory=dict)
    wallets: dict[str, WalletRecord] = msgspec.field(default_factory=dict)
    base: BaseSums = msgspec.field(default_factory=BaseSums)
    resolved: dict[str, None] = msgspec.field(default_factory=dict)
    rescore_due_ns: int = 0


class DiscoveryViews(msgspec.Struct):
    """Nothing: every decision follows from the state."""


class Settlement(msgspec.Struct, frozen=True):
    """The statistics after a market has settled, before anything is written."""

    wallets: dict[str, WalletStats]
    base: BaseSums


def settlement(state: DiscoveryState, condition_id: str, winning_token_id: str) -> Settlement:
    """Return what a resolution does to its holders' statistics and to the base rate."""
    base, wallets = state.base, {}
    for wallet, holding in state.holdings.get(condition_id, {}).items():
        result = settle(holding, winning_token_id)
        if result is None:
            continue
        before = state.wallets[wallet].stats
        after = before.plus(result)
        base = base.moved(before, after)
        wallets[wallet] = after
    return Settlement(wallets, base)


def on_listed(state: DiscoveryState, event: market_pb2.MarketListed) -> None:
    if event.condition_id not in state.resolved:
        # Exponent 0 is proto's unset: the venue's schedules all have one.
        state.terms[event.condition_id] = MarketTerms(
            event.fee_rate_micro, max(1, event.fee_exponent)
        )


def on_traded(
    state: DiscoveryState, event: wallet_pb2.WalletTraded, settings: DiscoverySettings
) -> None:
    holding = state.holdings.setdefault(event.condition_id, {}).setdefault(event.wallet, Holding())
    record = state.wallets.setdefault(event.wallet, WalletRecord())
    terms = terms_of(state, event.condition_id, settings)
    if event.side == common_pb2.SIDE_BUY:
        fee = trade_fee(event.price_micro, event.size_micro, terms)
        buy(holding, event.token_id, event.price_micro, event.size_micro, fee)
    else:
        unmatched = holding.unmatched_sells
        sell(holding, event.token_id, event.price_micro, event.size_micro, terms)
        record.unmatched_sells += holding.unmatched_sells - unmatched
    holding.trade_ids[id_prefix(event.meta.cause)] = None
    _start_rescoring(state, event, settings)


def on_resolved(state: DiscoveryState, event: market_pb2.MarketResolved) -> None:
    after = settlement(state, event.condition_id, event.winning_token_id)
    for wallet, stats in after.wallets.items():
        state.wallets[wallet].stats = stats
    state.base = after.base
    state.holdings.pop(event.condition_id, None)
    state.terms.pop(event.condition_id, None)
    state.resolved[event.condition_id] = None
    if len(state.resolved) > RESOLVED_MAX:
        del state.resolved[next(iter(state.resolved))]


def on_scored(state: DiscoveryState, event: whale_pb2.WhaleScored) -> None:
    record = state.wallets[event.wallet]
    record.is_whale = event.is_whale
    record.said_edge_micro = event.score.edge_micro
    record.said_edge_lower_micro = event.score.edge_lower_micro


def terms_of(state: DiscoveryState, condition_id: str, settings: DiscoverySettings) -> MarketTerms:
    """Return the market's fee schedule; the dearest there is while it has no listing."""
    found = state.terms.get(condition_id)
    return found or MarketTerms(settings.unlisted_fee_rate_micro)


def first_due_ns(event: Message, settings: DiscoverySettings) -> int:
    """Return when the first rescoring is due if this trade is the first thing that was met."""
    event_time_ns: int = event.meta.event_time_ns  # type: ignore[attr-defined]
    return event_time_ns + settings.rescore_interval_ns


def _start_rescoring(
    state: DiscoveryState, event: wallet_pb2.WalletTraded, settings: DiscoverySettings
) -> None:
    if state.rescore_due_ns == 0:
        state.rescore_due_ns = first_due_ns(event, settings)
