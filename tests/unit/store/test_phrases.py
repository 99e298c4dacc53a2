"""Amounts in a person's units, exact to the last digit."""

import pytest

from whaletrader.schemas import common_pb2
from whaletrader.store.phrases import amount, phrase, reason_phrase


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (1_234_567_890, common_pb2.UNIT_MICRO_USD, "$1,234.56789"),
        (-500_000, common_pb2.UNIT_MICRO_USD, "-$0.50"),
        (0, common_pb2.UNIT_MICRO_USD, "$0.00"),
        (1, common_pb2.UNIT_MICRO_USD, "$0.000001"),
        (2_500_000, common_pb2.UNIT_MICRO_SHARES, "2.5 shares"),
        (415_000, common_pb2.UNIT_MICRO_PRICE, "$0.415 a share"),
        (123_000, common_pb2.UNIT_MICRO_RATIO, "12.3 %"),
        (1_500_000, common_pb2.UNIT_NANOSECONDS, "1.5 ms"),
        (12_345, common_pb2.UNIT_COUNT, "12,345"),
        (7, common_pb2.UNIT_UNSPECIFIED, "7"),
    ],
)
def test_an_amount_is_said_in_its_unit(value: int, unit: int, said: str) -> None:
    assert amount(value, unit) == said


def test_a_reason_names_rule_value_limit_verdict_and_detail() -> None:
    reason = common_pb2.Reason(
        rule="day_loss_max",
        value=510_000_000,
        limit=500_000_000,
        unit=common_pb2.UNIT_MICRO_USD,
        detail="since midnight",
    )
    assert reason_phrase(reason) == (
        "day_loss_max: $510.00, limit $500.00: failed (since midnight)"
    )


def test_an_unreadable_message_adds_nothing() -> None:
    assert phrase(None) == ""
