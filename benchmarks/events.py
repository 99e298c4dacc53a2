"""The markets, wallets and trades that the measurements feed to the agents. Pure but for ids."""

from dataclasses import dataclass
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, key_of, to_record
from whaletrader.runtime.log import Record
from whaletrader.schemas import common_pb2, market_pb2, risk_pb2, wallet_pb2, whale_pb2

MARKETS: Final = 40
# What risk is asked about: as many positions as it is to hold while it answers.
APPROVAL_MARKETS: Final = 200
WALLETS: Final = 20
PRICE_MICRO: Final = 400_000
# What the wallets are believed to earn a share: enough that a copy is worth its price.
EDGE_MICRO: Final = 150_000
SIZE_MICRO: Final = 1_000_000_000
COPY_SIZE_MICRO: Final = 10_000_000
NS_PER_S: Final = 1_000_000_000
_YEAR_NS: Final = 365 * 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Market:
    """A binary market, known by its number."""

    number: int

    @property
    def condition_id(self) -> str:
        return "0x" + derived_id("bench", "market", self.number) * 2

    @property
    def tokens(self) -> tuple[str, str]:
        first = str(int(derived_id("bench", "token", self.number, 0), 16))
        second = str(int(derived_id("bench", "token", self.number, 1), 16))
        return first, second

    @property
    def token_id(self) -> str:
        """The token that is traded."""
        return self.tokens[0]

    def admin_row(self, now_ns: int) -> dict[str, object]:
        """Return the market as the exchange's operator lists it."""
        return {
            "condition_id": self.condition_id,
            "question": f"Market {self.number}?",
            "slug": f"market-{self.number}",
            "event_slug": f"event-{self.number}",
            "category": "sports",
            "tokens": [
                {"token_id": token, "outcome": outcome}
                for token, outcome in zip(self.tokens, ("Yes", "No"), strict=True)
            ],
            "tick_size_micro": 1_000,
            "min_size_micro": 1_000_000,
            "fee_rate_micro": 0,
            "neg_risk": False,
            "end_ns": now_ns + _YEAR_NS,
        }


def wallet(number: int) -> str:
    """Return the address of one of the wallets that are copied."""
    return "0x" + derived_id("bench", "wallet", number) + "00000000"


def groundwork(now_ns: int, markets: int = MARKETS) -> list[Record]:
    """Return the records that list the markets, print a price in each and name the whales."""
    records = []
    for number in range(markets):
        market = Market(number)
        records.append(_record("market.catalog", _listed(market, now_ns)))
        records.append(_record("market.data", _printed(market, now_ns)))
    whales = (_discovered(wallet(number), now_ns) for number in range(WALLETS))
    return records + [_record("whale.discovered", whale) for whale in whales]


def whale_trade(number: int, now_ns: int) -> tuple[Market, Record]:
    """Return the record of the n-th trade of a whale, and the market that it is in."""
    market = Market(number % MARKETS)
    trade = wallet_pb2.WalletTraded(
        meta=_root(derived_id("bench", "trade", number, now_ns), now_ns),
        wallet=wallet(number % WALLETS),
        condition_id=market.condition_id,
        token_id=market.token_id,
        outcome_index=0,
        side=common_pb2.SIDE_BUY,
        price_micro=PRICE_MICRO,
        size_micro=SIZE_MICRO,
        trade_id=derived_id("bench", "trade", number, now_ns),
        transaction_hash="0x" + derived_id("bench", "hash", number) * 2,
    )
    return market, _record("wallet.trades", trade)


def proposal(number: int, now_ns: int) -> risk_pb2.TradeProposal:
    """Return the n-th proposal: one that risk will approve."""
    market = Market(number % MARKETS)
    return risk_pb2.TradeProposal(
        meta=_root(derived_id("bench", "proposal", number, now_ns), now_ns),
        portfolio="main",
        leader=wallet(number % WALLETS),
        strategy="copy",
        condition_id=market.condition_id,
        token_id=market.token_id,
        outcome_index=0,
        side=common_pb2.SIDE_BUY,
        limit_price_micro=PRICE_MICRO,
        max_size_micro=COPY_SIZE_MICRO,
        fair_value_micro=PRICE_MICRO + EDGE_MICRO,
        deadline_ns=now_ns + 60 * NS_PER_S,
        asked_ns=now_ns,
    )


def _listed(market: Market, now_ns: int) -> market_pb2.MarketListed:
    yes, no = market.tokens
    return market_pb2.MarketListed(
        meta=_root(derived_id("bench", "listed", market.number), now_ns),
        condition_id=market.condition_id,
        question=f"Market {market.number}?",
        slug=f"market-{market.number}",
        event_slug=f"event-{market.number}",
        category="sports",
        tokens=[
            market_pb2.OutcomeToken(token_id=yes, outcome="Yes"),
            market_pb2.OutcomeToken(token_id=no, outcome="No"),
        ],
        tick_size_micro=1_000,
        min_size_micro=1_000_000,
        fee_exponent=1,
        opens_ns=now_ns - NS_PER_S,
        ends_ns=now_ns + _YEAR_NS,
        venue="polymarket",
    )


def _printed(market: Market, now_ns: int) -> market_pb2.TradePrinted:
    return market_pb2.TradePrinted(
        meta=_root(derived_id("bench", "printed", market.number), now_ns),
        condition_id=market.condition_id,
        token_id=market.token_id,
        side=common_pb2.SIDE_BUY,
        price_micro=PRICE_MICRO,
        size_micro=SIZE_MICRO,
        print_id=f"print-{market.number}",
        outcome_index=0,
    )


def _discovered(address: str, now_ns: int) -> whale_pb2.WhaleDiscovered:
    score = whale_pb2.Score(
        edge_micro=EDGE_MICRO,
        edge_lower_micro=EDGE_MICRO,
        edge_upper_micro=EDGE_MICRO,
        realized_profit_micro=10**12,
        volume_micro=10**13,
        trades=500,
        markets=100,
        markets_won=70,
    )
    return whale_pb2.WhaleDiscovered(
        meta=_root(derived_id("bench", "whale", address), now_ns), wallet=address, score=score
    )


def _root(event_id: str, at_ns: int) -> common_pb2.Meta:
    return common_pb2.Meta(
        id=event_id,
        correlation=event_id,
        event_time_ns=at_ns,
        receive_time_ns=at_ns,
        source="feeds",
    )


def _record(topic: str, message: object) -> Record:
    return to_record(Envelope(topic, key_of(topic, message), message))  # type: ignore[arg-type]


def trade_in(record: Record) -> wallet_pb2.WalletTraded:
    """Return the trade that a record of `whale_trade` holds."""
    return wallet_pb2.WalletTraded.FromString(record.value)
