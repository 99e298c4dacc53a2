"""How much lies in few hands."""

import numpy as np
import pytest

from whaletrader.quant.concentration import effective_number, herfindahl
from whaletrader.quant.ragged import Ragged


def test_equal_parts_are_as_many_as_they_are_and_one_has_all() -> None:
    amounts = Ragged.of([[5.0] * 8, [3.0, 0.0, 0.0], [], [0.0]])
    assert herfindahl(amounts)[:2] == pytest.approx([1 / 8, 1.0])
    assert effective_number(amounts)[:2] == pytest.approx([8.0, 1.0])
    assert np.isnan(herfindahl(amounts)[2:]).all()
    assert np.isnan(effective_number(amounts)[2:]).all()


def test_losses_have_no_concentration() -> None:
    with pytest.raises(ValueError, match="sizes, not of profits"):
        herfindahl(Ragged.of([[1.0, -1.0]]))
