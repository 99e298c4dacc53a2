"""How a trade settles: as planned for it, as the seeded weather has it, or plainly.

Pure: the same seed and trade id give the same plan, in whatever order trades come.
"""

from __future__ import annotations

import hashlib

import msgspec

from whaletrader.services.exchange.engine.units import MICRO, NS

# As the venue's executor words it.
FAILED_ON_CHAIN = "transaction reverted"
NOT_COVERED = "not enough settled balance"


class SettlementPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The course of one trade after its match.

    After `mined_ns` its transaction is tried: `retries` times in vain (RETRYING, `retry_ns`
    apart), then it is MINED, and CONFIRMED `confirmed_ns` later; or it has FAILED, with `error`.
    `repeats_matched`: MATCHED is told once more after CONFIRMED, as the live stream does at times.
    """

    mined_ns: int = 0
    confirmed_ns: int = 0
    retries: int = 0
    retry_ns: int = NS
    fails: bool = False
    error: str = FAILED_ON_CHAIN
    repeats_matched: bool = False

    def __post_init__(self) -> None:
        if min(self.mined_ns, self.confirmed_ns, self.retries) < 0 or self.retry_ns <= 0:
            raise ValueError("delays and retries must not be negative, retry_ns must be positive")


class SettlementWeather(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What befalls trades by chance: shares are in 1e-6 of all trades.

    `delay_ns_max` is the longest time that is added before a trade is mined.
    """

    seed: int = 0
    fail_micro: int = 0
    retry_micro: int = 0
    retries_max: int = 3
    retry_ns: int = NS
    repeat_micro: int = 0
    delay_ns_max: int = 0

    def __post_init__(self) -> None:
        shares = (self.fail_micro, self.retry_micro, self.repeat_micro)
        if not all(0 <= share <= MICRO for share in shares):
            raise ValueError("shares are in 1e-6: between 0 and 1,000,000")
        if self.retries_max < 1 or self.retry_ns <= 0 or self.delay_ns_max < 0:
            raise ValueError("retries_max and retry_ns must be positive, delay_ns_max not negative")

    def plan(self, trade_id: str, plain: SettlementPlan) -> SettlementPlan:
        """Return what befalls a trade that would otherwise settle as `plain`."""
        drawn = hashlib.blake2b(f"{self.seed}:{trade_id}".encode(), digest_size=40).digest()
        fail, retry, repeat, tries, delay = (
            int.from_bytes(drawn[start : start + 8], "big") for start in range(0, 40, 8)
        )
        retries = 1 + tries % self.retries_max if retry % MICRO < self.retry_micro else 0
        return SettlementPlan(
            mined_ns=plain.mined_ns + delay % (self.delay_ns_max + 1),
            confirmed_ns=plain.confirmed_ns,
            retries=plain.retries + retries,
            retry_ns=self.retry_ns,
            fails=plain.fails or fail % MICRO < self.fail_micro,
            repeats_matched=plain.repeats_matched or repeat % MICRO < self.repeat_micro,
        )
