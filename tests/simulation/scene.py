"""What an invariant may look at. Built by the world at each rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.simulation.process import Process
from tests.simulation.transcript import Transcript
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.schemas import common_pb2
from whaletrader.services.exchange.engine.exchange import Exchange as Engine

BUY: Final = common_pb2.SIDE_BUY


@dataclass(slots=True)
class Scene:
    """Everything that an invariant may look at."""

    log: MemoryLog
    transcript: Transcript
    engine: Engine
    processes: dict[str, Process]
    poison: dict[tuple[str, int, int], bytes]
    now_ns: int

    def state_of(self, agent: str) -> Any:
        return self.processes[agent].core.agent.state


Invariant = Callable[[Scene], Iterator[str]]
