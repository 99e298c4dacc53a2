"""A real process that relays records from one topic to another, to be killed at any moment.

Run by test_crashes.py: `relay_child.py KIND ADDRESS NAME STOP`. STOP says where it stops and
waits for its end: `never`, `polled`, `filled` (inside a commit), `committed`.
"""

import asyncio
import sys
import time
from collections.abc import Sequence

from whaletrader.runtime.log import Log, Position, Record
from whaletrader.runtime.logs.deadline import Deadline
from whaletrader.runtime.logs.kafka import KafkaLog
from whaletrader.runtime.logs.kafka_settings import KafkaSettings
from whaletrader.runtime.logs.kafka_writer import TransactionalWriter
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.runtime.logs.postgres_session import PostgresSettings


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def stop(word: str) -> None:
    say(word)
    time.sleep(3600)


class HeldWriter:
    """Makes a transaction stop after everything is at the broker and before its end."""

    @staticmethod
    def commit(_writer: TransactionalWriter, _deadline: Deadline) -> None:
        stop("filled")


async def open_log(kind: str, address: str) -> Log:
    if kind == "postgres":
        return await PostgresLog.open(PostgresSettings(address, lease_s=0.8))
    return await KafkaLog.open(KafkaSettings(address, session_s=6.0))


async def main(arguments: Sequence[str]) -> None:
    kind, address, name, at = arguments
    log = await open_log(kind, address)
    membership = await log.join(f"relay.{name}", "one", f"journal.relay.{name}")
    while not await membership.owned(1):
        pass
    shard = await membership.claim(0, [f"inputs.{name}"])
    say("claimed")
    while True:
        await membership.owned(0)
        records = await shard.poll(5, 0.5)
        if not records:
            continue
        if at == "polled":
            stop("polled")
        if at == "filled":
            if kind == "kafka":
                TransactionalWriter._commit = HeldWriter.commit  # type: ignore[method-assign]
            say("committing")
        events = [Record(f"outputs-{n}.{name}", r.key, r.value) for r in records for n in (0, 1)]
        last = records[-1]
        entry = Record(f"journal.relay.{name}", "0", last.value, partition=0)
        await shard.commit([entry, *events], [Position(last.topic, 0, last.offset + 1)])
        if at == "committed":
            stop("committed")
        say("relayed")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
