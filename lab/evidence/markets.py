"""The markets of the folder and the prints in them, as arrays.

Owns codes (a market, an event, a wallet is a number), each market's result with its basis and the
first moment at which anybody can have known it, and the lookup of prices in time: the last print
before a moment, the first at or after one. Called by every part of the study.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whaletrader.lab.evidence.fees import window_kind
from whaletrader.lab.evidence.layout import Inputs
from whaletrader.lab.evidence.scope import category_of
from whaletrader.lab.sample.resolution import resolution_time
from whaletrader.lab.sample.source import Fill, SourceMarket

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NEVER_S: Final = np.iinfo(np.int64).max // 4
UNKNOWN: Final = -1

# Which results count. `published`: what a dump of the venue says, whoever held what. `known`: also
# results that stand in the folder only because one of its wallets redeemed, which winners do more
# than losers. `marked`: every market, at its published result or else at its last print.
PUBLISHED, KNOWN, MARKED = "published", "known", "marked"
# With fewer published results than this a folder is judged on all that are known.
PUBLISHED_MIN: Final = 50


@dataclass(frozen=True)
class Markets:
    """One entry a traded market; every array is (markets,)."""

    condition_id: NDArray[np.str_]
    slug: NDArray[np.str_]
    event_slug: NDArray[np.str_]
    event: IntArray
    category: NDArray[np.str_]
    window: IntArray
    # Winning outcome; UNKNOWN while nobody says.
    winner: IntArray
    basis: NDArray[np.str_]
    # The last price of outcome 0 that anybody here paid.
    mark: FloatArray
    # When the result can first have been known; NEVER_S if nothing says when.
    resolved_s: IntArray

    @property
    def is_known(self) -> BoolArray:
        return np.asarray(self.winner != UNKNOWN)

    @property
    def main_results(self) -> str:
        """The results that the verdict rests on."""
        published = int((self.basis == PUBLISHED).sum())
        return PUBLISHED if published >= PUBLISHED_MIN else KNOWN

    def values(self, results: str) -> FloatArray:
        """Return what a share of outcome 0 paid, (markets,); nan where it does not count."""
        won = (self.winner == 0).astype(np.float64)
        if results == KNOWN:
            return np.where(self.is_known, won, np.nan)
        unpublished = self.mark if results == MARKED else np.nan
        return np.where(self.basis == PUBLISHED, won, unpublished)


@dataclass(frozen=True)
class Trades:
    """One entry a TRADE row, in time order (ties: the order of the file); arrays are (trades,)."""

    wallet: IntArray
    market: IntArray
    outcome: IntArray
    is_buy: BoolArray
    size: FloatArray
    price: FloatArray
    usdc: FloatArray
    at_s: IntArray

    def only(self, mask: BoolArray | IntArray) -> "Trades":
        """Return the trades of the mask, or at the places."""
        return Trades(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    @property
    def count(self) -> int:
        return len(self.at_s)


def market_table(inputs: Inputs) -> Markets:
    """Return the traded markets, sorted by condition id."""
    activity = inputs.activity
    trades = activity[activity["type"] == "TRADE"]
    spans = trades.groupby("conditionId", sort=True).agg(
        first=("timestamp", "min"),
        last=("timestamp", "max"),
        slug=("slug", "first"),
        event=("eventSlug", "first"),
    )
    results = inputs.resolutions.set_index("conditionId").loc[spans.index]
    redeemed = activity[activity["type"] == "REDEEM"].groupby("conditionId")["timestamp"].min()
    spans["redeemed"] = redeemed.reindex(spans.index)
    is_known = (results["basis"] != "unknown").to_numpy()
    winner = results["winning_outcome_index"].to_numpy()
    slugs, events = spans["slug"].tolist(), spans["event"].tolist()
    return Markets(
        condition_id=np.array(spans.index.tolist()),
        slug=np.array(slugs),
        event_slug=np.array(events),
        event=pd.factorize(pd.Series(events, dtype="object"), sort=True)[0].astype(np.int64),
        category=np.array([category_of(e, s) for e, s in zip(events, slugs, strict=True)]),
        window=np.array([window_kind(slug) for slug in slugs], dtype=np.int64),
        winner=np.where(is_known, winner, UNKNOWN).astype(np.int64),
        basis=np.array(results["basis"].tolist()),
        mark=results["last_price_outcome0"].to_numpy(dtype=np.float64),
        resolved_s=_resolved_s(spans),
    )


def trade_table(inputs: Inputs, markets: Markets, wallets: list[str]) -> Trades:
    """Return the trades in time order, with codes instead of names."""
    activity = inputs.activity
    trades = activity[activity["type"] == "TRADE"]
    trades = trades.iloc[np.argsort(trades["timestamp"].to_numpy(), kind="stable")]
    codes = {wallet: code for code, wallet in enumerate(wallets)}
    return Trades(
        wallet=trades["proxyWallet"].map(codes).to_numpy(dtype=np.int64),
        market=np.searchsorted(
            markets.condition_id, trades["conditionId"].to_numpy(dtype=str)
        ).astype(np.int64),
        outcome=trades["outcomeIndex"].to_numpy(dtype=np.int64),
        is_buy=(trades["side"] == "BUY").to_numpy(),
        size=trades["size"].to_numpy(dtype=np.float64),
        price=trades["price"].to_numpy(dtype=np.float64),
        usdc=trades["usdcSize"].to_numpy(dtype=np.float64),
        at_s=trades["timestamp"].to_numpy(dtype=np.int64),
    )


class Prints:
    """Prices by token in time. A token is 2 * market + outcome; ties keep the order given."""

    def __init__(self, token: IntArray, at_s: IntArray, price: FloatArray) -> None:
        self.order = np.lexsort((np.arange(len(token)), at_s, token)).astype(np.int64)
        self.token, self.at_s, self.price = token[self.order], at_s[self.order], price[self.order]
        # One sorted key a print: tokens far enough apart that no time reaches the next.
        self._base = int(at_s.min()) if len(at_s) else 0
        self._step = int(at_s.max() - self._base) + 2 if len(at_s) else 2
        self._key = self.token * self._step + (self.at_s - self._base)

    def first_from(self, token: IntArray, from_s: IntArray) -> IntArray:
        """Return the place of the first print of the token at or after each moment; -1 if none."""
        offset = np.clip(from_s - self._base, 0, self._step - 1)
        place = np.searchsorted(self._key, token * self._step + offset, side="left")
        return self._checked(place, token)

    def last_before(self, token: IntArray, until_s: IntArray) -> IntArray:
        """Return the place of the last print of the token before each moment; -1 if none."""
        offset = np.clip(until_s - self._base, 0, self._step - 1)
        place = np.searchsorted(self._key, token * self._step + offset, side="left") - 1
        return self._checked(place, token)

    def _checked(self, place: IntArray, token: IntArray) -> IntArray:
        inside = (place >= 0) & (place < len(self.token))
        safe = np.where(inside, place, 0)
        is_same = inside & (self.token[safe] == token) if len(self.token) else inside
        return np.where(is_same, place, -1).astype(np.int64)


def _resolved_s(spans: pd.DataFrame) -> IntArray:
    times = []
    for row in spans.itertuples():
        fills = [_bare_fill(int(row.first)), _bare_fill(int(row.last))]
        redeemed = None if pd.isna(row.redeemed) else int(row.redeemed)
        market = SourceMarket(
            condition_id=str(row.Index),
            slug=row.slug,
            event_slug=row.event,
            title="",
            fills=fills,
            first_redeem_s=redeemed,
            has_split_or_merge=False,
            winning_index=None,
            winner_basis="unknown",
            outcomes=("", ""),
        )
        found = resolution_time(market)
        times.append(NEVER_S if found is None else found[0])
    return np.array(times, dtype=np.int64)


def _bare_fill(at_s: int) -> Fill:
    return Fill("", at_s, "BUY", "", 0, "", 0.0, 0.0, 0.0, "")
