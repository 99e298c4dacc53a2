"""A whole life at a venue, every logger at its loudest: what it writes holds no secret."""

import asyncio
import io
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.venues.faulty_line import Fault
from tests.contract.venues.port_rig import ALICE, BOB, NO, YES, place, site, write_credentials
from whaletrader.venues.errors import VenueError
from whaletrader.venues.polymarket.credentials import FileCredentials
from whaletrader.venues.port import StreamOpened

SHARE = 1_000_000


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any logger of this process says, down to DEBUG."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


async def test_trading_failing_and_changing_keys_leave_no_secret_in_any_log(
    log: io.StringIO, tmp_path: Path
) -> None:
    errors: list[str] = []

    async def failing(action: object) -> None:
        with pytest.raises(VenueError) as raised:
            await action  # type: ignore[misc]
        errors.append("".join(traceback.format_exception(raised.value)))

    async with site() as here:
        file = tmp_path / "api.json"
        old, new = await here.api_key(ALICE, 1), await here.api_key(ALICE, 2)
        write_credentials(file, old)
        alice = await here.venue(source=FileCredentials(file))
        bob = await here.venue(BOB)
        login_secret = bob._sessions.current.credentials
        async with asyncio.timeout(60):
            assert isinstance(await anext(alice.events()), StreamOpened)
        await place(alice, 400_000, 10 * SHARE)
        await place(bob, 600_000, 10 * SHARE, token=NO)
        await alice.heartbeat()
        await failing(place(alice, 405_000, 10 * SHARE))
        await failing(place(alice, 900_000, 9_000 * SHARE))
        here.line.arm("POST /order", Fault.LOSE_ANSWER)
        await failing(place(alice, 300_000, 10 * SHARE))
        here.revoke(old)
        await failing(place(alice, 300_000, 10 * SHARE))
        write_credentials(file, new)
        await place(alice, 300_000, 10 * SHARE)
        await here.line.cut()
        await failing(alice.collateral())
        here.line.mend()
        assert (await alice.book(YES)).best_bid_micro == 300_000
        shown = log.getvalue() + "".join(errors)
        assert "POST" in shown, "the loggers were not heard"
        secrets = [ALICE[2:], BOB[2:]]
        for credentials in (old, new, login_secret):
            secrets += [
                credentials.key.get_secret_value(),
                credentials.secret.get_secret_value(),
                credentials.passphrase.get_secret_value(),
            ]
        # Loggers shorten what is long: its beginning and its end would be shown.
        for secret in secrets:
            assert secret[:12] not in shown
            assert secret[-12:] not in shown
        for venue in (alice, bob):
            assert not [secret for secret in secrets if secret in repr(venue) + repr(vars(venue))]
