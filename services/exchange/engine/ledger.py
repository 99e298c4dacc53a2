"""Who owns what. The only place where balances change; it cannot lose or make money.

Besides the traders it keeps four house accounts: the vault (collateral behind outcome sets), the
tape (counterparty of fills from recorded prints; it may go short), fees, and dust (fractions of a
micro-unit that do not divide). Called by matching, tape and resolution; `check` proves the sum.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from whaletrader.services.exchange.engine.errors import InvariantBroken
from whaletrader.services.exchange.engine.model import MICRO, Market

VAULT = "vault"
TAPE = "tape"
FEES = "fees"
DUST = "dust"
HOUSE = frozenset({VAULT, TAPE, FEES, DUST})


@dataclass(slots=True)
class Account:
    """Balances in micro-units; reserved parts are included in `cash_micro` and `positions`."""

    address: str
    cash_micro: int = 0
    reserved_cash_micro: int = 0
    deposited_micro: int = 0
    fees_paid_micro: int = 0
    positions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reserved_shares: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    deposit_ids: set[str] = field(default_factory=set)

    @property
    def free_cash_micro(self) -> int:
        return self.cash_micro - self.reserved_cash_micro

    def free_shares_micro(self, token_id: str) -> int:
        return self.positions.get(token_id, 0) - self.reserved_shares.get(token_id, 0)


class Ledger:
    """All accounts, and the number of outcome sets in existence by market."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {name: Account(name) for name in sorted(HOUSE)}
        self._sets: dict[str, int] = defaultdict(int)

    def account(self, address: str) -> Account:
        """Return the account, made empty on first mention."""
        found = self._accounts.get(address)
        if found is None:
            found = self._accounts[address] = Account(address)
        return found

    def find(self, address: str) -> Account | None:
        return self._accounts.get(address)

    def traders(self) -> list[Account]:
        """Return every account that is not the house's, by address."""
        return [self._accounts[a] for a in sorted(self._accounts) if a not in HOUSE]

    def deposit(self, address: str, amount_micro: int, deposit_id: str) -> bool:
        """Credit collateral once for a deposit id; return whether it was new."""
        if amount_micro < 0:
            raise InvariantBroken(f"deposit of {amount_micro} micro-units")
        account = self.account(address)
        if deposit_id in account.deposit_ids:
            return False
        account.deposit_ids.add(deposit_id)
        account.cash_micro += amount_micro
        account.deposited_micro += amount_micro
        return True

    def pay(self, payer: str, payee: str, amount_micro: int) -> None:
        """Move collateral; only the tape and dust may owe."""
        if amount_micro < 0:
            raise InvariantBroken(f"payment of {amount_micro} micro-units")
        source = self.account(payer)
        source.cash_micro -= amount_micro
        self.account(payee).cash_micro += amount_micro
        if source.cash_micro < 0 and payer not in (TAPE, DUST):
            raise InvariantBroken(f"{payer} would owe {-source.cash_micro} micro-units")

    def give_shares(self, giver: str, taker: str, token_id: str, size_micro: int) -> None:
        """Move shares; only the tape may go short."""
        if size_micro < 0:
            raise InvariantBroken(f"transfer of {size_micro} micro-shares")
        source = self.account(giver)
        source.positions[token_id] -= size_micro
        self.account(taker).positions[token_id] += size_micro
        if source.positions[token_id] < 0 and giver != TAPE:
            raise InvariantBroken(f"{giver} would be short of {token_id}")

    def mint(self, market: Market, owners: tuple[str, str], size_micro: int) -> None:
        """Make sets out of collateral already in the vault; outcome i goes to owners[i]."""
        self._sets[market.condition_id] += size_micro
        for token, owner in zip(market.tokens, owners, strict=True):
            self.account(owner).positions[token.token_id] += size_micro

    def burn(self, market: Market, owners: tuple[str, str], size_micro: int) -> None:
        """Destroy sets; the caller pays their collateral out of the vault."""
        self._sets[market.condition_id] -= size_micro
        for token, owner in zip(market.tokens, owners, strict=True):
            account = self.account(owner)
            account.positions[token.token_id] -= size_micro
            if account.positions[token.token_id] < 0 and owner != TAPE:
                raise InvariantBroken(f"{owner} would be short of {token.token_id}")

    def charge_fee(self, address: str, fee_micro: int) -> int:
        """Take a fee out of cash; return what was taken.

        Fees of partial fills are rounded one by one, so together they can exceed what was
        reserved by a few micro-units; an account is never charged into debt for that dust.
        """
        account = self.account(address)
        taken = min(fee_micro, max(0, account.cash_micro))
        self.pay(address, FEES, taken)
        account.fees_paid_micro += taken
        return taken

    def redeem(self, market: Market, winning_index: int) -> None:
        """Pay one micro-unit for each micro-share of the winner and void both outcomes."""
        winner = market.tokens[winning_index].token_id
        # The tape can be short of the winner: then it owes the vault, and pays first.
        for account in sorted(self._accounts.values(), key=lambda a: a.positions.get(winner, 0)):
            held = account.positions.get(winner, 0)
            if held >= 0:
                self.pay(VAULT, account.address, held)
            else:
                self.pay(account.address, VAULT, -held)
        for account in self._accounts.values():
            for token in market.tokens:
                account.positions.pop(token.token_id, None)
                if account.reserved_shares.pop(token.token_id, 0):
                    raise InvariantBroken(f"{account.address}: shares reserved at redemption")
        self._sets.pop(market.condition_id, None)

    def check(self, markets: dict[str, Market]) -> None:
        """Raise `InvariantBroken` unless every unit is accounted for."""
        cash = sum(a.cash_micro for a in self._accounts.values())
        deposited = sum(a.deposited_micro for a in self._accounts.values())
        if cash != deposited:
            raise InvariantBroken(f"cash {cash} differs from deposits {deposited}")
        if self._accounts[VAULT].cash_micro != sum(self._sets.values()):
            raise InvariantBroken("the vault does not back the outcome sets")
        for market in markets.values():
            sets = self._sets.get(market.condition_id, 0)
            for token in market.tokens:
                held = sum(a.positions.get(token.token_id, 0) for a in self._accounts.values())
                if held != sets:
                    raise InvariantBroken(f"{token.token_id}: {held} held of {sets}")
        for account in self.traders():
            free = [account.free_shares_micro(t) for t in account.positions]
            if account.free_cash_micro < 0 or min(free, default=0) < 0:
                raise InvariantBroken(f"{account.address} has reserved more than it owns")


def cost_micro(size_micro: int, price_micro: int) -> int:
    """Return price x size, floored: the sum of parts never exceeds the cost of the whole."""
    return size_micro * price_micro // MICRO
