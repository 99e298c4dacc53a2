"""Amounts as the published client rounds them pass the tick and lot rules, changed ones do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.exchange.exchange_venue import ALICE, YES, market
from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.model import MICRO, NewOrder, OrderType, Side
from whaletrader.services.exchange.engine.rules import TICKS, plain, price_and_size

RESOURCES = Path(__file__).parents[3] / "resources" / "polymarket"
AMOUNTS = json.loads((RESOURCES / "order_amounts.json").read_text())


def new_order(vector: dict[str, Any]) -> NewOrder:
    return NewOrder(
        order_id="0x01",
        account=ALICE,
        principal=ALICE,
        owner="key",
        maker_address=ALICE,
        token_id=YES,
        side=Side(vector["side"]),
        order_type=OrderType.GTC if vector["kind"] == "limit" else OrderType.FAK,
        maker_amount=int(vector["makerAmount"]),
        taker_amount=int(vector["takerAmount"]),
    )


def market_of(vector: dict[str, Any]) -> Any:
    return market(tick_size_micro=round(float(vector["tick_size"]) * MICRO), min_size_micro=0)


@pytest.mark.parametrize("vector", AMOUNTS, ids=lambda v: f"{v['kind']}-{v['tick_size']}")
def test_amounts_of_the_published_client_give_back_price_and_size(vector: dict[str, Any]) -> None:
    price, size = price_and_size(new_order(vector), market_of(vector))
    assert price == round(vector["price"] * MICRO)
    assert size == int(vector["takerAmount" if vector["side"] == "BUY" else "makerAmount"])


@pytest.mark.parametrize("tick", sorted(TICKS))
def test_every_tick_takes_its_own_grid_and_refuses_half_a_step(tick: int) -> None:
    terms = {"kind": "limit", "side": "BUY", "takerAmount": str(100 * MICRO)}
    grid = market(tick_size_micro=tick)
    on_grid = new_order(terms | {"makerAmount": str(300 * tick)})
    assert price_and_size(on_grid, grid)[0] == 3 * tick
    between = new_order(terms | {"makerAmount": str(350 * tick)})
    with pytest.raises(OrderRefused, match=f"minimum tick size rule: {plain(tick)}"):
        price_and_size(between, grid)


@pytest.mark.parametrize("price_ticks", [0, 100])
def test_a_price_of_nothing_or_one_is_off_the_grid(price_ticks: int) -> None:
    order = new_order(
        {
            "kind": "limit",
            "side": "SELL",
            "makerAmount": str(10 * MICRO),
            "takerAmount": str(price_ticks * 100_000),
        }
    )
    with pytest.raises(OrderRefused):
        price_and_size(order, market())


def test_market_amounts_with_too_many_decimals_are_refused() -> None:
    vector = {"kind": "market", "side": "BUY", "makerAmount": "1005000", "takerAmount": "2010000"}
    with pytest.raises(OrderRefused, match="maker amount supports a max accuracy of 2 decimals"):
        price_and_size(new_order(vector), market())


@given(micro=st.integers(0, 10**15))
def test_decimals_are_written_without_loss(micro: int) -> None:
    text = plain(micro)
    whole, _, part = text.partition(".")
    assert int(whole) * MICRO + int(part.ljust(6, "0") if part else "0") == micro
    assert not part.endswith("0")
