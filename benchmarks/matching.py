"""The exchange's core: matching alone, a whole order, and a whole signed order.

One core, one process, no socket. What an order costs beside matching (funds, fees, money, events)
and what its signature costs stand apart, so that each can be held against its own floor.
"""

import random
import time
from collections import deque
from typing import Final, NamedTuple

from coincurve import PrivateKey, PublicKey

from benchmarks.figures import Better, Figure, Samples, Section, latency_figures, rate_per_s
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.services.exchange.engine.book import Book
from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.engine.model import (
    MICRO,
    EngineSettings,
    Market,
    NewOrder,
    Order,
    OrderType,
    Side,
    Token,
)
from whaletrader.services.exchange.signing.contracts import order_domain
from whaletrader.services.exchange.signing.keys import address_of
from whaletrader.services.exchange.signing.orders import SignedFields, order_hash, verify

# What one core is asked for, signature recovery included in the second.
_MATCHING_AIM: Final = 100_000
_SIGNED_AIM: Final = 1_000
_ACCOUNTS: Final = 20
_SEED: Final = 7
_YES: Final = str((1 << 255) - 12345)
_NO: Final = str((1 << 255) - 54321)
_CONDITION: Final = "0x" + "ab" * 32
_CANCELED_SHARE: Final = 0.3
# Signing is slow beside everything else here: fewer of these.
_SIGNED_PER_BLOCK: Final = 10


class Wish(NamedTuple):
    """An order as drawn: account number, side, outcome, price in cents, shares."""

    account: int
    is_buy: bool
    outcome: int
    cents: int
    shares: int

    @property
    def is_bid(self) -> bool:
        return self.is_buy == (self.outcome == 0)

    @property
    def book_cents(self) -> int:
        return self.cents if self.outcome == 0 else 100 - self.cents


class Signed(NamedTuple):
    """An order with everything that its verification reads."""

    fields: SignedFields
    signature: bytes
    digest: bytes
    new: NewOrder


def run(_: Servers, sizes: Sizes) -> list[Section]:
    """Measure in this process; no server is involved."""
    alone = _alone(sizes)
    return [alone, _whole(sizes, alone.figures[0].value), _signed(sizes)]


def _alone(sizes: Sizes) -> Section:
    ours_ns = floor_ns = count = fills = 0
    for number in range(sizes.core_blocks):
        wishes, cancels = _flow(_SEED + number, sizes.core_block)
        found, plain_ns = _plain_book(wishes, cancels)
        matched, taken_ns = _book(wishes, cancels)
        if found != matched:
            raise RuntimeError(f"the floor matched {found} micro-shares, the book {matched}")
        # The first block warms both up and does not count.
        if number:
            ours_ns, floor_ns = ours_ns + taken_ns, floor_ns + plain_ns
            count, fills = count + len(wishes), fills + found
    figure = Figure(
        "orders matched",
        rate_per_s(count, ours_ns),
        "/s",
        rate_per_s(count, floor_ns),
        Better.HIGHER,
        value_aim=_MATCHING_AIM,
    )
    return Section(
        "Exchange: matching alone",
        "How many orders a second one core matches, before money, checks and events.",
        "Seeded flow around a fair value, both outcomes, 20 accounts, three in ten orders canceled "
        "again: plan, fill, rest, remove on the engine's book. The floor does the same on a deque "
        "of plain lists a cent, whatever the tick. Blocks alternate; the fills are compared.",
        [figure],
        [f"{fills / MICRO / max(count, 1):.1f} shares matched an order"],
    )


def _whole(sizes: Sizes, floor_per_s: float) -> Section:
    taken_ns = count = trades = 0
    for number in range(sizes.core_blocks):
        wishes, cancels = _flow(_SEED + number, sizes.core_block)
        exchange = _exchange()
        orders = [_new(wish, f"0x{i:064x}") for i, wish in enumerate(wishes)]
        started_ns = time.perf_counter_ns()
        for i, new in enumerate(orders):
            exchange.place(new, 1)
            for gone in cancels.get(i, ()):
                exchange.cancel(orders[gone].principal, orders[gone].order_id, 1)
            exchange.take_events()
        block_ns = time.perf_counter_ns() - started_ns
        exchange.state.ledger.check(exchange.state.markets)
        if number:
            taken_ns, count = taken_ns + block_ns, count + len(orders)
            trades += len(exchange.state.trades)
    return Section(
        "Exchange: a whole order",
        "How many orders a second one core takes once they are verified.",
        "The same flow through the exchange: checks, funds and reservations, matching, fees, "
        "money, settlement, events. Its floor is the matching of the section above.",
        [Figure("orders placed", rate_per_s(count, taken_ns), "/s", floor_per_s, Better.HIGHER)],
        [f"{trades / max(count, 1):.2f} trades an order"],
    )


