"""What a market is about: its fee category, and the leaderboards it counts for.

The venue publishes leaderboards by topic, and a figure from the politics board holds politics
only: compared with a wallet's whole profit it misses by whatever the wallet did elsewhere. The
files name no topic, so it is read off slugs; prices and results are never looked at. A market may
count for several boards, as the venue's tags overlap. Called by `markets` and `published`.
"""

import re
from typing import Final

from whaletrader.lab.sample.categories import categorise

# Asked before the rules of the sample: what they read as a share of a company.
_COIN_WINDOW: Final = re.compile(r"^(?:bitcoin|ethereum|solana|xrp|dogecoin|bnb)-up-or-down\b")
_FUND: Final = re.compile(r"\betfs?\b")

# Board -> categories whose markets count for it.
BOARDS: Final[dict[str, frozenset[str]]] = {
    "politics": frozenset(("politics", "geopolitics")),
    "crypto": frozenset(("crypto",)),
    "finance": frozenset(("finance", "economics")),
    "sports": frozenset(("sports",)),
    "culture": frozenset(("culture", "mentions")),
    "tech": frozenset(("tech",)),
    "economics": frozenset(("economics",)),
    "weather": frozenset(("weather",)),
    "mentions": frozenset(("mentions",)),
}
_BOARD_NAME: Final = re.compile(r"^(\w+) leaderboard$")


def category_of(event_slug: str, slug: str) -> str:
    """Return the fee category of a market, `other` where no rule applies."""
    if _COIN_WINDOW.search(slug):
        return "crypto"
    return categorise(event_slug, slug)


def board_of(published_source: str) -> str:
    """Return the board that a figure was read from; "" if it is no board's, or of all topics."""
    found = _BOARD_NAME.match(published_source.strip().lower())
    return found[1] if found and found[1] in BOARDS else ""


def counts_for(board: str, category: str, slug: str) -> bool:
    """Whether a market's profit stands on that board; everything does on the board of none."""
    if not board:
        return True
    if category in BOARDS[board]:
        return True
    # Funds that hold coins are tagged both ways.
    return board == "finance" and _FUND.search(slug.replace("-", " ")) is not None
