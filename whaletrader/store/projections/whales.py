"""The leaderboard of wallets: scores, and when and why they became whales. Pure.

Three topics write the row of a wallet, each its own columns.
"""

from collections.abc import Iterable
from typing import Final

from whaletrader.schemas import whale_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.reasons import reasons_json
from whaletrader.store.tables import Change, Table, put

_SCORE: Final = {
    "edge_micro": "bigint",
    "edge_lower_micro": "bigint",
    "edge_upper_micro": "bigint",
    "realized_profit_micro": "bigint",
    "fees_micro": "bigint",
    "volume_micro": "bigint",
    "trades": "integer",
    "markets": "integer",
    "markets_won": "integer",
    "base_edge_micro": "bigint",
    "shrinkage_micro": "bigint",
}

LEADERBOARD: Final = Table(
    "whale_leaderboard",
    {"wallet": "text"},
    {
        **_SCORE,
        "is_whale": "boolean",
        "scored_ns": "bigint",
        "discovered_ns": "bigint",
        "discovered_id": "text",
        "discovered_reasons": "jsonb",
        "pruned_ns": "bigint",
        "pruned_id": "text",
        "pruned_reasons": "jsonb",
    },
    ("is_whale, edge_lower_micro",),
)

TABLES: Final = (LEADERBOARD,)


def _scored(event: Recorded, message: whale_pb2.WhaleScored) -> Iterable[Change]:
    score = {name: getattr(message.score, name) for name in _SCORE}
    yield put(
        LEADERBOARD,
        message.wallet,
        **score,
        is_whale=message.is_whale,
        scored_ns=event.event_time_ns,
    )


def _discovered(event: Recorded, message: whale_pb2.WhaleDiscovered) -> Iterable[Change]:
    yield put(
        LEADERBOARD,
        message.wallet,
        discovered_ns=event.event_time_ns,
        discovered_id=event.id,
        discovered_reasons=reasons_json(message.reasons),
    )


def _pruned(event: Recorded, message: whale_pb2.WhalePruned) -> Iterable[Change]:
    yield put(
        LEADERBOARD,
        message.wallet,
        pruned_ns=event.event_time_ns,
        pruned_id=event.id,
        pruned_reasons=reasons_json(message.reasons),
    )


PROJECTIONS: Final = {
    whale_pb2.WhaleScored: _scored,
    whale_pb2.WhaleDiscovered: _discovered,
    whale_pb2.WhalePruned: _pruned,
}
