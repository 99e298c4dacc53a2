"""What a market means to the wallets in it: at its end, and while it is open.

Owns who gets which result, and that a result read off a redemption closes books but proves no
skill. Pure: called before anything is written, by the agent, and again by state when it is.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.schemas import market_pb2, whale_pb2
from whaletrader.services.discovery.books import result_of, worth_of
from whaletrader.services.discovery.config import Rules
from whaletrader.services.discovery.evidence import NOTHING, Wealth, added, growth
from whaletrader.services.discovery.stake import open_loss, settled
from whaletrader.services.discovery.track import MarketEnd

if TYPE_CHECKING:
    from whaletrader.services.discovery.state import Market, WalletRecord


class OpenFigures(msgspec.Struct, frozen=True):
    """Open positions of a wallet at cost and at mark, and what open losses take off its wealth."""

    wealth: Wealth
    cost_micro: int
    value_micro: int


def is_inferred(event: market_pb2.MarketResolved, rules: Rules) -> bool:
    """Whether the result was read off a redemption and so proves nothing."""
    return event.basis == market_pb2.RESULT_BASIS_INFERRED and not rules.counts_inferred


def payouts_of(market: "Market", event: market_pb2.MarketResolved) -> tuple[int, int]:
    """Return what a share of each outcome pays."""
    if event.winning_token_id in market.tokens:
        winner = market.tokens.index(event.winning_token_id)
    elif all(market.tokens) or not any(market.tokens):
        winner = event.winning_index
    else:
        # One token is known, and it is not the winner: the other outcome is.
        winner = market.tokens.index("")
    return (MICRO, 0) if winner == 0 else (0, MICRO)


def ends_of(
    wallets: "Mapping[str, WalletRecord]",
    market: "Market",
    event: market_pb2.MarketResolved,
    rules: Rules,
) -> dict[str, MarketEnd]:
    """Return what the result means to each wallet in the market, in the order they came in."""
    payouts = payouts_of(market, event)
    proves_nothing = is_inferred(event, rules)
    found = {}
    for wallet, stake in market.stakes.items():
        result = result_of(wallets[wallet].book.markets.get(event.condition_id), payouts)
        found[wallet] = MarketEnd(
            event=stake.event,
            at_ns=event.meta.event_time_ns,
            profit_micro=result.profit_micro,
            fees_micro=result.fees_micro,
            volume_micro=result.volume_micro,
            trades=stake.trades,
            depth_micro=market.volume_micro,
            is_whole=result.is_whole,
            bets=None if proves_nothing else settled(stake, payouts),
        )
    return found


def said_of(condition_id: str, end: MarketEnd) -> whale_pb2.SettledMarket:
    """Return the market as a score tells it."""
    said = whale_pb2.SettledMarket(
        condition_id=condition_id,
        event=end.event,
        profit_micro=end.profit_micro,
        fees_micro=end.fees_micro,
        volume_micro=end.volume_micro,
        is_inferred=end.bets is None,
        is_whole=end.is_whole,
    )
    if end.bets is not None and end.bets.weight_micro:
        weight = end.bets.weight_micro
        said.weight_micro = weight
        said.cost_micro = end.bets.cost_micro * MICRO // weight
        said.payoff_micro = (end.bets.gain_micro + end.bets.cost_micro) * MICRO // weight
    return said


def open_figures(
    markets: "Mapping[str, Market]", wallet: str, record: "WalletRecord"
) -> OpenFigures:
    """Return the wallet's open positions at the marks of now. A position without one is at cost."""
    cost = value = 0
    losses: dict[str, int] = {}
    for condition_id, book in record.book.markets.items():
        market = markets.get(condition_id)
        mark = market.mark_micro if market else -1
        cost += book.cost_micro
        value += worth_of(book, (mark, MICRO - mark)) if mark >= 0 else book.cost_micro
        stake = market.stakes.get(wallet) if market else None
        if stake is not None:
            losses[stake.event] = losses.get(stake.event, 0) + open_loss(stake, mark)
    wealth = NOTHING
    for event, loss in losses.items():
        if loss:
            held = record.track.events.get(event)
            gain = held.gain_micro if held else 0
            with_it, without = growth(gain + loss), growth(gain)
            wealth = added(wealth, tuple(a - b for a, b in zip(with_it, without, strict=True)))
    return OpenFigures(wealth, cost, value)
