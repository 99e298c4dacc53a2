"""Who takes part, and what each is plugged into: the composition roots of the simulation.

The agents and their performers are the real ones; at the edges stand the engine, risk's own
process, and people who are told.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.message import Message

from tests.simulation.copier import Copier
from tests.simulation.faults import Fate, Faults
from tests.simulation.process import Plugs, Process, Role
from tests.simulation.venue import WALLET, Exchange, SimVenue, order_id_of
from whaletrader.domain.approval import ApprovalSigner, ApprovalVerifier
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import agent_pb2, order_pb2, risk_pb2, tape_pb2
from whaletrader.services.attribution.agent import AttributionAgent
from whaletrader.services.attribution.config import AttributionSettings
from whaletrader.services.discovery.agent import DiscoveryAgent
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.exchange.engine.exchange import Window as EngineWindow
from whaletrader.services.exchange.engine.model import Market, Print, Resolution, Side, Token
from whaletrader.services.execution.agent import ExecutionAgent, ExecutionPolicy, Working
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.news import News
from whaletrader.services.execution.performers import (
    BookPerformer,
    CancelPerformer,
    Guards,
    ResolvePerformer,
    SubmitPerformer,
)
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.services.execution.source import Rhythm, VenueSource
from whaletrader.services.execution.working.terms import SINGLE, PhaseTerms, TacticSettings
from whaletrader.services.feeds.agent import FeedsAgent
from whaletrader.services.feeds.tape_values import TapeMarket, Window
from whaletrader.services.intelligence.agent import IntelligenceAgent
from whaletrader.services.intelligence.config import IntelligenceSettings
from whaletrader.services.notifier.agent import Channel, NotifierAgent
from whaletrader.services.notifier.notice import Urgency
from whaletrader.services.orchestrator.agent import OrchestratorAgent
from whaletrader.services.orchestrator.config import OrchestratorSettings
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.policy_terms import RiskPolicy
from whaletrader.venues.approval import VerifiedApproval

CASH_MICRO: Final = 1_500_000_000
RISK: Final = RiskSettings(starting_cash_usd=Decimal(1_500))
# Tight in money, loose in what would stop a run of a few hours for good.
SETTINGS: Final = RiskPolicy(
    name="simulation",
    trade_usd_max=Decimal(60),
    trade_ratio_max=Decimal("0.05"),
    position_usd_max=Decimal(100),
    position_ratio_max=Decimal("0.1"),
    market_usd_max=Decimal(150),
    leader_usd_max=Decimal(300),
    strategy_ratio_max=Decimal(1),
    category_ratio_max=Decimal(1),
    total_usd_max=Decimal(700),
    liquidity_ratio_max=Decimal(100),
    cvar_ratio_max=Decimal("0.2"),
    mvar_ratio_warn=Decimal("0.2"),
    mvar_ratio_max=Decimal("0.3"),
    day_loss_usd_max=Decimal(400),
    day_loss_ratio_max=Decimal("0.3"),
    week_loss_ratio_max=Decimal("0.5"),
    day_loss_needs_resume=False,
    drawdown_needs_resume=False,
    pause_s=600,
    phase_start=4,
    notional_usd_min=Decimal(1),
    edge_usd_max=Decimal("0.5"),
    price_age_s_max=7_200,
    clock_skew_ms_max=86_400_000,
    time_to_end_s_min=0,
    # A tape does not know it beforehand.
    end_must_be_known=False,
    approval_ttl_s=3_600,
    expiry_grace_s=60,
    measure_every_s=1_200,
    exit_cooldown_s=600,
)
# Whales are found after a few markets: a run sees no more than some dozens.
DISCOVERY: Final = DiscoverySettings(
    markets_min=2,
    trades_min=4,
    wallets_min=4,
    confidence=0.2,
    base_edge_max_micro=200_000,
    is_corrected=False,
)
# A little over one window of the synthetic tape.
WORKING_NS: Final = 900 * 1_000_000_000
GRACE_NS: Final = 15_000_000_000

# Phases as long as the windows of the tape: an order is filled between two of them at the earliest.
PHASED: Final = TacticSettings(
    fixed=order_pb2.TACTIC_ADAPTIVE,
    phases=(
        PhaseTerms(WORKING_NS, 0, 1_000_000),
        PhaseTerms(WORKING_NS, 20_000, 900_000),
        PhaseTerms(WORKING_NS, 50_000, 750_000),
    ),
    retry_ns=GRACE_NS,
)

OnSubmit = Callable[[Process, VerifiedApproval, order_pb2.OrderAnnounced], Awaitable[None]]
AskRisk = Callable[[Effect], Awaitable[Message | None]]


def _fixed_signer() -> ApprovalSigner:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    return ApprovalSigner(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


SIGNER: Final = _fixed_signer()
VERIFIER: Final = ApprovalVerifier([SIGNER.public_pem()])


@dataclass(slots=True)
class Edges:
    """What stands around the agents, shared by all incarnations."""

    windows: list[Window]
    exchange: Exchange
    faults: Faults
    on_submit: OnSubmit
    ask_risk: AskRisk
    # Whether a reconciliation at rest reads everything, as after a restart, or only what the
    # venue's news holds to be new.
    rereads_all: bool = False
    # How execution works approved trades.
    tactics: TacticSettings = SINGLE
    told: list[agent_pb2.NotifyPerson] = field(default_factory=list)


class Player:
    """Performer of PlayWindow: shows the engine a window, as the exchange's admin calls do."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges

    async def __call__(self, effect: Effect, again: bool) -> Message:
        edges = self._edges
        fate = edges.faults.fate("play", edges.faults.rates.play)
        if fate is Fate.UNAVAILABLE:
            raise EffectRetry("the exchange restarts")
        assert isinstance(effect.message, tape_pb2.PlayWindow)
        number = effect.message.window
        engine = edges.exchange.engine
        window = edges.windows[number - 1]
        for market in window.markets:
            engine.list_market(_market(market))
        edges.exchange.deliver_late()
        facts = engine.play(_engine_window(number, window))
        edges.exchange.publish()
        if fate is Fate.ANSWER_LOST:
            raise EffectRetry("no answer")
        accounts = [tape_pb2.AccountFacts(address=a, facts=n) for a, n in sorted(facts.items())]
        return tape_pb2.WindowPlayed(window=number, accounts=accounts)


