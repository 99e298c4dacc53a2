"""Scaled integers in a person's units, exact to the last digit. Pure; called by `phrases`."""

from decimal import Decimal
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2

_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000


def amount(value: int, unit: int) -> str:
    """Return a scaled integer in a person's unit, exactly."""
    if unit == common_pb2.UNIT_MICRO_USD:
        return usd(value)
    if unit == common_pb2.UNIT_MICRO_SHARES:
        return shares(value)
    if unit == common_pb2.UNIT_MICRO_PRICE:
        return price(value)
    if unit == common_pb2.UNIT_MICRO_RATIO:
        return percent(value)
    if unit == common_pb2.UNIT_NANOSECONDS:
        return f"{_plain(Decimal(value) / _NS_PER_MS)} ms"
    return f"{value:,}"


def usd(micro: int) -> str:
    sign = "-" if micro < 0 else ""
    return f"{sign}${_plain(Decimal(abs(micro)) / MICRO, 2)}"


def shares(micro: int) -> str:
    return f"{_plain(Decimal(micro) / MICRO)} shares"


def price(micro: int) -> str:
    return f"${_plain(Decimal(micro) / MICRO, 2)} a share"


def percent(micro_ratio: int) -> str:
    return f"{_plain(Decimal(micro_ratio) * 100 / MICRO)} %"


def seconds(nanoseconds: int) -> str:
    """Return seconds to the millisecond."""
    return f"{_plain(Decimal(nanoseconds // _NS_PER_MS) * _NS_PER_MS / _NS_PER_S)} s"


def _plain(value: Decimal, places: int = 0) -> str:
    """Return the number with thousands separators, every digit it has, and at least `places`."""
    whole, _, fraction = f"{value:,f}".partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    return f"{whole}.{fraction}" if fraction else whole
