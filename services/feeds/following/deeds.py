"""From the venue's rows to what everyone hears. Pure.

A deed's id is a function of everything that its row says, and of how many rows said exactly the
same before it in the same second: two equal fills are two deeds, one row read twice is one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.schemas import common_pb2, follow_pb2, market_pb2, wallet_pb2
from whaletrader.services.feeds.publication import VENUE
from whaletrader.venues.polymarket.history.gamma import Listing
from whaletrader.venues.polymarket.history.rows import Deed, Kind

_NS: Final = 1_000_000_000
_SIDES: Final = {"BUY": common_pb2.SIDE_BUY, "SELL": common_pb2.SIDE_SELL}
_DEEDS: Final = {
    Kind.SPLIT: wallet_pb2.WALLET_DEED_SPLIT,
    Kind.MERGE: wallet_pb2.WALLET_DEED_MERGE,
    Kind.CONVERSION: wallet_pb2.WALLET_DEED_CONVERSION,
    Kind.REDEEM: wallet_pb2.WALLET_DEED_REDEEM,
    Kind.REWARD: wallet_pb2.WALLET_DEED_REWARD,
    Kind.YIELD: wallet_pb2.WALLET_DEED_YIELD,
    Kind.MAKER_REBATE: wallet_pb2.WALLET_DEED_MAKER_REBATE,
}
# Each is a question of its own to the service.
KINDS: Final = (Kind.TRADE, *_DEEDS)


def seen(deeds: Iterable[Deed]) -> Iterator[follow_pb2.SeenDeed]:
    """Yield the deeds as messages, in their order. Whole seconds must be given whole."""
    alike: Counter[tuple[object, ...]] = Counter()
    for deed in deeds:
        facts = (
            deed.wallet,
            deed.at_s,
            deed.kind.value,
            deed.side,
            deed.token_id,
            deed.condition_id,
            deed.event_slug if deed.kind is Kind.CONVERSION else "",
            deed.size_micro,
            deed.price_micro,
            deed.usdc_micro,
            deed.tx_hash,
        )
        alike[facts] += 1
        deed_id = derived_id("deed", *facts, alike[facts])
        if deed.kind is Kind.TRADE:
            yield follow_pb2.SeenDeed(traded=_traded(deed, deed_id))
        else:
            yield follow_pb2.SeenDeed(acted=_acted(deed, deed_id))


def listed(listing: Listing) -> market_pb2.MarketListed:
    """Return the market as the catalogue has it."""
    return market_pb2.MarketListed(
        meta=_root(derived_id("listed", listing.condition_id), listing.opens_ns),
        condition_id=listing.condition_id,
        question=listing.question,
        slug=listing.slug,
        event_slug=listing.event_slug,
        category=listing.category,
        tokens=[
            market_pb2.OutcomeToken(token_id=token, outcome=outcome)
            for token, outcome in zip(listing.token_ids, listing.outcomes, strict=True)
        ],
        tick_size_micro=listing.tick_micro,
        min_size_micro=listing.min_size_micro,
        fee_rate_micro=listing.fee_rate_micro,
        fee_exponent=listing.fee_exponent,
        neg_risk=listing.is_neg_risk,
        opens_ns=listing.opens_ns,
        ends_ns=listing.ends_ns,
        venue=VENUE,
    )


def _traded(deed: Deed, deed_id: str) -> wallet_pb2.WalletTraded:
    return wallet_pb2.WalletTraded(
        meta=_root(deed_id, deed.at_s * _NS),
        wallet=deed.wallet,
        condition_id=deed.condition_id,
        token_id=deed.token_id,
        outcome_index=deed.outcome_index,
        side=_SIDES[deed.side],
        price_micro=deed.price_micro,
        size_micro=deed.size_micro,
        trade_id=deed_id,
        transaction_hash=deed.tx_hash,
    )


def _acted(deed: Deed, deed_id: str) -> wallet_pb2.WalletActed:
    return wallet_pb2.WalletActed(
        meta=_root(deed_id, deed.at_s * _NS),
        wallet=deed.wallet,
        deed=_DEEDS[deed.kind],
        # A conversion's row names the event's id where others name their market.
        condition_id="" if deed.kind is Kind.CONVERSION else deed.condition_id,
        event_slug=deed.event_slug,
        size_micro=deed.size_micro,
        cash_micro=deed.usdc_micro,
        transaction_hash=deed.tx_hash,
    )


def _root(event_id: str, at_ns: int) -> common_pb2.Meta:
    return common_pb2.Meta(id=event_id, correlation=event_id, event_time_ns=at_ns)
