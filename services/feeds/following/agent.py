"""Follows wallets at the venue: asks what they did, says it once, each market before its deeds.

What a wallet did is read from the venue's history, which is whole and can be asked again; the
stream of all trades only says when to look. Nothing is said twice, whatever crashes: an id is a
function of the deed, and what was said is in the state.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from whaletrader.domain.ids import derived_id, id_prefix
from whaletrader.domain.money import MICRO
from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import agent_pb2, common_pb2, follow_pb2, market_pb2, wallet_pb2
from whaletrader.services.feeds.following.config import FollowSettings
from whaletrader.services.feeds.following.state import FollowState, FollowViews, Reading
from whaletrader.services.feeds.publication import printed

TICK: Final = "feeds.follow"
# A question without an answer for so long (the process died in it) is asked again.
STALE_NS: Final = 600 * 1_000_000_000
# Markets that are asked about at once: the service is asked for twenty at a time.
ENDS_MAX: Final = 1_000
MARKETS_MAX: Final = 200
_NS: Final = 1_000_000_000


class FollowAgent(Agent[FollowState, FollowViews]):
    """Reads no topic: its sources say whom to follow, the venue what they did."""

    name = "feeds"
    reads = ()

    def __init__(self, settings: FollowSettings) -> None:
        super().__init__(FollowState(), FollowViews())
        self._poll_ns = round(settings.poll_s * _NS)
        self._ends_ns = round(settings.ends_s * _NS)
        self.decides = {
            follow_pb2.RosterGiven: self.on_roster,
            follow_pb2.WalletHeard: self.on_heard,
            follow_pb2.WalletRead: self.on_read,
            follow_pb2.MarketsFound: self.on_markets,
            follow_pb2.EndsFound: self.on_ends,
            agent_pb2.TimerFired: self.on_timer,
        }
        self.evolves = {
            follow_pb2.RosterAdopted: self.state.adopt,
            follow_pb2.WalletAsked: self.state.ask,
            follow_pb2.WalletReached: self.state.reach,
            follow_pb2.DeedsHeld: self.state.hold,
            follow_pb2.MarketsAsked: self.state.ask_markets,
            follow_pb2.MarketMet: self.state.meet,
            follow_pb2.EndsAsked: self.state.ask_ends,
            follow_pb2.MarketDone: self.state.finish,
        }

    def on_roster(self, given: follow_pb2.RosterGiven) -> Decision:
        """Follow these wallets; who is not among them any more is not asked about."""
        decision = Decision().keep(
            follow_pb2.RosterAdopted(wallets=given.wallets, begin_s=given.begin_s)
        )
        if not self.state.is_ticking:
            self._tick_at(decision, self.now_ns)
        return decision

    def on_heard(self, heard: follow_pb2.WalletHeard) -> Decision:
        """Read a wallet that has just traded, unless it is being read."""
        decision = Decision()
        if heard.wallet in self.state.roster:
            self._ask(decision, heard.wallet)
        return decision

    def on_timer(self, timer: agent_pb2.TimerFired) -> Decision:
        """Ask for what is due: wallets, markets that deeds wait for, ends."""
        decision = Decision()
        if timer.timer_id != TICK:
            return decision
        for wallet in self.state.roster:
            self._ask(decision, wallet)
        self._look_up(decision, self.state.waiting)
        if self.now_ns >= self.state.ends_due_ns and self.state.markets:
            asked = list(self.state.markets)[:ENDS_MAX]
            due_ns = self.now_ns + self._ends_ns
            decision.keep(follow_pb2.EndsAsked(condition_ids=asked, due_ns=due_ns))
            decision.ask(follow_pb2.LookUpEnds(condition_ids=asked), "ends")
        return self._tick_at(decision, self.now_ns + self._poll_ns)

    def on_read(self, read: follow_pb2.WalletRead) -> Decision:
        """Say what is new, or have it wait for its market; ask for the rest."""
        decision = Decision()
        reading = self.state.readings.get(read.wallet)
        if reading is None:
            return decision
        if read.error:
            return decision.keep(
                follow_pb2.WalletReached(wallet=read.wallet, until_s=reading.until_s)
            )
        fresh = _fresh(reading, read.deeds)
        reached = follow_pb2.WalletReached(wallet=read.wallet, until_s=read.until_s)
        for prefix, deed in fresh.items():
            reached.fresh.add(prefix=prefix, at_s=_meta(deed).event_time_ns // _NS)
        decision.keep(reached)
        held: defaultdict[str, list[follow_pb2.SeenDeed]] = defaultdict(list)
        for deed in fresh.values():
            market = _market(deed)
            if market and market not in self.state.markets and market not in self.state.done:
                held[market].append(deed)
            else:
                self._say(decision, deed)
        for market, deeds in held.items():
            decision.keep(follow_pb2.DeedsHeld(condition_id=market, deeds=deeds))
        self._look_up(decision, [market for market in held if market not in self.state.waiting])
        if read.has_more and read.wallet in self.state.roster:
            self._ask_from(decision, read.wallet, read.until_s + 1)
        return decision

    def on_markets(self, found: follow_pb2.MarketsFound) -> Decision:
        """List what is known, and say the deeds that waited. Nobody waits for an unknown market."""
        decision = Decision()
        if found.error:
            # Deeds can wait, and are not lost: the next tick asks again.
            asked = [one for one in found.condition_ids if one in self.state.waiting]
            return decision.keep(follow_pb2.MarketsAsked(condition_ids=asked, asked_ns=0))
        listed = {one.condition_id: one for one in found.listed}
        for condition_id in found.condition_ids:
            waiting = self.state.waiting.get(condition_id)
            if waiting is None:
                continue
            listing = listed.get(condition_id)
            tokens = [token.token_id for token in listing.tokens] if listing else []
            if listing is not None:
                said = market_pb2.MarketListed()
                said.CopyFrom(listing)
                decision.emit("market.catalog", said)
            decision.keep(follow_pb2.MarketMet(condition_id=condition_id, token_ids=tokens))
            for payload in waiting.deeds:
                self._say(decision, follow_pb2.SeenDeed.FromString(payload), tokens)
        return decision

    def on_ends(self, found: follow_pb2.EndsFound) -> Decision:
        """Say which markets are decided."""
        decision = Decision()
        for end in found.ends:
            tokens = self.state.markets.get(end.condition_id)
            if tokens is None:
                continue
            decision.keep(follow_pb2.MarketDone(condition_id=end.condition_id))
            winner = _winner(end.payouts_micro)
            if winner is None or winner >= len(tokens):
                # Each side was paid a part: there is no winner that could be named.
                continue
            resolved = market_pb2.MarketResolved(
                condition_id=end.condition_id,
                winning_index=winner,
                winning_token_id=tokens[winner],
                basis=market_pb2.RESULT_BASIS_PUBLISHED,
            )
            resolved.meta.id = resolved.meta.correlation = derived_id("resolved", end.condition_id)
            resolved.meta.event_time_ns = self.now_ns
            decision.emit("market.data", resolved)
        return decision

    def _ask(self, decision: Decision, wallet: str) -> None:
        reading = self.state.readings[wallet]
        if not reading.asked_ns or self.now_ns - reading.asked_ns > STALE_NS:
            self._ask_from(decision, wallet, reading.since_s)

    def _ask_from(self, decision: Decision, wallet: str, since_s: int) -> None:
        decision.keep(follow_pb2.WalletAsked(wallet=wallet, asked_ns=self.now_ns))
        # One question a wallet at a time, also where one has become stale.
        decision.ask(follow_pb2.ReadWallet(wallet=wallet, since_s=since_s), f"wallet/{wallet}")

    def _look_up(self, decision: Decision, condition_ids: Iterable[str]) -> None:
        waiting = self.state.waiting
        due = [
            one
            for one in condition_ids
            if one not in waiting or self.now_ns - waiting[one].asked_ns > STALE_NS
        ][:MARKETS_MAX]
        if due:
            decision.keep(follow_pb2.MarketsAsked(condition_ids=due, asked_ns=self.now_ns))
            decision.ask(follow_pb2.LookUpMarkets(condition_ids=due), "markets")

    def _say(
        self, decision: Decision, deed: follow_pb2.SeenDeed, tokens: Sequence[str] = ()
    ) -> None:
        if deed.HasField("acted"):
            acted = wallet_pb2.WalletActed()
            acted.CopyFrom(deed.acted)
            acted.meta.receive_time_ns = self.now_ns
            decision.emit("wallet.trades", acted)
            return
        traded = wallet_pb2.WalletTraded()
        traded.CopyFrom(deed.traded)
        traded.meta.receive_time_ns = self.now_ns
        known = tokens or self.state.markets.get(traded.condition_id, ())
        if traded.token_id in known:
            # The service does not always know the outcome; the listing does.
            traded.outcome_index = list(known).index(traded.token_id)
        decision.emit("market.data", printed(traded))
        decision.emit("wallet.trades", traded)

    def _tick_at(self, decision: Decision, due_ns: int) -> Decision:
        return decision.ask(agent_pb2.SetTimer(timer_id=TICK, due_ns=due_ns))


def _fresh(
    reading: Reading, deeds: Iterable[follow_pb2.SeenDeed]
) -> dict[int, follow_pb2.SeenDeed]:
    """Return the deeds that were not said, by the first half of their ids, in their order."""
    found: dict[int, follow_pb2.SeenDeed] = {}
    for deed in deeds:
        prefix = id_prefix(_meta(deed).id)
        if prefix not in reading.said:
            found.setdefault(prefix, deed)
    return found


def _meta(deed: follow_pb2.SeenDeed) -> common_pb2.Meta:
    return deed.traded.meta if deed.HasField("traded") else deed.acted.meta


def _market(deed: follow_pb2.SeenDeed) -> str:
    return deed.traded.condition_id if deed.HasField("traded") else deed.acted.condition_id


def _winner(payouts_micro: Sequence[int]) -> int | None:
    full = [index for index, paid in enumerate(payouts_micro) if paid == MICRO]
    return full[0] if len(full) == 1 and sum(payouts_micro) == MICRO else None
