"""The catalogue's rows as Gamma writes them. Pure reads of the venue."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from whaletrader.services.exchange.engine.model import MICRO, NS, Market
from whaletrader.services.exchange.engine.rules import plain
from whaletrader.services.exchange.signing.contracts import is_position_id
from whaletrader.services.exchange.wire.books import LEGACY_BASE_FEE, best_prices
from whaletrader.services.exchange.wire.catalogue import window_of
from whaletrader.services.exchange.wire.render import last_price
from whaletrader.services.exchange.wire.spot import TWAP_S
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue


def market_id(market: Market) -> str:
    """Return a short stable number, as Gamma's ids are."""
    return stable_number(market.condition_id)


def market_row(venue: Venue, market: Market) -> dict[str, Any]:
    """Render a market; arrays inside strings are the venue's way."""
    is_closed = market.winning_index is not None
    tokens = [token.token_id for token in market.tokens]
    is_newer = is_position_id(tokens[0])
    row: dict[str, Any] = {
        "id": market_id(market),
        "question": market.question,
        "conditionId": market.condition_id,
        "questionID": market.condition_id,
        "slug": market.slug,
        "category": market.category,
        "description": market.question,
        "outcomes": json.dumps([token.outcome for token in market.tokens]),
        "outcomePrices": json.dumps(_outcome_prices(venue, market)),
        "clobTokenIds": json.dumps(tokens),
        "version": "v2" if is_newer else "v1",
        "marketMakerAddress": "",
        "active": True,
        "closed": is_closed,
        "archived": False,
        "acceptingOrders": not is_closed and not market.is_implicit,
        "enableOrderBook": not market.is_implicit,
        "negRisk": market.neg_risk,
        "negRiskOther": market.is_implicit,
        "startDate": iso(market.listed_ns),
        "endDate": iso(market.end_ns),
        "endDateIso": iso(market.end_ns)[:10],
        "createdAt": iso(market.listed_ns),
        "umaResolutionStatuses": "[]",
        "resolutionSource": "",
        "events": [
            {
                "id": stable_number(market.event_slug),
                "slug": market.event_slug,
                "title": event_title(venue, market.event_slug),
            }
        ],
        **_trading_terms(market),
        **_market_figures(venue, market),
    }
    if is_newer:
        row["positionIds"] = tokens
        row["resolutionStatus"] = "resolved" if is_closed else "active"
    if market.neg_risk_event:
        row["negRiskMarketID"] = market.neg_risk_event
        row["groupItemTitle"] = market.question
    open_s = window_of(market.slug)
    if open_s is not None:
        row |= _crypto_terms(open_s)
    terms = venue.rewards.get(market.condition_id)
    if terms is not None:
        row["rewardsMinSize"] = terms.min_size
        row["rewardsMaxSpread"] = terms.max_spread
    if market.resolved_ns is not None:
        row["closedTime"] = iso(market.resolved_ns).replace("T", " ").replace("Z", "+00")
        row["umaResolutionStatus"] = "resolved"
    return row


def _trading_terms(market: Market) -> dict[str, Any]:
    schedule = market.schedule
    base_fee = LEGACY_BASE_FEE if schedule.rate_micro else 0
    return {
        "orderPriceMinTickSize": market.tick_size_micro / MICRO,
        "orderMinSize": market.min_size_micro / MICRO,
        "makerBaseFee": base_fee,
        "takerBaseFee": base_fee,
        "secondsDelay": 0,
        "feesEnabled": schedule.rate_micro > 0,
        "feeType": f"{market.category}_fees" if schedule.rate_micro else "",
        "feeSchedule": {
            "exponent": schedule.exponent,
            "rate": schedule.rate_micro / MICRO,
            "takerOnly": True,
            "rebateRate": schedule.rebate_micro / MICRO,
        },
    }


