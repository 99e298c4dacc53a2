"""How much of the capital may be deployed: phases, their promotion and their fallback.

Pure. A phase is left for the next when it lasted long enough, closed enough holdings, never fell
far and did not lose; it falls back at once when it fell too far. Called by the agent at measures.
"""

from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.rules import COUNT, RATIO, USD, at_least, at_most, below
from whaletrader.services.risk.state import DAY_NS


def next_phase(desk: Desk) -> risk_pb2.CapitalPhaseChanged | None:
    """Return the change of phase that is due, or None."""
    history, ratios = desk.state.history, desk.limits.phase_micro_ratios
    fall = below(
        "phase-fallback",
        history.phase_drawdown_micro_ratio,
        desk.limits.fallback_drawdown_micro_ratio,
        RATIO,
    )
    if not fall.passed and history.phase > 1:
        return _change(desk, history.phase - 1, [fall])
    criteria = promotion(desk)
    if history.phase < len(ratios) and all(reason.passed for reason in criteria):
        return _change(desk, history.phase + 1, criteria)
    return None


def promotion(desk: Desk) -> list[common_pb2.Reason]:
    """Return what the phase is held against before the next one begins."""
    history, limits = desk.state.history, desk.limits
    days = (desk.now_ns - history.phase_since_ns) // DAY_NS
    gained = history.equity_micro - history.phase_equity_micro
    return [
        at_least("phase-days", days, limits.phase_days_min, COUNT),
        at_least("phase-trades", history.phase_closed_positions, limits.phase_trades_min, COUNT),
        at_most(
            "phase-drawdown",
            history.phase_drawdown_micro_ratio,
            limits.phase_drawdown_micro_ratio_max,
            RATIO,
        ),
        at_least("phase-profit", gained, 0, USD),
    ]


def _change(
    desk: Desk, phase: int, reasons: list[common_pb2.Reason]
) -> risk_pb2.CapitalPhaseChanged:
    return risk_pb2.CapitalPhaseChanged(
        portfolio=desk.portfolio,
        phase=phase,
        previous=desk.state.history.phase,
        capital_micro_ratio=desk.limits.phase_micro_ratios[phase - 1],
        reasons=reasons,
    )
