"""How much of everything is measured: a whole run takes at most six minutes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of samples; blocks of ours and of the floor alternate.

    A measurement on a desk begins no further block after its `_s_max`.
    """

    chain_warm_up: int = 20
    chain_blocks: int = 10
    chain_block: int = 25
    chain_s_max: float = 70.0
    approval_warm_up: int = 50
    approval_blocks: int = 5
    approval_block: int = 150
    approval_s_max: float = 35.0
    approval_rate_hz: int = 100
    approval_rate_block: int = 150
    approval_rush_hz: int = 1_000
    approval_rush_block: int = 1_000
    shell_blocks: int = 3
    shell_block: int = 30_000
    replay_events: int = 12_000
    replay_blocks: int = 2
    core_blocks: int = 4
    core_block: int = 5_000
    signing_blocks: int = 8
    signing_block: int = 500
    rescoring_wallets: int = 10_000
    rescoring_trades: int = 500
    rescoring_loop_wallets: int = 20
    ledger_rows: int = 200_000
    posts: int = 3_000
    positions_block: int = 200


FULL = Sizes()
QUICK = Sizes(
    chain_warm_up=5,
    chain_blocks=2,
    chain_block=10,
    approval_warm_up=10,
    approval_blocks=2,
    approval_block=30,
    approval_rate_block=50,
    approval_rush_block=200,
    shell_blocks=2,
    shell_block=8_000,
    replay_events=3_000,
    replay_blocks=1,
    core_blocks=2,
    core_block=2_000,
    signing_blocks=2,
    signing_block=100,
    rescoring_wallets=500,
    rescoring_trades=200,
    rescoring_loop_wallets=3,
    ledger_rows=20_000,
    posts=300,
    positions_block=40,
)
