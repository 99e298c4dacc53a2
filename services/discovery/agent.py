"""Discovery: which wallets are worth copying, on what was known at the time.

Reads wallets' trades and deeds, listings, resolutions and a person's rulings; says a wallet's
score whenever one of its markets settles, and whether it became a whale or stopped being one. Only
settled markets count: a wallet that takes its gains and lets its losses run would look skilled
in between. Must not know what a market will pay before its resolution is on the log.
"""

from typing import Final

from whaletrader.domain.ids import id_prefix
from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import agent_pb2, common_pb2, market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery import checks, life
from whaletrader.services.discovery import rounds as steps
from whaletrader.services.discovery import state as fold
from whaletrader.services.discovery.config import DiscoverySettings, Rules, rules_event, rules_of
from whaletrader.services.discovery.evidence import bar_for_more
from whaletrader.services.discovery.scoring import (
    Field,
    Subject,
    base_rate,
    has_moved,
    reasons_for,
    score_of,
    subject_of,
)
from whaletrader.services.discovery.settling import ends_of, said_of
from whaletrader.services.discovery.state import DiscoveryState, DiscoveryViews
from whaletrader.services.discovery.statistics import BaseSums
from whaletrader.services.discovery.track import followed

RESCORE_TIMER: Final = "discovery.rescore"


