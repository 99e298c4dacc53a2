"""Every route answers odd input as the venue would: never with a 500, always with JSON."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote

from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket._internal.hmac import build_hmac_signature

from tests.contract.exchange.exchange_rig import ALICE_KEY, CONDITION, YES, Rig, rig
from whaletrader.services.exchange.wire import routes

ALICE = Account.from_key(ALICE_KEY).address
ODD = ("", "-1", "NaN", "1e309", "0x", "٣", "LTE=", "../..", "9" * 5_000, "\x00")
PARAMETERS = (
    *("token_id", "user", "market", "condition", "limit", "offset", "cursor", "next_cursor"),
    *("start", "end", "startTs", "interval", "fidelity", "ids", "date", "before", "after"),
    *("filter_amount", "sizeThreshold", "volume_num_min", "after_cursor", "page", "builder_code"),
)
BODIES = (
    *(b"", b"null", b"5", b"{}", b"[]", b"[null]", b"[5]", b'{"a":', b"\xff\xfe"),
    *(b'[{"token_id":5}]', b'{"orderID":5}', b'{"rules":5}', b'{"markets":[5]}', b'{"method":5}'),
    *(b'{"collateral":"1e999999999"}', b"[" * 50_000, b'{"to":' * 50_000),
)
# These would take the key away that all the others sign with.
SKIPPED = ("DELETE /auth/api-key", "POST /admin/restrictions")


async def hit(made: Rig, client: AsyncSecureClient, row: str, **asked: Any) -> str:
    """Send one signed request; return what is wrong with its answer, if anything is."""
    method, _, path = row.partition(" ")
    body: bytes = asked.get("content", b"")
    stamp, creds = int(time.time()), client.credentials
    signature = build_hmac_signature(
        secret=creds.secret, timestamp=stamp, method=method, path=path, body=body.decode("latin-1")
    )
    headers = {
        "POLY_ADDRESS": ALICE,
        "POLY_API_KEY": creds.key,
        "POLY_PASSPHRASE": creds.passphrase,
        "POLY_TIMESTAMP": str(stamp),
        "POLY_SIGNATURE": signature,
    }
    answer = await made.http.request(method, path, headers=headers, **asked)
    kind = answer.headers.get("content-type", "")
    is_right = answer.status_code < 500 and kind.startswith(("application/json", "application/zip"))
    shown = {name: str(value)[:60] for name, value in asked.items()}
    return "" if is_right else f"{row} {shown}: {answer.status_code} {kind}"


def requests(row: str) -> list[tuple[str, dict[str, Any]]]:
    """Return (row, what is asked) of every odd request to one route."""
    method, _, path = row.partition(" ")
    if "{" in path:
        paths = [re.sub(r"\{[^}]*\}", quote(odd, safe="") or "x", path) for odd in ODD]
        return [(f"{method} {named}", {}) for named in paths]
    if method != "GET":
        return [(row, {"content": body}) for body in BODIES]
    usual = {"token_id": YES, "user": ALICE, "market": CONDITION, "interval": "1d"}
    return [
        (row, {"params": {**usual, name: ODD[number % len(ODD)]}})
        for number, name in enumerate(PARAMETERS)
    ]


async def test_no_odd_input_is_answered_with_a_defect() -> None:
    wrong = []
    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        async with made.client(ALICE_KEY, ALICE) as client:
            for row, _ in routes.TABLE:
                if row not in SKIPPED:
                    for named, asked in requests(row):
                        wrong.append(await hit(made, client, named, **asked))
                    await made.http.delete("/admin/weather")
        assert (await made.http.get("/admin/state")).json()["conserved"]
    assert [text for text in wrong if text] == []
