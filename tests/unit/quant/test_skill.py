"""Skill or luck, in small universes where the truth is planted."""

import numpy as np
import pytest

from whaletrader.quant.edge import Bets, counted_once
from whaletrader.quant.skill import SkillOptions, Verdict, Verdicts, skill_verdicts

# A shape of small wallets that leaves something to find: 60 events of 1 to 3 bets.
EVENTS = 60


def universe(
    seed: int, wallets: int = 120, skilled: int = 12, edge: float = 0.25, fee: float = 0.01
) -> Bets:
    """Wallets buy at prices from 0.03 to 0.97 in shared events; the first ones know more."""
    random = np.random.default_rng(seed)
    count = wallets * EVENTS
    wallet = np.repeat(np.arange(wallets), EVENTS)
    event = np.concatenate([random.permutation(400)[:EVENTS] for _ in range(wallets)])
    # All that bought in an event won or lost by its one draw: wallets are correlated.
    luck = random.random(400)
    price = random.uniform(0.03, 0.97, count)
    is_yes = random.random(count) < 0.5
    knows = np.where(wallet < skilled, edge * 4 * price * (1 - price), 0.0)
    draw = np.where(is_yes, luck[event], 1 - luck[event])
    won = draw < price + knows
    return Bets(
        wallet, event, event, is_yes, price + fee, won.astype(float), random.lognormal(4, 1, count)
    )


def judged(bets: Bets, wallets: int, **options: float) -> Verdicts:
    return skill_verdicts(
        bets, wallets, SkillOptions(**{"draws": 499, **options}), np.random.default_rng(1)
    )


def test_planted_skill_is_found_and_the_false_discovery_rate_holds() -> None:
    shares, power = [], []
    for seed in range(12):
        found = judged(counted_once(universe(seed)), 120)
        is_skilled = found.verdict == Verdict.SKILLED
        shares.append(is_skilled[12:].sum() / max(is_skilled.sum(), 1))
        power.append(is_skilled[:12].mean())
    assert np.mean(shares) <= 0.10
    assert np.mean(power) > 0.5


def test_in_a_universe_of_luck_nobody_is_skilled() -> None:
    found_any = [
        (judged(counted_once(universe(seed, skilled=0, fee=0.0)), 120).verdict == 1).any()
        for seed in range(20)
    ]
    # 10 % of such universes may hold a false discovery: 5 of 20 has a chance of 4 %.
    assert sum(found_any) <= 5


def test_the_price_of_having_tried_many() -> None:
    bets = counted_once(universe(3))
    alone = bets.rows(bets.wallet == 0)
    assert judged(alone, 1).q_value[0] == judged(alone, 1).p_value[0]
    assert judged(bets, 120).q_value[0] >= judged(alone, 1).q_value[0]


def test_a_lucky_streak_is_refused() -> None:
    # Nine of nine at even odds, one chance in 512; the tenth wallet of many tried.
    count = 9
    codes = np.arange(count)
    streak = Bets(
        codes * 0, codes, codes, codes >= 0, codes * 0 + 0.5, codes * 0 + 1.0, codes + 1.0
    )
    found = judged(streak, 1)
    assert found.p_value[0] < 0.01
    assert found.verdict[0] == Verdict.UNPROVEN
    refused = {rule.name for rule in found.reasons(0) if not rule.passed}
    assert "events_min" in refused


def test_one_big_win_is_refused() -> None:
    random = np.random.default_rng(4)
    count = 40
    codes = np.arange(count)
    won = (random.random(count) < 0.48).astype(float)
    won[0] = 1.0
    weight = np.where(codes == 0, 500.0, 1.0)
    found = judged(Bets(codes * 0, codes, codes, codes >= 0, codes * 0 + 0.5, won, weight), 1)
    assert found.edge[0] > 0.3
    refused = {rule.name: rule for rule in found.reasons(0) if not rule.passed}
    assert refused["effective_events_min"].value < 2
    assert "q_value_max" in refused


def test_a_longshot_that_came_in_is_not_skill() -> None:
    # Two of 40 at 0.02: a t test on such a sample would not know how often that happens by luck.
    codes = np.arange(40)
    won = (codes < 2).astype(float)
    found = judged(Bets(codes * 0, codes, codes, codes >= 0, codes * 0 + 0.02, won, won * 0 + 1), 1)
    assert found.edge[0] > 0.02
    assert found.p_value[0] > 0.1
    assert found.verdict[0] == Verdict.UNPROVEN


