"""Who owns what. The only place where balances change; it cannot lose or make money.

Besides the traders it keeps house accounts: the vault (collateral behind outcome sets), the tape
(counterparty of fills from recorded prints; it may go short), the burn (where conversions leave
their NO shares; it owes what those will pay), fees, and dust (fractions of a micro-unit that do
not divide). `check` proves the sums.

Balances are the venue's: what is on chain and what trades that are not mined yet will change.
`settled_*` are the chain's alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from whaletrader.services.exchange.engine.errors import InvariantBroken
from whaletrader.services.exchange.engine.model import MICRO, Market

VAULT = "vault"
TAPE = "tape"
FEES = "fees"
DUST = "dust"
BURN = "burn"
HOUSE = frozenset({VAULT, TAPE, FEES, DUST, BURN})
# Who may owe collateral: the burn is repaid when the NO shares it holds win.
_MAY_OWE = frozenset({TAPE, DUST, BURN})
# Stands for the count of outcome sets in a flow; not an account.
SETS = "sets"
# The asset of a flow of collateral; any other is a token id.
CASH = ""

# (account, asset, change in micro-units). Together the flows of a trade change no sum.
Flow = tuple[str, str, int]


class Account:
    """Balances in micro-units; reserved parts are included in `cash_micro` and `positions`."""

    __slots__ = (
        "address",
        "cash_micro",
        "deposit_ids",
        "deposited_micro",
        "fees_paid_micro",
        "pending_in",
        "pending_out",
        "positions",
        "reserved_cash_micro",
        "reserved_shares",
        "unsettled",
    )

    def __init__(self, address: str) -> None:
        self.address = address
        self.cash_micro = 0
        self.reserved_cash_micro = 0
        self.deposited_micro = 0
        self.fees_paid_micro = 0
        self.positions: dict[str, int] = defaultdict(int)
        self.reserved_shares: dict[str, int] = defaultdict(int)
        self.deposit_ids: set[str] = set()
        # What trades that are not on chain yet bring and take, by asset, and each one's change.
        self.pending_in: dict[str, int] = defaultdict(int)
        self.pending_out: dict[str, int] = defaultdict(int)
        self.unsettled: dict[str, dict[str, int]] = {}

    @property
    def free_cash_micro(self) -> int:
        return self.cash_micro - self.reserved_cash_micro

    def free_shares_micro(self, token_id: str) -> int:
        return self.positions.get(token_id, 0) - self.reserved_shares.get(token_id, 0)

    def balance(self, asset: str) -> int:
        return self.positions.get(asset, 0) if asset else self.cash_micro

    def settled(self, asset: str) -> int:
        """Return the chain's balance of collateral ("") or a token."""
        pending = self.pending_in.get(asset, 0) - self.pending_out.get(asset, 0)
        return self.balance(asset) - pending

    @property
    def settled_cash_micro(self) -> int:
        return self.settled(CASH)

    def settled_shares_micro(self, token_id: str) -> int:
        return self.settled(token_id)