def _signed(sizes: Sizes) -> Section:
    count = sizes.core_block // _SIGNED_PER_BLOCK
    ours, floor = Samples(), Samples()
    ours_ns = floor_ns = 0
    for number in range(sizes.core_blocks):
        wishes, _ = _flow(_SEED + number, count)
        orders = [_sign(wish, salt) for salt, wish in enumerate(wishes, 1)]
        plain = _recovered(orders)
        taken = _verified(orders)
        if number:
            floor.taken_ns += plain
            ours.taken_ns += taken
            floor_ns, ours_ns = floor_ns + sum(plain), ours_ns + sum(taken)
    rate = Figure(
        "signed orders",
        rate_per_s(len(ours.taken_ns), ours_ns),
        "/s",
        rate_per_s(len(floor.taken_ns), floor_ns),
        Better.HIGHER,
        value_aim=_SIGNED_AIM,
    )
    return Section(
        "Exchange: a signed order",
        "How many signed orders a second one core takes, and how long each keeps it.",
        "EIP-712 hash, recovery of the signer, the whole order as above. The floor recovers the "
        "public key from the finished hash and nothing else. Blocks alternate.",
        [rate, *latency_figures("signed order", ours, floor)],
    )


def _flow(seed: int, count: int) -> tuple[list[Wish], dict[int, list[int]]]:
    """Return orders, and after which of them which earlier ones are canceled."""
    draw = random.Random(seed)
    fair = 50.0
    wishes: list[Wish] = []
    cancels: dict[int, list[int]] = {}
    for number in range(count):
        fair = min(max(fair + draw.gauss(0, 0.2), 20), 80)
        is_bid = draw.random() < 0.5
        # Most rest a few cents away, some cross.
        away = draw.expovariate(0.4) - 1
        cents = min(max(round(fair - away if is_bid else fair + away), 2), 98)
        index = draw.randrange(2)
        wish = Wish(
            draw.randrange(_ACCOUNTS),
            is_bid == (index == 0),
            index,
            cents if index == 0 else 100 - cents,
            draw.randrange(5, 100),
        )
        wishes.append(wish)
        if number and draw.random() < _CANCELED_SHARE:
            cancels.setdefault(number, []).append(draw.randrange(max(0, number - 200), number))
    return wishes, cancels


def _book(wishes: list[Wish], cancels: dict[int, list[int]]) -> tuple[int, int]:
    """Return (micro-shares matched, nanoseconds taken) of the engine's book."""
    market = _market()
    orders = [_order(market, wish, i) for i, wish in enumerate(wishes)]
    book = Book()
    total = 0
    started_ns = time.perf_counter_ns()
    for i, order in enumerate(orders):
        ladder = book.against(order)
        for resting, size in book.plan(order):
            ladder.fill(resting, size)
            order.matched_micro += size
            total += size
        if order.matched_micro < order.size_micro:
            book.side_of(order).add(order)
        for gone in cancels.get(i, ()):
            canceled = orders[gone]
            if canceled in book.side_of(canceled):
                book.side_of(canceled).remove(canceled)
    return total, time.perf_counter_ns() - started_ns


def _plain_book(wishes: list[Wish], cancels: dict[int, list[int]]) -> tuple[int, int]:
    """Return the same for a book of one deque of [open size, account] a cent and side."""
    levels = tuple(tuple(deque[list[int]]() for _ in range(101)) for _ in range(2))
    entries: list[list[int]] = []
    # Cents away from the own end of the prices: the best is the highest for both sides.
    best = [0, 0]
    total = 0
    orders = [
        (w.is_bid, w.book_cents if w.is_bid else 100 - w.book_cents, w.shares * MICRO, w.account)
        for w in wishes
    ]
    started_ns = time.perf_counter_ns()
    for i, (is_bid, own, size, account) in enumerate(orders):
        wanted = size
        against = levels[is_bid]
        at = best[is_bid]
        while wanted and at >= 100 - own:
            if against[at]:
                left = _plain_level(against[at], wanted, account)
                total, wanted = total + wanted - left, left
            elif at == best[is_bid]:
                best[is_bid] -= 1
            at -= 1
        entry = [wanted, account]
        entries.append(entry)
        if wanted:
            levels[not is_bid][own].append(entry)
            best[not is_bid] = max(best[not is_bid], own)
        for gone in cancels.get(i, ()):
            entries[gone][0] = 0
    return total, time.perf_counter_ns() - started_ns


