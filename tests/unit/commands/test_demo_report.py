"""The report's last line says what the data shows, and no more than it shows."""

from typing import Any

from whaletrader.commands.demo_report import amount, dollars, intervals, short, verdict

MICRO = 1_000_000


def market(name: str, net_usd: float, leader: str = "0xann") -> dict[str, Any]:
    return {"leader": leader, "condition_id": name, "net_micro": round(net_usd * MICRO)}


def test_nothing_copied_is_said_plainly() -> None:
    assert "Nothing was copied" in verdict([])


def test_one_market_shows_nothing_however_much_it_earned() -> None:
    assert "that shows nothing" in verdict([market("m", 1_000)])


def test_an_interval_around_zero_is_no_edge() -> None:
    assert "no edge" in verdict([market("a", 100), market("b", -90), market("c", 5)])


def test_steady_profit_is_an_edge_and_steady_loss_a_loss() -> None:
    assert "shows an edge" in verdict([market(str(n), 10 + n / 10) for n in range(20)])
    assert "shows a loss" in verdict([market(str(n), -10 - n / 10) for n in range(20)])


def test_leaders_who_share_a_market_share_its_luck() -> None:
    rows = [market(m, 50, leader) for m in ("a", "b") for leader in ("0xann", "0xbob")]
    together = verdict(rows)
    apart = verdict([market("a", 100), market("b", 100)])
    assert together == apart


def test_a_leader_with_one_market_has_no_interval() -> None:
    found = intervals([market("a", 1), market("a", 2, "0xbob"), market("b", 3, "0xbob")])
    assert found["0xann"].lower is None
    assert found["0xbob"].lower is not None


def test_amounts_are_in_human_units() -> None:
    assert dollars(-1_234_567) == "-$1.23"
    assert amount("UNIT_MICRO_PRICE", 1_500) == "$0.0015"
    assert amount("count", 1_000) == "1,000"
    assert short("0x" + "a" * 36 + "beef") == "0xaaaaaa…beef"
