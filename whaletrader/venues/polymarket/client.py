"""Opens the official client for a set of hosts, and looks at the health of its user stream.

The two uses of the client's private names are here and nowhere else: hosts other than production
cannot be named through its public API, and its user stream reconnects in silence.
"""

from dataclasses import dataclass, replace
from typing import Final

from polymarket import AsyncSecureClient
from polymarket._internal.environment import (
    PRODUCTION_CONFIG,
    EnvironmentConfig,
    create_environment,
)
from polymarket.environments import PRODUCTION, Environment
from polymarket.errors import PolymarketError
from polymarket.streams import SubscriptionHandle, UserEvent

from whaletrader.venues.errors import VenueStop
from whaletrader.venues.polymarket.answers import of_reading
from whaletrader.venues.polymarket.order_hash import Contracts
from whaletrader.venues.polymarket.reads import PRODUCTION_GEOBLOCK, Hosts
from whaletrader.venues.polymarket.signer import LocalSigner

# Signature types by the client's name of the wallet's kind.
SIGNATURE_TYPES: Final = {"EOA": 0, "POLY_PROXY": 1, "GNOSIS_SAFE": 2, "DEPOSIT_WALLET": 3}


@dataclass(frozen=True, slots=True)
class StreamMark:
    """Changes whenever events may have been missed: another socket, or dropped events."""

    # Kept, not only its id: a new object could be given a freed one's address.
    socket: object | None
    dropped: int
    unreadable: int


def environment_at(exchange_url: str) -> Environment:
    """Return the environment of an exchange that serves all hosts; empty means production."""
    if not exchange_url:
        return PRODUCTION
    base = exchange_url.rstrip("/")
    stream = base.replace("http", "ws", 1) + "/ws"
    # Everything points there, so that nothing can reach the real venue by mistake.
    config = replace(
        PRODUCTION_CONFIG,
        clob_url=base,
        gamma_url=f"{base}/gamma",
        data_url=f"{base}/data-api",
        rfq_url=base,
        relayer_url=f"{base}/relayer",
        rpc_url=base,
        perps_url=base,
        builder_gateway_url=base,
        collateral_return_url=base,
        clob_user_ws_url=f"{stream}/user",
        clob_market_ws_url=f"{stream}/market",
        rtds_ws_url=stream,
        realtime_ws_url=stream,
        sports_ws_url=stream,
        rfq_quoter_ws_url=stream,
        perps_ws_url=stream,
    )
    return create_environment(name="local", config=config)


def hosts_of(environment: Environment, geoblock_url: str = "") -> Hosts:
    """Return where the reads go that the client does not offer."""
    config: EnvironmentConfig = environment._config
    is_production = config.clob_url == PRODUCTION_CONFIG.clob_url
    beside = PRODUCTION_GEOBLOCK if is_production else f"{config.clob_url}/api/geoblock"
    return Hosts(
        clob=config.clob_url,
        gamma=config.gamma_url,
        relayer=config.relayer_url,
        geoblock=geoblock_url or beside,
    )


def contracts_of(environment: Environment) -> Contracts:
    """Return what orders are signed for in an environment."""
    config: EnvironmentConfig = environment._config
    return Contracts(
        chain_id=config.chain_id,
        standard=config.standard_exchange,
        neg_risk=config.neg_risk_exchange,
        positions=config.exchange_v3,
    )


async def connect(
    signer: LocalSigner, wallet: str, signature_type: int, environment: Environment
) -> AsyncSecureClient:
    """Log in and return the client. Raises VenueUnavailable, VenueStop."""
    try:
        client = await AsyncSecureClient.create(
            private_key=signer.reveal(), wallet=wallet, environment=environment
        )
    except PolymarketError as error:
        raise of_reading(error) from error
    if SIGNATURE_TYPES.get(client.wallet_type) != signature_type:
        await client.close()
        raise VenueStop(
            f"wallet {wallet} is a {client.wallet_type} and its orders are to be signed as "
            f"type {signature_type}"
        )
    return client


def stream_mark(client: AsyncSecureClient, handle: SubscriptionHandle[UserEvent]) -> StreamMark:
    """Return the mark of the user stream as it is now."""
    manager = client._user_manager
    if manager is None:
        return StreamMark(None, 0, 0)
    return StreamMark(
        manager._connection._socket,
        getattr(handle, "dropped", 0),
        manager.dropped_events,
    )
