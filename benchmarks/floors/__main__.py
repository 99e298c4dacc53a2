"""One hop of the raw chain as a process: `python -m benchmarks.floors ROLE LOG`.

    first    reads a record, writes one with its position in a transaction, asks `middle` by NATS
    middle   answers a NATS request after a transaction that writes one record
    last     reads what middle wrote, writes one record with its position, posts by HTTP

Addresses come by environment (BENCH_*), since they hold passwords.
"""

import asyncio
import os
import sys

from benchmarks.floors import kafka_hops, postgres_hops
from benchmarks.floors.addresses import Addresses


def main(role: str, log: str) -> None:
    addresses = Addresses(
        os.environ.get("BENCH_POSTGRES_DSN", ""),
        os.environ.get("BENCH_KAFKA", ""),
        os.environ["BENCH_NATS_URL"],
        os.environ["BENCH_EXCHANGE_URL"],
    )
    hops = postgres_hops.HOPS if log == "postgres" else kafka_hops.HOPS
    asyncio.run(hops[role](addresses))


if __name__ == "__main__":
    main(*sys.argv[1:])
