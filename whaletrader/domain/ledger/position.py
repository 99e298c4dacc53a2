"""Shares of one outcome of one market, with what they cost by FIFO and by average.

Owns the arithmetic of cost. Every micro-dollar that goes in as cost comes out as released cost
once the position is flat, whatever the method and however often it was rounded in between: a
part takes its share rounded down, the last part takes what is left.

A position may be short: a wallet sells what it received in the same second, or what it got
before its records begin. A short holds the proceeds as negative cost until shares arrive.
"""

import msgspec


class Lot(msgspec.Struct):
    """Shares that came together. Size and cost have the same sign: negative for a short."""

    size_micro: int
    cost_micro: int


class Position(msgspec.Struct):
    """What is held of one outcome, and what closing parts of it has realised."""

    held_micro: int = 0
    cost_micro: int = 0
    realized_micro: int = 0
    realized_fifo_micro: int = 0
    lots: list[Lot] = msgspec.field(default_factory=list)

    @property
    def fifo_cost_micro(self) -> int:
        return sum(lot.cost_micro for lot in self.lots)

    def receive(self, size_micro: int, cost_micro: int) -> None:
        """Take shares in at that cost; they first cover a short."""
        self._move(size_micro, cost_micro)

    def give(self, size_micro: int, proceeds_micro: int) -> None:
        """Give shares away for those proceeds; what is not held becomes a short."""
        self._move(-size_micro, -proceeds_micro)

    def release(self, size_micro: int) -> int:
        """Take shares out at their average cost, realising nothing by average; returns the cost.

        By FIFO the same cash leaves, so what the oldest lots cost less or more is realised.
        """
        if not 0 <= size_micro <= self.held_micro:
            raise ValueError(f"{size_micro} of {self.held_micro} held cannot be released")
        cost = _part(self.cost_micro, size_micro, self.held_micro)
        self.give(size_micro, cost)
        return cost

    def _move(self, size: int, cost: int) -> None:
        closing = 0
        if self.held_micro and (size > 0) != (self.held_micro > 0):
            closing = min(abs(size), abs(self.held_micro))
        if closing:
            # What the closing part moves in cash: its share of this row's cost.
            cash = _part(cost, closing, abs(size))
            self._close(closing, cash)
            size -= closing if size > 0 else -closing
            cost -= cash
        if size:
            self.held_micro += size
            self.cost_micro += cost
            self.lots.append(Lot(size, cost))
        else:
            # Cash without shares (dust that rounds to nothing) is realised as it is.
            self.realized_micro -= cost
            self.realized_fifo_micro -= cost

    def _close(self, size: int, cash: int) -> None:
        """Close `size` shares; `cash` is the cost this row brings (negative for proceeds)."""
        released = _part(self.cost_micro, size, abs(self.held_micro))
        self.realized_micro -= released + cash
        self.realized_fifo_micro -= self._close_lots(size) + cash
        self.cost_micro -= released
        self.held_micro -= size if self.held_micro > 0 else -size

    def _close_lots(self, size: int) -> int:
        released, closed = 0, 0
        for lot in self.lots:
            part = min(size, abs(lot.size_micro))
            cost = _part(lot.cost_micro, part, abs(lot.size_micro))
            released += cost
            size -= part
            lot.cost_micro -= cost
            lot.size_micro -= part if lot.size_micro > 0 else -part
            closed += lot.size_micro == 0
            if size == 0:
                break
        del self.lots[:closed]
        return released


def _part(total: int, size: int, of_size: int) -> int:
    """Share of `total` that goes with `size` of `of_size`, towards zero; all of it with all."""
    if size == of_size:
        return total
    share = abs(total) * size // of_size
    return share if total >= 0 else -share