def _market_figures(venue: Venue, market: Market) -> dict[str, Any]:
    bid, ask = best_prices(venue, market, 0)
    last = venue.exchange.state.last_prints.get(market.condition_id)
    book = venue.exchange.state.books[market.condition_id]
    bids, asks = book.view(0)
    liquidity = sum(p * s // MICRO for p, s in bids) + sum(
        (MICRO - p) * s // MICRO for p, s in asks
    )
    volume = market.volume_micro
    return {
        "volume": plain(volume),
        "volumeNum": volume / MICRO,
        "volumeClob": volume / MICRO,
        "volume24hr": volume / MICRO,
        "liquidity": plain(liquidity),
        "liquidityNum": liquidity / MICRO,
        "liquidityClob": liquidity / MICRO,
        "bestBid": (bid or 0) / MICRO,
        "bestAsk": (MICRO if ask is None else ask) / MICRO,
        "spread": ((MICRO if ask is None else ask) - (bid or 0)) / MICRO,
        "lastTradePrice": last_price(last, 0) / MICRO if last else 0,
    }


def _crypto_terms(open_s: int) -> dict[str, Any]:
    return {
        "eventStartTime": iso(open_s * NS),
        "resolutionSource": "https://data.chain.link/streams/btc-usd-twap-60s-streams",
        "feeType": "crypto_fees_v2",
        "cryptoMarketConfigId": "btc-15m-twap-60",
        "cryptoMarketConfig": {
            "id": "btc-15m-twap-60",
            "asset": "btc",
            "duration": "15m",
            "twapEnabled": True,
            "twapLookbackSeconds": TWAP_S,
        },
    }


def event_title(venue: Venue, slug: str) -> str:
    """Return an event's title: its market's question, or for a group its slug in words."""
    members = events_of(venue).get(slug, [])
    if len(members) == 1:
        return members[0].question
    return slug.replace("-", " ").capitalize()


def event_row(venue: Venue, slug: str) -> dict[str, Any]:
    members = events_of(venue)[slug]
    is_closed = all(market.winning_index is not None for market in members)
    volume = sum(market.volume_micro for market in members)
    row: dict[str, Any] = {
        "id": stable_number(slug),
        "ticker": slug,
        "slug": slug,
        "title": event_title(venue, slug),
        "description": members[0].question,
        "startDate": iso(min(market.listed_ns for market in members)),
        "endDate": iso(max(market.end_ns for market in members)),
        "active": True,
        "closed": is_closed,
        "archived": False,
        "enableOrderBook": True,
        "negRisk": any(market.neg_risk for market in members),
        "negRiskAugmented": any(market.is_implicit for market in members),
        "volume": volume / MICRO,
        "volume24hr": volume / MICRO,
        "liquidity": 0,
        "openInterest": sum(open_interest(venue, m) for m in members) / MICRO,
        "commentCount": 0,
        "tags": [tag_row(members[0].category)],
        "series": [],
        "markets": [market_row(venue, market) for market in members],
    }
    ids = {market.neg_risk_event for market in members if market.neg_risk_event}
    if ids:
        row["negRiskMarketID"] = ids.pop()
    open_s = window_of(members[0].slug)
    if open_s is not None:
        row["seriesSlug"] = "btc-up-or-down-15m"
        row["eventMetadata"] = _window_metadata(venue, open_s, members[0])
    return row


def _window_metadata(venue: Venue, open_s: int, market: Market) -> dict[str, Any]:
    if venue.wall_ns() < open_s * NS:
        return {}
    found: dict[str, Any] = {"priceToBeat": venue.spot.twap("btc", open_s)}
    if market.winning_index is not None:
        found["finalPrice"] = venue.spot.twap("btc", market.end_ns // NS)
    return found


def tag_row(category: str) -> dict[str, str]:
    return {"id": stable_number(f"tag:{category}"), "label": category, "slug": category}


def open_interest(venue: Venue, market: Market) -> int:
    """Return the collateral behind a market's shares in micro-units."""
    return venue.exchange.state.ledger.sets(market.condition_id)


def _outcome_prices(venue: Venue, market: Market) -> list[str]:
    if market.winning_index is not None:
        return ["1", "0"] if market.winning_index == 0 else ["0", "1"]
    last = venue.exchange.state.last_prints.get(market.condition_id)
    if last is None:
        return ["0.5", "0.5"]
    return [plain(last_price(last, index)) for index in (0, 1)]


def stable_number(text: str) -> str:
    """Return a number in text that always stands for the same name."""
    # 31 bits: clients read ids of events as 32-bit integers.
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1)


def events_of(venue: Venue) -> dict[str, list[Market]]:
    grouped: dict[str, list[Market]] = {}
    for found in venue.exchange.state.markets.values():
        grouped.setdefault(found.event_slug, []).append(found)
    return grouped
