"""Composition root of execution: `python -m whaletrader.services.execution`."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable

from whaletrader.domain.money import MICRO
from whaletrader.runtime.clock import WallClock, member_name
from whaletrader.runtime.run import run
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.runtime.settings import Mode
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.agent import ExecutionAgent, ExecutionPolicy, Working
from whaletrader.services.execution.claims import NO_RIVAL, ClaimRefused
from whaletrader.services.execution.config import ExecutionSettings
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.log_claim import LogClaim
from whaletrader.services.execution.news import News
from whaletrader.services.execution.outside import ANYWHERE, NotReady, OutsideWatch
from whaletrader.services.execution.performers import (
    BookPerformer,
    CancelPerformer,
    Guards,
    ResolvePerformer,
    SubmitPerformer,
)
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.services.execution.source import Rhythm, VenueSource
from whaletrader.services.execution.trust import RiskKey
from whaletrader.services.execution.wallet_lock import ClaimWatch, PostgresClaim
from whaletrader.venues.errors import VenueUnavailable
from whaletrader.venues.polymarket.signer import Signer
from whaletrader.venues.polymarket.venue import PolymarketVenue
from whaletrader.venues.preflight import PreflightOptions, preflight
from whaletrader.venues.watch import Watch, WatchOptions

_LOG = logging.getLogger(__name__)

# A send may meet one lost answer of ten seconds, the client's own limit, and then look twice.
SUBMIT_POLICY = Policy(deadline_s=25.0, attempts_max=6, backoff_s=0.2)
CANCEL_POLICY = Policy(deadline_s=25.0, attempts_max=6, backoff_s=0.2)
RESOLVE_POLICY = Policy(deadline_s=25.0, attempts_max=6, backoff_s=0.2)
# A book that takes longer is no news; the agent asks again after a pause.
BOOK_POLICY = Policy(deadline_s=3.0, attempts_max=3, backoff_s=0.1)


def make_agent() -> ExecutionAgent:
    """Return the agent as this process's environment configures it, without connecting.

    Raises KeyUnreadable where risk's public key is not to be had.
    """
    settings = ExecutionSettings()
    risk_key = RiskKey(settings.public_key_path)
    risk_key.read()
    venue = settings.venue()
    return ExecutionAgent(_policy(settings, venue.wallet), risk_key.verify, venue.prepare)


def build(settings: ExecutionSettings) -> Service:
    """Plug the agent into its venue."""
    signer = settings.signer()
    venue = settings.venue(signer)
    desk = Desk()
    risk_key = RiskKey(settings.public_key_path)
    now_ns = _now_ns(settings, desk)
    news = News(venue.wallet, desk)
    reconciler = Reconciler(venue, desk, news, now_ns)
    policy = _policy(settings, venue.wallet)
    lock = _lock(settings, venue.wallet)
    outside = _outside(settings, venue)
    # A demo's log commits when the tape says so: there is nothing to be confirmed by it.
    by_log = NO_RIVAL if settings.mode is Mode.DEMO else LogClaim(desk, news)
    guards = Guards(desk, risk_key.verify, now_ns, lock or by_log, outside or ANYWHERE)
    submit = SubmitPerformer(venue, reconciler, guards)

    async def before() -> None:
        await risk_key.load(settings.start_wait_s)
        if lock is not None:
            await lock.take(settings.claim_wait_s)
        async with asyncio.timeout(settings.start_wait_s):
            await _connected(venue)
        if settings.mode is Mode.LIVE:
            await _checked(venue, signer, settings)

    async def after() -> None:
        await venue.close()
        if lock is not None:
            await lock.release()

    return Service(
        make_agent=lambda: ExecutionAgent(policy, risk_key.verify, venue.prepare),
        edges={
            order_pb2.SubmitOrder: Edge(submit, SUBMIT_POLICY),
            order_pb2.ResolveOrder: Edge(ResolvePerformer(reconciler), RESOLVE_POLICY),
            order_pb2.CancelOrder: Edge(CancelPerformer(venue, reconciler), CANCEL_POLICY),
            order_pb2.ReadBook: Edge(BookPerformer(venue), BOOK_POLICY),
        },
        sources=(
            VenueSource(venue, news, reconciler, _rhythm(settings, venue)),
            *([ClaimWatch(lock)] if lock is not None else []),
            *([outside] if outside is not None else []),
        ),
        watcher=desk,
        before=before,
        after=after,
    )


def _rhythm(settings: ExecutionSettings, venue: PolymarketVenue) -> Rhythm:
    beat_s = venue.capabilities.heartbeat_every_s if settings.sends_heartbeats else 0
    return Rhythm(
        reconcile_s=settings.reconcile_every_s, heartbeat_s=beat_s, holdings_s=settings.holdings_s
    )


def _lock(settings: ExecutionSettings, wallet: str) -> PostgresClaim | None:
    dsn = settings.postgres_dsn.get_secret_value()
    holder = f"{member_name('execution')} pid {os.getpid()}"
    return PostgresClaim(dsn, wallet, holder) if dsn else None


def _outside(settings: ExecutionSettings, venue: PolymarketVenue) -> OutsideWatch | None:
    if settings.mode is not Mode.LIVE:
        return None
    options = WatchOptions(
        WallClock().now_ns, every_s=settings.watch_every_s, skew_max_s=settings.skew_max_s
    )
    return OutsideWatch(Watch(venue, options))


async def _checked(venue: PolymarketVenue, signer: Signer, settings: ExecutionSettings) -> None:
    """Look at all that live trading needs. Raises NotReady, which says what failed."""
    options = PreflightOptions(
        WallClock().now_ns,
        skew_max_s=settings.skew_max_s,
        goes_on_beating=settings.sends_heartbeats,
    )
    report = await preflight(venue, signer, options)
    if not report.has_passed:
        raise NotReady("; ".join(str(check) for check in report.failures))
    _LOG.info("pre-flight passed: %d checks", len(report.checks))


def _policy(settings: ExecutionSettings, wallet: str) -> ExecutionPolicy:
    return ExecutionPolicy(
        lane=wallet,
        working=Working(settings.working_ns, settings.gtd_margin_s),
        cancel_on_halt=settings.cancel_on_halt,
        look_after_ns=settings.look_after_ms * 1_000_000,
        unknown_grace_ns=settings.unknown_grace_s * 1_000_000_000,
        tactics=settings.tactics(),
        cash_tolerance_micro=int(settings.cash_tolerance_usd * MICRO),
    )


def _now_ns(settings: ExecutionSettings, desk: Desk) -> Callable[[], int]:
    """In a demo time stands still between the tape's windows, also for what is under way."""
    return desk.now_ns if settings.mode is Mode.DEMO else WallClock().now_ns


async def _connected(venue: PolymarketVenue) -> None:
    while True:
        try:
            await venue.connect()
        except VenueUnavailable as error:
            _LOG.warning("waiting for the venue: %s", error)
            await asyncio.sleep(0.5)
        else:
            _LOG.info("trading wallet %s", venue.wallet)
            return


if __name__ == "__main__":
    # The client's every request is no news.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        run(build(ExecutionSettings()))
    except (ClaimRefused, NotReady) as error:
        sys.exit(f"execution does not start: {error}")
