"""Pin, ban, clear: how a person's word on a wallet gets onto the log.

The log is the only way, as for halt and resume: discovery reads it there, and it survives every
restart. Called by the command line and by the gateway.
"""

import re
from dataclasses import dataclass
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Record
from whaletrader.schemas import whale_pb2

RULINGS_TOPIC: Final = "whale.ruling"
RULINGS: Final = {
    "pin": whale_pb2.RULING_PIN,
    "ban": whale_pb2.RULING_BAN,
    "clear": whale_pb2.RULING_CLEAR,
}
ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")


class BadRuling(ValueError):
    """Not a wallet's address, or none of pin, ban and clear."""


@dataclass(frozen=True, slots=True)
class RulingOrder:
    """What a person wants. The same key is the same order; without one each call is another."""

    wallet: str
    ruling: str
    operator: str
    note: str = ""
    key: str = ""


def ruling_event(order: RulingOrder, now_ns: int) -> whale_pb2.WhaleRuled:
    """Return the ruling as an event. Raises BadRuling."""
    wallet = order.wallet.lower()
    if not ADDRESS.fullmatch(wallet):
        raise BadRuling(f"{order.wallet!r} is no wallet: give 0x and 40 hex digits")
    if order.ruling not in RULINGS:
        raise BadRuling(f"{order.ruling!r} is none of {', '.join(RULINGS)}")
    if not order.operator:
        raise BadRuling("a ruling needs the name of who gives it")
    event = whale_pb2.WhaleRuled(
        wallet=wallet, ruling=RULINGS[order.ruling], operator=order.operator, note=order.note
    )
    words = ("key", order.key) if order.key else (order.ruling, order.operator, now_ns)
    event.meta.id = derived_id(RULINGS_TOPIC, wallet, *words)
    event.meta.correlation = event.meta.id
    event.meta.event_time_ns = now_ns
    event.meta.receive_time_ns = now_ns
    event.meta.source = "operator"
    return event


def ruling_record(event: whale_pb2.WhaleRuled) -> Record:
    """Return the record to append."""
    return to_record(Envelope(RULINGS_TOPIC, event.wallet, event))
