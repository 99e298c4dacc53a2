"""How far each followed wallet was read, which markets are known, and what waits to be said."""

import msgspec

from whaletrader.schemas import follow_pb2

# A wallet is read again from so long before the last second that was reached: the service may
# list a deed late. What was said already is known by its id.
OVERLAP_S = 120


class Reading(msgspec.Struct):
    """One wallet. `asked_ns` is 0 while no question is under way."""

    begin_s: int
    until_s: int = 0
    asked_ns: int = 0
    # First 64 bits of the ids of the deeds said, and the second each was done in.
    said: dict[int, int] = {}

    @property
    def since_s(self) -> int:
        """The first second that the next question asks for."""
        return max(self.begin_s, self.until_s - OVERLAP_S)


class Waiting(msgspec.Struct):
    """Deeds in a market that nobody has named yet, as bytes of SeenDeed, oldest first."""

    asked_ns: int = 0
    deeds: list[bytes] = []


class FollowState(msgspec.Struct):
    """Everything that feeds knows of the followed wallets."""

    is_ticking: bool = False
    roster: list[str] = []
    readings: dict[str, Reading] = {}
    # Token ids by condition id, of markets that are not decided; who was asked about last is last.
    markets: dict[str, tuple[str, ...]] = {}
    done: dict[str, bool] = {}
    waiting: dict[str, Waiting] = {}
    ends_due_ns: int = 0

    def adopt(self, event: follow_pb2.RosterAdopted) -> None:
        self.is_ticking = True
        self.roster = list(event.wallets)
        for wallet in event.wallets:
            self.readings.setdefault(wallet, Reading(event.begin_s))

    def ask(self, event: follow_pb2.WalletAsked) -> None:
        self.readings[event.wallet].asked_ns = event.asked_ns

    def reach(self, event: follow_pb2.WalletReached) -> None:
        reading = self.readings[event.wallet]
        reading.asked_ns = 0
        reading.until_s = max(reading.until_s, event.until_s)
        reading.said.update((one.prefix, one.at_s) for one in event.fresh)
        for prefix in [it for it, at_s in reading.said.items() if at_s < reading.since_s]:
            del reading.said[prefix]

    def hold(self, event: follow_pb2.DeedsHeld) -> None:
        waiting = self.waiting.setdefault(event.condition_id, Waiting())
        waiting.deeds.extend(deed.SerializeToString(deterministic=True) for deed in event.deeds)

    def ask_markets(self, event: follow_pb2.MarketsAsked) -> None:
        for condition_id in event.condition_ids:
            self.waiting[condition_id].asked_ns = event.asked_ns

    def meet(self, event: follow_pb2.MarketMet) -> None:
        self.waiting.pop(event.condition_id, None)
        if event.token_ids:
            self.markets[event.condition_id] = tuple(event.token_ids)

    def ask_ends(self, event: follow_pb2.EndsAsked) -> None:
        self.ends_due_ns = event.due_ns
        for condition_id in event.condition_ids:
            self.markets[condition_id] = self.markets.pop(condition_id)

    def finish(self, event: follow_pb2.MarketDone) -> None:
        self.markets.pop(event.condition_id, None)
        self.done[event.condition_id] = True


class FollowViews(msgspec.Struct):
    """Feeds looks at nothing but what it asked for."""
