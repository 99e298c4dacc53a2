"""What the leaderboard says of wallets of whom nothing is known yet."""

import io

from rich.console import Console

from whaletrader.commands.whales import board_table
from whaletrader.schemas import common_pb2, whale_pb2
from whaletrader.store.whale_pages import Scored


def scored(wallet: str, markets: int) -> Scored:
    luck = common_pb2.Reason(
        rule="discovery.luck_max", value=1_000_000, unit=common_pb2.UNIT_MICRO_RATIO
    )
    score = whale_pb2.Score(markets=markets, edge_micro=10_000, edge_lower_micro=-5_000)
    return Scored(1, whale_pb2.WhaleScored(wallet=wallet, score=score, reasons=[luck]))


def line(one: Scored) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(board_table([one]))
    return next(row for row in console.export_text().splitlines() if one.said.wallet in row)


def test_without_a_scored_market_edge_and_luck_are_not_known_rather_than_nought() -> None:
    assert "c " not in line(scored("0xnew", 0))
    assert "%" not in line(scored("0xnew", 0))
    assert "+1.0c" in line(scored("0xold", 3))
    assert "-0.5c" in line(scored("0xold", 3))
    assert "100" in line(scored("0xold", 3))
