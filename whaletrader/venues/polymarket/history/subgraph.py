"""Fills from the subgraphs, where they still serve: orders of the first exchange generation.

They index no later generation, so what they give of a wallet ends with it; the scan uses them to
fill what the Data API has cut. Amounts are integers in millionths already.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from whaletrader.domain.money import MICRO
from whaletrader.venues.polymarket.history.calls import Caller
from whaletrader.venues.polymarket.history.rows import (
    OUTCOME_UNKNOWN,
    Deed,
    Kind,
    UnreadableRow,
)

PRODUCTION: Final = "https://api.goldsky.com/api/public/project_cl6mb8i9h0003e201j6li0diw/subgraphs"
ORDERBOOK: Final = "/orderbook-subgraph/prod/gn"
ROWS_MAX: Final = 1_000
_COLLATERAL: Final = "0"

_FILLS: Final = """
query Fills($wallet: String!, $after: String!, $first: Int!) {
  orderFilledEvents(first: $first, orderBy: id, orderDirection: asc,
                    where: {maker: $wallet, id_gt: $after}) {
    id transactionHash timestamp maker makerAssetId takerAssetId
    makerAmountFilled takerAmountFilled fee
  }
}
"""


async def fills(caller: Caller, wallet: str, path: str = ORDERBOOK) -> AsyncIterator[Deed]:
    """Yield the fills of a wallet's orders, by id. Every order has a maker: its owner.

    Raises HistoryUnavailable, HistoryRefused, UnreadableRow.
    """
    after = ""
    while True:
        variables = {"wallet": wallet.lower(), "after": after, "first": ROWS_MAX}
        answer = await caller.post(path, {"query": _FILLS, "variables": variables})
        rows = _rows(answer)
        for row in rows:
            yield fill(row)
        if len(rows) < ROWS_MAX:
            return
        after = str(rows[-1]["id"])


def fill(row: Mapping[str, Any]) -> Deed:
    """Read an OrderFilledEvent. The market is not in it: the token alone says what was traded."""
    try:
        gave, got = int(row["makerAmountFilled"]), int(row["takerAmountFilled"])
        is_buy = row["makerAssetId"] == _COLLATERAL
        usdc, shares = (gave, got) if is_buy else (got, gave)
        return Deed(
            wallet=str(row["maker"]).lower(),
            at_s=int(row["timestamp"]),
            kind=Kind.TRADE,
            side="BUY" if is_buy else "SELL",
            token_id=str(row["takerAssetId"] if is_buy else row["makerAssetId"]),
            condition_id="",
            outcome_index=OUTCOME_UNKNOWN,
            outcome="",
            size_micro=shares,
            price_micro=usdc * MICRO // shares,
            usdc_micro=usdc,
            tx_hash=str(row["transactionHash"]),
            slug="",
            title="",
            event_slug="",
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UnreadableRow(f"{error!r} in {dict(row)!r}") from error


def _rows(answer: Any) -> list[dict[str, Any]]:
    if isinstance(answer, dict) and answer.get("errors"):
        raise UnreadableRow(f"the subgraph answers with errors: {answer['errors']!r}"[:300])
    try:
        rows = answer["data"]["orderFilledEvents"]
    except (KeyError, TypeError) as error:
        raise UnreadableRow(f"no fills in the answer: {answer!r}"[:300]) from error
    if not isinstance(rows, list):
        raise UnreadableRow(f"no fills in the answer: {answer!r}"[:300])
    return rows
