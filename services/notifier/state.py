"""What has been told and what is still being told: the whole state of the notifier."""

import msgspec

from whaletrader.schemas import agent_pb2


class NotifierState(msgspec.Struct):
    """By "dedup key/channel": when it was last asked that a person be told, nanoseconds."""

    told_ns: dict[str, int] = {}
    undelivered: int = 0

    def note(self, event: agent_pb2.PersonNotified) -> None:
        if event.error:
            self.undelivered += 1
        else:
            self.told_ns[f"{event.dedup_key}/{event.channel}"] = event.meta.event_time_ns


class NotifierViews(msgspec.Struct):
    """The notifier looks at nothing but what it is told."""