def _plain_level(level: deque[list[int]], wanted: int, account: int) -> int:
    """Take from a level what an order wants; return what it still wants."""
    while level and not level[0][0]:
        level.popleft()
    for entry in level:
        if entry[0] and entry[1] != account:
            size = min(wanted, entry[0])
            entry[0] -= size
            wanted -= size
            if not wanted:
                break
    return wanted


def _verified(orders: list[Signed]) -> list[int]:
    exchange = _exchange()
    taken = []
    version, contract = order_domain(_YES, neg_risk=False)
    for order in orders:
        started_ns = time.perf_counter_ns()
        order_id, signer = verify(order.fields, order.signature, version, contract)
        if signer != order.new.account or order_id != order.digest:
            raise RuntimeError("a signed order was not recognised")
        exchange.place(order.new, 1)
        exchange.take_events()
        taken.append(time.perf_counter_ns() - started_ns)
    return taken


def _recovered(orders: list[Signed]) -> list[int]:
    taken = []
    for order in orders:
        compact = order.signature[:64] + bytes([order.signature[64] - 27])
        started_ns = time.perf_counter_ns()
        PublicKey.from_signature_and_message(compact, order.digest, hasher=None)
        taken.append(time.perf_counter_ns() - started_ns)
    return taken


def _market() -> Market:
    return Market(
        condition_id=_CONDITION,
        question="Will it be measured?",
        slug="will-it-be-measured",
        event_slug="benchmarks",
        category="weather",
        tokens=(Token(_YES, "Yes"), Token(_NO, "No")),
        tick_size_micro=10_000,
        min_size_micro=5 * MICRO,
        fee_rate_micro=50_000,
        neg_risk=False,
        end_ns=1 << 62,
    )


def _exchange() -> Exchange:
    """Every account can pay whatever it asks for, and sell what it never bought."""
    exchange = Exchange(EngineSettings(follows_tape=False, min_marketable_buy_micro=0))
    exchange.list_market(_market())
    for number in range(_ACCOUNTS):
        account = address_of(_key(number))
        exchange.deposit(account, 10**12, "start")
        exchange.split(account, _CONDITION, 10**11, 0)
    return exchange


def _key(number: int) -> bytes:
    return (number + 1).to_bytes(32, "big")


_ADDRESSES: Final = tuple(address_of(_key(number)) for number in range(_ACCOUNTS))


def _new(wish: Wish, order_id: str) -> NewOrder:
    size = wish.shares * MICRO
    cost = size * wish.cents // 100
    account = _ADDRESSES[wish.account]
    return NewOrder(
        order_id=order_id,
        account=account,
        principal=account,
        owner="key",
        maker_address=account,
        token_id=(_YES, _NO)[wish.outcome],
        side=Side.BUY if wish.is_buy else Side.SELL,
        order_type=OrderType.GTC,
        maker_amount=cost if wish.is_buy else size,
        taker_amount=size if wish.is_buy else cost,
    )


def _order(market: Market, wish: Wish, number: int) -> Order:
    return Order(
        terms=_new(wish, f"0x{number:064x}"),
        market=market,
        index=wish.outcome,
        is_bid=wish.is_bid,
        price_micro=wish.cents * 10_000,
        book_price_micro=wish.book_cents * 10_000,
        size_micro=wish.shares * MICRO,
        arrival_ns=0,
        seq=number,
    )


def _sign(wish: Wish, salt: int) -> Signed:
    new = _new(wish, "")
    fields = SignedFields(
        salt=salt,
        maker=new.account,
        signer=new.account,
        token_id=int(new.token_id),
        maker_amount=new.maker_amount,
        taker_amount=new.taker_amount,
        side=0 if wish.is_buy else 1,
        signature_type=0,
        timestamp_ms=1_700_000_000_000 + salt,
        metadata=bytes(32),
        builder=bytes(32),
    )
    digest = order_hash(fields, *order_domain(new.token_id, neg_risk=False))
    raw = PrivateKey(_key(wish.account)).sign_recoverable(digest, hasher=None)
    signature = raw[:64] + bytes([raw[64] + 27])
    return Signed(fields, signature, digest, _new(wish, "0x" + digest.hex()))
