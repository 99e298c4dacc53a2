"""Says on the topic agent.health how an agent's process is, every few seconds.

For people and for the orchestrator's watch: what an agent decides never depends on it. A beat
that the log does not take is left out; the next one says the same and more.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.health import Health
from whaletrader.runtime.log import Log, LogError
from whaletrader.runtime.shell import Shell
from whaletrader.runtime.worker import Worker
from whaletrader.schemas import agent_pb2

_LOG = logging.getLogger(__name__)

TOPIC: Final = "agent.health"
BEAT_S: Final = 5.0


async def beat(log: Log, shell: Shell, health: Health, agent: str, member: str) -> None:
    """Beat until cancelled."""
    clock = WallClock()
    while True:
        message = health_of(shell.workers, health, agent, member, clock.now_ns())
        try:
            await log.append([to_record(Envelope(TOPIC, agent, message))])
        except LogError as error:
            _LOG.info("no heartbeat: %s", error)
        await asyncio.sleep(BEAT_S)


def health_of(
    workers: Sequence[Worker], health: Health, agent: str, member: str, now_ns: int
) -> agent_pb2.AgentHealth:
    """Return what the process says of itself at a moment."""
    status = agent_pb2.AGENT_STATUS_RUNNING
    if not workers:
        is_starting = bool(health.problem) or not health.started
        status = agent_pb2.AGENT_STATUS_STARTING if is_starting else agent_pb2.AGENT_STATUS_STANDBY
    message = agent_pb2.AgentHealth(
        agent=agent,
        member=member,
        status=status,
        shards=[worker.core.shard for worker in workers],
        pending_effects=sum(worker.runner.in_flight for worker in workers),
        inputs_total=sum(sum(worker.core.consumed.values()) for worker in workers),
        open_circuits=sorted({c for worker in workers for c in worker.runner.open_circuits}),
    )
    message.meta.id = derived_id(TOPIC, agent, member, now_ns)
    message.meta.correlation = message.meta.id
    message.meta.event_time_ns = now_ns
    message.meta.source = agent
    return message
