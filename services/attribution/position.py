"""One position: what its standing fills and its market's resolution add up to.

Owns the accounting and its one rounding rule: the money of a purchase is rounded up, of a sale
down, as the exchange does with its tape; cost leaves a position in proportion to the shares that
leave it, rounded down, and wholly with the last of them. A position is a pure function of its
fills in order, so undoing one is leaving it out and adding up again. Shares sold that were not
held (their purchase was reversed afterwards) make the position short: its cost is then what the
sale brought in, as a negative number.
"""

from collections.abc import Iterable

import msgspec

from whaletrader.domain.money import MICRO, notional


class StandingFill(msgspec.Struct, frozen=True):
    """One fill as the venue gave it."""

    key: int
    is_buy: bool
    price_micro: int
    size_micro: int
    fee_micro: int


class Totals(msgspec.Struct, frozen=True):
    """Money in micro-dollars, shares in micro-shares. `cash_micro` is net of fees."""

    size_micro: int = 0
    cost_micro: int = 0
    realized_micro: int = 0
    fees_micro: int = 0
    cash_micro: int = 0

    def minus(self, other: "Totals") -> "Totals":
        return Totals(
            self.size_micro - other.size_micro,
            self.cost_micro - other.cost_micro,
            self.realized_micro - other.realized_micro,
            self.fees_micro - other.fees_micro,
            self.cash_micro - other.cash_micro,
        )

    @property
    def is_balanced(self) -> bool:
        """Whether cash and cost are explained by realised profit and fees."""
        return self.cash_micro + self.cost_micro == self.realized_micro - self.fees_micro


def totals_of(start: Totals, fills: Iterable[StandingFill], payout_micro: int | None) -> Totals:
    """Return the totals after the fills, and after the resolution if there is a payout.

    `payout_micro` is what one share pays: MICRO, 0, or None while the market is open.
    """
    totals = start
    for fill in fills:
        totals = _after_fill(totals, fill)
    return totals if payout_micro is None else _after_resolution(totals, payout_micro)


def _after_fill(before: Totals, fill: StandingFill) -> Totals:
    change = fill.size_micro if fill.is_buy else -fill.size_micro
    money = notional(fill.price_micro, fill.size_micro, up=fill.is_buy)
    received = -money if fill.is_buy else money
    closed = min(fill.size_micro, abs(before.size_micro)) if before.size_micro * change < 0 else 0
    # A fill that turns the position around closes with one part and opens with the rest.
    received_for_closed = received * closed // fill.size_micro
    released = before.cost_micro * closed // abs(before.size_micro) if closed else 0
    return Totals(
        size_micro=before.size_micro + change,
        cost_micro=before.cost_micro - released - (received - received_for_closed),
        realized_micro=before.realized_micro + received_for_closed - released,
        fees_micro=before.fees_micro + fill.fee_micro,
        cash_micro=before.cash_micro + received - fill.fee_micro,
    )


def _after_resolution(before: Totals, payout_micro: int) -> Totals:
    paid = before.size_micro * payout_micro // MICRO
    return Totals(
        size_micro=0,
        cost_micro=0,
        realized_micro=before.realized_micro + paid - before.cost_micro,
        fees_micro=before.fees_micro,
        cash_micro=before.cash_micro + paid,
    )
