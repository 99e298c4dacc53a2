"""Tapes for the simulation: a synthetic one whose wallets trade often, and slices of the sample.

Seeded: the same seed gives the same tape. Markets are short, so that a run of a few dozen windows
sees listings, trades, sales and resolutions of many of them.
"""

from random import Random
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.services.feeds.tape import Tape, TapeMarket, TapeResolution, TapeTrade, TapeWallet
from whaletrader.services.feeds.tape import load_tape as load_sample
from whaletrader.services.feeds.tape_values import Side, Window

NS_PER_S: Final = 1_000_000_000
WINDOW_S: Final = 600
# Monday, 2026-01-05, 00:00 UTC: a multiple of the window.
START_NS: Final = 1_767_571_200 * NS_PER_S
WALLETS: Final = 12
SHARPS: Final = 4
FEE_RATES: Final = (0, 25_000, 70_000)


def synthetic_windows(rng: Random, windows: int) -> list[Window]:
    """Return that many windows of a made-up tape."""
    markets: list[TapeMarket] = []
    trades: list[TapeTrade] = []
    ends: list[TapeResolution] = []
    wallets = [TapeWallet(f"0x{n:040x}", f"wallet {n}") for n in range(1, WALLETS + 1)]
    for number in range(max(2, windows // 2)):
        opens = rng.randrange(max(1, windows - 3))
        closes = min(windows - 1, opens + rng.randint(2, 8))
        market = _market(rng, number, START_NS + opens * WINDOW_S * NS_PER_S)
        winner = rng.randrange(2)
        markets.append(market)
        trades += _trades(rng, market, winner, wallets, closes)
        ends.append(
            TapeResolution(
                condition_id=market.condition_id,
                at_ns=START_NS + (closes + 1) * WINDOW_S * NS_PER_S - rng.randint(1, 10**9),
                winning_index=winner,
                winning_token_id=market.token_ids[winner],
                winner_basis="synthetic",
                time_basis="synthetic",
            )
        )
    tape = Tape(
        wallets=tuple(wallets),
        markets=tuple(sorted(markets, key=lambda market: market.opens_at_ns)),
        trades=tuple(sorted(trades, key=lambda trade: (trade.at_ns, trade.id))),
        resolutions=tuple(sorted(ends, key=lambda ended: ended.at_ns)),
    )
    return list(tape.windows(WINDOW_S))


def sample_windows(rng: Random, windows: int) -> list[Window]:
    """Return windows of the shipped sample from a moment on that the seed chooses."""
    tape = load_sample()
    start_ns = rng.choice(tape.markets).opens_at_ns
    whole = tape.between(start_ns, start_ns + 14 * 86_400 * NS_PER_S)
    return list(whole.windows(3_600))[:windows]


def _market(rng: Random, number: int, opens_ns: int) -> TapeMarket:
    name = derived_id("market", number, rng.randrange(10**9))
    return TapeMarket(
        condition_id=f"0x{name}",
        slug=f"market-{number}",
        event_slug=f"event-{number // 2}",
        title=f"Market {number}?",
        category="synthetic",
        fee_rate_micro=rng.choice(FEE_RATES),
        tick_micro=rng.choice((1_000, 10_000)),
        min_size_micro=5_000_000,
        token_ids=(str(int(name, 16)), str(int(name, 16) + 1)),
        outcomes=("Yes", "No"),
        is_neg_risk=rng.random() < 0.3,
        opens_at_ns=opens_ns,
    )


def _trades(
    rng: Random, market: TapeMarket, winner: int, wallets: list[TapeWallet], closes: int
) -> list[TapeTrade]:
    trades = []
    last_ns = START_NS + (closes + 1) * WINDOW_S * NS_PER_S - 2 * 10**9
    price = rng.randint(200, 800)
    for number in range(rng.randint(8, 30)):
        at_ns = rng.randint(market.opens_at_ns, last_ns)
        wallet = rng.randrange(len(wallets))
        # A few wallets know more than the price does.
        knows = wallet < SHARPS and rng.random() < 0.85
        index = winner if knows else rng.randrange(2)
        price = min(970, max(30, price + rng.randint(-40, 40)))
        side: Side = "SELL" if rng.random() < 0.3 else "BUY"
        trades.append(
            TapeTrade(
                id=derived_id("trade", market.condition_id, number),
                at_ns=at_ns,
                wallet=wallets[wallet].address,
                condition_id=market.condition_id,
                token_id=market.token_ids[index],
                outcome_index=index,
                side=side,
                size_micro=rng.randint(500, 200_000) * 10_000,
                price_micro=(price if index == 0 else 1_000 - price) * 1_000,
                tx_hash=f"0x{number:064x}",
            )
        )
    return trades
