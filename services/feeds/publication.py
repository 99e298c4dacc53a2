"""Turns a window of the tape into the events that everyone hears. Pure."""

from collections.abc import Iterator

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.schemas import common_pb2, market_pb2, wallet_pb2
from whaletrader.services.feeds.tape_values import TapeMarket, TapeResolution, TapeTrade, Window

VENUE = "polymarket"

_SIDES = {"BUY": common_pb2.SIDE_BUY, "SELL": common_pb2.SIDE_SELL}
_BASES = {
    "published": market_pb2.RESULT_BASIS_PUBLISHED,
    "inferred_redeem": market_pb2.RESULT_BASIS_INFERRED,
}


def window_events(window: Window) -> Iterator[tuple[str, Message]]:
    """Yield (topic, event): markets that open, then trades, then resolutions."""
    for market in window.markets:
        yield "market.catalog", listed(market)
    for trade in map(traded, window.trades):
        yield "market.data", printed(trade)
        yield "wallet.trades", trade
    for resolution in window.resolutions:
        yield "market.data", resolved(resolution)


def listed(market: TapeMarket) -> market_pb2.MarketListed:
    """Return the market's terms. When it ends is not known beforehand, so it is not said."""
    return market_pb2.MarketListed(
        meta=_root(derived_id("listed", market.condition_id), market.opens_at_ns),
        condition_id=market.condition_id,
        question=market.title,
        slug=market.slug,
        event_slug=market.event_slug,
        category=market.category,
        tokens=[
            market_pb2.OutcomeToken(token_id=token, outcome=outcome)
            for token, outcome in zip(market.token_ids, market.outcomes, strict=True)
        ],
        tick_size_micro=market.tick_micro,
        min_size_micro=market.min_size_micro,
        fee_rate_micro=market.fee_rate_micro,
        fee_exponent=1,
        neg_risk=market.is_neg_risk,
        opens_ns=market.opens_at_ns,
        venue=VENUE,
    )


def printed(trade: wallet_pb2.WalletTraded) -> market_pb2.TradePrinted:
    """Return the trade as the market saw it. It starts the same chain as the wallet's."""
    meta = _root(derived_id("printed", trade.trade_id), trade.meta.event_time_ns)
    meta.correlation = trade.trade_id
    meta.receive_time_ns = trade.meta.receive_time_ns
    return market_pb2.TradePrinted(
        meta=meta,
        condition_id=trade.condition_id,
        token_id=trade.token_id,
        side=trade.side,
        price_micro=trade.price_micro,
        size_micro=trade.size_micro,
        print_id=trade.trade_id,
        outcome_index=trade.outcome_index,
    )


def traded(trade: TapeTrade) -> wallet_pb2.WalletTraded:
    """Return the trade as its wallet's: the root of every chain that copies it."""
    return wallet_pb2.WalletTraded(
        meta=_root(trade.id, trade.at_ns),
        wallet=trade.wallet,
        condition_id=trade.condition_id,
        token_id=trade.token_id,
        outcome_index=trade.outcome_index,
        side=_SIDES[trade.side],
        price_micro=trade.price_micro,
        size_micro=trade.size_micro,
        trade_id=trade.id,
        transaction_hash=trade.tx_hash,
    )


def resolved(resolution: TapeResolution) -> market_pb2.MarketResolved:
    """Return how the market ended."""
    return market_pb2.MarketResolved(
        meta=_root(derived_id("resolved", resolution.condition_id), resolution.at_ns),
        condition_id=resolution.condition_id,
        winning_index=resolution.winning_index,
        winning_token_id=resolution.winning_token_id,
        basis=_BASES.get(resolution.winner_basis, market_pb2.RESULT_BASIS_UNSPECIFIED),
    )


def _root(event_id: str, at_ns: int) -> common_pb2.Meta:
    return common_pb2.Meta(
        id=event_id, correlation=event_id, event_time_ns=at_ns, receive_time_ns=at_ns
    )
