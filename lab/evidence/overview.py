"""What the folder holds, how its wallets were chosen, and one row a wallet for the report.

Owns the counts and the choice of words about selection; computes no statistic itself. Called by
`run`.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whaletrader.lab.evidence.bets import settled_bets
from whaletrader.lab.evidence.books import MICRO, Books
from whaletrader.lab.evidence.description import TrackRecord, Turns
from whaletrader.lab.evidence.estimates import weighted_mean
from whaletrader.lab.evidence.evidence import (
    Curve,
    Estimate,
    LedgerCheck,
    Selection,
    Span,
    WalletEvidence,
    WalletSkill,
)
from whaletrader.lab.evidence.layout import Inputs
from whaletrader.lab.evidence.markets import KNOWN, PUBLISHED, Markets, Trades
from whaletrader.lab.evidence.published import Named, Published, compare
from whaletrader.lab.evidence.scope import category_of
from whaletrader.quant.calibration import brier, reliability_curve
from whaletrader.quant.edge import Bets, counted_once

BINS = 10
INFERRED = "inferred_redeem"
# So many published figures, nearly all of them profits, are no accident: half of all wallets lose.
PICKED_MIN = 10
PICKED_SHARE = 0.9


@dataclass(frozen=True)
class Described:
    """What the parts of the study say of each wallet, by code; a wallet may be in none."""

    skills: dict[int, WalletSkill]
    records: dict[int, TrackRecord]
    turns: dict[int, Turns]


def names_of(inputs: Inputs) -> dict[str, Named]:
    """Return every market's slug and category, by condition id."""
    columns = ["conditionId", "eventSlug", "slug"]
    rows = inputs.activity[columns].drop_duplicates("conditionId")
    return {
        condition: Named(slug, category_of(event, slug))
        for condition, event, slug in rows.itertuples(index=False)
    } | {
        condition: Named(slug, category_of(event, slug))
        for condition, event, slug in inputs.resolutions[columns].itertuples(index=False)
    }


def span_of(inputs: Inputs, trades: Trades, markets: Markets) -> Span:
    """Return what the folder holds."""
    return Span(
        first_trade=_moment(int(trades.at_s.min())) if trades.count else "",
        last_trade=_moment(int(trades.at_s.max())) if trades.count else "",
        rows=len(inputs.activity),
        trades=trades.count,
        wallets=len(inputs.wallets),
        markets=len(markets.slug),
        markets_known=int(markets.is_known.sum()),
        markets_published=int((markets.basis == PUBLISHED).sum()),
        markets_inferred=int((markets.basis == INFERRED).sum()),
    )


def wallet_rows(
    inputs: Inputs, books: Books, described: Described, names: dict[str, Named]
) -> list[WalletEvidence]:
    """Return one row a wallet, in the order of addresses."""
    rows = []
    table = inputs.wallets.sort_values("proxyWallet")
    for code, wallet in enumerate(table.to_dict("records")):
        address = wallet["proxyWallet"]
        held = books.statements.get(address)
        if held is None:
            continue
        book = books.books[address]
        profit = wallet["published_pnl_usd"]
        published = Published(
            address, profit, wallet["published_source"], bool(wallet["history_capped"])
        )
        traded = [market for market in book.markets.values() if market.trades]
        rows.append(
            WalletEvidence(
                wallet=address,
                name=_name(wallet),
                history_capped=published.is_capped,
                computed_profit=held.trading_profit_micro / MICRO,
                realized=held.realized_micro / MICRO,
                unredeemed=held.unredeemed_micro / MICRO,
                unrealized=held.unrealized_micro / MICRO,
                income=held.income_micro / MICRO,
                fees=sum(market.fees_micro for market in traded) / MICRO,
                trades=sum(market.trades for market in traded),
                markets=len(traded),
                published=None if pd.isna(profit) else compare(published, books, names),
                skill=described.skills.get(code),
                track_record=described.records.get(code),
                turns=described.turns.get(code),
            )
        )
    return rows


def ledger_check(books: Books, rows: list[WalletEvidence]) -> LedgerCheck:
    """Return how the ledger stands against everything that was published."""
    compared = [row for row in rows if row.published is not None and row.published.is_compared]
    apart, together = [], []
    for row in compared:
        told = row.published
        if told is not None and told.published:
            apart.append(abs(told.difference / told.published))
            together.append(abs((told.difference + row.income) / told.published))
    held = books.books.values()
    return LedgerCheck(
        compared=len(compared),
        matches=sum(row.published is not None and row.published.matches for row in compared),
        median_difference_share=float(np.median(apart)) if apart else np.nan,
        median_difference_share_with_income=float(np.median(together)) if together else np.nan,
        rows=sum(book.rows for book in held),
        conversions_ambiguous=sum(book.ambiguous_conversions for book in held),
        conversions_unexplained=sum(book.unexplained_conversions for book in held),
        redemptions_unmatched=sum(book.unmatched_redemptions for book in held),
        markets_not_whole=sum(
            not market.is_whole for book in held for market in book.markets.values()
        ),
        result_conflicts=books.conflicts,
    )


