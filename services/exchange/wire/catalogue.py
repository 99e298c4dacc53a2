"""The markets that are there from the start: plain, neg-risk, crypto up/down, newer protocol.

Pure functions of the settings and the time: ids derive from names, so that a restarted exchange
lists the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from whaletrader.services.exchange.engine.model import MICRO, NS, Market, Token
from whaletrader.services.exchange.engine.schedules import schedule_of
from whaletrader.services.exchange.signing.keys import keccak
from whaletrader.services.exchange.wire.answers import is_whole

WINDOW_S = 900
# The live venue lists crypto windows a day ahead; three are enough to try the change-over.
WINDOWS_AHEAD = 3
BINARY_MODULE = 1
ONE_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Listing:
    """What a default market is made of; `days` is its remaining life at the start."""

    name: str
    question: str
    event_slug: str
    category: str
    outcomes: tuple[str, str] = ("Yes", "No")
    tick_size_micro: int = 10_000
    neg_risk: bool = False
    days: int = 90


PLAIN = (
    Listing(
        "rain-in-lisbon",
        "Will it rain in Lisbon this month?",
        "rain-in-lisbon",
        "weather",
    ),
    Listing(
        "rate-cut-by-spring",
        "Will the central bank cut its rate by spring?",
        "rate-cut-by-spring",
        "finance",
        tick_size_micro=1_000,
    ),
    *(
        Listing(
            f"mayor-{name.lower()}",
            f"Will {name} win the mayoral election?",
            "mayoral-election",
            "politics",
            neg_risk=True,
        )
        for name in ("Almeida", "Baker", "Chen", "Dubois")
    ),
)


def default_markets(now_ns: int, generation: int) -> list[Market]:
    """Return what is listed at the start; newer-protocol ids for all of it in generation 3.

    In generation 2 one market is of the newer kind, as the live venue's first ones were.
    """
    end_ns = (now_ns // NS // ONE_DAY_S) * ONE_DAY_S * NS
    markets = [
        _market(listing, end_ns + listing.days * ONE_DAY_S * NS, is_newer=generation == 3)
        for listing in PLAIN
    ]
    if generation == 2:
        newer = Listing(
            "snow-in-oslo", "Will it snow in Oslo this month?", "snow-in-oslo", "weather"
        )
        markets.append(_market(newer, end_ns + 90 * ONE_DAY_S * NS, is_newer=True))
    return [*markets, *crypto_windows(now_ns, generation)]


def default_events(generation: int) -> dict[str, tuple[str, ...]]:
    """Return the neg-risk events of the default markets: id -> condition ids."""
    groups: dict[str, list[str]] = {}
    for listing in PLAIN:
        if listing.neg_risk:
            ids = _newer_ids(listing.name) if generation == 3 else _older_ids(listing.name)
            groups.setdefault(_event_id(listing.event_slug), []).append(ids[0])
    return {event_id: tuple(members) for event_id, members in groups.items()}


def crypto_windows(now_ns: int, generation: int) -> list[Market]:
    """Return the running quarter of an hour's up/down market and the next ones."""
    running_s = now_ns // NS // WINDOW_S * WINDOW_S
    markets = []
    for open_s in range(running_s, running_s + WINDOWS_AHEAD * WINDOW_S, WINDOW_S):
        slug = f"btc-updown-15m-{open_s}"
        listing = Listing(
            slug, "Bitcoin Up or Down, 15 minutes", slug, "crypto", outcomes=("Up", "Down")
        )
        markets.append(_market(listing, (open_s + WINDOW_S) * NS, is_newer=generation == 3))
    return markets


def window_of(slug: str) -> int | None:
    """Return the opening second of a crypto window's slug; None for any other market's."""
    head, _, last = slug.rpartition("-")
    return int(last) if head == "btc-updown-15m" and is_whole(last) else None


def _market(listing: Listing, end_ns: int, *, is_newer: bool) -> Market:
    condition_id, ids = _newer_ids(listing.name) if is_newer else _older_ids(listing.name)
    return Market(
        condition_id=condition_id,
        question=listing.question,
        slug=listing.name,
        event_slug=listing.event_slug,
        category=listing.category,
        tokens=(Token(ids[0], listing.outcomes[0]), Token(ids[1], listing.outcomes[1])),
        tick_size_micro=listing.tick_size_micro,
        min_size_micro=5 * MICRO,
        fee_rate_micro=schedule_of(listing.category).rate_micro,
        neg_risk=listing.neg_risk,
        end_ns=end_ns,
        neg_risk_event=_event_id(listing.event_slug) if listing.neg_risk else "",
    )


def _event_id(slug: str) -> str:
    # The last byte is the number of a question within the event: zero for the event itself.
    return "0x" + keccak(f"whaletrader.exchange.event:{slug}".encode())[:31].hex() + "00"


def _older_ids(name: str) -> tuple[str, tuple[str, str]]:
    condition = keccak(f"whaletrader.exchange.condition:{name}".encode())
    first, second = (
        int.from_bytes(keccak(condition + bytes([outcome])), "big") for outcome in (1, 2)
    )
    return "0x" + condition.hex(), (str(first), str(second))


def _newer_ids(name: str) -> tuple[str, tuple[str, str]]:
    """Return ids laid out as module, hash, arity, reserved zeros, chain, index, outcome."""
    base = keccak(f"whaletrader.exchange.position:{name}".encode())[:16]
    arity, chain = 2, 137
    raw = bytes([BINARY_MODULE]) + base + arity.to_bytes(2, "big") + bytes(8)
    raw += chain.to_bytes(2, "big") + bytes(2)
    # The condition is the position without its outcome, shown with a zero byte behind it.
    first, second = (int.from_bytes(raw + bytes([outcome]), "big") for outcome in (0, 1))
    return "0x" + (raw + bytes(1)).hex(), (str(first), str(second))
