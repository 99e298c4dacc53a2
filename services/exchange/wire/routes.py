"""Which path leads to which handler. The table is the whole of what is served, as data.

The CLOB stands at the root, its streams under `/ws`, Gamma under `/gamma`, the Data API under
`/data-api`, the relayer under `/relayer`, live prices at `/rtds` and `/polybolt`, the operator's
calls under `/admin`. The README's table is held against this one by a test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from whaletrader.services.exchange.wire import (
    account,
    admin,
    books,
    clob_more,
    data_api,
    data_boards,
    data_older,
    data_stats,
    gamma,
    gamma_more,
    history,
    keys_api,
    orders,
    polybolt,
    relayer,
    rewards_api,
    rpc,
    rtds,
    sockets,
    weather_api,
)

Handler = Callable[[Request], Awaitable[Response]]
Rows = tuple[tuple[str, Handler], ...]

MARKET_DATA: Final[Rows] = (
    ("GET /", clob_more.alive),
    ("GET /ok", clob_more.alive),
    ("GET /livez", clob_more.alive),
    ("GET /readyz", clob_more.ready),
    ("GET /time", books.server_time),
    ("GET /version", books.version),
    ("GET /book", books.book),
    ("POST /books", books.books),
    ("GET /midpoint", books.midpoint),
    ("POST /midpoints", books.midpoints),
    ("GET /price", books.price),
    ("POST /prices", books.prices),
    ("GET /spread", books.spread),
    ("POST /spreads", books.spreads),
    ("GET /last-trade-price", books.last_trade_price),
    ("POST /last-trades-prices", books.last_trades_prices),
    ("GET /books", clob_more.by_get(books.books)),
    ("GET /midpoints", clob_more.by_get(books.midpoints)),
    ("GET /prices", clob_more.by_get(books.prices)),
    ("GET /spreads", clob_more.by_get(books.spreads)),
    ("GET /last-trades-prices", clob_more.by_get(books.last_trades_prices)),
    ("GET /tick-size", books.tick_size),
    ("GET /tick-size/{token_id}", books.tick_size),
    ("GET /neg-risk", books.neg_risk),
    ("GET /neg-risk/{token_id}", books.neg_risk),
    ("GET /fee-rate", books.fee_rate),
    ("GET /fee-rate/{token_id}", books.fee_rate),
    ("GET /prices-history", history.prices_history),
    ("POST /batch-prices-history", history.batch_prices_history),
    ("GET /markets-by-token/{token_id}", books.market_by_token),
    ("GET /clob-markets/{condition_id}", books.clob_market),
    ("GET /markets", books.markets),
    ("GET /sampling-markets", books.sampling_markets),
    ("GET /simplified-markets", books.simplified_markets),
    ("GET /sampling-simplified-markets", books.sampling_simplified_markets),
    ("GET /markets/live-activity/{condition_id}", clob_more.live_activity),
    ("GET /live-activity/events/{condition_id}", clob_more.live_activity),
    ("GET /markets/{condition_id}", books.full_market),
    ("GET /rewards/markets/current", rewards_api.current),
    ("GET /rewards/markets/multi", rewards_api.multi),
    ("GET /rewards/markets/{condition_id}", rewards_api.of_market),
    ("GET /rebates/current", rewards_api.rebates),
    ("GET /builder/trades", rewards_api.builder_trades),
    ("GET /fees/builder-fees/{code}", rewards_api.builder_fees),
    ("GET /api/geoblock", clob_more.geoblock),
)
ACCOUNT: Final[Rows] = (
    ("POST /auth/api-key", keys_api.create),
    ("DELETE /auth/api-key", keys_api.delete),
    ("GET /auth/derive-api-key", keys_api.derive),
    ("GET /auth/api-keys", keys_api.trading_keys),
    ("POST /auth/readonly-api-key", keys_api.create_read_only),
    ("DELETE /auth/readonly-api-key", keys_api.delete_read_only),
    ("GET /auth/readonly-api-keys", keys_api.read_only_keys),
    ("GET /auth/validate-readonly-api-key", keys_api.validate_read_only),
    ("POST /auth/builder-api-key", keys_api.create_builder),
    ("GET /auth/builder-api-key", keys_api.builder_keys),
    ("DELETE /auth/builder-api-key", keys_api.revoke_builder),
    ("GET /auth/ban-status/closed-only", keys_api.closed_only),
    ("POST /order", orders.post_order),
    ("DELETE /order", orders.delete_order),
    ("POST /orders", orders.post_orders),
    ("DELETE /orders", orders.delete_orders),
    ("DELETE /cancel-all", orders.cancel_all),
    ("DELETE /cancel-market-orders", orders.cancel_market_orders),
    ("GET /data/order/{order_id}", account.order),
    ("GET /data/orders", account.open_orders),
    ("GET /data/pre-migration-orders", account.pre_migration_orders),
    ("GET /data/trades", account.trades),
    ("GET /balance-allowance", account.balance_allowance),
    ("GET /balance-allowance/update", account.balance_allowance),
    ("GET /notifications", account.notifications),
    ("DELETE /notifications", account.drop_notifications),
    ("GET /order-scoring", rewards_api.order_scoring),
    ("POST /orders-scoring", rewards_api.orders_scoring),
    ("POST /v1/heartbeats", account.heartbeat),
    ("POST /heartbeats", account.heartbeat),
    ("GET /rewards/user", rewards_api.earnings),
    ("GET /rewards/user/total", rewards_api.total_earnings),
    ("GET /rewards/user/percentages", rewards_api.percentages),
    ("GET /rewards/user/markets", rewards_api.user_markets),
)
GAMMA: Final[Rows] = (
    ("GET /gamma/markets", gamma.markets),
    ("GET /gamma/markets/keyset", gamma.markets_keyset),
    ("POST /gamma/markets/information", gamma.information),
    ("GET /gamma/markets/slug/{slug}", gamma.market_by_slug),
    ("GET /gamma/markets/{market_id}", gamma.market),
    ("GET /gamma/markets/{market_id}/tags", gamma.market_tags),
    ("GET /gamma/events", gamma.events),
    ("GET /gamma/events/keyset", gamma.events_keyset),
    ("GET /gamma/events/slug/{event_id}", gamma.event),
    ("GET /gamma/events/{event_id}", gamma.event),
    ("GET /gamma/events/{event_id}/tags", gamma.event_tags),
    ("GET /gamma/tags", gamma_more.tags),
    ("GET /gamma/tags/slug/{tag_id}", gamma_more.tag),
    ("GET /gamma/tags/slug/{tag_id}/related-tags", gamma_more.related_tags),
    ("GET /gamma/tags/slug/{tag_id}/related-tags/tags", gamma_more.related_tags),
    ("GET /gamma/tags/{tag_id}", gamma_more.tag),
    ("GET /gamma/tags/{tag_id}/related-tags", gamma_more.related_tags),
    ("GET /gamma/tags/{tag_id}/related-tags/tags", gamma_more.related_tags),
    ("GET /gamma/series", gamma_more.nothing),
    ("GET /gamma/series/{series_id}", gamma_more.missing),
    ("GET /gamma/sports", gamma_more.nothing),
    ("GET /gamma/sports/market-types", gamma_more.sports_market_types),
    ("GET /gamma/teams", gamma_more.nothing),
    ("GET /gamma/comments", gamma_more.comments),
    ("GET /gamma/comments/keyset", gamma_more.comments_keyset),
    ("GET /gamma/comments/user_address/{address}", gamma_more.comments_by_id),
    ("GET /gamma/comments/{comment_id}", gamma_more.comments_by_id),
    ("GET /gamma/market-clarifications", gamma_more.nothing),
    ("GET /gamma/status", clob_more.alive),
    ("GET /gamma/public-search", gamma_more.search),
    ("GET /gamma/public-profile", gamma_more.profile),
)
DATA: Final[Rows] = (
    ("GET /data-api/v2/trades", data_api.trades),
    ("GET /data-api/v2/activity", data_api.activity),
    ("GET /data-api/v2/activity/combos", data_api.no_rows),
    ("GET /data-api/v2/positions", data_api.positions),
    ("GET /data-api/v2/positions/combos", data_api.no_rows),
    ("GET /data-api/v2/value", data_api.value),
    ("GET /data-api/v2/holders", data_stats.holders),
    ("GET /data-api/v2/oi", data_stats.interest),
    ("GET /data-api/v2/live-volume", data_stats.live_volume),
    ("GET /data-api/v2/prices-history", data_stats.prices_history),
    ("GET /data-api/v2/resolutions", data_stats.resolutions),
    ("GET /data-api/v2/leaderboard", data_boards.leaderboard),
    ("GET /data-api/v2/user-pnl", data_boards.user_pnl),
    ("GET /data-api/v2/user-stats", data_boards.user_stats),
    ("GET /data-api/v2/user-volume", data_boards.user_volume),
    ("GET /data-api/v2/biggest-winners", data_boards.biggest_winners),
    ("GET /data-api/v2/approvals", data_stats.approvals),
    ("GET /data-api/v2/builders/leaderboard", data_api.no_rows),
    ("GET /data-api/v2/builders/volume", data_api.no_rows),
    ("GET /data-api/v2/status", data_stats.status),
    ("GET /data-api/v2/tokens", data_stats.tokens),
    ("GET /data-api/trades", data_api.trades_v1),
    ("GET /data-api/activity", data_api.activity_v1),
    ("GET /data-api/positions", data_api.positions_v1),
    ("GET /data-api/closed-positions", data_api.closed_positions_v1),
    ("GET /data-api/value", data_api.value_v1),
    ("GET /data-api/traded", data_api.traded_v1),
    ("GET /data-api/holders", data_stats.holders_v1),
    ("GET /data-api/oi", data_stats.interest_v1),
    ("GET /data-api/live-volume", data_stats.live_volume_v1),
    ("GET /data-api/v1/leaderboard", data_boards.leaderboard_v1),
    ("GET /data-api/v1/market-positions", data_older.market_positions),
    ("GET /data-api/v1/positions/combos", data_older.combo_positions),
    ("GET /data-api/v1/activity/combos", data_older.combo_activity),
    ("GET /data-api/v1/builders/leaderboard", data_older.builders),
    ("GET /data-api/v1/builders/volume", data_older.builders),
    ("GET /data-api/v1/accounting/snapshot", data_older.accounting_snapshot),
    ("GET /data-api/", data_older.health),
)
RELAYER: Final[Rows] = (
    ("GET /relayer/deployed", relayer.deployed),
    ("GET /relayer/nonce", relayer.nonce),
    ("GET /relayer/relay-payload", relayer.payload),
    ("GET /relayer/v1/account/transactions/params", relayer.payload),
    ("POST /relayer/submit", relayer.submit),
    ("POST /rpc", rpc.rpc),
    ("GET /relayer/transaction", relayer.transaction),
    ("GET /relayer/v1/account/transactions/{transaction_id}", relayer.account_transaction),
)
ADMIN: Final[Rows] = (
    ("GET /admin/state", admin.state),
    ("GET /admin/follow", admin.following),
    ("POST /admin/accounts", admin.make_account),
    ("POST /admin/markets", admin.upsert_markets),
    ("POST /admin/events", admin.upsert_events),
    ("POST /admin/resolve", admin.resolve),
    ("POST /admin/tick", admin.set_tick),
    ("POST /admin/allowances", admin.allow),
    ("POST /admin/restrictions", admin.restrict),
    ("POST /admin/tape", admin.play_tape),
    ("GET /admin/weather", weather_api.forecast),
    ("PUT /admin/weather", weather_api.set_weather),
    ("DELETE /admin/weather", weather_api.clear_weather),
    ("GET /admin/weather/log", weather_api.weather_log),
)
STREAMS: Final = (
    ("/ws/market", sockets.market_channel),
    ("/ws/user", sockets.user_channel),
    ("/rtds", rtds.live_channel),
    ("/polybolt", polybolt.price_channel),
    ("/sports", sockets.sports_channel),
)
# Orders first: the router tries one row after the other.
TABLE: Final[Rows] = (*ACCOUNT, *MARKET_DATA, *GAMMA, *DATA, *RELAYER, *ADMIN)


def routes() -> list[Route | WebSocketRoute]:
    """Return the table as the framework wants it."""
    made: list[Route | WebSocketRoute] = []
    for row, handler in TABLE:
        method, _, path = row.partition(" ")
        made.append(Route(path, handler, methods=[method]))
    made += [WebSocketRoute(path, channel) for path, channel in STREAMS]
    return made