class Ledger:
    """All accounts, and the number of outcome sets in existence by market.

    Once a market is resolved its number of sets is what the vault still owes for the winner.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {name: Account(name) for name in sorted(HOUSE)}
        self._sets: dict[str, int] = defaultdict(int)
        self.withdrawn_micro = 0

    @classmethod
    def restored(
        cls, accounts: list[Account], sets: dict[str, int], withdrawn_micro: int
    ) -> Ledger:
        """Return the ledger that held these accounts and sets."""
        ledger = cls()
        ledger._accounts = {account.address: account for account in accounts}
        ledger._sets = defaultdict(int, sets)
        ledger.withdrawn_micro = withdrawn_micro
        return ledger

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

    def all_accounts(self) -> list[Account]:
        return list(self._accounts.values())

    def sets(self, condition_id: str) -> int:
        """Return how many outcome sets of a market are in existence: its open interest."""
        return self._sets.get(condition_id, 0)

    def all_sets(self) -> dict[str, int]:
        return dict(self._sets)

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

    def withdraw(self, address: str, amount_micro: int) -> None:
        """Take collateral out of the exchange; the caller sees to what it leaves uncovered."""
        self.account(address).cash_micro -= amount_micro
        self.withdrawn_micro += amount_micro

    def post(self, flows: Iterable[Flow]) -> None:
        """Make all changes of a trade or chain operation. Raises if a trader would owe."""
        accounts = self._accounts
        for address, asset, change in flows:
            if address == SETS:
                self._sets[asset] += change
                continue
            account = accounts[address]
            if asset:
                left = account.positions[asset] + change
                account.positions[asset] = left
                if left < 0 and address != TAPE:
                    raise InvariantBroken(f"{address} would be short of {asset}")
            else:
                account.cash_micro += change
                if account.cash_micro < 0 and address not in _MAY_OWE:
                    raise InvariantBroken(f"{address} would owe {-account.cash_micro} micro-units")

    def unpost(self, flows: Iterable[Flow]) -> None:
        """Undo the changes of a trade. The caller sees to balances that become negative by it."""
        for address, asset, change in flows:
            if address == SETS:
                self._sets[asset] -= change
            elif asset:
                self._accounts[address].positions[asset] -= change
            else:
                self._accounts[address].cash_micro -= change

    def pend(self, trade_id: str, flows: Iterable[Flow]) -> None:
        """Note that a trade, already posted, is not on chain yet. The house always settles."""
        for address, changes in _by_account(flows).items():
            account = self._accounts[address]
            account.unsettled[trade_id] = changes
            for asset, change in changes.items():
                if change > 0:
                    account.pending_in[asset] += change
                else:
                    account.pending_out[asset] -= change

    def unpend(self, trade_id: str, addresses: Iterable[str]) -> None:
        """Forget a trade that was mined or has failed."""
        for address in addresses:
            account = self._accounts[address]
            for asset, change in account.unsettled.pop(trade_id, {}).items():
                if change > 0:
                    account.pending_in[asset] -= change
                else:
                    account.pending_out[asset] += change

    def can_be_mined(self, trade_id: str, addresses: Iterable[str]) -> bool:
        """Whether the chain covers what a trade takes and what older trades will take first."""
        for address in addresses:
            account = self._accounts[address]
            own = account.unsettled.get(trade_id, {})
            for asset, change in own.items():
                if change >= 0 or account.settled(asset) >= account.pending_out[asset]:
                    continue
                needed = 0
                for other_id, changes in account.unsettled.items():
                    needed -= min(changes.get(asset, 0), 0)
                    if other_id == trade_id:
                        break
                if account.settled(asset) < needed:
                    return False
        return True

    def first_uncovered(self, address: str) -> str | None:
        """Return an account's oldest unsettled trade that can never be paid for, if there is one.

        In the order of their matches, each trade may use what the chain has and what older trades
        bring.
        """
        account = self._accounts[address]
        short = [a for a, out in account.pending_out.items() if out and account.settled(a) < out]
        for asset in short:
            running = account.settled(asset)
            for trade_id, changes in account.unsettled.items():
                running += changes.get(asset, 0)
                if running < 0:
                    return trade_id
        return None

    def check(self, markets: dict[str, Market]) -> None:
        """Raise `InvariantBroken` unless every unit is accounted for."""
        accounts = self._accounts.values()
        cash = sum(a.cash_micro for a in accounts)
        deposited = sum(a.deposited_micro for a in accounts) - self.withdrawn_micro
        if cash != deposited:
            raise InvariantBroken(f"cash {cash} differs from deposits {deposited}")
        if self._accounts[VAULT].cash_micro != sum(self._sets.values()):
            raise InvariantBroken("the vault does not back the outcome sets")
        held: dict[str, int] = defaultdict(int)
        for account in accounts:
            for token_id, size in account.positions.items():
                held[token_id] += size
        for market in markets.values():
            sets = self._sets.get(market.condition_id, 0)
            for index, token in enumerate(market.tokens):
                if market.winning_index in (None, index) and held.get(token.token_id, 0) != sets:
                    found = held.get(token.token_id, 0)
                    raise InvariantBroken(f"{token.token_id}: {found} held of {sets}")
        for account in self.traders():
            free = [account.free_shares_micro(t) for t in account.positions]
            if account.free_cash_micro < 0 or min(free, default=0) < 0:
                raise InvariantBroken(f"{account.address} has reserved more than it owns")
            if any(account.settled(asset) < 0 for asset in (CASH, *account.positions)):
                raise InvariantBroken(f"{account.address} owes on chain")


def cost_micro(size_micro: int, price_micro: int) -> int:
    """Return price x size, floored: the sum of parts never exceeds the cost of the whole."""
    return size_micro * price_micro // MICRO


def _by_account(flows: Iterable[Flow]) -> dict[str, dict[str, int]]:
    changes: dict[str, dict[str, int]] = {}
    for address, asset, change in flows:
        if address != SETS and address not in HOUSE:
            own = changes.setdefault(address, {})
            own[asset] = own.get(asset, 0) + change
    return changes
