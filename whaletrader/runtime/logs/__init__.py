"""Adapters of the Log port, and the one place that chooses among them.

Called by composition roots. An adapter's driver is imported only when it is chosen, so that a
service needs to install only what it uses.
"""

from collections.abc import Callable
from typing import Literal

from whaletrader.runtime.log import Log, LogError

LogKind = Literal["memory", "postgres", "kafka"]


async def open_log(
    kind: LogKind,
    *,
    postgres_dsn: str = "",
    kafka_bootstrap: str = "",
    now_ns: Callable[[], int],
) -> Log:
    """Open a log. `now_ns` stamps the memory log's records; the others have clocks of their own.

    Raises LogUnavailable if its server cannot be reached, LogError if its address is missing.
    """
    if kind == "memory":
        from whaletrader.runtime.logs.memory import MemoryLog

        return MemoryLog(now_ns)
    if kind == "postgres":
        from whaletrader.runtime.logs.postgres import PostgresLog
        from whaletrader.runtime.logs.postgres_session import PostgresSettings

        if not postgres_dsn:
            raise LogError("the postgres log needs a DSN")
        return await PostgresLog.open(PostgresSettings(postgres_dsn))
    if kind == "kafka":
        from whaletrader.runtime.logs.kafka import KafkaLog
        from whaletrader.runtime.logs.kafka_settings import KafkaSettings

        if not kafka_bootstrap:
            raise LogError("the kafka log needs bootstrap servers")
        return await KafkaLog.open(KafkaSettings(kafka_bootstrap))
    raise LogError(f"there is no log of kind {kind!r}")