def selection_of(
    inputs: Inputs,
    trades: Trades,
    markets: Markets,
    rows: list[WalletEvidence],
    confidence: float,
) -> Selection:
    """Return how the wallets came into the folder and what that does to every number."""
    wallets = inputs.wallets
    figures = wallets["published_pnl_usd"].dropna()
    sources = Counter(name for name in wallets["published_source"] if name)
    redeemed = inputs.activity.loc[inputs.activity["type"] == "REDEEM", "usdcSize"]
    found = Selection(
        wallets=len(wallets),
        histories_cut=int(wallets["history_capped"].sum()),
        with_published_figure=len(figures),
        published_in_profit=int((figures > 0).sum()),
        published_sources=dict(sorted(sources.items())),
        computed_in_profit=sum(row.computed_profit > 0 for row in rows),
        edge_published=_mean_edge(trades, markets, PUBLISHED, confidence),
        edge_inferred=_mean_edge(trades, markets, INFERRED, confidence),
        losing_redemptions_share=float((redeemed == 0).mean()) if len(redeemed) else np.nan,
        bias=[],
    )
    return _with_bias(found, markets.main_results)


def calibration_of(trades: Trades, markets: Markets, confidence: float) -> list[Curve]:
    """Return prices paid against how often they won, each wallet's side of a market once."""
    curves = []
    for results in dict.fromkeys((markets.main_results, KNOWN)):
        bets = settled_bets(trades, markets, results)
        if not len(bets):
            continue
        paid, won = _positions(bets)
        curve, parts = reliability_curve(paid, won, BINS, confidence), brier(paid, won, BINS)
        curves.append(
            Curve(
                sample=results,
                predicted=curve.predicted.tolist(),
                observed=curve.observed.tolist(),
                lower=curve.lower.tolist(),
                upper=curve.upper.tolist(),
                counts=curve.counts.tolist(),
                brier_score=parts.score,
                brier_reliability=parts.reliability,
                brier_resolution=parts.resolution,
                brier_uncertainty=parts.uncertainty,
            )
        )
    return curves


def _positions(bets: Bets) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    keys = np.stack([bets.wallet, 2 * bets.market + bets.is_yes])
    _, first, place = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    place = place.ravel()
    weight = np.bincount(place, weights=bets.weight)
    cost = np.bincount(place, weights=bets.weight * bets.cost) / weight
    return np.clip(cost, 0.0, 1.0), bets.payoff[first]


def _mean_edge(trades: Trades, markets: Markets, basis: str, confidence: float) -> Estimate:
    """Edge a share over all wallets' markets of one basis, each wallet's market counting once."""
    kept = trades.only(markets.basis[trades.market] == basis)
    bets = counted_once(settled_bets(kept, markets, KNOWN))
    return weighted_mean(bets.edge, bets.weight, bets.market, confidence)


def _with_bias(found: Selection, results: str) -> Selection:
    rests = (
        "The verdict rests on published results."
        if results == PUBLISHED
        else "There are too few published results here, so the verdict rests on all that are known "
        "and is flattered with them."
    )
    cut = found.histories_cut
    told = [
        _choice(found),
        f"{cut} of {found.wallets} histories are cut off at the newest rows. What they lack is "
        "their older purchases; markets where more left than came in are not counted.",
        *_redeeming(found, rests),
    ]
    return Selection(
        **{name: getattr(found, name) for name in found.__struct_fields__ if name != "bias"},
        bias=told,
    )


def _choice(found: Selection) -> str:
    """What the published figures tell of how the wallets were chosen."""
    told, ahead = found.with_published_figure, found.published_in_profit
    if not told:
        return (
            "No profit of these wallets was published, and the folder does not say how they were "
            "chosen. If it was for what they had won, no average over them says what a wallet "
            "earns."
        )
    line = f"{ahead} of the {told} wallets with a published figure made money. "
    if told >= PICKED_MIN and ahead >= PICKED_SHARE * told:
        return line + (
            "They were looked up because they did: the losers of the same trade are not here, so "
            "no average over these wallets says what a wallet earns."
        )
    return line + (
        "The folder does not say how they were chosen; if it was for what they had won, no average "
        "over them says what a wallet earns."
    )


def _redeeming(found: Selection, rests: str) -> list[str]:
    """What results known by redemption do, where there are any."""
    if not np.isfinite(found.edge_inferred.value):
        return []
    against = (
        f", against {found.edge_published.value:+.3f} where the result was published by somebody "
        "else"
        if np.isfinite(found.edge_published.value)
        else ""
    )
    return [
        "Where no source names a market's result, it is known only if one of these wallets "
        f"redeemed, and {1 - found.losing_redemptions_share:.0%} of redemptions here paid. Such "
        f"results flatter: {found.edge_inferred.value:+.3f} dollars a share{against}. {rests}"
    ]


def _name(wallet: dict[str, object]) -> str:
    for column in ("pseudonym", "name"):
        value = wallet.get(column)
        if isinstance(value, str) and value and not value.startswith("0x"):
            return value
    return ""


def _moment(at_s: int) -> str:
    return dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
