"""Full rescoring of every wallet, beside a loop over statsmodels and arch; and one trade's update.

The wallets here are drawn from a seed and have no skill: how long it takes does not depend on it.
"""

import time
from collections.abc import Iterator
from typing import Final

import numpy as np
import statsmodels.api as sm
from arch.bootstrap import IIDBootstrap, StationaryBootstrap

from benchmarks.figures import Better, Figure, Section, rate_per_s
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.quant.edge import Bets, wallet_edges
from whaletrader.quant.ragged import Floats
from whaletrader.quant.rescoring import RescoringOptions, rescore
from whaletrader.quant.running import RunningEdge, SettledBet
from whaletrader.quant.skill import SkillOptions

_SEED: Final = 5
_DRAWS: Final = 1_000
_DAYS: Final = 180
_EVENTS: Final = 20_000
# Trades in one market before the next, and markets of one event.
_TRADES_A_MARKET: Final = 2
_MARKETS_AN_EVENT: Final = 3
_SECONDS_AIM: Final = 60.0
# The update of a trade must not be what holds up a feed of 20,000 messages a second.
_UPDATES_AIM: Final = 20_000


class NotEqual(RuntimeError):
    """The two ways give different edges: their speed means nothing."""


def run(_: Servers, sizes: Sizes) -> list[Section]:
    """Measure in this process; no server is involved."""
    wallets, trades = sizes.rescoring_wallets, sizes.rescoring_trades
    bets, daily = _drawn(wallets, trades)
    options = RescoringOptions(skill=SkillOptions(draws=_DRAWS), draws=_DRAWS)
    started_ns = time.perf_counter_ns()
    rescore(bets, daily, options, np.random.default_rng(_SEED))
    ours_s = (time.perf_counter_ns() - started_ns) / 1e9
    looped = sizes.rescoring_loop_wallets
    floor_s = _loop_s(bets, daily, looped) / looped * wallets
    updates, update_ns = _updates(bets, trades)
    size = f"{wallets:,} wallets x {trades} trades, {_DRAWS:,} draws"
    per_wallet_ms = (ours_s / wallets * 1e3, floor_s / wallets * 1e3)
    return [
        Section(
            "Rescoring",
            "Whether every wallet can be scored anew while the market goes on.",
            f"{size}: edges clustered by event, fair-price tests, wild cluster bootstrap, "
            "q-values, shrinkage, deflated Sharpe ratios, stationary bootstrap of Sharpe ratios, "
            f"Hansen's test, all by `quant.rescoring`. The floor is a loop over {looped} of the "
            "wallets, scaled up: statsmodels' clustered regression, arch's bootstrap of its events "
            "and arch's stationary bootstrap of the Sharpe ratio, with as many draws.",
            [
                Figure(f"full rescoring, {size}", ours_s, "s", floor_s, value_aim=_SECONDS_AIM),
                Figure(
                    "trades taken up by a running edge",
                    rate_per_s(updates, update_ns),
                    "/s",
                    better=Better.HIGHER,
                    value_aim=_UPDATES_AIM,
                ),
            ],
            [f"a wallet: {per_wallet_ms[0]:.2f} ms, in the loop {per_wallet_ms[1]:.0f} ms"],
        )
    ]


def _drawn(wallets: int, trades: int) -> tuple[Bets, Floats]:
    random = np.random.default_rng(_SEED)
    positions = wallets * trades // _TRADES_A_MARKET
    count = positions * _TRADES_A_MARKET
    market = random.integers(0, _EVENTS * _MARKETS_AN_EVENT, positions)
    price = random.uniform(0.03, 0.97, positions)
    # Trades of one position are on one side at about one price, and win or lose together.
    won = np.repeat(random.random(positions) < price, _TRADES_A_MARKET)
    paid = np.repeat(price, _TRADES_A_MARKET) + random.uniform(-0.02, 0.02, count)
    columns = [market // _MARKETS_AN_EVENT, market, random.random(positions) < 0.5]
    event, market, is_yes = (np.repeat(column, _TRADES_A_MARKET) for column in columns)
    wallet = np.arange(count) // (count // wallets)
    stake = random.lognormal(3, 1, count)
    bets = Bets(wallet, event, market, is_yes, paid.clip(0.01, 0.99), won.astype(float), stake)
    return bets, random.standard_normal((_DAYS, wallets))


def _loop_s(bets: Bets, daily: Floats, wallets: int) -> float:
    started_ns = time.perf_counter_ns()
    found = [_by_libraries(part, daily[:, wallet]) for wallet, part in _parts(bets, wallets)]
    taken_s = (time.perf_counter_ns() - started_ns) / 1e9
    ours = wallet_edges(bets.rows(bets.wallet < wallets), wallets).edge
    if not np.allclose(ours, found):
        raise NotEqual(f"edges of {wallets} wallets by the two ways: {ours} and {found}")
    return taken_s


def _parts(bets: Bets, wallets: int) -> Iterator[tuple[int, Bets]]:
    for wallet in range(wallets):
        yield wallet, bets.rows(bets.wallet == wallet)


def _by_libraries(bets: Bets, daily: Floats) -> float:
    model = sm.WLS(bets.edge, np.ones(len(bets)), weights=bets.weight)
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": bets.event})
    _, event = np.unique(bets.event, return_inverse=True)
    profit = np.bincount(event, bets.weight * bets.edge)
    weight = np.bincount(event, bets.weight)
    by_event = IIDBootstrap(profit, weight, seed=_SEED)
    by_event.conf_int(lambda p, w: p.sum() / w.sum(), _DRAWS, method="percentile")
    by_block = StationaryBootstrap(5, daily, seed=_SEED)
    by_block.conf_int(lambda x: x.mean() / x.std(ddof=1), _DRAWS, method="percentile")
    return float(fit.params[0])


def _updates(bets: Bets, trades: int) -> tuple[int, int]:
    """Take up the first wallets' trades one by one; return how many, in how many nanoseconds."""
    first = bets.rows(np.arange(min(len(bets), 100 * trades)))
    rows = zip(
        first.wallet.tolist(),
        first.event.tolist(),
        first.market.tolist(),
        first.is_yes.tolist(),
        first.cost.tolist(),
        first.payoff.tolist(),
        first.weight.tolist(),
        strict=True,
    )
    settled = [(wallet, SettledBet(*columns)) for wallet, *columns in rows]
    running: dict[int, RunningEdge] = {}
    started_ns = time.perf_counter_ns()
    for wallet, bet in settled:
        one = running.setdefault(wallet, RunningEdge())
        one.add(bet)
        # What is decided on: the edge and its interval as they are now.
        one.now()
    taken_ns = time.perf_counter_ns() - started_ns
    batch = wallet_edges(first, len(running))
    now = [running[wallet].now().error for wallet in range(len(running))]
    if not np.allclose(now, batch.error):
        raise NotEqual("the running sums and the batch give different errors")
    return len(settled), taken_ns
