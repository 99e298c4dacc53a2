"""How far the tape has been played: the whole state of feeds."""

import msgspec

from whaletrader.schemas import tape_pb2


class FeedsState(msgspec.Struct):
    """Windows count from 1. `opened` is the last one shown to the exchange or about to be."""

    opened: int = 0
    published: int = 0
    # Final facts that the exchange has told, by account, as of the last published window.
    facts: dict[str, int] = {}

    def open(self, event: tape_pb2.WindowOpened) -> None:
        self.opened = event.window

    def publish(self, event: tape_pb2.WindowPublished) -> None:
        self.published = event.window
        self.facts = {account.address: account.facts for account in event.accounts}


class FeedsViews(msgspec.Struct):
    """Feeds looks at nothing but the tape."""
