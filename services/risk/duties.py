"""What the agent does besides answering: tells people, changes the desk's state, sells, measures.

Each writes events into the decision that it is given, from a desk that it only reads. Called by
the agent.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from whaletrader.runtime.agent import Decision
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import flatten, measures, phases, states, watch
from whaletrader.services.risk.alerts import ALERTS, Alert
from whaletrader.services.risk.approving import Notary, approval_of_sale
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.flatten import Sale
from whaletrader.services.risk.gates import lets_sell
from whaletrader.services.risk.limits import share
from whaletrader.services.risk.rules import USD, below

ALERT_TOPIC: Final = "risk.alert"


class Duties:
    """Holds the notary: what risk sells it approves itself."""

    def __init__(self, notary: Notary) -> None:
        self._notary = notary

    def tell(
        self,
        decision: Decision,
        portfolio: str,
        alert: Alert,
        reasons: Iterable[common_pb2.Reason],
    ) -> None:
        """Tell people."""
        severity, _ = ALERTS[alert]
        told = list(reasons) or [common_pb2.Reason(rule=alert)]
        event = risk_pb2.RiskAlerted(
            portfolio=portfolio, severity=severity, rule=alert, reasons=told
        )
        decision.emit(ALERT_TOPIC, event)

    def switch(
        self, decision: Decision, desk: Desk, change: states.Change, detail: str = ""
    ) -> None:
        """Change the desk's state, and say why and how it ends."""
        decision.emit(
            ALERT_TOPIC,
            risk_pb2.TradingStateChanged(
                portfolio=desk.portfolio,
                halted=change.state >= states.PAUSE,
                rule=change.cause,
                detail=detail,
                state=change.state,
                previous=desk.state.stance.state,
                until_ns=change.until_ns,
                needs_person=change.needs_person,
                exit_condition=change.exit_condition,
                size_micro_ratio=change.size_micro_ratio,
                reasons=change.reasons,
            ),
        )
        reasons = change.reasons or [common_pb2.Reason(rule=change.cause, detail=detail)]
        self.tell(decision, desk.portfolio, change.cause, reasons)

    def put_up_all(
        self, decision: Decision, desk: Desk, origin: common_pb2.Meta, token_id: str = ""
    ) -> None:
        """Put every holding up for sale: of one token, or of all."""
        for sale in flatten.sales(desk, token_id):
            self.put_up(decision, desk, sale, origin)

    def sell_on(
        self,
        decision: Decision,
        desks: tuple[Desk, Desk],
        changes: Sequence[risk_pb2.ExposureChanged],
        origin: common_pb2.Meta,
    ) -> None:
        """Put up again what came back unsold, before and after these changes, while selling."""
        before, after = desks
        if before.state.halt == Alert.FLATTEN:
            for token in dict.fromkeys(change.token_id for change in changes):
                self.put_up_all(decision, after, origin, token)
            return
        for sale in flatten.unsold(before, after, changes):
            self.put_up(decision, after, sale, origin)

    def put_up_possible(
        self, decision: Decision, desk: Desk, origin: common_pb2.Meta, token_id: str
    ) -> None:
        """The same for what can be sold of a token; nobody is told again of what cannot."""
        for sale in flatten.sales(desk, token_id):
            if sale.is_possible:
                self.put_up(decision, desk, sale, origin)

    def watch(
        self, decision: Decision, desk: Desk, origin: common_pb2.Meta, token_id: str = ""
    ) -> None:
        """Remember best prices; put up what must go."""
        for seen in watch.watched(desk, token_id):
            goes = seen.reason is not None and lets_sell(desk.state.halt)
            is_put_up = goes and watch.may_sell(desk, seen.lot)
            if not is_put_up and not seen.is_news:
                continue
            decision.keep(
                risk_pb2.PositionWatched(
                    portfolio=desk.portfolio,
                    token_id=seen.token_id,
                    leader=seen.leader,
                    peak_micro=seen.peak_micro,
                    exit_rule=seen.reason.rule if is_put_up and seen.reason is not None else "",
                )
            )
            if is_put_up and seen.reason is not None:
                whose = (seen.token_id, seen.leader)
                sale = flatten.sale_of(desk, whose, seen.lot, seen.reason)
                self.tell(decision, desk.portfolio, Alert.EXIT, [seen.reason])
                self.put_up(decision, desk, sale, origin, seen.reason)

    def measure(self, decision: Decision, desk: Desk, origin: common_pb2.Meta) -> None:
        """Say the measures, and do what time and drawdown demand."""
        told = measures.measured(desk)
        decision.emit(ALERT_TOPIC, told)
        self._near(decision, desk, told)
        change = states.by_time(desk) or states.by_drawdown(desk) or states.by_deleveraging(desk)
        if change is not None:
            self.switch(decision, desk, change)
            if change.state == states.DELEVERAGE:
                ratio = desk.limits.deleverage_micro_ratio
                for sale in flatten.sales(desk, micro_ratio=ratio):
                    self.put_up(decision, desk, sale, origin)
        phase = phases.next_phase(desk)
        if phase is not None:
            decision.emit(ALERT_TOPIC, phase)
            alert = Alert.PHASE_UP if phase.phase > phase.previous else Alert.PHASE_DOWN
            self.tell(decision, desk.portfolio, alert, phase.reasons)
        if change is None:
            self.watch(decision, desk, origin)

    def _near(self, decision: Decision, desk: Desk, told: risk_pb2.RiskMeasured) -> None:
        level = share(desk.limits.mvar_micro_ratio_warn, told.equity_micro)
        reason = below(Alert.MODIFIED_VAR_NEAR, told.modified_var_99_micro, level, USD)
        was_near = desk.state.history.told_modified_var_micro >= level
        if not reason.passed and not was_near:
            self.tell(decision, desk.portfolio, Alert.MODIFIED_VAR_NEAR, [reason])

    def put_up(
        self,
        decision: Decision,
        desk: Desk,
        sale: Sale,
        origin: common_pb2.Meta,
        cause: common_pb2.Reason | None = None,
    ) -> None:
        """Say that a holding, or a part of it, must go; approve its sale if it can be sold."""
        reasons = (cause, *sale.reasons) if cause is not None else sale.reasons
        decision.emit(
            "risk.derisk",
            risk_pb2.DeriskOrdered(
                portfolio=desk.portfolio,
                condition_id=sale.lot.condition_id,
                token_id=sale.token_id,
                leader=sale.leader,
                reduce_micro_ratio=sale.micro_ratio,
                reasons=reasons,
            ),
        )
        if sale.is_possible:
            approval = approval_of_sale(decision, desk, sale, origin)
            self._notary.approve(decision, desk, approval, 0)
            return
        failed = next(reason for reason in sale.reasons if not reason.passed)
        failed.detail = failed.detail or sale.token_id
        alert = Alert.NOT_FLATTENED if cause is None else Alert.NOT_EXITED
        self.tell(decision, desk.portfolio, alert, [failed])
