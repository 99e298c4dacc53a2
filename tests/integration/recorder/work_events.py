"""Approved trades that were worked, as execution tells them, with the news of the venue."""

from dataclasses import dataclass

from tests.integration.recorder.chain_events import LEADER, MARKET, TOKEN, meta
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Record
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Figures:
    """What one finished work is told to have come to. Prices in micro-dollars."""

    market: str = MARKET
    leader: str = LEADER
    side: common_pb2.Side = common_pb2.SIDE_BUY
    tactic: order_pb2.Tactic = order_pb2.TACTIC_ADAPTIVE
    result: order_pb2.WorkResult = order_pb2.WORK_RESULT_FILLED
    mid: int = 400_000
    average: int = 404_000
    filled: int = 10_000_000
    first_s: int = 4
    full_s: int = 40


def finished(name: str, given: Figures, finished_ns: int = START_NS) -> order_pb2.WorkFinished:
    """A work of ten shares that ended so, all of it in phase 0 by taking."""
    worse = given.average - given.mid if given.side == common_pb2.SIDE_BUY else 0
    worse = given.mid - given.average if given.side == common_pb2.SIDE_SELL else worse
    known = bool(given.mid and given.average)
    parts = [
        order_pb2.ExecutionPart(
            tactic=given.tactic,
            phase=0,
            liquidity=order_pb2.LIQUIDITY_TAKER if given.filled else 0,
            orders=1,
            ordered_size_micro=10_000_000,
            filled_size_micro=given.filled,
            average_price_micro=given.average,
            fees_micro=2_000 if given.filled else 0,
        )
    ]
    event_id = derived_id(name, "finished")
    return order_pb2.WorkFinished(
        meta=meta(event_id, "", event_id, "execution", finished_ns),
        portfolio="main",
        approval_id=derived_id(name, "approval"),
        proposal_id=derived_id(name, "proposal"),
        condition_id=given.market,
        token_id=TOKEN,
        side=given.side,
        leader=given.leader,
        strategy="copy",
        result=given.result,
        tactic=given.tactic,
        limit_price_micro=420_000,
        size_micro=10_000_000,
        filled_size_micro=given.filled,
        orders=1,
        arrival_mid_micro=given.mid,
        expected_price_micro=given.mid,
        average_price_micro=given.average,
        slippage_micro_ratio=worse * 1_000_000 // given.mid if known else 0,
        fill_rate_micro_ratio=given.filled // 10,
        fees_micro=2_000 if given.filled else 0,
        rebates_expected_micro=500,
        started_ns=finished_ns - 60 * SECOND_NS,
        finished_ns=finished_ns,
        time_to_first_fill_ns=given.first_s * SECOND_NS if given.filled else 0,
        time_to_full_fill_ns=(
            given.full_s * SECOND_NS if given.result == order_pb2.WORK_RESULT_FILLED else 0
        ),
        parts=parts if given.result != order_pb2.WORK_RESULT_SKIPPED else [],
    )


def recorded(message: order_pb2.WorkFinished) -> Record:
    return to_record(Envelope("order.events", message.condition_id, message))


