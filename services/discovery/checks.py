"""What discovery refuses to read. Pure; each refusal becomes a dead letter that says why."""

from whaletrader.domain.ledger import LedgerError
from whaletrader.domain.ledger.row import check
from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery.books import DEEDS, deed_row
from whaletrader.services.discovery.errors import (
    InvalidDeed,
    InvalidListing,
    InvalidResolution,
    InvalidRuling,
    InvalidTrade,
)

_OUTCOMES = 2


def check_listing(message: market_pb2.MarketListed) -> None:
    """Raise InvalidListing for a market without a name, or with more or fewer than two tokens."""
    if not message.condition_id:
        raise InvalidListing("a listing needs a market")
    if len(message.tokens) not in (0, _OUTCOMES):
        raise InvalidListing(f"{message.condition_id} has {len(message.tokens)} outcomes, not 2")
    if not 0 <= message.fee_rate_micro <= MICRO:
        raise InvalidListing(f"a fee rate of {message.fee_rate_micro} is not from 0 to 1")


def check_trade(message: wallet_pb2.WalletTraded, outcome: int) -> None:
    """Raise InvalidTrade; `outcome` is what its token stands for."""
    if not (message.wallet and message.condition_id and message.token_id):
        raise InvalidTrade("a trade needs a wallet, a market and a token")
    if message.side not in (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL):
        raise InvalidTrade(f"side {message.side} is neither buy nor sell")
    if message.size_micro <= 0 or not 0 < message.price_micro < MICRO:
        raise InvalidTrade(f"{message.size_micro} at {message.price_micro} is no trade")
    if outcome not in range(_OUTCOMES):
        raise InvalidTrade(f"outcome {outcome} is neither 0 nor 1")


def check_deed(message: wallet_pb2.WalletActed) -> None:
    """Raise InvalidDeed for what no wallet can have done."""
    if not message.wallet or message.deed not in DEEDS:
        raise InvalidDeed("a deed needs a wallet and a kind")
    try:
        check(deed_row(message, message.event_slug))
    except LedgerError as error:
        raise InvalidDeed(str(error)) from error


def check_resolution(message: market_pb2.MarketResolved) -> None:
    """Raise InvalidResolution for a result without a market or a winner."""
    if not message.condition_id or not message.winning_token_id:
        raise InvalidResolution(f"market {message.condition_id!r} resolved without a winner")
    if message.winning_index not in range(_OUTCOMES):
        raise InvalidResolution(f"outcome {message.winning_index} is neither 0 nor 1")


def check_ruling(message: whale_pb2.WhaleRuled) -> None:
    """Raise InvalidRuling unless it names a wallet, a ruling and who gave it."""
    rulings = (whale_pb2.RULING_PIN, whale_pb2.RULING_BAN, whale_pb2.RULING_CLEAR)
    if not message.wallet or message.ruling not in rulings:
        raise InvalidRuling("a ruling needs a wallet, and is pin, ban or clear")
    if not message.operator:
        raise InvalidRuling("a ruling needs the name of who gave it")
