"""Plays the tape, window by window: first to the exchange, then to the log.

The exchange comes first, so that what rests there is matched before anyone hears of the
prints. A window is published once, whatever crashes: the agent only goes on from `state`.
"""

from collections.abc import Sequence

from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import agent_pb2, tape_pb2
from whaletrader.services.feeds.publication import window_events
from whaletrader.services.feeds.state import FeedsState, FeedsViews
from whaletrader.services.feeds.tape_values import Window


class FeedsAgent(Agent[FeedsState, FeedsViews]):
    """Reads no topic: the pacer asks for windows, the exchange answers."""

    name = "feeds"
    reads = ()

    def __init__(self, windows: Sequence[Window]) -> None:
        super().__init__(FeedsState(), FeedsViews())
        self._windows = windows
        self.decides = {
            tape_pb2.WindowDue: self.on_window_due,
            tape_pb2.WindowPlayed: self.on_window_played,
            agent_pb2.EffectFailed: self.on_effect_failed,
        }
        self.evolves = {
            tape_pb2.WindowOpened: self.state.open,
            tape_pb2.WindowPublished: self.state.publish,
        }

    def on_window_due(self, message: tape_pb2.WindowDue) -> Decision:
        """Open the next window; asked again for one that is under way, do nothing."""
        state = self.state
        is_next = message.window == state.published + 1 and state.opened == state.published
        if not is_next or message.window > len(self._windows):
            return Decision()
        opened = tape_pb2.WindowOpened(window=message.window)
        return Decision().keep(opened).ask(tape_pb2.PlayWindow(window=message.window), "exchange")

    def on_window_played(self, message: tape_pb2.WindowPlayed) -> Decision:
        """The exchange has matched what it had: now everyone may hear of the window."""
        decision = Decision()
        for topic, event in window_events(self._windows[message.window - 1]):
            decision.emit(topic, event)
        return decision.keep(
            tape_pb2.WindowPublished(window=message.window, accounts=message.accounts)
        )

    def on_effect_failed(self, _: agent_pb2.EffectFailed) -> Decision:
        """Without the exchange the tape stands still: ask again."""
        if self.state.opened == self.state.published:
            return Decision()
        return Decision().ask(tape_pb2.PlayWindow(window=self.state.opened), "exchange")
