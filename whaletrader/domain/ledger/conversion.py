"""Neg-risk conversions: NO of some outcomes of an event into YES of all the others.

Owns the arithmetic and the guess of what was converted, which the venue's rows do not say. By the
contract, `k` NO of `amount` shares become `amount` YES of each other market and (k - 1) * amount
dollars; what the NO had cost, less those dollars, becomes the cost of the YES, the same for each
(as in the venue's profit index, handler of PositionsConverted). Nothing is realised by it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from whaletrader.domain.ledger.position import Position

Pair = tuple[Position, Position]
YES, NO = 0, 1


class Conversion(msgspec.Struct, frozen=True):
    """One conversion that was booked: how much, and the NO of which markets."""

    amount_micro: int
    sources: tuple[str, ...]


class EventBook(msgspec.Struct):
    """A wallet's conversions in one event, and who already got shares of them."""

    conversions: list[Conversion] = msgspec.field(default_factory=list)
    members: dict[str, None] = msgspec.field(default_factory=dict)
    # Cost of YES in markets that nobody has told us of yet.
    unplaced_cost_micro: int = 0


class Sources(NamedTuple):
    """The markets whose NO was converted; empty if no holding is large enough."""

    sources: tuple[str, ...]
    is_ambiguous: bool


def find_sources(held_no: Mapping[str, int], amount: int, dust: int) -> Sources:
    """Guess which NO was converted: the holding that fits exactly, else the largest.

    `held_no` is what the wallet holds of each market's NO at that moment: nothing later is used.
    """
    able = [condition for condition, size in held_no.items() if size > 0 and size >= amount - dust]
    exact = [condition for condition in able if abs(held_no[condition] - amount) <= dust]
    if exact:
        return Sources(tuple(exact), len(able) > len(exact) or len(exact) > 1)
    if not able:
        return Sources((), is_ambiguous=True)
    largest = max(able, key=lambda condition: held_no[condition])
    return Sources((largest,), len(able) > 1)


def spread(
    event: EventBook, positions: Mapping[str, Pair], sources: tuple[str, ...], amount: int
) -> int:
    """Book the conversion over the event's known markets; returns the cash it paid."""
    cost = 0
    for condition in sources:
        no = positions[condition][NO]
        part = min(amount, max(0, no.held_micro))
        cost += no.release(part)
        if part < amount:
            no.give(amount - part, 0)
    cash = (len(sources) - 1) * amount
    left = cost - cash
    others = [condition for condition in positions if condition not in sources]
    for place, condition in enumerate(others):
        share = left // (len(others) - place)
        positions[condition][YES].receive(amount, share)
        left -= share
    event.unplaced_cost_micro += left
    event.conversions.append(Conversion(amount, sources))
    event.members.update(dict.fromkeys(positions))
    return cash


def credit_newcomer(event: EventBook, condition_id: str, positions: Pair) -> None:
    """Give a market of the event that was not known before its shares of past conversions."""
    if condition_id in event.members:
        return
    event.members[condition_id] = None
    amount = sum(conversion.amount_micro for conversion in event.conversions)
    positions[YES].receive(amount, event.unplaced_cost_micro)
    event.unplaced_cost_micro = 0
