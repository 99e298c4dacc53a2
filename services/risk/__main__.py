"""Composition root: risk answers proposals over NATS and signs with its key file."""

from pathlib import Path

from whaletrader.domain.approval import ApprovalSigner
from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import Mode, RuntimeSettings
from whaletrader.runtime.subjects import SUBJECTS
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import DemoRiskSettings, RiskSettings, SigningSettings
from whaletrader.services.risk.keys import ensure_signer
from whaletrader.services.risk.metrics import RiskGauges
from whaletrader.services.risk.policy_file import PolicyFile


def make_agent() -> RiskAgent:
    """Return the agent as this process's environment configures it, with the key it has.

    Raises FileNotFoundError where risk has never run: a replay must not make a key.
    """
    private, _ = _key_files()
    return _agent(ApprovalSigner(private.read_bytes()))


def main() -> None:
    signer = ensure_signer(*_key_files())
    gauges = RiskGauges()
    run(
        Service(
            make_agent=lambda: _agent(signer),
            responds={it.pattern: it.request for it in SUBJECTS if it.responder == RiskAgent.name},
            sources=(PolicyFile(_settings()),),
            watcher=gauges,
            collectors=(gauges,),
        )
    )


def _agent(signer: ApprovalSigner) -> RiskAgent:
    return RiskAgent(_settings(), signer.sign, signer.key_id)


def _settings() -> RiskSettings:
    is_demo = RuntimeSettings().mode is Mode.DEMO
    return DemoRiskSettings() if is_demo else RiskSettings()


def _key_files() -> tuple[Path, Path]:
    """Return where the private and the public half are."""
    paths = SigningSettings()
    folder = RuntimeSettings().data_dir / "keys"
    return (
        Path(paths.signing_key_path or folder / "risk.pem"),
        Path(paths.public_key_path or folder / "risk.pub.pem"),
    )


if __name__ == "__main__":
    main()
