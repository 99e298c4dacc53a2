"""Composition root of feeds: plugs the tape, the exchange and the pacer together."""

from whaletrader.runtime.run import Pace, run
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.runtime.settings import Mode, RuntimeSettings
from whaletrader.schemas import tape_pb2
from whaletrader.services.feeds.agent import FeedsAgent
from whaletrader.services.feeds.config import FeedsSettings
from whaletrader.services.feeds.pacer import Pacer
from whaletrader.services.feeds.player import TapePlayer
from whaletrader.services.feeds.tape import Window, load_tape

NS_PER_S = 1_000_000_000
# The exchange may be restarted meanwhile; the tape waits for it.
PLAY_POLICY = Policy(deadline_s=120.0, attempts_max=1_000, backoff_s=0.05, circuit_open_s=0.5)


def windows_of(settings: FeedsSettings) -> tuple[Window, ...]:
    """Return the tape's windows as the settings cut it. Exits when there are none."""
    tape = load_tape(settings.tape)
    if settings.to_s:
        tape = tape.between(settings.from_s * NS_PER_S, settings.to_s * NS_PER_S)
    windows = tuple(tape.windows(settings.window_s))
    if not windows:
        raise SystemExit("no market opens and resolves between FROM_S and TO_S: nothing to play")
    return windows


def make_agent() -> FeedsAgent:
    """Return the agent as this process's environment configures it."""
    return FeedsAgent(windows_of(FeedsSettings()))


def main() -> None:
    if RuntimeSettings().mode is not Mode.DEMO:
        raise SystemExit("feeds plays a recorded tape: live market data is not there yet")
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


if __name__ == "__main__":
    main()
