"""A small venue to test against: one market, a few accounts, orders by price and size."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from whaletrader.services.exchange.engine.exchange import Exchange, Placed, Window
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    EngineSettings,
    Market,
    NewOrder,
    OrderType,
    Print,
    Resolution,
    Side,
    Token,
)

YES = "111"
NO = "222"
CONDITION = "0x" + "ab" * 32
ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
BUY = Side.BUY
SELL = Side.SELL


def market(**changes: object) -> Market:
    terms: dict[str, object] = {
        "condition_id": CONDITION,
        "question": "Will it rain?",
        "slug": "will-it-rain",
        "event_slug": "weather",
        "category": "weather",
        "tokens": (Token(YES, "Yes"), Token(NO, "No")),
        "tick_size_micro": 10_000,
        "min_size_micro": 5 * MICRO,
        "fee_rate_micro": 50_000,
        "neg_risk": False,
        "end_ns": 10**18,
    }
    return Market(**(terms | changes))  # type: ignore[arg-type]


@dataclass
class Venue:
    """An exchange with Alice and Bob funded; `now_ns` is what the next order sees."""

    exchange: Exchange
    ids: count[int] = field(default_factory=lambda: count(1))
    windows: count[int] = field(default_factory=lambda: count(1))

    def order(
        self, account: str, side: Side, token: str, cents: int, shares: float, **extra: object
    ) -> NewOrder:
        size = round(shares * MICRO)
        cost = size * cents // 100
        maker, taker = (cost, size) if side is BUY else (size, cost)
        terms: dict[str, object] = {
            "order_id": f"0x{next(self.ids):064x}",
            "account": account,
            "principal": account,
            "owner": f"key-of-{account}",
            "maker_address": account,
            "token_id": token,
            "side": side,
            "order_type": OrderType.GTC,
            "maker_amount": maker,
            "taker_amount": taker,
        }
        return NewOrder(**(terms | extra))  # type: ignore[arg-type]

    def place(
        self, account: str, side: Side, token: str, cents: int, shares: float, **extra: object
    ) -> Placed:
        new = self.order(account, side, token, cents, shares, **extra)
        return self.exchange.place(new, self.exchange.now_ns)

    def play(self, now_s: int, *prints: Print, resolve: Resolution | None = None) -> dict[str, int]:
        window = Window(
            number=next(self.windows),
            now_ns=now_s * NS,
            prints=prints,
            resolutions=(resolve,) if resolve else (),
        )
        return self.exchange.play(window)

    def cash(self, account: str) -> int:
        return self.exchange.state.ledger.account(account).cash_micro

    def held(self, account: str, token: str) -> int:
        return self.exchange.state.ledger.account(account).positions.get(token, 0)

    def give(self, account: str, token: str, shares: int) -> None:
        """Let an account own shares by buying sets against the other trader's money."""
        other = BOB if account == ALICE else ALICE
        opposite = NO if token == YES else YES
        self.place(account, BUY, token, 50, shares)
        self.place(other, BUY, opposite, 50, shares)

    def check(self) -> None:
        self.exchange.state.ledger.check(self.exchange.state.markets)


def venue(*, cash: int = 1_000 * MICRO, fee_rate_micro: int = 50_000, **settings: object) -> Venue:
    exchange = Exchange(EngineSettings(**settings))  # type: ignore[arg-type]
    exchange.list_market(market(fee_rate_micro=fee_rate_micro))
    exchange.deposit(ALICE, cash, "initial")
    exchange.deposit(BOB, cash, "initial")
    return Venue(exchange)


def tape_print(
    name: str, token: str, cents: int, shares: float, at_s: float, side: Side = BUY
) -> Print:
    return Print(name, token, cents * 10_000, round(shares * MICRO), side, round(at_s * NS))
