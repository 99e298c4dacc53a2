"""Reasons as JSON, and names of enumerations as the read models store them. Pure."""

from collections.abc import Iterable

import msgspec

from whaletrader.schemas import common_pb2


def reasons_json(reasons: Iterable[common_pb2.Reason]) -> str:
    """Return a JSON array; values and limits stay integers in the unit that is named."""
    return msgspec.json.encode(
        [
            {
                "rule": reason.rule,
                "value": reason.value,
                "limit": reason.limit,
                "unit": unit_name(reason.unit),
                "passed": reason.passed,
                "detail": plain(reason.detail),
            }
            for reason in reasons
        ]
    ).decode()


def failed_rule(reasons: Iterable[common_pb2.Reason]) -> str:
    """Return the first rule that did not pass, or the empty string."""
    return next((plain(reason.rule) for reason in reasons if not reason.passed), "")


def unit_name(unit: int) -> str:
    """Return "micro_usd" and the like; the number for a unit that is newer than we are."""
    return short_name(common_pb2.Unit, "UNIT_", unit)


def side_name(side: int) -> str:
    return short_name(common_pb2.Side, "SIDE_", side)


def short_name(enum: object, prefix: str, value: int) -> str:
    """Return a value's name in lower case without the enumeration's prefix."""
    try:
        name: str = enum.Name(value)  # type: ignore[attr-defined]
    except ValueError:
        return str(value)
    return name.removeprefix(prefix).lower()


def plain(text: str) -> str:
    """Return the text without what PostgreSQL cannot hold."""
    return text.replace("\0", "\ufffd")
