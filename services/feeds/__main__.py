"""Composition root of feeds: a recorded tape in a demo, followed wallets where markets are live."""

import logging
from typing import Final

import httpx

from whaletrader.runtime.agent import Agent
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.run import Pace, run
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.runtime.settings import Mode, RuntimeSettings
from whaletrader.schemas import follow_pb2, tape_pb2
from whaletrader.services.feeds.agent import FeedsAgent
from whaletrader.services.feeds.config import FeedsSettings
from whaletrader.services.feeds.following.agent import FollowAgent
from whaletrader.services.feeds.following.config import BadRoster, FollowSettings
from whaletrader.services.feeds.following.reading import EndReader, MarketReader, WalletReader
from whaletrader.services.feeds.following.sources import Doorbell, Roster
from whaletrader.services.feeds.pacer import Pacer
from whaletrader.services.feeds.player import TapePlayer
from whaletrader.services.feeds.tape import Window, load_tape
from whaletrader.venues.polymarket.history.calls import Caller, CallOptions
from whaletrader.venues.polymarket.history.data_api import DataApi
from whaletrader.venues.polymarket.history.gamma import Gamma

_LOG = logging.getLogger(__name__)

NS_PER_S: Final = 1_000_000_000
# The exchange may be restarted meanwhile; the tape waits for it.
PLAY_POLICY: Final = Policy(
    deadline_s=120.0, attempts_max=1_000, backoff_s=0.05, circuit_open_s=0.5
)
# A read has its own patience, and answers what went wrong.
READ_POLICY: Final = Policy(deadline_s=600.0, attempts_max=1)


def windows_of(settings: FeedsSettings) -> tuple[Window, ...]:
    """Return the tape's windows as the settings cut it. Exits when there are none."""
    tape = load_tape(settings.tape)
    if settings.to_s:
        tape = tape.between(settings.from_s * NS_PER_S, settings.to_s * NS_PER_S)
    windows = tuple(tape.windows(settings.window_s))
    if not windows:
        raise SystemExit("no market opens and resolves between FROM_S and TO_S: nothing to play")
    return windows


def make_agent() -> Agent:  # type: ignore[type-arg]
    """Return the agent as this process's environment configures it."""
    if RuntimeSettings().mode is Mode.DEMO:
        return FeedsAgent(windows_of(FeedsSettings()))
    return FollowAgent(FollowSettings())


def main() -> None:
    if RuntimeSettings().mode is Mode.DEMO:
        play()
    else:
        follow()


def play() -> None:
    """Play the recorded tape, and give the pace."""
    settings = FeedsSettings()
    windows = windows_of(settings)
    player = TapePlayer(windows, settings.exchange_url)
    pacer = Pacer(windows, settings)
    run(
        Service(
            make_agent=lambda: FeedsAgent(windows),
            edges={tape_pb2.PlayWindow: Edge(player, PLAY_POLICY)},
            sources=(pacer,),
            watcher=pacer,
            before=lambda: player.fund(settings.wallet, settings.collateral_usd),
            after=player.close,
        ),
        # Feeds gives the pace; it cannot follow it.
        Pace.GIVES,
    )


def follow() -> None:
    """Follow wallets at the venue. Exits when the list of wallets cannot be read."""
    settings = FollowSettings()
    try:
        roster = settings.roster()
    except BadRoster as error:
        raise SystemExit(str(error)) from error
    client = httpx.AsyncClient()
    options = CallOptions(requests_per_s=settings.requests_per_s)
    data_api = DataApi(Caller(client, settings.data_url, options))
    gamma = Gamma(Caller(client, settings.gamma_url, options))

    async def before() -> None:
        if roster:
            _LOG.info("%d wallets are followed at %s", len(roster), settings.data_url)
        else:
            _LOG.warning(
                "no wallet is followed: name some in WHALETRADER_FEEDS_WALLETS_FILE, one a line "
                "(`whaletrader scan` finds candidates), or in WHALETRADER_FEEDS_WALLETS"
            )

    sources = (
        Roster(roster, settings.history_days, WallClock()),
        *([Doorbell(settings.stream_url, roster)] if roster else ()),
    )
    run(
        Service(
            make_agent=lambda: FollowAgent(settings),
            edges={
                follow_pb2.ReadWallet: Edge(WalletReader(data_api), READ_POLICY),
                follow_pb2.LookUpMarkets: Edge(MarketReader(gamma), READ_POLICY),
                follow_pb2.LookUpEnds: Edge(EndReader(data_api), READ_POLICY),
            },
            sources=sources,
            before=before,
            after=client.aclose,
        ),
        Pace.FREE,
    )


if __name__ == "__main__":
    main()
