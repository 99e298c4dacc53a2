"""Stops and what they do to approved trades under work. Pure; called by the agent.

An operator's halt stops everything, a flatten everything but the sales that risk signs for it,
and risk's own states whatever buys. An operator's resume lifts all of them, and takes what the
wallet holds as it is.
"""

from whaletrader.schemas import common_pb2, control_pb2, risk_pb2
from whaletrader.services.execution import works
from whaletrader.services.execution.scene import Scene
from whaletrader.services.execution.state import Stop

# Why a work ends that a flatten was ordered over: what rests of it must go, sales too, so that
# the shares which it holds back can be sold at once.
_FLATTENED = "the portfolio is flattened"

_STOPS = {
    risk_pb2.DESK_STATE_NORMAL: None,
    risk_pb2.DESK_STATE_REDUCE: None,
    risk_pb2.DESK_STATE_PAUSE: Stop.PAUSE,
    risk_pb2.DESK_STATE_HALT: Stop.REDUCE,
    risk_pb2.DESK_STATE_DELEVERAGE: Stop.REDUCE,
    risk_pb2.DESK_STATE_FLATTEN: Stop.REDUCE,
}


def on_control(scene: Scene, order: control_pb2.ControlOrdered) -> None:
    """Halt, resume or flatten a portfolio. Raises ValueError for any other order."""
    stop = {
        control_pb2.CONTROL_ACTION_HALT: Stop.HALT,
        control_pb2.CONTROL_ACTION_FLATTEN: Stop.FLATTEN,
    }.get(order.action)
    if stop is None and order.action != control_pb2.CONTROL_ACTION_RESUME:
        raise ValueError(f"control action {order.action} is not known")
    state = scene.state
    is_lifted = stop is None and (state.wallet_stop or order.portfolio in state.risk_stops)
    if stop is state.stops.get(order.portfolio) and not is_lifted:
        return
    detail = f"{order.operator}: {order.note}"
    scene.decision.keep(_change(order.portfolio, stop, "resume", detail))
    if stop is None:
        if state.wallet_stop:
            scene.decision.keep(_change("", None, Stop.DIFFERENCE, detail))
        return
    scene.ordered[order.portfolio] = stop
    why = _FLATTENED if stop is Stop.FLATTEN else f"stopped: {stop.value}"
    _stop_all(scene, order.portfolio, why, only_buys=False)


def on_risk_state(scene: Scene, changed: risk_pb2.TradingStateChanged) -> None:
    """Follow what risk says of the desk: while it is halted nothing more is bought."""
    portfolio = changed.portfolio
    stop = _STOPS.get(changed.state, Stop.REDUCE if changed.halted else None)
    if stop is scene.state.risk_stops.get(portfolio):
        return
    detail = f"{changed.rule}: {changed.detail}"
    scene.decision.keep(_change(portfolio, stop, Stop.REDUCE, detail))
    if stop is None:
        return
    if portfolio not in scene.state.stops:
        scene.ordered[portfolio] = stop
    _stop_all(scene, portfolio, f"stopped: {changed.rule}", only_buys=True)


def stop_wallet(scene: Scene, why: str) -> None:
    """Stop every portfolio of the wallet."""
    for work in list(scene.state.works.values()):
        scene.ordered[work.portfolio] = Stop.DIFFERENCE
    for approval_id in list(scene.state.works):
        found = scene.work(approval_id)
        if found is not None:
            works.stop(scene, found, f"stopped: {why}")


def _stop_all(scene: Scene, portfolio: str, why: str, *, only_buys: bool) -> None:
    for approval_id in list(scene.state.works):
        work = scene.work(approval_id)
        if work is None or work.portfolio != portfolio:
            continue
        if only_buys and work.side != common_pb2.SIDE_BUY:
            continue
        works.stop(scene, work, why)


def _change(
    portfolio: str, stop: Stop | None, lifted: str, detail: str
) -> risk_pb2.TradingStateChanged:
    return risk_pb2.TradingStateChanged(
        portfolio=portfolio,
        halted=stop is not None,
        rule=stop.value if stop is not None else lifted,
        detail=detail,
    )