class Work:
    """One approved trade in two orders: the first rests and is taken off, the second fills.

    Its second order answers the end of the first, and its end answers news of the venue, which
    are chains of their own.
    """

    def __init__(self, approval: risk_pb2.ApprovedTrade) -> None:
        self.approval = approval
        self.at_ns = approval.meta.event_time_ns
        self.order_ids = [f"0x{derived_id('child', number) * 2}" for number in (0, 1)]
        self.started = order_pb2.WorkStarted(
            meta=meta("", approval.meta.id, approval.meta.correlation, "execution", self.at_ns),
            portfolio="main",
            approval_id=approval.approval_id,
            condition_id=MARKET,
            token_id=TOKEN,
            side=common_pb2.SIDE_BUY,
            limit_price_micro=420_000,
            size_micro=10_000_000,
            tactic=order_pb2.TACTIC_PASSIVE,
            arrival_bid_micro=390_000,
            arrival_ask_micro=410_000,
            expected_price_micro=400_000,
            reasons=[
                common_pb2.Reason(
                    rule="tactic.wide_spread",
                    value=50_000,
                    limit=30_000,
                    unit=common_pb2.UNIT_MICRO_RATIO,
                    passed=True,
                )
            ],
        )
        self.started.meta.id = derived_id("work", approval.approval_id)

    def records(self) -> list[Record]:
        first, second = self._announced(0), self._announced(1)
        news = derived_id("news", self.approval.approval_id)
        closed = order_pb2.OrderClosed(
            meta=meta(derived_id(news, "closed"), news, news, "execution", self.at_ns),
            order=first.order,
            status=order_pb2.CLOSE_STATUS_CANCELLED,
        )
        # The first order's end led to these.
        skip = order_pb2.ChildSkipped(
            meta=meta(derived_id(news, "skip"), news, news, "execution", self.at_ns + 1),
            portfolio="main",
            approval_id=self.approval.approval_id,
            condition_id=MARKET,
            token_id=TOKEN,
            phase=1,
            tactic=order_pb2.TACTIC_PASSIVE,
            reasons=[
                common_pb2.Reason(
                    rule="slippage.market",
                    value=70_000,
                    limit=50_000,
                    unit=common_pb2.UNIT_MICRO_RATIO,
                )
            ],
        )
        second.meta.CopyFrom(
            meta(derived_id(news, "second"), news, news, "execution", self.at_ns + 2 * SECOND_NS)
        )
        fill = order_pb2.Fill(
            trade_id=derived_id(news, "fill"),
            price_micro=404_000,
            size_micro=8_000_000,
            fee_micro=1_500,
            liquidity=order_pb2.LIQUIDITY_TAKER,
        )
        told = derived_id(news, "told")
        matched = order_pb2.OrderMatched(
            meta=meta(
                derived_id(told, "matched"), told, told, "execution", self.at_ns + 5 * SECOND_NS
            ),
            order=second.order,
            fill=fill,
        )
        mined = order_pb2.OrderMined(
            meta=meta(
                derived_id(told, "mined"), told, told, "execution", self.at_ns + 6 * SECOND_NS
            ),
            order=second.order,
            fill=fill,
        )
        messages = [self.started, first, closed, skip, second, matched, mined, self.finished(told)]
        return [to_record(Envelope("order.events", MARKET, message)) for message in messages]

    def finished(self, cause: str) -> order_pb2.WorkFinished:
        approval_id = self.approval.approval_id
        return order_pb2.WorkFinished(
            meta=meta(
                derived_id("execution", "finished", approval_id),
                cause,
                cause,
                "execution",
                self.at_ns + 9 * SECOND_NS,
            ),
            portfolio="main",
            approval_id=approval_id,
            condition_id=MARKET,
            token_id=TOKEN,
            side=common_pb2.SIDE_BUY,
            leader=LEADER,
            result=order_pb2.WORK_RESULT_PARTIAL,
            tactic=order_pb2.TACTIC_PASSIVE,
            limit_price_micro=420_000,
            size_micro=10_000_000,
            filled_size_micro=8_000_000,
            orders=2,
            arrival_mid_micro=400_000,
            expected_price_micro=400_000,
            average_price_micro=404_000,
            slippage_micro_ratio=10_000,
            slippage_to_expected_micro_ratio=10_000,
            fill_rate_micro_ratio=800_000,
            fees_micro=1_500,
            started_ns=self.at_ns,
            finished_ns=self.at_ns + 9 * SECOND_NS,
            time_to_first_fill_ns=5 * SECOND_NS,
            parts=[
                _part(0, 0, 10_000_000, 0),
                _part(1, order_pb2.LIQUIDITY_MAKER, 10_000_000, 2_000_000),
                _part(1, order_pb2.LIQUIDITY_TAKER, 10_000_000, 6_000_000),
            ],
        )

    def _announced(self, number: int) -> order_pb2.OrderAnnounced:
        approval = self.approval
        return order_pb2.OrderAnnounced(
            meta=meta(
                derived_id(approval.approval_id, "announced", number),
                approval.meta.id,
                approval.meta.correlation,
                "execution",
                self.at_ns,
            ),
            order=order_pb2.OrderRef(
                order_id=self.order_ids[number],
                approval_id=approval.approval_id,
                portfolio="main",
                leader=LEADER,
                condition_id=MARKET,
                token_id=TOKEN,
                side=common_pb2.SIDE_BUY,
                price_micro=400_000,
                size_micro=10_000_000,
            ),
            tactic=order_pb2.TACTIC_PASSIVE,
            child=number,
            phase=number,
            post_only=number == 0,
        )


def _part(
    phase: int, liquidity: int, ordered_micro: int, filled_micro: int
) -> order_pb2.ExecutionPart:
    return order_pb2.ExecutionPart(
        tactic=order_pb2.TACTIC_PASSIVE,
        phase=phase,
        liquidity=order_pb2.Liquidity.ValueType(liquidity),
        orders=1,
        ordered_size_micro=ordered_micro,
        filled_size_micro=filled_micro,
        average_price_micro=404_000 if filled_micro else 0,
        fees_micro=1_500 if liquidity == order_pb2.LIQUIDITY_TAKER else 0,
    )
