"""What is measured on a desk: the whole chain, then the approval alone."""

import asyncio

from benchmarks import approval, chain
from benchmarks.desk import Site, desk
from benchmarks.figures import Section
from benchmarks.servers import LogKind, Servers
from benchmarks.sizes import Sizes


def run(servers: Servers, sizes: Sizes, kind: LogKind) -> list[Section]:
    """Set up a desk on fresh topics and measure."""
    site = Site(
        kind,
        servers.folder / f"desk-{kind}",
        servers.nats_url(),
        postgres_dsn=servers.database() if kind == "postgres" else "",
        kafka_bootstrap=servers.kafka_bootstrap() if kind == "kafka" else "",
    )
    return asyncio.run(_measure(site, sizes))


async def _measure(site: Site, sizes: Sizes) -> list[Section]:
    async with desk(site) as furnished:
        return [await chain.measure(furnished, sizes), await approval.measure(furnished, sizes)]
