"""A trading desk's story: six markets, five wallets, a run of copied and of refused trades, two
resolutions, agents that work and one dead letter. Shared by the gateway's tests.
"""

from tests.browser.desk_stage import (
    FEE_RATE_MICRO,
    HOSTILE_TITLE,
    HOUR_NS,
    MARKETS,
    NO_TOKENS,
    QUESTIONS,
    START_NS,
    WALLETS,
    YES_TOKENS,
    Desk,
    heard,
    new_desk,
    price,
    reason,
    record,
    usd,
    value,
)
from tests.browser.desk_trades import Copied, copy, reject, resolve
from whaletrader.domain.money import MICRO
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    market_pb2,
    whale_pb2,
)

__all__ = [
    "HOSTILE_TITLE",
    "HOUR_NS",
    "MARKETS",
    "MICRO",
    "NO_TOKENS",
    "START_NS",
    "YES_TOKENS",
    "Copied",
    "Desk",
    "copy",
    "market_pb2",
    "new_desk",
    "opening",
    "price",
    "record",
    "reject",
    "resolve",
    "usd",
    "value",
    "whole_story",
]


async def opening(desk: Desk) -> None:
    """The markets are listed, the wallets scored: three are whales, one was one."""
    for number, question in enumerate(QUESTIONS):
        listed = market_pb2.MarketListed(
            condition_id=MARKETS[number],
            question=question,
            slug=f"market-{number}",
            category="politics",
            tokens=[
                market_pb2.OutcomeToken(token_id=YES_TOKENS[number], outcome="Yes"),
                market_pb2.OutcomeToken(token_id=NO_TOKENS[number], outcome="No"),
            ],
            tick_size_micro=1_000,
            min_size_micro=5 * MICRO,
            fee_rate_micro=FEE_RATE_MICRO,
            fee_exponent=1,
            opens_ns=START_NS - 1_000 * HOUR_NS,
            ends_ns=START_NS + 2_000 * HOUR_NS,
            venue="polymarket",
        )
        await desk.say("market.catalog", listed, "feeds")
        await price(desk, number, 0.42 + 0.05 * number)
    for number, wallet in enumerate(WALLETS):
        await _scored(desk, number, wallet)


async def _scored(desk: Desk, number: int, wallet: str) -> None:
    edge = (0.061, 0.043, 0.028, 0.012, -0.021)[number]
    score = whale_pb2.Score(
        edge_micro=usd(edge),
        edge_lower_micro=usd(edge - 0.02 - 0.004 * number),
        edge_upper_micro=usd(edge + 0.022 + 0.004 * number),
        realized_profit_micro=usd(edge * 90_000),
        fees_micro=usd(310 + number),
        volume_micro=usd(240_000 - 31_000 * number),
        trades=480 - 83 * number,
        markets=57 - 9 * number,
        markets_won=38 - 8 * number,
        base_edge_micro=usd(0.004),
        shrinkage_micro=usd(0.31),
    )
    is_whale = number < 3
    why = [
        reason("discovery.wallets_min", 40, 10, common_pb2.UNIT_COUNT),
        reason("discovery.markets_min", score.markets, 10, common_pb2.UNIT_COUNT),
        reason("discovery.trades_min", score.trades, 30, common_pb2.UNIT_COUNT),
        reason(
            "discovery.edge_lower_min",
            score.edge_lower_micro,
            0,
            common_pb2.UNIT_MICRO_PRICE,
            score.edge_lower_micro > 0,
        ),
    ]
    scored = whale_pb2.WhaleScored(wallet=wallet, score=score, is_whale=is_whale)
    said = await desk.say("whale.scored", scored, "discovery")
    if number < 4:
        found = whale_pb2.WhaleDiscovered(wallet=wallet, score=score, reasons=why)
        await desk.say("whale.discovered", found, "discovery", said)
    if number == 3:
        desk.event_ns += HOUR_NS
        pruned = whale_pb2.WhalePruned(wallet=wallet, score=score, reasons=why)
        await desk.say("whale.pruned", pruned, "discovery", said)


async def agents_report(desk: Desk) -> None:
    for number, name in enumerate(("discovery", "execution", "orchestrator", "risk")):
        health = agent_pb2.AgentHealth(
            agent=name,
            member=f"{name}@desk",
            status=agent_pb2.AGENT_STATUS_RUNNING,
            shards=[0],
            pending_effects=number,
            inputs_total=1_200 * (number + 1),
            open_circuits=["venue"] if name == "execution" else [],
        )
        await desk.say("agent.health", health, name)
        await heard(desk, name, agent_pb2.TimerFired(timer_id="t"))
    dead = agent_pb2.DeadLettered(
        agent="discovery",
        topic="wallet.trades",
        partition=3,
        offset=41,
        type="whaletrader.wallet.v1.WalletTraded",
        error="price 65000000 is not between 0 and 1000000 micro-dollars",
        key=b"k",
        payload=b"\x00\x01broken",
    )
    await desk.say("dead.letter", dead, "discovery")


def drift(number: int, step: int) -> float:
    """Return a market's price at a step of the story: no chance, only a shape."""
    wave = ((step * (7 + 3 * number)) % 29 - 14) / 400
    return max(0.04, min(0.96, 0.42 + 0.05 * number + 0.006 * step * (0.6 - 0.2 * number) + wave))


async def whole_story(desk: Desk) -> Copied:
    """Tell all of it. Returns the last trade that was copied."""
    await opening(desk)
    last: Copied | None = None
    for step in range(60):
        desk.event_ns += 6 * HOUR_NS
        for number in range(6):
            await price(desk, number, drift(number, step))
        if step % 5 == 1 and step < 50:
            number = (step // 5) % 6
            last = await copy(desk, step // 5 % 3, number, drift(number, step), 60 + 9 * number)
        if step % 9 == 4:
            await reject(desk, step % 3, (step + 2) % 6, "total-limit" if step % 2 else "halted")
        if step == 34:
            await resolve(desk, 0, 0, won=True)
        if step == 44:
            await resolve(desk, 4, 1, won=False)
        await value(desk)
    await agents_report(desk)
    if last is None:
        raise AssertionError("the story copies nothing")
    return last