class People:
    """Performer of NotifyPerson."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges

    async def __call__(self, effect: Effect, again: bool) -> Message:
        assert isinstance(effect.message, agent_pb2.NotifyPerson)
        self._edges.told.append(effect.message)
        return agent_pb2.PersonNotified(
            dedup_key=effect.message.dedup_key, channel=effect.message.channel, delivered=True
        )


class RiskLink:
    """Performer of TradeProposal: a request that may be lost, late or unanswered."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges

    async def __call__(self, effect: Effect, again: bool) -> Message:
        reply = await self._edges.ask_risk(effect)
        if not isinstance(reply, risk_pb2.ApprovedTrade | risk_pb2.RejectedTrade):
            raise EffectRetry("no answer")
        return reply


def roles(edges: Edges, *, is_eager: bool) -> dict[str, Role]:
    """Return all roles, in the order in which a trade meets them."""
    make_orchestrator = Copier if is_eager else make_following_orchestrator
    every = (
        Role(
            "feeds",
            lambda: FeedsAgent(edges.windows),
            lambda _: Plugs({tape_pb2.PlayWindow: Player(edges)}),
        ),
        Role("discovery", lambda: DiscoveryAgent(DISCOVERY)),
        Role(
            "intelligence",
            lambda: IntelligenceAgent(IntelligenceSettings(warm_up_buckets=2, z_min=1.0)),
        ),
        Role(
            "orchestrator",
            make_orchestrator,
            lambda _: Plugs({risk_pb2.TradeProposal: RiskLink(edges)}),
        ),
        Role("risk", lambda: RiskAgent(RISK, SIGNER.sign, SIGNER.key_id), plug_risk),
        Role(
            "execution",
            lambda: make_execution(edges.tactics),
            lambda process: plug_execution(process, edges),
        ),
        Role(
            "attribution",
            lambda: AttributionAgent(AttributionSettings(starting_cash_micro=CASH_MICRO)),
        ),
        Role(
            "notifier",
            lambda: NotifierAgent((Channel("log", Urgency.INFO),), 60_000_000_000),
            lambda _: Plugs({agent_pb2.NotifyPerson: People(edges)}),
        ),
    )
    return {role.name: role for role in every}


