"""Identifiers derived from what they name: the same cause always gives the same id.

No agent draws a random id; a decision made twice is therefore the same event.
"""

import hashlib


def derived_id(*parts: str | int) -> str:
    """Return 32 hex digits (128 bits of SHA-256) over the parts, each length-prefixed."""
    digest = hashlib.sha256()
    for part in parts:
        raw = str(part).encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.hexdigest()[:32]


def id_prefix(event_id: str) -> int:
    """Return the first 64 bits of an id as an integer; 0 for an empty id."""
    return int(event_id[:16], 16) if event_id else 0
