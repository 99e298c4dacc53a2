"""From what a person asks ("buy 100 of it at 60 cents?") to the question that risk is asked.

Finds the market in the read models; decides nothing. Called by `whaletrader risk check` and by
the gateway's risk page.
"""

from dataclasses import dataclass
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.store import queries, rows
from whaletrader.store.queries import Database

# What a share is taken to be worth above the price where nobody says: an edge that limits allow.
ASSUMED_EDGE_MICRO: Final = 50_000
SIDES: Final = {"buy": common_pb2.SIDE_BUY, "sell": common_pb2.SIDE_SELL}
# Nobody waits for the answer but the person: no moment is too late for it.
NO_DEADLINE_NS: Final = 2**62


class UnknownMarket(ValueError):
    """The words name no market, several, or no outcome of it: the message says what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """A trade that somebody thinks of. Without a fair value an edge of five cents is assumed."""

    side: str
    price_micro: int
    size_micro: int
    portfolio: str = "main"
    leader: str = ""
    strategy: str = "copy"
    fair_micro: int = 0
    leader_notional_micro: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """One outcome of one market."""

    condition_id: str
    token_id: str
    outcome_index: int
    question: str = ""
    outcome: str = ""


async def find_place(db: Database, market: str, outcome: str = "") -> Place:
    """Return the outcome of the market that the words name. Raises UnknownMarket.

    `market` is a condition id or its beginning, or a slug; `outcome` a name or a token id, by
    default the first.
    """
    found = await queries.markets_named(db, market)
    if not found:
        raise UnknownMarket(f"no market is known by {market!r}: give its condition id or slug")
    if len(found) > 1:
        raise UnknownMarket(f"several markets begin with {market!r}: give more of the id")
    return place_of(found[0], outcome)


def place_of(market: rows.Market, outcome: str) -> Place:
    """Return the outcome that is named. Raises UnknownMarket."""
    wanted = outcome.casefold()
    for index, token in enumerate(market.tokens):
        if not outcome or wanted in (token.outcome.casefold(), token.token_id):
            return Place(market.condition_id, token.token_id, index, market.question, token.outcome)
    names = ", ".join(repr(token.outcome) for token in market.tokens)
    raise UnknownMarket(f"the market has no outcome {outcome!r}, but {names}")


def check_of(question: Question, place: Place, now_ns: int) -> risk_pb2.CheckProposal:
    """Return what risk is asked; `now_ns` is risk's own time."""
    fair = question.fair_micro or min(question.price_micro + ASSUMED_EDGE_MICRO, MICRO - 1)
    proposal = risk_pb2.TradeProposal(
        portfolio=question.portfolio,
        leader=question.leader.lower(),
        strategy=question.strategy,
        condition_id=place.condition_id,
        token_id=place.token_id,
        outcome_index=place.outcome_index,
        side=SIDES[question.side],
        limit_price_micro=question.price_micro,
        max_size_micro=question.size_micro,
        fair_value_micro=fair,
        deadline_ns=NO_DEADLINE_NS,
        asked_ns=now_ns,
        leader_notional_micro=question.leader_notional_micro,
    )
    check = risk_pb2.CheckProposal(proposal=proposal)
    for meta in (check.meta, check.proposal.meta):
        meta.event_time_ns = now_ns
        meta.source = "operator"
        meta.id = derived_id("what-if", now_ns, str(question), str(place))
        meta.correlation = meta.id
    return check
