"""Names of the facts that risk books: each is booked once, whatever is repeated.

An ExposureChanged carries the name of its fact as its id, so the book can tell from its own
events what it has booked.
"""

from whaletrader.domain.ids import derived_id


def reserved(approval_id: str) -> str:
    """Money or shares were set aside for an approval."""
    return derived_id("risk", "reserved", approval_id)


def announced(approval_id: str, order_id: str) -> str:
    """An order was announced under an approval."""
    return derived_id("risk", "announced", approval_id, order_id)


def matched(order_id: str, trade_id: str) -> str:
    """A fill was booked."""
    return derived_id("risk", "matched", order_id, trade_id)


def confirmed(fill: str) -> str:
    """The fill of that name is final."""
    return derived_id("risk", "confirmed", fill)


def undone(fill: str) -> str:
    """The fill of that name was undone."""
    return derived_id("risk", "undone", fill)
