"""The claim to a wallet: at most one process sends its orders. The port, and when there is none.

`confirm` asks whoever keeps the claims, right before a send; `require` is what is known at this
very moment and awaits nothing. A claim that cannot be confirmed is lost: it is better not to send
than to send twice. Adapters: wallet_lock.py (PostgreSQL), log_claim.py (the log's own fencing).
"""

from typing import Final, Protocol


class ClaimLost(Exception):
    """Another process may have the wallet by now: nothing may be sent."""


class ClaimUnconfirmed(ClaimLost):
    """Whoever keeps the claims does not answer: nothing may be sent before it does."""


class ClaimRefused(Exception):
    """The wallet is another process's; the text says whose."""


class WalletClaim(Protocol):
    """The right to send orders for one wallet."""

    async def confirm(self) -> None:
        """Return while the wallet is ours. Raises ClaimLost."""

    def require(self) -> None:
        """Return if the wallet was ours a moment ago. Raises ClaimLost."""


class NoRival:
    """For tests and simulations in which no second process can exist."""

    async def confirm(self) -> None:
        """Always ours."""

    def require(self) -> None:
        """Always ours."""


NO_RIVAL: Final[WalletClaim] = NoRival()
