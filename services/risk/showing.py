"""How the desk stands, for whoever asks: measures, exposures, state and the last verdicts.

Pure, and bounded in size, so that an answer fits into one message. Called by the agent for each
query; changes nothing.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.runtime.agent import Decision
from whaletrader.runtime.codec import decode
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.approving import meta_after
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.measures import measured, money_limits
from whaletrader.services.risk.rules import USD, Rule
from whaletrader.services.risk.state import Verdict
from whaletrader.services.risk.verdict import Judgement

# A verdict with its reasons takes about 4 KB; NATS carries a megabyte.
VERDICTS_MAX: Final = 50
# Of each kind: as many markets as the desk may hold positions, several times over.
EXPOSURES_MAX: Final = 200


def answer(desk: Desk, query: risk_pb2.RiskQuery) -> Decision:
    """Return the decision that answers a query and does nothing else."""
    said = shown(desk, query)
    said.meta.CopyFrom(meta_after(query.meta, risk_pb2.RiskShown))
    return Decision(reply=said)


def checked(
    asked: risk_pb2.CheckProposal, verdict: Judgement, state: risk_pb2.DeskState.ValueType
) -> risk_pb2.CheckAnswered:
    """Return what would be answered to a proposal now."""
    failed = verdict.failed
    return risk_pb2.CheckAnswered(
        meta=meta_after(asked.meta, risk_pb2.RejectedTrade),
        approved=failed is None,
        rule=failed.rule if failed is not None else "",
        limit_price_micro=verdict.price_micro,
        size_micro=verdict.size_micro,
        reserve_micro=verdict.reserve_micro,
        state=state,
        reasons=verdict.reasons,
    )


def shown(desk: Desk, query: risk_pb2.RiskQuery) -> risk_pb2.RiskShown:
    """Return how the desk stands now."""
    stance, charter = desk.state.stance, desk.state.charter
    said = risk_pb2.RiskShown(
        portfolio=desk.portfolio,
        now_ns=desk.now_ns,
        measured=measured(desk),
        state_since_ns=stance.since_ns,
        state_until_ns=stance.until_ns,
        size_micro_ratio=stance.size_micro_ratio,
        is_open=charter.is_open,
        pending_digest=charter.pending_digest if desk.now_ns <= charter.pending_until_ns else "",
    )
    for rule, used, limit in money_limits(desk):
        if rule != Rule.POSITION_LIMIT:
            _show_exposures(said, rule, used, limit)
    wanted = max(0, min(query.verdicts_max, VERDICTS_MAX))
    latest = islice(reversed(desk.state.verdicts.values()), wanted)
    said.verdicts.extend(_verdict(verdict) for verdict in latest)
    return said


def _show_exposures(
    said: risk_pb2.RiskShown, rule: Rule, used: Mapping[str, int], limit: int
) -> None:
    held = sorted(used.items(), key=lambda item: (-item[1], item[0]))
    said.exposures_left_out += max(0, len(held) - EXPOSURES_MAX)
    for key, value in held[:EXPOSURES_MAX]:
        said.exposures.add(
            rule=rule,
            key=key,
            value=value,
            limit=limit,
            unit=USD,
            used_micro_ratio=value * MICRO // limit if limit > 0 else MICRO * (value > 0),
        )


def _verdict(verdict: Verdict) -> risk_pb2.VerdictShown:
    said = decode(verdict.type, verdict.payload)
    if isinstance(said, risk_pb2.ApprovedTrade):
        return risk_pb2.VerdictShown(approved=said)
    if isinstance(said, risk_pb2.BatchVerdict):
        return risk_pb2.VerdictShown(batch=said)
    if isinstance(said, risk_pb2.QuoteMandate):
        return risk_pb2.VerdictShown(mandate=said)
    if isinstance(said, risk_pb2.RejectedTrade):
        return risk_pb2.VerdictShown(rejected=said)
    raise TypeError(f"{verdict.type} is no verdict")
