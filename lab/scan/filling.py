"""Fills of a cut history from a subgraph: what the Data API did not give, before and after.

Owns what is taken over. A fill names a token and no market, so one whose token none of the
scanned wallets is known to have traded cannot be placed: it is left out and counted. Only trades
come from there; a history stays marked as cut, because its splits and redemptions may be missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from whaletrader.lab.scan.checkpoint import WalletScan
from whaletrader.venues.polymarket.history.calls import Caller
from whaletrader.venues.polymarket.history.rows import Deed, Kind
from whaletrader.venues.polymarket.history.subgraph import fills


@dataclass(frozen=True, slots=True)
class Filled:
    """A history with the fills that were missing, and how many could not be placed."""

    scanned: WalletScan
    added: int
    unplaced: int


def known_tokens(wallets: Sequence[WalletScan]) -> dict[str, Deed]:
    """Return a deed that says what market a token belongs to, by token."""
    return {
        deed.token_id: deed
        for one in wallets
        for deed in one.deeds
        if deed.kind is Kind.TRADE and deed.token_id and deed.condition_id
    }


async def filled(
    caller: Caller, path: str, scanned: WalletScan, tokens: dict[str, Deed], rows_max: int
) -> Filled:
    """Return the history with the trades outside of what was given; called again it adds none.

    Raises HistoryUnavailable, HistoryRefused, UnreadableRow.
    """
    trades = [deed for deed in scanned.deeds if deed.kind is Kind.TRADE]
    first = min((deed.at_s for deed in trades), default=0)
    last = max((deed.at_s for deed in trades), default=-1)
    met = {(deed.tx_hash, deed.token_id, deed.side) for deed in trades}
    added: list[Deed] = []
    unplaced = 0
    async for fill in fills(caller, scanned.wallet, path):
        # Within the span the Data API's rows are whole, and there a fill would count twice.
        if first < fill.at_s < last or (fill.tx_hash, fill.token_id, fill.side) in met:
            continue
        market = tokens.get(fill.token_id)
        if market is None:
            unplaced += 1
            continue
        if len(added) == rows_max:
            break
        added.append(_placed(fill, market))
    if not added:
        return Filled(scanned, 0, unplaced)
    deeds = sorted([*scanned.deeds, *added], key=lambda deed: deed.at_s)
    return Filled(msgspec.structs.replace(scanned, deeds=tuple(deeds)), len(added), unplaced)


def _placed(fill: Deed, market: Deed) -> Deed:
    return msgspec.structs.replace(
        fill,
        condition_id=market.condition_id,
        outcome_index=market.outcome_index,
        outcome=market.outcome,
        slug=market.slug,
        title=market.title,
        event_slug=market.event_slug,
    )
