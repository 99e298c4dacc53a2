"""Trade by trade gives what all trades at once give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whaletrader.quant.edge import Bets, wallet_edges
from whaletrader.quant.running import RunningEdge, SettledBet
from whaletrader.quant.sharpe_inference import sharpe_moments

trades = st.lists(
    st.builds(
        SettledBet,
        event=st.integers(0, 5),
        market=st.integers(0, 0),
        is_yes=st.booleans(),
        cost=st.floats(0.02, 1.05).map(lambda x: round(x, 3)),
        payoff=st.sampled_from([0.0, 0.5, 1.0]),
        weight=st.floats(0.5, 50).map(lambda x: round(x, 2)),
    ),
    min_size=1,
    max_size=25,
)


def in_own_market(bets: list[SettledBet]) -> list[SettledBet]:
    # Two markets an event, one a side, so that legs and markets differ.
    return [
        SettledBet(b.event, 2 * b.event + b.is_yes, b.is_yes, b.cost, b.payoff, b.weight)
        for b in bets
    ]


@settings(max_examples=60, deadline=None)
@given(trades)
def test_the_running_sums_equal_the_batch(drawn: list[SettledBet]) -> None:
    bets = in_own_market(drawn)
    running = RunningEdge()
    for bet in bets:
        running.add(bet)
    columns = zip(
        *((0, b.event, b.market, b.is_yes, b.cost, b.payoff, b.weight) for b in bets), strict=True
    )
    batch = wallet_edges(Bets(*(np.array(column) for column in columns)), 1, confidence=0.9)
    now = running.now(confidence=0.9)
    assert now.edge == pytest.approx(batch.edge[0], abs=1e-9)
    assert now.error == pytest.approx(batch.error[0], rel=1e-5, abs=1e-7)
    assert now.lower == pytest.approx(batch.lower[0], rel=1e-5, abs=1e-6)
    assert now.effective_events == pytest.approx(batch.effective_events[0])
    assert (now.events, now.markets, now.trades) == (
        batch.events[0],
        batch.markets[0],
        batch.trades[0],
    )
    # Where the events' profits differ at all, their moments are those of the batch.
    if np.ptp(batch.clustered.scores.values) > 0.1:
        expected, found = sharpe_moments(batch.clustered.scores), running.moments()
        assert found.sharpe == pytest.approx(expected.sharpe, rel=1e-4, abs=1e-6)
        assert found.skewness == pytest.approx(expected.skewness, rel=1e-3, abs=1e-4)
        assert found.kurtosis == pytest.approx(expected.kurtosis, rel=1e-3, abs=1e-4)


def test_before_the_first_trade_nothing_is_known() -> None:
    running = RunningEdge()
    assert np.isnan(running.now().edge)
    assert np.isnan(running.moments().sharpe[0])
    running.add(SettledBet(1, 1, True, 0.5, 1.0, 2.0))
    assert running.now().edge == 0.5
    # One event proves nothing by itself: its error is the price's.
    assert running.now().error == pytest.approx(0.5)
    assert np.isnan(running.moments().sharpe[0])


@pytest.mark.parametrize(
    "bet",
    [
        SettledBet(1, 1, True, 40.0, 1.0, 1.0),
        SettledBet(1, 1, True, 0.4, 2.0, 1.0),
        SettledBet(1, 1, True, 0.4, 1.0, -1.0),
        SettledBet(1, 1, True, float("nan"), 1.0, 1.0),
        SettledBet(1, 1, True, 0.4, 1.0, float("inf")),
    ],
)
def test_what_cannot_be_a_bet_is_refused_and_changes_nothing(bet: SettledBet) -> None:
    running = RunningEdge()
    running.add(SettledBet(1, 1, True, 0.5, 1.0, 2.0))
    before = running.now()
    with pytest.raises(ValueError, match=r"outside|weight"):
        running.add(bet)
    assert running.now() == before
    with pytest.raises(ValueError, match="confidence"):
        running.now(confidence=0.0)
