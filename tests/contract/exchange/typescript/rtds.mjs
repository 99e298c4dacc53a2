// The real-time data client, unmodified: what accounts do, and the spot prices.
// Usage: node rtds.mjs <url> - <token of yes> <token of no> <condition> <key> <key>
import assert from "node:assert/strict";
import { Wallet } from "@ethersproject/wallet";
import { ClobClient, Side } from "@polymarket/clob-client-v2";
import { RealTimeDataClient } from "@polymarket/real-time-data-client";

const [url, , YES, NO, , aliceKey, bobKey] = process.argv.slice(2);
console.log = console.error; // The client tells of frames without a payload there.

async function trader(key) {
  const made = { host: url, chain: 137, signer: new Wallet(key) };
  return new ClobClient({ ...made, creds: await new ClobClient(made).createOrDeriveApiKey() });
}

const wanted = {
  trades: ["activity", "trades"],
  ofItsOwn: ["clob_user", "trade"],
  orders: ["clob_user", "order"],
  levels: ["clob_market", "price_change"],
  books: ["clob_market", "agg_orderbook"],
  spot: ["crypto_prices", "update"],
  chainlink: ["crypto_prices_chainlink", "update"],
};
const seen = {};
const alice = await trader(aliceKey);
const bob = await trader(bobKey);

async function trade() {
  const order = (tokenID, price) => ({ tokenID, price, size: 10, side: Side.BUY });
  await alice.createAndPostOrder(order(YES, 0.6));
  await bob.createAndPostOrder(order(NO, 0.4));
}

const { key, secret, passphrase } = alice.creds;
const client = new RealTimeDataClient({
  host: `${url.replace("http", "ws")}/rtds`,
  onConnect: (connected) => {
    connected.subscribe({
      subscriptions: [
        { topic: "activity", type: "trades", filters: '{"event_slug":"weather"}' },
        { topic: "clob_user", type: "*", clob_auth: { key, secret, passphrase } },
        { topic: "clob_market", type: "*", filters: JSON.stringify([YES]) },
        { topic: "crypto_prices", type: "update" },
        { topic: "crypto_prices_chainlink", type: "update", filters: '{"symbol":"btc/usd"}' },
      ],
    });
    // The book's snapshot shows that the subscription stands.
  },
  onMessage: (_, message) => {
    const isFirst = Object.keys(seen).length === 0;
    for (const [name, [topic, type]] of Object.entries(wanted)) {
      if (message.topic === topic && message.type === type) seen[name] ??= message.payload;
    }
    if (isFirst) trade().catch((error) => { console.error(error); process.exit(1); });
    if (Object.keys(seen).length === Object.keys(wanted).length) finish();
  },
});

function finish() {
  assert.deepEqual([seen.trades.side, seen.trades.slug, seen.trades.size], ["BUY", "will-it-rain", 10]);
  assert.equal(seen.ofItsOwn.status, "MATCHED");
  assert.equal(seen.orders.type, "PLACEMENT");
  assert.equal(seen.levels.pc.some((row) => row.a === YES), true);
  assert.match(seen.spot.symbol, /usdt$/);
  assert.equal(seen.chainlink.symbol, "btc/usd");
  process.stdout.write(JSON.stringify(Object.keys(wanted)) + "\n", () => process.exit(0));
}

client.connect();
setTimeout(() => {
  console.error("never came:", Object.keys(wanted).filter((name) => !(name in seen)));
  process.exit(1);
}, 20_000);
