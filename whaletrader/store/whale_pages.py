"""A wallet's page, read from what discovery said of it: every score, in the order of the log.

Owns how a history of scores becomes a curve, markets, a calibration and turns. Reads the event
store; nothing here is worked out anew. Called by `whaletrader whales` and by the gateway.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from whaletrader.domain.money import MICRO
from whaletrader.quant.calibration import reliability_curve
from whaletrader.runtime.log import partition_of
from whaletrader.runtime.topics import BY_NAME
from whaletrader.schemas import whale_pb2
from whaletrader.store.projections.reasons import short_name

SCORED: Final = BY_NAME["whale.scored"]
BINS: Final = 10
# Scores of one wallet that are read; at four markets a day that is twelve years.
SCORES_MAX: Final = 20_000

_HISTORY: Final = """
SELECT payload, event_time_ns FROM store.events
WHERE topic = $1 AND partition = $2 AND key = $3 ORDER BY "offset" DESC LIMIT $4
"""
_LATEST: Final = """
SELECT DISTINCT ON (key) payload, event_time_ns FROM store.events
WHERE topic = $1 AND key = ANY($2::text[]) ORDER BY key, "offset" DESC
"""
_RANKED: Final = """
SELECT wallet FROM read.whale_leaderboard WHERE scored_ns > 0
ORDER BY is_whale DESC, edge_lower_micro DESC, wallet LIMIT $1
"""
_FULL: Final = """
SELECT wallet FROM read.whale_leaderboard
WHERE scored_ns > 0 AND starts_with(wallet, $1) ORDER BY wallet LIMIT 2
"""


class Reader(Protocol):
    """A connection, a pool, or the gateway's store."""

    async def fetch(self, query: str, /, *args: Any) -> list[Any]: ...


class Scored(msgspec.Struct, frozen=True):
    """One thing that was said of a wallet, and when."""

    at_ns: int
    said: whale_pb2.WhaleScored


class Turn(msgspec.Struct, frozen=True):
    """A change of stage, or of whether the wallet is copied."""

    at_ns: int
    is_whale: bool
    stage: str
    cause: str


class Bin(msgspec.Struct, frozen=True):
    """Bets at about one price: what they cost, how often they paid, with its 95 % interval."""

    count: int
    cost: float
    won: float
    lower: float
    upper: float


class WalletPage(msgspec.Struct, frozen=True):
    """All that is known of a wallet: the last score, settled markets oldest first, and more."""

    last: Scored
    # Time and settled profit after each market.
    equity: tuple[tuple[int, int], ...]
    markets: tuple[tuple[int, whale_pb2.SettledMarket], ...]
    calibration: tuple[Bin, ...]
    turns: tuple[Turn, ...]


class NoSuchWallet(LookupError):
    """No wallet that was scored has this address, or more than one begins so."""


async def leaderboard(db: Reader, limit: int) -> list[Scored]:
    """Return the last score of the first wallets: whales, then by the edge's lower end."""
    ranked = [row["wallet"] for row in await db.fetch(_RANKED, limit)]
    found = {
        one.said.wallet: one for one in map(_scored, await db.fetch(_LATEST, SCORED.name, ranked))
    }
    return [found[wallet] for wallet in ranked if wallet in found]


async def wallet_page(db: Reader, wallet: str) -> WalletPage:
    """Return the page of a wallet, named by its address or the beginning of it.

    Raises NoSuchWallet.
    """
    names = [row["wallet"] for row in await db.fetch(_FULL, wallet.lower())]
    if len(names) != 1:
        many = "more than one scored wallet begins with" if names else "no scored wallet is called"
        raise NoSuchWallet(f"{many} {wallet}")
    place = partition_of(names[0], SCORED.partitions)
    rows = await db.fetch(_HISTORY, SCORED.name, place, names[0], SCORES_MAX)
    if not rows:
        raise NoSuchWallet(f"nothing was recorded about {wallet}")
    return page_of([_scored(row) for row in reversed(rows)])


def page_of(history: Sequence[Scored]) -> WalletPage:
    """Return the page that a history of scores makes, oldest first, at least one. Pure."""
    settled = [one for one in history if one.said.settled.condition_id]
    return WalletPage(
        last=history[-1],
        equity=tuple((one.at_ns, one.said.score.realized_profit_micro) for one in settled),
        markets=tuple((one.at_ns, one.said.settled) for one in settled),
        calibration=calibration_of([one.said.settled for one in settled]),
        turns=tuple(_turns(history)),
    )


def calibration_of(markets: Sequence[whale_pb2.SettledMarket]) -> tuple[Bin, ...]:
    """Return how often bets of each price paid; those whose result proves nothing are left out."""
    bets = [one for one in markets if one.weight_micro]
    if not bets:
        return ()
    cost = np.clip([one.cost_micro / MICRO for one in bets], 0.0, 1.0)
    curve = reliability_curve(cost, [min(one.payoff_micro / MICRO, 1.0) for one in bets], BINS)
    columns = (curve.counts, curve.predicted, curve.observed, curve.lower, curve.upper)
    return tuple(
        Bin(int(count), *(float(value) for value in rest))
        for count, *rest in zip(*columns, strict=True)
    )


def stage_name(stage: int) -> str:
    """Return "proven" and the like; "emerging" for what an older score did not tell."""
    name = short_name(whale_pb2.Stage, "STAGE_", stage)
    return name if stage else "emerging"


def flat(one: Scored) -> dict[str, Any]:
    """Return a score as one row of plain values, for a table or a file."""
    score = one.said.score
    row: dict[str, Any] = {
        "wallet": one.said.wallet,
        "scored_ns": one.at_ns,
        "is_whale": one.said.is_whale,
        "stage": stage_name(score.stage),
        "stage_cause": score.stage_cause,
        "ruling": ruling_name(one.said.ruling),
    }
    for field in whale_pb2.Score.DESCRIPTOR.fields:
        if field.name not in {"components", "stage", "stage_cause"}:
            row[field.name] = getattr(score, field.name)
    return row


def ruling_name(ruling: int) -> str:
    """Return "pinned", "banned", or nothing."""
    return _RULINGS.get(ruling, "")


_RULINGS: Final[Mapping[int, str]] = {
    whale_pb2.RULING_PIN: "pinned",
    whale_pb2.RULING_BAN: "banned",
}


def _turns(history: Sequence[Scored]) -> list[Turn]:
    turns: list[Turn] = []
    before: tuple[bool, int] = (False, whale_pb2.STAGE_EMERGING)
    for one in history:
        score = one.said.score
        now = (one.said.is_whale, score.stage or whale_pb2.STAGE_EMERGING)
        if now != before:
            turns.append(
                Turn(one.at_ns, one.said.is_whale, stage_name(score.stage), score.stage_cause)
            )
        before = now
    return turns


def _scored(row: Mapping[str, Any]) -> Scored:
    return Scored(row["event_time_ns"], whale_pb2.WhaleScored.FromString(row["payload"]))
