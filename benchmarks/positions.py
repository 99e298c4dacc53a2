"""What one approval costs risk's own code, by the number of positions that it holds.

The agent under its core, with every rule and the scenarios; no log, no network, no signature.
"""

import time
from decimal import Decimal
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks import events
from benchmarks.figures import NS_PER_MS, Figure, Section, percentile
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.domain.approval import ApprovalSigner
from whaletrader.runtime.codec import from_stored
from whaletrader.runtime.core import Core, Inline
from whaletrader.runtime.log import Stored
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.policy_file import opening

POLICY: Final = Path(__file__).with_name("policy.toml")
COUNTS: Final = (0, 50, 200, 800)
# A market of its own for each position, and some that are asked about.
_ASKED: Final = 20


def run(_: Servers, sizes: Sizes) -> list[Section]:
    """Return the median cost at each number of positions, beside the cost with none."""
    medians = {count: percentile(_costs(count, sizes.positions_block), 50) for count in COUNTS}
    none = medians[0]
    return [
        Section(
            "Approval against positions",
            "How risk's own work on one proposal grows with the number of open positions.",
            "Each position is in a market of its own. A proposal in a market that is not held is "
            "judged by every rule and every scenario (risk.check, so that the book stays as it "
            "is), and the answer journaled in memory. The floor: no position.",
            [
                Figure(
                    f"one approval, {count} positions, p50",
                    median / NS_PER_MS,
                    "ms",
                    none / NS_PER_MS if count else None,
                )
                for count, median in medians.items()
            ],
            [f"800 positions cost {medians[800] / none:.2f} times none: sub-linear is below 800"],
        )
    ]


def _costs(positions: int, samples: int) -> list[int]:
    now_ns = time.time_ns()
    core = _core(positions + _ASKED, now_ns)
    for number in range(positions):
        _approved(core, number, now_ns)
    taken = []
    for sample in range(samples):
        number = positions + sample % _ASKED
        proposal = events.proposal(number, now_ns + sample)
        _placed(proposal, number)
        check = risk_pb2.CheckProposal(proposal=proposal)
        check.meta.CopyFrom(proposal.meta)
        began_ns = time.perf_counter_ns()
        core.step([Inline(check)], now_ns)
        taken.append(time.perf_counter_ns() - began_ns)
    return taken


def _approved(core: Core, number: int, now_ns: int) -> None:
    proposal = events.proposal(number, now_ns)
    _placed(proposal, number)
    reply = core.step([Inline(proposal)], now_ns).replies[0]
    if not isinstance(reply, risk_pb2.ApprovedTrade):
        raise RuntimeError(f"position {number} was refused: {reply}")


def _placed(proposal: risk_pb2.TradeProposal, number: int) -> None:
    market = events.Market(number)
    proposal.condition_id, proposal.token_id = market.condition_id, market.token_id


def _core(markets: int, now_ns: int) -> Core:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    signer = ApprovalSigner(pem)
    settings = RiskSettings(starting_cash_usd=Decimal(900_000_000), policy_file=str(POLICY))
    core = Core(RiskAgent(settings, signer.sign, signer.key_id))
    core.step([Inline(opening(settings))], now_ns)
    for place, record in enumerate(events.groundwork(now_ns, markets)):
        stored = Stored(record.topic, 0, place, record.key, record.value, record.headers, now_ns)
        core.step([Inline(from_stored(stored))], now_ns)
    return core
