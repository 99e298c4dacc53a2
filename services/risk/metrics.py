"""The desk's measures for /metrics: a gauge each, as they were last told. Composition roots only.

Follows commits; says nothing before the first measure of this process.
"""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from whaletrader.runtime.core import Core, Step
from whaletrader.schemas import risk_pb2

MICRO: Final = 1_000_000
# Name -> (field of RiskMeasured, help). Micro-dollars are told in dollars, millionths as ratios.
DOLLARS: Final = {
    "equity": ("equity_micro", "Cash and holdings at the last prices"),
    "cash": ("cash_micro", "Cash"),
    "exposure": ("exposure_micro", "Held at cost plus set aside"),
    "reserved": ("reserved_micro", "Set aside for approvals"),
    "day_loss": ("day_loss_micro", "Realised since midnight UTC"),
    "week_loss": ("week_loss_micro", "Realised since Monday"),
    "var_99": ("var_99_micro", "A day ahead, by scenarios"),
    "cvar_975": ("cvar_975_micro", "A day ahead, by scenarios"),
    "modified_var_99": ("modified_var_99_micro", "A day ahead, Cornish-Fisher"),
    "historical_var_99": ("historical_var_99_micro", "A day, from the desk's own; 0: too few"),
    "worst_case": ("worst_case_micro", "Every market takes its worst turn"),
}
RATIOS: Final = {
    "drawdown": ("drawdown_micro_ratio", "Below the high-water mark"),
    "correlation": ("correlation_micro_ratio", "Mean of the positions' pairs"),
    "diversification": ("diversification_micro_ratio", "0 for one bet"),
    "var_coverage_p": ("var_coverage_p_micro_ratio", "Kupiec's p-value; 0: too few days"),
    "var_independence_p": ("var_independence_p_micro_ratio", "Christoffersen's; 0: too few days"),
    "capital_phase": ("phase_micro_ratio", "Of the capital that may be deployed"),
}


class RiskGauges(Collector):
    """Watcher of risk's commits and collector of its gauges."""

    def __init__(self) -> None:
        self._last: risk_pb2.RiskMeasured | None = None

    def restored(self, core: Core) -> None:
        """Nothing to do: the next measure tells."""

    def committed(self, core: Core, step: Step) -> None:  # noqa: ARG002 - the port's signature
        for _, _, event in step.events:
            if isinstance(event, risk_pb2.RiskMeasured):
                self._last = event

    def collect(self) -> Iterator[GaugeMetricFamily]:
        told = self._last
        if told is None:
            return
        for name, (field, text) in DOLLARS.items():
            yield _gauge(f"{name}_usd", text, told.portfolio, getattr(told, field) / MICRO)
        for name, (field, text) in RATIOS.items():
            yield _gauge(f"{name}_ratio", text, told.portfolio, getattr(told, field) / MICRO)
        yield _gauge(
            "open_positions", "Tokens held or bid for", told.portfolio, told.open_positions
        )
        for name in ("var_exceptions", "var_days"):
            yield _gauge(name, "Of the VaR's backtest", told.portfolio, getattr(told, name))
        yield _gauge("losses_in_row", "Holdings that lost", told.portfolio, told.losses_in_row)
        yield _gauge("desk_state", "1 normal to 6 flatten", told.portfolio, told.state)
        used = GaugeMetricFamily(
            "whaletrader_risk_limit_used_ratio",
            "How much of each limit is used, by whatever uses most of it",
            labels=("portfolio", "rule"),
        )
        for limit in told.limits:
            used.add_metric((told.portfolio, limit.rule), limit.used_micro_ratio / MICRO)
        yield used


def _gauge(name: str, text: str, portfolio: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"whaletrader_risk_{name}", text, labels=("portfolio",))
    family.add_metric((portfolio,), value)
    return family
