"""Fetches each wallet's deeds and the ends of its markets; what is done stays done.

Owns the order of the questions. Called by the command and by tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from whaletrader.lab.scan.checkpoint import Checkpoint, Plan, WalletScan
from whaletrader.lab.scan.filling import filled, known_tokens
from whaletrader.venues.polymarket.history.calls import Caller
from whaletrader.venues.polymarket.history.data_api import DataApi
from whaletrader.venues.polymarket.history.data_api_v1 import history_v1
from whaletrader.venues.polymarket.history.rows import Deed, Kind, MarketEnd

# What evidence reads; the service wants one question for each.
KINDS: Final = (
    Kind.TRADE,
    Kind.SPLIT,
    Kind.MERGE,
    Kind.REDEEM,
    Kind.CONVERSION,
    Kind.REWARD,
    Kind.YIELD,
    Kind.MAKER_REBATE,
)
# Resolutions are kept after each of so many markets.
_ENDS_STEP: Final = 200


class Progress(Protocol):
    """Told how far the scan is."""

    def wallets(self, done: int, total: int) -> None: ...

    def markets(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Fills:
    """What a subgraph added, and what it has that no scanned wallet's trades can place."""

    added: int = 0
    unplaced: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """All that was asked for."""

    wallets: tuple[WalletScan, ...]
    ends: dict[str, MarketEnd]
    fills: Fills = field(default_factory=Fills)


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Where cut histories are filled from."""

    caller: Caller
    path: str


async def scan(
    caller: Caller,
    checkpoint: Checkpoint,
    plan: Plan,
    progress: Progress,
    subgraph: Subgraph | None = None,
) -> Scan:
    """Fetch what is missing and return the whole; fill cut histories from the subgraph, if any.

    Raises ScanError, HistoryUnavailable, HistoryRefused, UnreadableRow; what was fetched before
    is kept, and the next call goes on from there.
    """
    checkpoint.begin(plan)
    fetch = _fetch_v1 if plan.version == 1 else _fetch_v2
    todo = checkpoint.missing(plan.wallets)
    done = len(plan.wallets) - len(todo)
    progress.wallets(done, len(plan.wallets))
    for wallet in todo:
        checkpoint.keep(await fetch(caller, wallet, plan.rows_max))
        done += 1
        progress.wallets(done, len(plan.wallets))
    scanned = [checkpoint.wallet(wallet) for wallet in plan.wallets]
    found = tuple(one for one in scanned if one is not None)
    fills = Fills()
    if subgraph is not None:
        found, fills = await _filled(checkpoint, plan, found, subgraph)
    ends = await _ends(caller, checkpoint, _markets(found), progress)
    return Scan(found, ends, fills)


async def _filled(
    checkpoint: Checkpoint, plan: Plan, found: tuple[WalletScan, ...], subgraph: Subgraph
) -> tuple[tuple[WalletScan, ...], Fills]:
    tokens = known_tokens(found)
    wallets, added, unplaced = [], 0, 0
    for one in found:
        if not one.is_cut:
            wallets.append(one)
            continue
        more = await filled(subgraph.caller, subgraph.path, one, tokens, plan.rows_max)
        if more.added:
            checkpoint.keep(more.scanned)
        wallets.append(more.scanned)
        added, unplaced = added + more.added, unplaced + more.unplaced
    return tuple(wallets), Fills(added, unplaced)


async def _fetch_v2(caller: Caller, wallet: str, rows_max: int) -> WalletScan:
    api = DataApi(caller)
    deeds: list[Deed] = []
    is_cut = False
    for kind in KINDS:
        count = 0
        async for deed in api.activity(wallet, kind):
            if count == rows_max:
                is_cut = True
                break
            deeds.append(deed)
            count += 1
    deeds.sort(key=lambda deed: deed.at_s)
    return WalletScan(wallet, tuple(deeds), is_cut, await api.standing(wallet))


async def _fetch_v1(caller: Caller, wallet: str, rows_max: int) -> WalletScan:
    history = await history_v1(caller, wallet)
    deeds = history.deeds[-rows_max:]
    return WalletScan(wallet, deeds, history.is_cut or len(deeds) < len(history.deeds), None)


def _markets(wallets: Sequence[WalletScan]) -> list[str]:
    """Return the condition ids that were traded, once each, in the order met."""
    traded = (
        deed.condition_id
        for one in wallets
        for deed in one.deeds
        if deed.kind is Kind.TRADE and deed.condition_id
    )
    return list(dict.fromkeys(traded))


async def _ends(
    caller: Caller, checkpoint: Checkpoint, markets: Sequence[str], progress: Progress
) -> dict[str, MarketEnd]:
    """Return the ends that the service knows. Open markets are asked for again each time."""
    ends = checkpoint.ends()
    todo = [market for market in markets if market not in ends]
    done = len(markets) - len(todo)
    for start in range(0, len(todo), _ENDS_STEP):
        some = todo[start : start + _ENDS_STEP]
        ends |= await DataApi(caller).ends(some)
        checkpoint.keep_ends(ends)
        done += len(some)
        progress.markets(done, len(markets))
    return ends