class DiscoveryAgent(Agent[DiscoveryState, DiscoveryViews]):
    """The three functions of discovery."""

    name = "discovery"
    # Listings before trades before resolutions, where their times are the same.
    reads = ("market.catalog", "wallet.trades", "market.data", "whale.ruling")

    def __init__(self, settings: DiscoverySettings) -> None:
        super().__init__(DiscoveryState(), DiscoveryViews())
        self.rules = settings.rules()
        self.decides = {
            market_pb2.MarketListed: self._decide_listed,
            wallet_pb2.WalletTraded: self._decide_traded,
            wallet_pb2.WalletActed: self._decide_acted,
            market_pb2.MarketResolved: self._decide_resolved,
            whale_pb2.WhaleRuled: self._decide_ruled,
            agent_pb2.TimerFired: self._decide_timer,
            agent_pb2.EffectFailed: self._decide_timer_lost,
        }
        # By the rules that were in force then, which the journal holds: not by today's.
        self.evolves = {
            whale_pb2.RulesAdopted: self._evolve_rules,
            market_pb2.MarketListed: lambda event: fold.on_listed(self.state, event),
            wallet_pb2.WalletTraded: lambda event: fold.on_traded(self.state, event, self._folded),
            wallet_pb2.WalletActed: lambda event: fold.on_acted(self.state, event),
            market_pb2.MarketResolved: lambda e: fold.on_resolved(self.state, e, self._folded),
            whale_pb2.WhaleRuled: lambda event: fold.on_ruled(self.state, event),
            whale_pb2.WhaleScored: lambda event: fold.on_scored(self.state, event, self._folded),
            whale_pb2.RoundAdvanced: lambda event: fold.on_round(self.state, event),
        }

    @property
    def _folded(self) -> Rules:
        return self.state.rules or self.rules

    def _decide_listed(self, message: market_pb2.MarketListed) -> Decision:
        checks.check_listing(message)
        if message.condition_id in self.state.resolved:
            return Decision()
        return self._begun().keep(
            market_pb2.MarketListed(
                condition_id=message.condition_id,
                event_slug=message.event_slug,
                tokens=message.tokens,
                fee_rate_micro=message.fee_rate_micro,
                fee_exponent=message.fee_exponent,
            )
        )

    def _decide_traded(self, message: wallet_pb2.WalletTraded) -> Decision:
        market = self.state.markets.get(message.condition_id)
        checks.check_trade(message, fold.outcome_of(market, message))
        if message.condition_id in self.state.resolved:
            return Decision()  # Too late to have been copied.
        stake = market.stakes.get(message.wallet) if market else None
        if stake is not None and id_prefix(message.meta.id) in stake.met:
            return Decision()
        decision = self._begun().keep(
            wallet_pb2.WalletTraded(
                wallet=message.wallet,
                condition_id=message.condition_id,
                token_id=message.token_id,
                outcome_index=message.outcome_index,
                side=message.side,
                price_micro=message.price_micro,
                size_micro=message.size_micro,
            )
        )
        if self.state.due_ns == 0:
            due_ns = fold.first_due_ns(message, self.rules)
            decision.ask(agent_pb2.SetTimer(timer_id=RESCORE_TIMER, due_ns=due_ns))
        return decision

    def _decide_acted(self, message: wallet_pb2.WalletActed) -> Decision:
        checks.check_deed(message)
        places = [message.condition_id] if message.condition_id else []
        if message.deed == wallet_pb2.WALLET_DEED_CONVERSION:
            places = list(self.state.events.get(message.event_slug, ()))
        if message.condition_id in self.state.resolved:
            return Decision()  # Its books are closed, as if it had redeemed at once.
        for place in places:
            market = self.state.markets.get(place)
            stake = market.stakes.get(message.wallet) if market else None
            if stake is not None and id_prefix(message.meta.id) in stake.met:
                return Decision()
        return self._begun().keep(
            wallet_pb2.WalletActed(
                wallet=message.wallet,
                deed=message.deed,
                condition_id=message.condition_id,
                event_slug=message.event_slug,
                size_micro=message.size_micro,
                cash_micro=message.cash_micro,
            )
        )

    def _decide_resolved(self, message: market_pb2.MarketResolved) -> Decision:
        checks.check_resolution(message)
        if message.condition_id in self.state.resolved:
            return Decision()
        event = market_pb2.MarketResolved(
            condition_id=message.condition_id,
            winning_token_id=message.winning_token_id,
            winning_index=message.winning_index,
            basis=message.basis,
        )
        event.meta.event_time_ns = message.meta.event_time_ns
        decision = self._begun().keep(event)
        market = self.state.markets.get(message.condition_id)
        if market is None:
            return decision
        ends = ends_of(self.state.wallets, market, event, self.rules)
        tracks, base = {}, self.state.base
        for wallet, end in ends.items():
            before = self.state.wallets[wallet].track
            tracks[wallet] = followed(before, end)
            base = base.moved(before.stats, tracks[wallet].stats)
        field = self._field(base)
        for wallet, end in ends.items():
            subject = subject_of(self.state.wallets[wallet], tracks[wallet])
            scored = self._scored(wallet, subject, field, end.at_ns)
            scored.settled.CopyFrom(said_of(message.condition_id, end))
            self._say(decision, scored)
        return decision

    def _decide_ruled(self, message: whale_pb2.WhaleRuled) -> Decision:
        checks.check_ruling(message)
        known = self.state.wallets.get(message.wallet)
        at_ns = message.meta.event_time_ns
        record = known or fold.WalletRecord(stage_since_ns=at_ns, last_traded_ns=at_ns)
        decision = self._begun().keep(
            whale_pb2.WhaleRuled(
                wallet=message.wallet,
                ruling=message.ruling,
                operator=message.operator,
                note=message.note,
            )
        )
        field = self._field(self.state.base)
        scored = self._scored(
            message.wallet, subject_of(record), field, max(at_ns, record.stage_since_ns), message
        )
        return self._say(decision, scored)

    def _decide_timer(self, message: agent_pb2.TimerFired) -> Decision:
        if message.timer_id != RESCORE_TIMER:
            return Decision()
        prior = base_rate(self.state.base, self.rules)
        step = steps.step_of(self.state, prior, id_prefix(message.meta.id), self.rules)
        event = step.event
        if event.cursor:
            event.due_ns = max(message.due_ns, self.now_ns) + steps.STEP_NS
            event.round_due_ns = self.state.round_due_ns
        else:
            event.due_ns = event.round_due_ns = self._next_round_ns(self.state.round_due_ns)
        decision = self._begun().keep(event)
        field = Field(prior, self.state.base.wallets, event.evidence_bar_micro, event.wallets_tried)
        for wallet, subject in step.subjects.items():
            scored = self._scored(wallet, subject, field, message.due_ns)
            if self._is_news(wallet, scored):
                self._say(decision, scored)
        return decision.ask(agent_pb2.SetTimer(timer_id=RESCORE_TIMER, due_ns=event.due_ns))

    def _decide_timer_lost(self, message: agent_pb2.EffectFailed) -> Decision:
        if message.type != agent_pb2.SetTimer.DESCRIPTOR.full_name:
            return Decision()
        due_ns = self._next_round_ns(self.state.round_due_ns)
        event = whale_pb2.RoundAdvanced(
            due_ns=due_ns,
            round_due_ns=due_ns,
            evidence_bar_micro=self.state.bar_micro,
            wallets_tried=self.state.tried,
        )
        decision = self._begun().keep(event)
        return decision.ask(agent_pb2.SetTimer(timer_id=RESCORE_TIMER, due_ns=due_ns))

    def _evolve_rules(self, event: whale_pb2.RulesAdopted) -> None:
        self.state.rules = rules_of(event)

    def _begun(self) -> Decision:
        """Return an empty decision, after the rules by which it will be folded."""
        decision = Decision()
        if self.state.rules != self.rules:
            decision.keep(rules_event(self.rules))
        return decision

    def _next_round_ns(self, last_ns: int) -> int:
        # Kept on the grid of the first trade, so that a late timer does not shift the rest.
        step = self.rules.rescore_interval_ns
        return last_ns + step * max(1, -((last_ns - self.now_ns) // step))

    def _field(self, base: BaseSums) -> Field:
        """Return what is known of the others between rounds: more wallets raise the bar."""
        bar, tried = bar_for_more(self.state.bar_micro, self.state.tried, base.wallets, self.rules)
        return Field(base_rate(base, self.rules), base.wallets, bar, tried)

    def _scored(
        self,
        wallet: str,
        subject: Subject,
        field: Field,
        now_ns: int,
        ruled: whale_pb2.WhaleRuled | None = None,
    ) -> whale_pb2.WhaleScored:
        """Return what is to be said of a wallet: score, stage, whether it is a whale, and why."""
        record, rules = subject.record, self.rules
        score = score_of(subject, field, rules)
        reasons = reasons_for(score, subject, field.wallets, rules)
        is_proven = all(reason.passed for reason in reasons)
        score.stage, score.stage_cause = life.next_of(  # type: ignore[assignment]
            record, subject.track, is_proven, now_ns, rules
        )
        is_at_stage = score.stage == whale_pb2.STAGE_PROVEN
        reasons.append(
            common_pb2.Reason(
                rule="discovery.stage_proven",
                value=score.stage,
                limit=whale_pb2.STAGE_PROVEN,
                unit=common_pb2.UNIT_COUNT,
                passed=is_at_stage,
                detail=score.stage_cause,
            )
        )
        ruling = ruled.ruling if ruled else record.ruling
        is_whale = is_proven and is_at_stage
        if ruling != whale_pb2.RULING_CLEAR:
            is_whale = ruling == whale_pb2.RULING_PIN
            reasons.append(
                common_pb2.Reason(
                    rule="discovery.ruling",
                    value=ruling,
                    limit=whale_pb2.RULING_PIN,
                    unit=common_pb2.UNIT_COUNT,
                    passed=is_whale,
                    detail=ruled.operator if ruled else record.ruled_by,
                )
            )
        if not is_whale:
            score.capital_share_micro = 0
        return whale_pb2.WhaleScored(
            wallet=wallet,
            score=score,
            is_whale=is_whale,
            reasons=reasons,
            ruling=ruling,  # type: ignore[arg-type]
        )

    def _is_news(self, wallet: str, scored: whale_pb2.WhaleScored) -> bool:
        record = self.state.wallets[wallet]
        return (
            scored.is_whale != record.is_whale
            or scored.score.stage != record.stage
            or has_moved(record, scored.score, self.rules)
        )

    def _say(self, decision: Decision, scored: whale_pb2.WhaleScored) -> Decision:
        record = self.state.wallets.get(scored.wallet)
        was_whale = record.is_whale if record else False
        decision.emit("whale.scored", scored)
        if scored.is_whale == was_whale:
            return decision
        kind: type[whale_pb2.WhalePruned] | type[whale_pb2.WhaleDiscovered]
        kind, topic = whale_pb2.WhalePruned, "whale.pruned"
        if scored.is_whale:
            kind, topic = whale_pb2.WhaleDiscovered, "whale.discovered"
        said = kind(wallet=scored.wallet, score=scored.score, reasons=scored.reasons)
        return decision.emit(topic, said)
