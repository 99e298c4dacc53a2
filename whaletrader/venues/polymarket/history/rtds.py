"""The real-time stream of all trades (RTDS, topic activity): subscribe frame and frames' meaning.

Pure: text in, deeds out. Whoever owns the socket sends `SUBSCRIBE` after connecting and `PING`
every few seconds.
"""

from typing import Final

import msgspec

from whaletrader.venues.polymarket.history.rows import Deed, Kind, UnreadableRow, deed_v1

PRODUCTION: Final = "wss://ws-live-data.polymarket.com"
PING: Final = "ping"
PING_S: Final = 5.0


def subscribe(event_slug: str = "") -> str:
    """Return the frame that asks for trades, of all markets or of one event's."""
    subscription = {"topic": "activity", "type": "trades"}
    if event_slug:
        # A space inside the filter silences it, so it is written without.
        subscription["filters"] = msgspec.json.encode({"event_slug": event_slug}).decode()
    frame = {"action": "subscribe", "subscriptions": [subscription]}
    return msgspec.json.encode(frame).decode()


def trades_in(frame: str) -> list[Deed]:
    """Return the trades of a frame; none for an empty frame, an answer to a ping, other topics.

    Raises UnreadableRow for a refusal, and for a frame that is not as documented.
    """
    if not frame or frame.lower() == "pong":
        return []
    try:
        said = msgspec.json.decode(frame)
    except msgspec.DecodeError as error:
        raise UnreadableRow(f"no JSON on the stream: {frame[:200]!r}") from error
    if not isinstance(said, dict):
        raise UnreadableRow(f"no object on the stream: {frame[:200]!r}")
    if said.get("statusCode", 200) >= 400:
        raise UnreadableRow(f"the stream refuses the subscription: {frame[:200]!r}")
    if said.get("topic") != "activity" or said.get("type") not in ("trades", "orders_matched"):
        return []
    payload = said.get("payload")
    deeds = []
    for row in payload if isinstance(payload, list) else [payload]:
        if not isinstance(row, dict):
            raise UnreadableRow(f"no trade in the payload: {frame[:200]!r}")
        deeds.append(deed_v1(row, Kind.TRADE))
    return deeds
