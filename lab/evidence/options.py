"""What a run of the study may be told, with bounds. Frozen: the report prints it whole."""

import msgspec


class OptionError(ValueError):
    """An option out of its bounds; the message says which and what is allowed."""


class StudyOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that changes a number in the report, beside the data."""

    # The copier of the verdict enters this long after the whale's print.
    delay_s: int = 30
    # Delays of the curve, the verdict's own among them or not.
    delays_s: tuple[int, ...] = (5, 15, 30, 60, 300, 900, 3_600)
    # A copy that met no print for this long was not filled.
    patience_s: int = 86_400
    # What a copier pays above the print he meets, in dollars a share: half a usual spread.
    slippage: float = 0.005
    # The copier of the verdict leaves prices outside alone: at a cent the slippage is half of it.
    price_least: float = 0.05
    price_most: float = 0.95
    seed: int = 7
    draws: int = 2_000
    confidence: float = 0.95
    # Wallets are judged from so many settled markets on, and split in halves from twice as many.
    markets_min: int = 3
    # A false discovery rate above which no wallet is called skilled.
    discovery_rate: float = 0.10
    # The best share of wallets by their first half, whom the copier of the verdict follows.
    followed_share: float = 0.20
    # A mark older than this is rounded to the outcome it favours.
    stale_after_days: int = 30


def checked(options: StudyOptions) -> StudyOptions:
    """Return the options, or raise OptionError naming every one that is out of bounds."""
    problems = [
        f"{name} is {getattr(options, name)}: {rule}"
        for name, rule, holds in (
            ("delay_s", "from 1 to 86400 seconds", 1 <= options.delay_s <= 86_400),
            ("patience_s", "at least 60 seconds", options.patience_s >= 60),
            ("slippage", "from 0 to 0.1 dollars a share", 0 <= options.slippage <= 0.1),
            (
                "price_least",
                "from 0 to price_most, which is at most 1",
                0 <= options.price_least < options.price_most <= 1,
            ),
            ("seed", "not negative", options.seed >= 0),
            ("draws", "from 100 to 1000000", 100 <= options.draws <= 1_000_000),
            ("confidence", "from 0.5 to 0.999", 0.5 <= options.confidence <= 0.999),
            ("markets_min", "at least 2", options.markets_min >= 2),
            ("discovery_rate", "above 0, at most 0.5", 0 < options.discovery_rate <= 0.5),
            ("followed_share", "above 0, at most 0.5", 0 < options.followed_share <= 0.5),
            ("stale_after_days", "at least 1", options.stale_after_days >= 1),
        )
        if not holds
    ]
    if problems:
        raise OptionError("; ".join(problems))
    return options
