"""What a composition root hands to the shell: an agent and the edges it is plugged into.

Only a service's `__main__` builds one of these; agents never see it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.protobuf.message import Message
from prometheus_client.registry import Collector

from whaletrader.runtime.agent import Agent, Effect
from whaletrader.runtime.core import Core, Step


class EffectRetry(Exception):
    """The attempt failed in a way that another attempt may mend; nothing is known to be done."""


class Performer(Protocol):
    """Carries out one effect and returns its outcome.

    `again` is true when it may have been carried out before (an earlier attempt, or a crash
    before its outcome was journaled): then it must first find out. Raises EffectRetry; any
    other error ends the effect with EffectFailed.
    """

    async def __call__(self, effect: Effect, again: bool) -> Message: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard an effect is tried. After that its outcome is EffectFailed."""

    deadline_s: float = 10.0
    attempts_max: int = 5
    backoff_s: float = 0.05
    # After this many failures in a row the circuit opens and attempts fail at once for a while.
    circuit_failures: int = 5
    circuit_open_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Edge:
    """A performer with its policy."""

    performer: Performer
    policy: Policy = field(default_factory=Policy)


class Source(Protocol):
    """Brings in messages from outside: a venue's stream, a socket, a schedule.

    `run` puts messages (with an id derived from the fact they tell) until it is cancelled.
    `facts` counts, by account, the final facts that it has put so far; a paced demo waits for
    them. A source without such facts returns an empty mapping.
    """

    async def run(self, put: Callable[[Message], None]) -> None: ...

    def facts(self) -> Mapping[str, int]: ...


class Watcher(Protocol):
    """Follows a worker's commits; the pacer watches feeds through one."""

    def restored(self, core: Core) -> None: ...

    def committed(self, core: Core, step: Step) -> None: ...


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that the shell needs to run one agent."""

    make_agent: Callable[[], Agent[Any, Any]]
    # By type of the effect's message. SetTimer is built in.
    edges: Mapping[type[Message], Edge] = field(default_factory=dict)
    # NATS subject (wildcards allowed) -> type of the requests that it carries.
    responds: Mapping[str, type[Message]] = field(default_factory=dict)
    sources: Sequence[Source] = ()
    watcher: Watcher | None = None
    # Served on /metrics beside the shell's own.
    collectors: Sequence[Collector] = ()
    # Run before the agent reads anything: connections, pre-flight checks.
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[None]] | None = None
