"""The end of an approved trade: its figures, and the review list for what failed for good. Pure."""

from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import encode, type_name
from whaletrader.runtime.topics import DEAD_LETTERS
from whaletrader.schemas import agent_pb2, common_pb2, order_pb2
from whaletrader.services.execution.lifecycle import order_of
from whaletrader.services.execution.scene import TOPIC, Scene
from whaletrader.services.execution.state import LOT_MICRO, OrderRecord
from whaletrader.services.execution.transitions import FillStage
from whaletrader.services.execution.working.quality import (
    DoneOrder,
    FinalFill,
    Outcome,
    report,
)
from whaletrader.services.execution.working.work import Work

GIVEN_UP: Final = "given up after failures"
_APPROVALS: Final = "trade.approved"


def finish(scene: Scene, work: Work, orders: list[OrderRecord]) -> None:
    """Say what came of the approved trade; what finally failed goes on the review list."""
    done = [_done(record) for record in orders]
    outcome = _outcome(work, orders)
    event = report(work, done, outcome, scene.fees(work.token_id), scene.now_ns)
    event.meta.id = derived_id("execution", "finished", work.approval_id)
    scene.decision.emit(TOPIC, event)
    scene.finished[work.approval_id] = True
    if outcome.result == order_pb2.WORK_RESULT_FAILED:
        failures = "; ".join(f"{it.rule}: {it.detail}" for it in outcome.reasons if not it.passed)
        scene.decision.emit(
            DEAD_LETTERS,
            agent_pb2.DeadLettered(
                agent="execution",
                topic=_APPROVALS,
                partition=-1,
                offset=-1,
                type=type_name(event),
                error=f"an approved trade failed for good: {failures}",
                key=work.approval_id.encode(),
                payload=encode(event),
            ),
        )


def _done(record: OrderRecord) -> DoneOrder:
    announced = order_of(record)
    fills = tuple(
        FinalFill(
            fill.price_micro,
            fill.size_micro,
            fill.fee_micro,
            fill.liquidity,
            fill.stage is FillStage.REVERSED,
            fill.at_ns,
        )
        for fill in record.fills.values()
    )
    return DoneOrder(int(announced.tactic), announced.phase, record.size_micro, fills)


def _outcome(work: Work, orders: list[OrderRecord]) -> Outcome:
    filled = sum(record.size_in(FillStage.CONFIRMED) for record in orders)
    rest = work.size_micro - filled
    reasons = [
        common_pb2.Reason(
            rule="work.rest",
            value=rest,
            limit=LOT_MICRO,
            unit=common_pb2.UNIT_MICRO_SHARES,
            passed=rest < LOT_MICRO,
            detail=work.stopped or "too little is left to be ordered",
        )
    ]
    if work.last_failure:
        reasons.append(
            common_pb2.Reason(
                rule="work.failures",
                value=work.failures,
                limit=1,
                unit=common_pb2.UNIT_COUNT,
                passed=work.stopped != GIVEN_UP,
                detail=work.last_failure,
            )
        )
    if rest < LOT_MICRO:
        result = order_pb2.WORK_RESULT_FILLED
    elif work.stopped == GIVEN_UP:
        result = order_pb2.WORK_RESULT_FAILED
    elif filled:
        result = order_pb2.WORK_RESULT_PARTIAL
    elif work.skips and not orders:
        result = order_pb2.WORK_RESULT_SKIPPED
    else:
        result = order_pb2.WORK_RESULT_UNFILLED
    return Outcome(result, tuple(reasons))
