"""The scales that every amount of the exchange is counted in."""

from typing import Final

MICRO: Final = 1_000_000
NS: Final = 1_000_000_000
# The venue's smallest order step: two decimals of a share.
LOT_MICRO: Final = 10_000
