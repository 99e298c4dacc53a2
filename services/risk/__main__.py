"""Composition root: risk answers proposals over NATS and signs with its key file."""

from pathlib import Path

from whaletrader.runtime.run import run
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import Mode, RuntimeSettings
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import DemoRiskSettings, RiskSettings, SigningSettings
from whaletrader.services.risk.keys import ensure_signer


def main() -> None:
    runtime = RuntimeSettings()
    settings = DemoRiskSettings() if runtime.mode is Mode.DEMO else RiskSettings()
    paths = SigningSettings()
    folder = runtime.data_dir / "keys"
    signer = ensure_signer(
        Path(paths.signing_key_path or folder / "risk.pem"),
        Path(paths.public_key_path or folder / "risk.pub.pem"),
    )
    run(
        Service(
            make_agent=lambda: RiskAgent(settings, signer.sign, signer.key_id),
            responds={"risk.approve.*": risk_pb2.TradeProposal},
        )
    )


if __name__ == "__main__":
    main()
