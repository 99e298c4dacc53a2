"""Opens the official client for a set of hosts, and looks at the health of its user stream.

The uses of the client's private names are here and nowhere else: hosts other than production cannot
be named through its public API, its constructor wants the private key itself, which a key in KMS
never gives and no client needs, and its user stream reconnects in silence.
"""

from dataclasses import dataclass, replace
from typing import Final, NoReturn, cast

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from polymarket import AsyncSecureClient
from polymarket._internal.environment import (
    PRODUCTION_CONFIG,
    EnvironmentConfig,
    create_environment,
)
from polymarket._internal.wallet import WalletType, try_classify_wallet_type
from polymarket.environments import PRODUCTION, Environment
from polymarket.errors import UserInputError
from polymarket.models.clob import ApiKeyCreds
from polymarket.streams import SubscriptionHandle, UserEvent

from whaletrader.venues.errors import SignerFailed, VenueStop
from whaletrader.venues.polymarket.credentials import ApiCredentials
from whaletrader.venues.polymarket.order_hash import Account, Contracts
from whaletrader.venues.polymarket.reads import PRODUCTION_GEOBLOCK, Hosts
from whaletrader.venues.polymarket.wire_logs import keep_secrets_from_wire_logs

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


def wallet_type_of(account: Account, environment: Environment) -> WalletType:
    """Return what the client calls this kind of wallet.

    Raises VenueStop unless the wallet is the one that the key owns under its signature type:
    an order signed otherwise is refused one by one, at the worst time.
    """
    config: EnvironmentConfig = environment._config
    try:
        found = try_classify_wallet_type(
            signer=account.key_address, wallet=account.maker, config=config.wallet_derivation
        )
    except UserInputError as error:
        raise VenueStop(str(error)) from error
    if found is None:
        raise VenueStop(
            f"wallet {account.maker} does not belong to key {account.key_address}: it is neither "
            "that address nor its proxy, Safe or deposit wallet"
        )
    if SIGNATURE_TYPES[found] != account.signature_type:
        raise VenueStop(
            f"wallet {account.maker} is a {found}: set the signature type to "
            f"{SIGNATURE_TYPES[found]}, not {account.signature_type}"
        )
    return found


def open_client(
    account: Account, environment: Environment, credentials: ApiCredentials
) -> AsyncSecureClient:
    """Return a client that knows the credentials and not the key. Asks nothing of anybody.

    Raises VenueStop as `wallet_type_of` does.
    """
    keep_secrets_from_wire_logs()
    return AsyncSecureClient._construct_for_wallet(
        signer=cast(LocalAccount, _KeyElsewhere(account.key_address)),
        wallet=account.maker,
        wallet_type=wallet_type_of(account, environment),
        signer_type="OWNER",
        environment=environment,
        config=environment._config,
        credentials=ApiKeyCreds.model_validate(
            {
                "apiKey": credentials.key.get_secret_value(),
                "secret": credentials.secret.get_secret_value(),
                "passphrase": credentials.passphrase.get_secret_value(),
            }
        ),
        api_key=None,
        logger=None,
        on_rate_limit_update=None,
    )


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


class _KeyElsewhere:
    """Stands where the client would hold the key: it needs the address of it and no more."""

    def __init__(self, address: str) -> None:
        self.address = to_checksum_address(address)

    def sign_typed_data(self, *_: object, **__: object) -> NoReturn:
        raise SignerFailed("the official client must not sign: orders are signed by the adapter")

    sign_message = unsafe_sign_hash = sign_transaction = sign_typed_data
