"""What the operator decides about matching and settlement."""

from __future__ import annotations

from typing import Literal

import msgspec

from whaletrader.services.exchange.engine.units import MICRO, NS


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one engine; they go into its snapshots.

    `follows_tape`: recorded prints fill orders, and equal arrivals are ranked by order id, so
    that the accident of which request came first within a window decides nothing.
    `print_share_micro`: the part of a print that all our orders together may take (1e-6).
    `copy_latency_ns`: a print fills an order only if it is later than the arrival plus this.
    `gtd_security_s`: the venue drops a GTD order this long before its stated expiration.
    `settle_mined_ns`, `settle_confirmed_ns`: from the match to MINED, from there to CONFIRMED.
    `settle_retry_ns`: how long a trade waits for shares or collateral that are not settled yet.
    `after_failure`: what becomes of the order of a trade that failed. The venue does not say;
    `cancel` takes it out, `restore` puts it back on the book where that is possible.
    `auto_redeem`: a resolution pays all holders at once; otherwise each redeems.
    `taker_delay_ns`: how long marketable orders wait in crypto markets (the venue: 50 ms).
    `drops_off_grid`: a coarser tick cancels resting orders whose price it no longer allows.
    `auto_tick`: the tick becomes 0.001 once a trade is beyond 0.96 or below 0.04.
    `price_points_max`: points of price history kept for a market; older ones are thinned.
    """

    follows_tape: bool = True
    print_share_micro: int = 100_000
    copy_latency_ns: int = 0
    gtd_security_s: int = 60
    min_marketable_buy_micro: int = MICRO
    settle_mined_ns: int = 0
    settle_confirmed_ns: int = 0
    settle_retry_ns: int = NS
    after_failure: Literal["cancel", "restore"] = "cancel"
    auto_redeem: bool = True
    taker_delay_ns: int = 0
    pays_rebates: bool = False
    allowances_unlimited: bool = True
    drops_off_grid: bool = False
    auto_tick: bool = False
    price_points_max: int = 20_000

    def __post_init__(self) -> None:
        if not 0 <= self.print_share_micro <= MICRO:
            raise ValueError("print_share_micro is a share in 1e-6: between 0 and 1,000,000")
        if self.settle_retry_ns <= 0:
            raise ValueError("settle_retry_ns must be positive, or a waiting trade never rests")
        if self.price_points_max < 2:
            raise ValueError("price_points_max must be at least 2")
