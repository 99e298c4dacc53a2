"""The text of ATTRIBUTION.md: where the sample comes from, its licence, what was changed.

Owns the words; the numbers come from the report, so that text and files cannot drift apart.
Called by `__main__`.
"""

import datetime as dt
from collections.abc import Iterable

from whaletrader.lab.sample.report import SampleReport
from whaletrader.lab.sample.selection import HASH_SALT, SampleRules

_TEXT = """\
# Where this sample comes from

Real trades of real Polymarket wallets, as the venue's public Data API showed them.

- Source: <https://github.com/jadesullie/polymarket-shadow-tracker>, commit `9a6f66d`,
  `data/raw-trades/*.json` (Data API `/activity`, pulled until 2026-02-13) and
  `data/all-traders.json`, by way of a Parquet copy of it (`activity`, `wallets`, `resolutions`).
- Results marked `published` were matched, in that copy, with market dumps of
  OferG1973/polymarket_bot, johnstew324/polymarket-whale-watch, Scotty108/Cascadian,
  anthonylin99/polymarket-insider-detection and borat14011-sudo/wom-polymarket-strategy;
  of those only which outcome won is used here.
- Built by `python -m whaletrader.lab.sample`; this file is written by it too. Do not edit by hand.

## Licence of the source

The source's README says "License: MIT" and names no year or holder; the notice below therefore
names its author by the repository's owner and the year by the commit.

{licence}
## What it holds

{holds}
## How it was chosen

No rule looks at who won or at what a wallet earned. From the {candidates:,} traded markets of the
source, in the order of `sha256("{salt}" + condition id)`, whole markets were
taken until {enough:,} trades were reached or no market was left. Left out, each under the first
rule it met:

{left_out}
Whole market means every recorded fill of every wallet of the source in it.

- SPLIT and MERGE make and unmake shares outside the order book. Markets in which any wallet did
  either are left out, so a wallet that sells here has bought here before. This removes the market
  makers' busiest markets.
- CONVERSION turns the NO of one outcome into the YES of the others, across markets; all markets
  of an event with such rows are left out.
- 85 of the source's 111 wallets have truncated histories (the newest 2,000 rows or fewer). Where
  that shows, as more sold than bought, the market is left out. Buys missing without such a
  trace cannot be seen.

## What was changed, added or assumed

- **Units.** Sizes and prices are integers of 1e-6. Sizes are exact. Prices are the source's average
  price of a row, rounded to the micro-unit: many are not on the tick. The file leaves out the
  source's USDC amount; size x price reproduces it to 0.01 USDC except in {usdc_off} rows
  (at most {usdc_percent}% of the amount); {usdc_other} of those lie outside timed crypto windows.
  Inside them the venue already charged a fee: in shares on a buy (the size is what arrived),
  out of the proceeds on a sell.
- **Resolution time** is not in the source. `time_basis` says what stands in: `window_end`, the end
  of the window that a crypto slug names; else `first_redeem`, the first redemption by any wallet
  of the source (later than the true time, often by hours); else `named_date`, noon UTC
  after the last date in the slug. Never before the market's last trade: the time is moved to
  one second after it. Markets without any of these are left out, because they may have resolved
  after the data ends and their result would be knowledge from the future.
- **Opening time** is the first trade in the source; the true one is earlier.
- **Token ids.** Of most markets only one outcome was traded. Both ids are computed from the
  condition id by the arithmetic of the Conditional Tokens contract, and every traded id was
  checked against it. The same check tells whether the collateral is the plain or the wrapped
  one, so `neg_risk` is known, not guessed.
- **Outcome names** nobody traded: Yes/No, Up/Down, Over/Under, or the other side of "A vs. B";
  in {negated} markets they read `not <the traded outcome>`.
- **Category** is read off slugs by the rule table in `lab/sample/categories.py`. **Fee rates**
  are the venue's taker schedule of late 2026, applied to older trades; most of these trades were
  free of fees when they happened.
- **Tick** 0.01, or 0.001 where every price on the 0.001 grid is off the 0.01 grid. **Minimum size**
  5 shares. Neither is in the source.
- Rows that are equal in everything are separate fills and stay so. The order of trades inside a
  second is not known; they stand by transaction hash.
- Who was maker and who taker is not known.

## What it cannot show

- The wallets were picked from profit leaderboards of February 2026: winners, chosen afterwards.
  Their mean profit says nothing about wallets in general, nor about copying them.
- `inferred_redeem` results are known because someone redeemed, and winners redeem more often.
  Wallet positions left at the end that won: {winners}.
- Trades of all other participants are missing: volumes and prices here are those of these
  wallets.
"""

_MIT = """\
> MIT License
>
> Copyright (c) 2026 jadesullie
>
> Permission is hereby granted, free of charge, to any person obtaining a copy
> of this software and associated documentation files (the "Software"), to deal
> in the Software without restriction, including without limitation the rights
> to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
> copies of the Software, and to permit persons to whom the Software is
> furnished to do so, subject to the following conditions:
>
> The above copyright notice and this permission notice shall be included in all
> copies or substantial portions of the Software.
>
> THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
> IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
> FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
> AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
> LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
> OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
> SOFTWARE.
"""


def attribution_text(report: SampleReport, rules: SampleRules) -> str:
    """Return ATTRIBUTION.md for a sample with these numbers."""
    out_of_sample = sum(markets for markets, _ in report.left_out.values())
    return _TEXT.format(
        licence=_MIT,
        holds=_holds(report, rules),
        candidates=report.markets + out_of_sample,
        salt=HASH_SALT,
        enough=rules.trades_enough,
        left_out=_bullets(
            f"{reason}: {markets:,} markets, {trades:,} trades"
            for reason, (markets, trades) in report.left_out.items()
        ),
        usdc_off=report.usdc_deviations,
        usdc_percent=report.usdc_deviation_percent_max,
        usdc_other=report.usdc_deviations_off_crypto_windows,
        negated=report.named_by_negation,
        winners="; ".join(
            f"{won} of {held} ({basis})"
            for basis, (won, held) in report.holdings_on_the_winner.items()
        ),
    )


def _holds(report: SampleReport, rules: SampleRules) -> str:
    return _bullets(
        (
            f"{report.trades:,} trades of {report.wallets} wallets in {report.markets:,} whole "
            f"markets ({report.neg_risk_markets} neg-risk), {report.days} days: "
            f"{report.first_day} to {report.last_day}",
            f"window of the rules: {_utc(rules.from_s)} to {_utc(rules.to_s)} (end exclusive)",
            "trades a wallet (least, quartiles, most): " + _list(report.trades_a_wallet),
            "markets a wallet (least, quartiles, most): "
            + _list(report.markets_a_wallet)
            + f"; {report.wallets_with_10_markets} wallets with 10 or more",
            f"wallets in profit: {report.wallets_in_profit_before_fees} before fees, "
            f"{report.wallets_in_profit_after_fees} after today's taker fee on every fill "
            f"({report.wallets_in_loss_after_fees} in loss)",
            "markets by category: " + _pairs(report.markets_by_category),
            "trades by month: " + _pairs(report.trades_by_month),
            "result known from: " + _pairs(report.winner_basis),
            "resolution time from: " + _pairs(report.resolution_time_basis),
        )
    )


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _list(values: tuple[int, ...]) -> str:
    return ", ".join(f"{value:,}" for value in values)


def _utc(second: int) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
