"""The catalogue of markets, how they ended, and the last traded price of each token. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from whaletrader.schemas import market_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.reasons import plain
from whaletrader.store.tables import Change, Table, put

MARKETS: Final = Table(
    "markets",
    {"condition_id": "text"},
    {
        "question": "text",
        "slug": "text",
        "event_slug": "text",
        "category": "text",
        "venue": "text",
        # [{"token_id", "outcome"}] in outcome order.
        "tokens": "jsonb",
        "tick_size_micro": "bigint",
        "min_size_micro": "bigint",
        "fee_rate_micro": "bigint",
        "fee_exponent": "integer",
        "neg_risk": "boolean",
        "opens_ns": "bigint",
        "ends_ns": "bigint",
        # From market.data; 0 and empty while the market is open.
        "resolved_ns": "bigint",
        "winning_index": "integer",
        "winning_token_id": "text",
    },
)

PRICES: Final = Table(
    "last_prices",
    {"token_id": "text"},
    {"condition_id": "text", "price_micro": "bigint", "event_time_ns": "bigint"},
)

TABLES: Final = (MARKETS, PRICES)


def _listed(_: Recorded, message: market_pb2.MarketListed) -> Iterable[Change]:
    tokens = [
        {"token_id": token.token_id, "outcome": plain(token.outcome)} for token in message.tokens
    ]
    yield put(
        MARKETS,
        message.condition_id,
        question=plain(message.question),
        slug=plain(message.slug),
        event_slug=plain(message.event_slug),
        category=plain(message.category),
        venue=plain(message.venue),
        tokens=msgspec.json.encode(tokens).decode(),
        tick_size_micro=message.tick_size_micro,
        min_size_micro=message.min_size_micro,
        fee_rate_micro=message.fee_rate_micro,
        fee_exponent=message.fee_exponent,
        neg_risk=message.neg_risk,
        opens_ns=message.opens_ns,
        ends_ns=message.ends_ns,
    )


def _resolved(event: Recorded, message: market_pb2.MarketResolved) -> Iterable[Change]:
    yield put(
        MARKETS,
        message.condition_id,
        resolved_ns=event.event_time_ns,
        winning_index=message.winning_index,
        winning_token_id=message.winning_token_id,
    )


def _printed(event: Recorded, message: market_pb2.TradePrinted) -> Iterable[Change]:
    return (
        Change(
            PRICES,
            (message.token_id,),
            {
                "condition_id": message.condition_id,
                "price_micro": message.price_micro,
                "event_time_ns": event.event_time_ns,
            },
        ),
    )


PROJECTIONS: Final = {
    market_pb2.MarketListed: _listed,
    market_pb2.MarketResolved: _resolved,
    market_pb2.TradePrinted: _printed,
}
