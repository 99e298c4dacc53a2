"""`whaletrader audit`: is every recorded event as it was recorded? And: make read models anew."""

from __future__ import annotations

from typing import Annotated

import typer

from whaletrader.commands.recorded import CommandFailed, run, settings, store
from whaletrader.commands.up import DataOption
from whaletrader.runtime.settings import RuntimeSettings

app = typer.Typer(add_completion=False)


@app.command()
def audit(
    data: DataOption = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Also drop the read models and make them anew.")
    ] = False,
) -> None:
    """Verify the hash chains of the event store. Exits 1 and names the row if one is broken.

    Exits 2 when there is nothing to verify.
    """
    is_whole = run("audit", _audit(settings("audit", data), rebuild))
    if not is_whole:
        raise typer.Exit(1)


async def _audit(given: RuntimeSettings, rebuilds: bool) -> bool:
    from whaletrader.store.audit import audit as verify
    from whaletrader.store.rebuild import rebuild

    async with store(given) as connection:
        found = await verify(connection)
        if fault := found.fault:
            typer.echo(
                f"{fault.kind}: {fault.topic}/{fault.partition} offset {fault.offset}: "
                f"{fault.detail}"
            )
            if rebuilds:
                typer.echo("the read models were left as they are")
            return False
        if not found.partitions:
            raise CommandFailed("nothing was ever recorded here")
        typer.echo(f"verified: {found.events:,} events in {found.partitions} chains")
        if rebuilds:
            typer.echo(f"rebuilt the read models from {await rebuild(connection):,} events")
    return True
