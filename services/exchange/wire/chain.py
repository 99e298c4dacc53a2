"""Addresses on Polygon that answers name beside the exchanges'. Facts of the venue."""

from __future__ import annotations

from typing import Final

from whaletrader.services.exchange.signing import contracts

COLLATERAL: Final = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
CONDITIONAL_TOKENS: Final = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
COLLATERAL_ADAPTER: Final = "0xAdA100Db00Ca00073811820692005400218FcE1f"
NEG_RISK_COLLATERAL_ADAPTER: Final = "0xadA2005600Dec949baf300f4C6120000bDB6eAab"
POSITION_MANAGER: Final = "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF"
ROUTER: Final = "0x12121212006e4CD160D18e3f00711DA5c3372600"
AUTO_REDEEMER: Final = "0xa1200000d0002264C9a1698e001292D00E1b00af"
# Whom a wallet must let spend its collateral and its shares.
SPENDERS: Final = (
    contracts.EXCHANGE_V2,
    contracts.EXCHANGE_V2_NEG_RISK,
    contracts.NEG_RISK_ADAPTER,
    contracts.EXCHANGE_V3,
)
# Contracts that split, merge and redeem for a wallet.
OPERATORS: Final = (
    COLLATERAL_ADAPTER,
    NEG_RISK_COLLATERAL_ADAPTER,
    ROUTER,
    AUTO_REDEEMER,
    CONDITIONAL_TOKENS,
)
