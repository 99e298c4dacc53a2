"""The risk page's line to the risk agent: asks it over NATS, and tells what it answered.

Where risk does not answer, what it last measured is read from the event store, and said to be
that. Approves nothing and changes nothing. Called by the routes of risk_api.py.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from nats.aio.client import Client
from nats.errors import Error as NatsError

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO
from whaletrader.runtime.clock import Clock, monotonic_s
from whaletrader.runtime.requests import NoAnswer, ask_once, connect
from whaletrader.runtime.subjects import CHECKS, QUERIES, Subject
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.gateway.risk_views import (
    CheckBody,
    CheckView,
    LimitUse,
    RiskDeskView,
    RiskVerdict,
)
from whaletrader.services.gateway.store import Store, StoreNotReady, StoreUnavailable
from whaletrader.services.gateway.views import Reason
from whaletrader.store import queries
from whaletrader.store.projections.reasons import short_name, side_name, unit_name
from whaletrader.store.what_if import Question, check_of, find_place

_LOG = logging.getLogger(__name__)

VERDICTS_SHOWN: Final = 20
# Every open page asks: they share an answer for so long, and risk is asked once.
SHARED_S: Final = 0.5
CONNECT_S_MAX: Final = 1.0
# Fields that the view has from the measures as they are.
_MEASURED: Final = RiskDeskView.model_fields.keys() & {
    field.name for field in risk_pb2.RiskMeasured.DESCRIPTOR.fields
} - {"portfolio", "state", "limits"}

_LAST_MEASURED: Final = """
SELECT payload, event_time_ns FROM store.events
WHERE topic = 'risk.alert' AND type = $1 AND key = $2
ORDER BY log_time_ns DESC, "offset" DESC LIMIT 1
"""


class RiskDesk:
    """One portfolio's risk. Connects when it is first asked."""

    def __init__(self, nats_url: str, portfolio: str, store: Store, clock: Clock) -> None:
        self._nats_url = nats_url
        self._portfolio = portfolio
        self._store = store
        self._clock = clock
        self._client: Client | None = None
        self._lock = asyncio.Lock()
        self._shown: RiskDeskView | None = None
        self._shown_s = 0.0
        self._asked = 0

    async def view(self) -> RiskDeskView:
        """Return how the desk stands; what it last was, where risk does not answer."""
        async with self._lock:
            if self._shown is None or monotonic_s() - self._shown_s > SHARED_S:
                self._shown = await self._look()
                self._shown_s = monotonic_s()
            return self._shown

    async def check(self, body: CheckBody) -> CheckView:
        """Return what risk would say. Raises NoAnswer, UnknownMarket, StoreUnavailable."""
        place = await find_place(self._store, body.market, body.outcome)
        question = Question(
            side=body.side,
            price_micro=int(body.price * MICRO),
            size_micro=int(body.size * MICRO),
            portfolio=self._portfolio,
            leader=body.leader.lower(),
            fair_micro=int(body.fair * MICRO) if body.fair is not None else 0,
            leader_notional_micro=int(body.leader_usd * MICRO),
        )
        # On a tape it is another time for risk than for us.
        now_ns = (await self._query(verdicts_max=0)).now_ns
        answer = await self._ask(CHECKS, place.condition_id, check_of(question, place, now_ns))
        if not isinstance(answer, risk_pb2.CheckAnswered):
            raise NoAnswer(f"risk answered {type(answer).__name__}")
        return CheckView(
            approved=answer.approved,
            rule=answer.rule,
            question=place.question,
            outcome=place.outcome,
            size_micro=answer.size_micro,
            price_micro=answer.limit_price_micro,
            reserve_micro=answer.reserve_micro,
            state=_state(answer.state),
            reasons=_reasons(answer.reasons),
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _look(self) -> RiskDeskView:
        try:
            shown = await self._query(VERDICTS_SHOWN)
        except NoAnswer as error:
            return await self._last_known(str(error))
        return RiskDeskView(
            **_measures(shown.measured),
            portfolio=shown.portfolio,
            is_live=True,
            now_ns=shown.now_ns,
            is_open=shown.is_open,
            since_ns=shown.state_since_ns,
            until_ns=shown.state_until_ns,
            size_micro_ratio=shown.size_micro_ratio,
            pending_digest=shown.pending_digest,
            limits=await self._named(shown.measured.limits),
            exposures=await self._named(shown.exposures),
            exposures_left_out=shown.exposures_left_out,
            verdicts=await self._verdicts(shown.verdicts),
        )

    async def _last_known(self, why: str) -> RiskDeskView:
        try:
            row = await self._store.fetchrow(
                _LAST_MEASURED, risk_pb2.RiskMeasured.DESCRIPTOR.full_name, self._portfolio
            )
            told = risk_pb2.RiskMeasured.FromString(row["payload"]) if row is not None else None
        except (StoreUnavailable, StoreNotReady, DecodeError) as error:
            return RiskDeskView(
                portfolio=self._portfolio, is_live=False, note=f"{why}; the store: {error}"
            )
        if row is None or told is None:
            note = f"{why}, and it has measured nothing yet"
            return RiskDeskView(portfolio=self._portfolio, is_live=False, note=note)
        return RiskDeskView(
            **_measures(told),
            portfolio=self._portfolio,
            is_live=False,
            note=f"{why}: this is what it measured last",
            now_ns=row["event_time_ns"],
            is_open=bool(told.policy_digest),
            limits=await self._named(told.limits),
        )

    async def _query(self, verdicts_max: int) -> risk_pb2.RiskShown:
        query = risk_pb2.RiskQuery(portfolio=self._portfolio, verdicts_max=verdicts_max)
        query.meta.event_time_ns = self._clock.now_ns()
        self._asked += 1
        query.meta.id = derived_id("risk-page", query.meta.event_time_ns, self._asked)
        answer = await self._ask(QUERIES, self._portfolio, query)
        if not isinstance(answer, risk_pb2.RiskShown):
            raise NoAnswer(f"risk answered {type(answer).__name__}")
        return answer

    async def _ask(self, subject: Subject, token: str, question: Message) -> Message:
        if self._client is None:
            try:
                self._client = await asyncio.wait_for(
                    connect(self._nats_url, "gateway-risk"), CONNECT_S_MAX
                )
            except (NatsError, OSError, TimeoutError) as error:
                raise NoAnswer("risk cannot be asked: NATS is not there") from error
        return await ask_once(self._client, subject, token, question)

    async def _titles(self, condition_ids: Iterable[str]) -> dict[str, str]:
        wanted = sorted(set(condition_ids) - {""})
        if not wanted:
            return {}
        try:
            found = await queries.markets(self._store, wanted)
        except (StoreUnavailable, StoreNotReady) as error:
            # Numbers without titles are better than none.
            _LOG.warning("titles of markets are not known: %s", error)
            return {}
        return {market.condition_id: market.question for market in found}

    async def _named(self, used: Iterable[risk_pb2.LimitUtilisation]) -> tuple[LimitUse, ...]:
        uses = list(used)
        titles = await self._titles(use.key for use in uses if use.key.startswith("0x"))
        return tuple(
            LimitUse(
                rule=use.rule,
                key=use.key,
                name=titles.get(use.key, ""),
                value=use.value,
                limit=use.limit,
                unit=unit_name(use.unit),
                used_micro_ratio=use.used_micro_ratio,
            )
            for use in uses
        )

    async def _verdicts(self, shown: Iterable[risk_pb2.VerdictShown]) -> tuple[RiskVerdict, ...]:
        verdicts = [verdict for one in shown if (verdict := _verdict(one)) is not None]
        titles = await self._titles(one.condition_id for one in verdicts)
        return tuple(
            one.model_copy(update={"question": titles.get(one.condition_id, "")})
            for one in verdicts
        )


def _measures(told: risk_pb2.RiskMeasured) -> dict[str, Any]:
    return {
        **{name: getattr(told, name) for name in _MEASURED},
        "state": _state(told.state),
        "cause": told.state_rule,
    }


def _verdict(shown: risk_pb2.VerdictShown) -> RiskVerdict | None:
    kind = shown.WhichOneof("verdict")
    if kind is None:
        return None
    said: Any = getattr(shown, kind)
    is_refused = kind == "batch" and not said.approved
    return RiskVerdict(
        id=said.meta.id or getattr(said, "batch_id", ""),
        kind="refused" if is_refused or kind == "rejected" else kind,
        at_ns=said.meta.event_time_ns,
        side=side_name(said.side) if kind == "approved" else "",
        condition_id=getattr(said, "condition_id", ""),
        leader=getattr(said, "leader", ""),
        size_micro=getattr(said, "size_micro", 0) or getattr(said, "inventory_micro_max", 0),
        price_micro=getattr(said, "limit_price_micro", 0) or getattr(said, "bid_micro_max", 0),
        rule=getattr(said, "rule", ""),
        reasons=_reasons(said.reasons),
    )


def _reasons(held: Iterable[common_pb2.Reason]) -> list[Reason]:
    return [
        Reason(
            by="risk",
            rule=one.rule,
            value=one.value,
            limit=one.limit,
            unit=unit_name(one.unit),
            passed=one.passed,
            detail=one.detail,
        )
        for one in held
    ]


def _state(number: int) -> Any:
    return short_name(risk_pb2.DeskState, "DESK_STATE_", number)
