"""What the exchange prints at start: its hosts, and snippets to paste for each official client.

Pure text from a URL and the settings. Contract tests run every snippet as it stands.
"""

from __future__ import annotations

from whaletrader.services.exchange.config import ExchangeConfig

_PYTHON_CURRENT = """\
import asyncio
from dataclasses import replace
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment

local = create_environment(name="local", config=replace(
    PRODUCTION_CONFIG,
    clob_url="{url}", gamma_url="{url}/gamma", data_url="{url}/data-api",
    relayer_url="{url}/relayer",
    clob_market_ws_url="{streams}/ws/market", clob_user_ws_url="{streams}/ws/user",
    rpc_url="{url}/rpc", rtds_ws_url="{streams}/rtds", realtime_ws_url="{streams}/polybolt",
    sports_ws_url="{streams}/sports",
))

async def main(key: str, address: str) -> None:
    async with await AsyncSecureClient.create(
        private_key=key, wallet=address, environment=local
    ) as client:
        print(await client.get_balance_allowance(asset_type="COLLATERAL"))

account = {account}
asyncio.run(main(account["private_key"], account["address"]))
"""

_PYTHON_V2 = """\
from py_clob_client_v2.client import ClobClient

account = {account}
client = ClobClient("{url}", chain_id=137, key=account["private_key"])
client.set_api_creds(client.create_or_derive_api_key())
print(client.get_open_orders())
"""

_PYTHON_LEGACY = """\
from py_clob_client.client import ClobClient

account = {account}
client = ClobClient("{url}", chain_id=137, key=account["private_key"])
client.set_api_creds(client.create_or_derive_api_creds())
print(client.get_orders())
"""

_ACCOUNT = """\
__import__("json").load(__import__("urllib.request").request.urlopen(
    "{url}/admin/accounts", b'{{"collateral": "1000"}}'))"""

_TYPESCRIPT_ACCOUNT = """\
const made = await fetch("{url}/admin/accounts",
  {{ method: "POST", body: '{{"collateral":"1000"}}' }});
const account = await made.json();"""

_TYPESCRIPT_V2 = """\
import {{ ClobClient }} from "@polymarket/clob-client-v2";
import {{ Wallet }} from "@ethersproject/wallet";

{account}
const options = {{ host: "{url}", chain: 137, signer: new Wallet(account.private_key) }};
const creds = await new ClobClient(options).createOrDeriveApiKey();
const client = new ClobClient({{ ...options, creds }});
console.log(JSON.stringify(await client.getBalanceAllowance({{ asset_type: "COLLATERAL" }})));
"""

_TYPESCRIPT_LEGACY = """\
import {{ ClobClient }} from "@polymarket/clob-client";
import {{ Wallet }} from "@ethersproject/wallet";

{account}
const signer = new Wallet(account.private_key);
const creds = await new ClobClient("{url}", 137, signer).createOrDeriveApiKey();
const client = new ClobClient("{url}", 137, signer, creds);
console.log(JSON.stringify(await client.getBalanceAllowance({{ asset_type: "COLLATERAL" }})));
"""

_TYPESCRIPT_CURRENT = """\
import {{ createSecureClient, forkEnvironmentConfig }} from "@polymarket/client";
import {{ fetchBalanceAllowance }} from "@polymarket/client/actions";
import {{ privateKey }} from "@polymarket/client/viem";

{account}
const environment = forkEnvironmentConfig({{
  name: "local", rpc: "{url}/rpc",
  clob: {{
    rest: "{url}",
    market: {{ ws: "{streams}/ws/market" }}, user: {{ ws: "{streams}/ws/user" }},
  }},
  gamma: {{ rest: "{url}/gamma" }}, data: {{ rest: "{url}/data-api" }},
  relayer: {{ rest: "{url}/relayer" }}, rtds: {{ ws: "{streams}/rtds" }},
  sports: {{ ws: "{streams}/sports" }},
}});
const signer = privateKey(account.private_key);
const client = await createSecureClient({{ environment, signer, wallet: account.address }});
console.log(String((await fetchBalanceAllowance(client, {{ assetType: "COLLATERAL" }})).balance));
"""

_TYPESCRIPT_RTDS = """\
import {{ RealTimeDataClient }} from "@polymarket/real-time-data-client";

const stream = new RealTimeDataClient({{
  host: "{streams}/rtds",
  onConnect: (connected) =>
    connected.subscribe({{ subscriptions: [{{ topic: "crypto_prices", type: "update" }}] }}),
  onMessage: (_, message) => {{
    console.log(JSON.stringify(message));
    process.exit();
  }},
}});
stream.connect();
"""


# What to do first, by mode.
_NEXT = {
    "agents": "markets:         curl {url}/gamma/markets",
    "live-book": "following:       {follow_url}; how it goes: curl {url}/admin/follow",
    "tape": "the tape:        empty until played: --tape FILE, or POST {url}/admin/markets and\n"
    "                 {url}/admin/tape (--mode agents has markets of its own)",
}


def hosts(url: str) -> dict[str, str]:
    """Return each of the venue's hosts by the name that clients give it."""
    streams = url.replace("http", "ws", 1)
    return {
        "clob": url,
        "gamma": f"{url}/gamma",
        "data api": f"{url}/data-api",
        "relayer": f"{url}/relayer",
        "polygon rpc": f"{url}/rpc",
        "geoblock": f"{url}/api/geoblock",
        "market ws": f"{streams}/ws/market",
        "user ws": f"{streams}/ws/user",
        "rtds ws": f"{streams}/rtds",
        "polybolt ws": f"{streams}/polybolt",
        "sports ws": f"{streams}/sports",
        "admin": f"{url}/admin",
    }


def snippets(url: str, config: ExchangeConfig) -> dict[str, str]:
    """Return code to paste, by client; those that sign a generation that is not taken are out."""
    words = {"url": url, "streams": url.replace("http", "ws", 1)}
    if config.generation == 1:
        chosen = {
            "Python, py-clob-client (legacy)": _PYTHON_LEGACY,
            "TypeScript, @polymarket/clob-client (legacy)": _TYPESCRIPT_LEGACY,
        }
    else:
        chosen = {
            "Python, polymarket-client": _PYTHON_CURRENT,
            "Python, py-clob-client-v2": _PYTHON_V2,
            "TypeScript, @polymarket/client": _TYPESCRIPT_CURRENT,
            "TypeScript, @polymarket/clob-client-v2": _TYPESCRIPT_V2,
            "TypeScript, @polymarket/real-time-data-client": _TYPESCRIPT_RTDS,
        }
    accounts = {"Python": _ACCOUNT, "TypeScript": _TYPESCRIPT_ACCOUNT}
    shown = {}
    for name, code in chosen.items():
        account = accounts[name.partition(",")[0]].format(**words)
        shown[name] = code.format(**words, account=account)
    return shown


def welcome(url: str, config: ExchangeConfig) -> str:
    """Return the block that follows the URL and the settings."""
    lines = [f"{name + ':':<13}{address}" for name, address in hosts(url).items()]
    lines.append("")
    lines.append(
        f'fund an account: curl -X POST {url}/admin/accounts -d \'{{"collateral":"1000"}}\''
    )
    lines.append('  (answers an address with its private key; give your own "address" instead)')
    lines.append(f"bad weather:     curl {url}/admin/weather")
    lines.append(_NEXT[config.mode].format(url=url, follow_url=config.follow_url))
    for name, code in snippets(url, config).items():
        lines += ["", f"--- {name}", code.rstrip()]
    return "\n".join(lines)
