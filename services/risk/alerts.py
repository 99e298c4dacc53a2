"""Why a person is told: every code with one line and how urgent it is.

docs/risk.md prints the table; the notifier pages for what is critical.
"""

from enum import StrEnum
from typing import Final

from whaletrader.schemas import risk_pb2

INFO: Final = risk_pb2.SEVERITY_INFO
WARNING: Final = risk_pb2.SEVERITY_WARNING
CRITICAL: Final = risk_pb2.SEVERITY_CRITICAL


class Alert(StrEnum):
    """Codes on topic risk.alert; those of states name the cause of the state."""

    HALT = "operator-halt"
    FLATTEN = "operator-flatten"
    RESUME = "operator-resume"
    DAY_LOSS = "day-loss"
    DAY_OVER = "day-over"
    WEEK_LOSS = "week-loss"
    LOSSES_IN_ROW = "losses-in-row"
    PAUSE_OVER = "pause-over"
    DRAWDOWN_REDUCE = "drawdown-reduce"
    DRAWDOWN_RECOVERED = "drawdown-recovered"
    DRAWDOWN_HALT = "drawdown-halt"
    DELEVERAGED = "deleveraged"
    PHASE_UP = "phase-up"
    PHASE_DOWN = "phase-down"
    POLICY_CHANGED = "policy-changed"
    POLICY_WAITS = "policy-waits"
    POLICY_FILE_REFUSED = "policy-file-refused"
    STARTING_CASH_DIFFERS = "starting-cash-differs"
    DUPLICATE_PROPOSAL = "duplicate-proposal"
    FORGED_APPROVAL = "forged-approval"
    MODIFIED_VAR_NEAR = "modified-var-near"
    UNAPPROVED_ORDER = "unapproved-order"
    LATE_ORDER = "late-order"
    SECOND_ORDER = "second-order"
    ORDER_TOO_LARGE = "order-too-large"
    FILL_BEYOND_ORDER = "fill-beyond-order"
    FILL_CONTRADICTED = "fill-contradicted"
    RESULT_CONTRADICTED = "result-contradicted"
    OVERSOLD = "oversold"
    NOT_FLATTENED = "not-flattened"
    EXIT = "exit"
    NOT_EXITED = "not-exited"


ALERTS: Final[dict[Alert, tuple["risk_pb2.Severity.ValueType", str]]] = {
    Alert.HALT: (WARNING, "An operator halted trading: nothing is approved."),
    Alert.FLATTEN: (WARNING, "An operator ordered everything sold: nothing else is approved."),
    Alert.RESUME: (INFO, "An operator resumed trading."),
    Alert.DAY_LOSS: (CRITICAL, "The day's realised loss reached its limit: nothing is bought."),
    Alert.DAY_OVER: (INFO, "The day of the stop is over: buying goes on."),
    Alert.WEEK_LOSS: (CRITICAL, "The week's realised loss reached its limit: nothing is bought."),
    Alert.LOSSES_IN_ROW: (WARNING, "Too many holdings in a row ended in a loss: buying pauses."),
    Alert.PAUSE_OVER: (INFO, "The pause is over: buying goes on."),
    Alert.DRAWDOWN_REDUCE: (WARNING, "The drawdown reached a step: sizes are cut down."),
    Alert.DRAWDOWN_RECOVERED: (INFO, "The drawdown is below its step again."),
    Alert.DRAWDOWN_HALT: (CRITICAL, "The drawdown reached its limit: holdings are cut down."),
    Alert.DELEVERAGED: (CRITICAL, "The holdings are cut down: nothing is bought until resumed."),
    Alert.PHASE_UP: (INFO, "The capital's next phase began: more of it may be deployed."),
    Alert.PHASE_DOWN: (CRITICAL, "The capital fell back a phase: less of it may be deployed."),
    Alert.POLICY_CHANGED: (WARNING, "The policy in force changed."),
    Alert.POLICY_WAITS: (WARNING, "A loosening of the policy waits for its second command."),
    Alert.POLICY_FILE_REFUSED: (
        CRITICAL,
        "The file told at the start is no policy: it is ignored.",
    ),
    Alert.STARTING_CASH_DIFFERS: (
        WARNING,
        "The start told another starting cash than the journal: the journal's holds.",
    ),
    Alert.DUPLICATE_PROPOSAL: (WARNING, "Two proposals came under one id: the second was refused."),
    Alert.FORGED_APPROVAL: (CRITICAL, "Execution met an approval that risk did not sign."),
    Alert.MODIFIED_VAR_NEAR: (WARNING, "A day's modified VaR is above its warning level."),
    Alert.UNAPPROVED_ORDER: (CRITICAL, "An order appeared under an approval that was never given."),
    Alert.LATE_ORDER: (CRITICAL, "An order appeared after its approval had ended."),
    Alert.SECOND_ORDER: (CRITICAL, "An order appeared beyond what its approval has left."),
    Alert.ORDER_TOO_LARGE: (CRITICAL, "An order is larger or at a worse price than was approved."),
    Alert.FILL_BEYOND_ORDER: (CRITICAL, "A fill is larger or at a worse price than its order."),
    Alert.FILL_CONTRADICTED: (CRITICAL, "A fill was reported both final and undone."),
    Alert.RESULT_CONTRADICTED: (
        CRITICAL,
        "A market's result is no outcome of it, or not the one that was paid: it is ignored.",
    ),
    Alert.OVERSOLD: (CRITICAL, "More was sold than held: a sale stood on a fill that was undone."),
    Alert.NOT_FLATTENED: (CRITICAL, "A holding could not be put up for sale."),
    Alert.EXIT: (WARNING, "A holding was put up for sale by a rule that watches it."),
    Alert.NOT_EXITED: (CRITICAL, "A holding that must go could not be put up for sale."),
}