def test_doubling_when_the_price_falls_is_not_skill() -> None:
    # Fair prices all along: 0.5, then 0.25 or 0.75, then the end. Half of the markets fall, and
    # there these wallets stake eight times as much again, at the lower price.
    random = np.random.default_rng(9)
    wallets, markets = 200, 60
    count = wallets * markets
    codes = np.arange(count)
    fell = random.random(count) < 0.5
    won = random.random(count) < np.where(fell, 0.25, 0.75)
    again = codes[fell]
    market = np.concatenate([codes, again])
    cost = np.concatenate([np.full(count, 0.5), np.full(len(again), 0.25)])
    weight = np.concatenate([np.ones(count), np.full(len(again), 8.0)])
    columns = (market, market, market >= 0, cost, won[market].astype(float), weight)
    doubled = Bets(market // markets, *columns)
    for bets in (doubled, counted_once(doubled)):
        found = judged(bets, wallets)
        assert (found.verdict == Verdict.SKILLED).sum() <= 1
        assert (found.p_value <= 0.05).mean() <= 0.08
    # What would be wrong, and is why: each market's edge a share, all markets alike.
    staked = np.bincount(market, weight)
    naive = judged(Bets(market // markets, *columns[:-1], weight / staked[market]), wallets)
    assert (naive.verdict == Verdict.SKILLED).sum() > 20


def test_a_wallet_that_pays_too_much_is_bad() -> None:
    bets = counted_once(universe(5, wallets=30, skilled=15, edge=-0.3))
    found = judged(bets, 30)
    assert (found.verdict[:15] == Verdict.BAD).mean() > 0.5
    assert (found.verdict[15:] == Verdict.BAD).sum() <= 1
    assert (found.edge[found.verdict == Verdict.BAD] < 0).all()


def test_every_rule_is_told_with_its_value_and_limit() -> None:
    found = judged(counted_once(universe(6)), 121, deflated_sharpe_min=0.5)
    rules = {rule.name: rule for rule in found.reasons(0)}
    assert rules["q_value_max"].value == found.q_value[0]
    assert rules["q_value_max"].limit == 0.10
    assert rules["deflated_sharpe_min"].limit == 0.5
    assert "shrunk_edge_min" not in rules
    for wallet in range(120):
        passed = all(rule.passed for rule in found.reasons(wallet))
        assert passed == (found.verdict[wallet] == Verdict.SKILLED)
    # A wallet without a bet passes nothing and is judged nothing.
    assert np.isnan(found.p_value[120])
    assert found.verdict[120] == Verdict.UNPROVEN


def test_shrunk_edges_lie_between_the_wallet_and_all() -> None:
    found = judged(counted_once(universe(7)), 120)
    prior = found.shrunk.prior
    assert prior is not None
    assert prior.mean <= 0
    distance, left = found.edge - prior.mean, found.shrunk.mean - prior.mean
    assert (np.abs(left) <= np.abs(distance)).all()
    assert (found.shrunk_lower < found.shrunk.mean).all()
    assert (found.shrunk.mean < found.shrunk_upper).all()


def test_the_best_event_is_what_is_left_out() -> None:
    codes = np.arange(4)
    won = np.array([1.0, 0, 0, 1])
    bets = Bets(codes * 0, codes, codes, codes >= 0, [0.2, 0.5, 0.5, 0.5], won, codes * 0 + 1.0)
    # 0.8 - 0.5 - 0.5 + 0.5: without the 0.8 it is -0.5 over four bets.
    assert judged(bets, 1).edge_without_best[0] == pytest.approx(-0.125)


def test_a_seed_is_a_verdict() -> None:
    bets = counted_once(universe(8))
    first, second = judged(bets, 120), judged(bets, 120)
    assert (first.bootstrap_p == second.bootstrap_p).all()
    assert (first.verdict == second.verdict).all()


@pytest.mark.parametrize(
    "options",
    [
        {"events_min": 1},
        {"draws": 5},
        {"false_discovery_rate": 0.0},
        {"bootstrap_p_max": 1.0},
        {"confidence": 1.5},
        {"effective_events_min": 0.5},
    ],
)
def test_limits_without_meaning_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must lie|needs"):
        SkillOptions(**options)
