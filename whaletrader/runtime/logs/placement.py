"""Where records go: the checks that every adapter makes before it writes anything.

Called by the adapters of the Log port. Does no I/O.
"""

from collections.abc import Callable, Iterable
from typing import Final

from whaletrader.runtime.log import LogError, Record, UnknownTopic, partition_of

# The largest value that every adapter takes. Kafka's default is 1 MB, too little for a
# snapshot; PostgreSQL's is 1 GB, which would not fit through Kafka.
VALUE_BYTES_MAX: Final = 8 * 1024 * 1024


def placed(
    records: Iterable[Record], partitions_of: Callable[[str], int]
) -> list[tuple[Record, int]]:
    """Return each record with its partition.

    Raises UnknownTopic for a topic or partition that is not there and LogError for a value
    that is too large: before anything is written, so that no half of a batch stays behind.
    """
    return [(record, _partition(record, partitions_of(record.topic))) for record in records]


def _partition(record: Record, count: int) -> int:
    if len(record.value) > VALUE_BYTES_MAX:
        raise LogError(
            f"a record for {record.topic} has {len(record.value)} bytes,"
            f" more than {VALUE_BYTES_MAX}"
        )
    if record.partition is None:
        return partition_of(record.key, count)
    if not 0 <= record.partition < count:
        raise UnknownTopic(f"topic {record.topic} has no partition {record.partition}")
    return record.partition