def make_following_orchestrator() -> OrchestratorAgent:
    return OrchestratorAgent(
        OrchestratorSettings(
            conviction_usd_min=Decimal(1), cooldown_s=60, deadline_ms=30_000
        ).thresholds()
    )


def make_execution(tactics: TacticSettings) -> ExecutionAgent:
    policy = ExecutionPolicy(
        lane=WALLET, working=Working(WORKING_NS), unknown_grace_ns=GRACE_NS, tactics=tactics
    )
    return ExecutionAgent(policy, VERIFIER.verify, order_id_of)


def plug_risk(process: Process) -> Plugs:
    """Tell the policy, as the source of risk's composition root does at every start."""
    told = risk_pb2.PolicyCommand(
        portfolio=RISK.portfolio,
        action=risk_pb2.POLICY_ACTION_PROPOSE,
        document=SETTINGS.document(),
        operator="policy file",
        from_file=True,
        starting_cash_micro=CASH_MICRO,
    )
    told.meta.id = derived_id("risk", "policy-file", SETTINGS.digest)
    process.put(told)
    return Plugs()


def plug_execution(process: Process, edges: Edges) -> Plugs:
    """Return the real performers and the real source, on this incarnation's connection."""
    venue = SimVenue(
        edges.exchange,
        edges.faults,
        lambda approval, order: edges.on_submit(process, approval, order),
    )
    clock = process.ground.clock
    desk = Desk()
    news = News(venue.wallet, desk)
    reconciler = Reconciler(venue, desk, news, clock.now_ns)
    source = VenueSource(venue, news, reconciler, Rhythm(60))
    news.attach(process.put)

    async def listen() -> None:
        venue.take(edges.faults.rng.randint(1, 20))
        await source._listen()
        if source._opened.is_set():
            await reconciler.all()
            source._opened.clear()

    async def reconcile() -> None:
        if edges.rereads_all:
            news.attach(process.put)
        await reconciler.all()

    return Plugs(
        performers={
            order_pb2.SubmitOrder: SubmitPerformer(
                venue, reconciler, Guards(desk, VERIFIER.verify, clock.now_ns)
            ),
            order_pb2.ResolveOrder: ResolvePerformer(reconciler),
            order_pb2.ReadBook: BookPerformer(venue),
            order_pb2.CancelOrder: CancelPerformer(venue, reconciler),
        },
        watcher=desk,
        listen=listen,
        has_news=lambda: venue.has_news or source._opened.is_set(),
        close=venue.close,
        reconcile=reconcile,
    )


def _market(market: TapeMarket) -> Market:
    first, second = (
        Token(token, outcome)
        for token, outcome in zip(market.token_ids, market.outcomes, strict=True)
    )
    return Market(
        condition_id=market.condition_id,
        question=market.title,
        slug=market.slug,
        event_slug=market.event_slug,
        category=market.category,
        tokens=(first, second),
        tick_size_micro=market.tick_micro,
        min_size_micro=market.min_size_micro,
        fee_rate_micro=market.fee_rate_micro,
        neg_risk=market.is_neg_risk,
        end_ns=0,
    )


def _engine_window(number: int, window: Window) -> EngineWindow:
    return EngineWindow(
        number=number,
        now_ns=window.end_ns,
        prints=tuple(
            Print(t.id, t.token_id, t.price_micro, t.size_micro, Side(t.side), t.at_ns)
            for t in window.trades
        ),
        resolutions=tuple(
            Resolution(r.condition_id, r.winning_index, r.at_ns) for r in window.resolutions
        ),
    )
