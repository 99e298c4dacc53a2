"""What the whales page is told. Big integers travel as text, as everywhere in the API."""

from whaletrader.domain.money import MICRO
from whaletrader.services.gateway.views import Big, Reason, View
from whaletrader.store.phrases import unit_of
from whaletrader.store.whale_pages import Scored, WalletPage, ruling_name, stage_name


class WhaleRow(View):
    """A wallet in the leaderboard."""

    wallet: str
    is_whale: bool
    ruling: str
    stage: str
    stage_cause: str
    edge_micro: Big
    edge_lower_micro: Big
    edge_upper_micro: Big
    confidence_micro: Big
    # The chance of such evidence by luck, and what the correction over all wallets allows.
    luck_micro: Big
    luck_limit_micro: Big
    wallets_tried: int
    markets: int
    markets_won: int
    markets_inferred: int
    trades: int
    quality_micro: Big
    quality_rank: int
    share_micro: Big
    profit_micro: Big
    drawdown_micro: Big
    fees_micro: Big
    open_cost_micro: Big
    open_value_micro: Big
    slippage_micro: Big
    scored_ns: Big
    reasons: list[Reason]


class Part(View):
    """A factor of the quality score."""

    name: str
    value: Big
    unit: str
    quantile_micro: Big
    weight_micro: Big
    is_known: bool


class EquityPoint(View):
    at_ns: Big
    profit_micro: Big


class CalibrationBin(View):
    """Bets at about one price; all but the count from 0 to 1."""

    count: int
    cost: float
    won: float
    lower: float
    upper: float


class MarketRow(View):
    """A settled market. Cost and payoff are those of the bets that count."""

    at_ns: Big
    condition_id: str
    question: str
    profit_micro: Big
    cost_micro: Big
    payoff_micro: Big
    weight_micro: Big
    is_inferred: bool
    is_whole: bool


class TurnRow(View):
    at_ns: Big
    is_whale: bool
    stage: str
    cause: str


class WhalePage(View):
    """A wallet: `markets` newest first, the rest oldest first."""

    whale: WhaleRow
    parts: list[Part]
    equity: list[EquityPoint]
    calibration: list[CalibrationBin]
    markets: list[MarketRow]
    markets_count: int
    turns: list[TurnRow]


class RulingGiven(View):
    event_id: str
    wallet: str
    ruling: str


# A page draws no more.
POINTS_MAX = 600
MARKETS_MAX = 100


def row_of(one: Scored) -> WhaleRow:
    """Return a score as a row."""
    said, score = one.said, one.said.score
    luck = next((it for it in said.reasons if it.rule == "discovery.luck_max"), None)
    shared = {
        name: getattr(score, name)
        for name in WhaleRow.model_fields
        if name in score.DESCRIPTOR.fields_by_name and name not in {"stage", "stage_cause"}
    }
    return WhaleRow(
        wallet=said.wallet,
        is_whale=said.is_whale,
        ruling=ruling_name(said.ruling),
        stage=stage_name(score.stage),
        stage_cause=score.stage_cause,
        luck_micro=luck.value if luck else MICRO,
        luck_limit_micro=luck.limit if luck else 0,
        share_micro=score.capital_share_micro,
        profit_micro=score.realized_profit_micro,
        scored_ns=one.at_ns,
        reasons=[
            Reason(
                by="discovery",
                rule=it.rule,
                value=it.value,
                limit=it.limit,
                unit=unit_of(it.unit),
                passed=it.passed,
                detail=it.detail,
            )
            for it in said.reasons
        ],
        **shared,
    )


def page_view(page: WalletPage, questions: dict[str, str]) -> WhalePage:
    """Return a wallet's page; `questions` by condition id."""
    step = max(1, -(-len(page.equity) // POINTS_MAX))
    thinned = page.equity[::-1][::step][::-1]
    return WhalePage(
        whale=row_of(page.last),
        parts=[
            Part(
                name=it.name,
                value=it.value,
                unit=unit_of(it.unit),
                quantile_micro=it.quantile_micro,
                weight_micro=it.weight_micro,
                is_known=it.is_known,
            )
            for it in page.last.said.score.components
        ],
        equity=[EquityPoint(at_ns=at_ns, profit_micro=profit) for at_ns, profit in thinned],
        calibration=[
            CalibrationBin(count=it.count, cost=it.cost, won=it.won, lower=it.lower, upper=it.upper)
            for it in page.calibration
        ],
        markets=[
            MarketRow(
                at_ns=at_ns,
                condition_id=it.condition_id,
                question=questions.get(it.condition_id, ""),
                profit_micro=it.profit_micro,
                cost_micro=it.cost_micro,
                payoff_micro=it.payoff_micro,
                weight_micro=it.weight_micro,
                is_inferred=it.is_inferred,
                is_whole=it.is_whole,
            )
            for at_ns, it in reversed(page.markets[-MARKETS_MAX:])
        ],
        markets_count=len(page.markets),
        turns=[
            TurnRow(at_ns=it.at_ns, is_whale=it.is_whale, stage=it.stage, cause=it.cause)
            for it in page.turns
        ],
    )
