// The current client, unmodified: trading, reads of all its kinds, and its streams.
// Usage: node current.mjs <url> - <token of yes> <token of no> <condition> <key> <key>
import assert from "node:assert/strict";
import { createSecureClient, forkEnvironmentConfig } from "@polymarket/client";
import { privateKey } from "@polymarket/client/viem";
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket; // Node has one of its own from version 22 on.
const [url, , YES, NO, market, aliceKey, bobKey] = process.argv.slice(2);
const streams = url.replace("http", "ws");
const environment = forkEnvironmentConfig({
  name: "local",
  rpc: `${url}/rpc`,
  clob: { rest: url, market: { ws: `${streams}/ws/market` }, user: { ws: `${streams}/ws/user` } },
  gamma: { rest: `${url}/gamma` },
  data: { rest: `${url}/data-api` },
  relayer: { rest: `${url}/relayer` },
  rtds: { ws: `${streams}/rtds` },
  sports: { ws: `${streams}/sports` },
});

async function login(key) {
  const signer = privateKey(key);
  return createSecureClient({ environment, signer, wallet: await signer.getAddress() });
}

async function all(pages) {
  const rows = [];
  for await (const page of pages) rows.push(...page.items);
  return rows;
}

async function take(stream, isWanted) {
  for await (const event of stream) if (isWanted(event)) return event;
  throw new Error("the stream ended");
}

const bid = (price, size, tokenId = YES) => ({ tokenId, price, size, side: "BUY" });
const alice = await login(aliceKey);
const bob = await login(bobKey);
const { wallet } = alice.account;

const steps = {
  async streamsTellEveryStep() {
    const stream = await alice.subscribe([{ topic: "user" }, { topic: "market", tokenIds: [YES] }]);
    const told = [];
    const listening = take(stream, ({ topic, type, payload }) => {
      told.push(topic === "user" ? `${type} ${payload.status}` : type);
      return payload.status === "TRADE_STATUS_CONFIRMED";
    });
    const resting = await alice.placeLimitOrder(bid(0.6, 20));
    assert.deepEqual([resting.ok, resting.status], [true, "live"]);
    const taken = await bob.placeMarketOrder({
      tokenId: NO, side: "BUY", amount: 4, maxPrice: "0.45",
    });
    assert.deepEqual([taken.status, taken.makingAmount, taken.takingAmount], ["matched", "4", "10"]);
    const hashes = await bob.waitForOrderFillSettlement(taken);
    assert.match(hashes[0], /^0x[0-9a-f]{64}$/);
    await listening;
    await stream.close();
    const ofUser = told.filter((kind) => kind.includes(" "));
    assert.deepEqual(ofUser, ["order LIVE", "order LIVE", "trade TRADE_STATUS_MATCHED",
      "trade TRADE_STATUS_MINED", "trade TRADE_STATUS_CONFIRMED"]);
    assert.ok(told.includes("book") && told.includes("price_change"));
  },

  async everyKindOfOrder() {
    const fak = await bob.placeMarketOrder({
      tokenId: NO, side: "BUY", amount: 8, maxPrice: "0.45", orderType: "FAK",
    });
    assert.equal(fak.takingAmount, "10");
    const expiration = Math.floor(Date.now() / 1000) + 400;
    await alice.placeLimitOrder({ ...bid(0.3, 10), expiration });
    await alice.placeLimitOrder({ ...bid(0.31, 10), postOnly: true });
    await alice.placeLimitOrder({ ...bid(0.8, 5), side: "SELL" });
    const batch = [
      await alice.createLimitOrder(bid(0.2, 10)), await alice.createLimitOrder(bid(0.21, 10)),
    ];
    assert.deepEqual((await alice.postOrders(batch)).map((row) => row.status), ["live", "live"]);
    await assert.rejects(alice.postOrder(batch[0]), /Duplicated/);
    await assert.rejects(alice.placeLimitOrder(bid(0.5, 5_000)), /not enough balance/);
    const open = await all(alice.listOpenOrders());
    assert.deepEqual(open.map((row) => row.price).sort(), ["0.2", "0.21", "0.3", "0.31", "0.8"]);
    assert.equal((await alice.fetchOrder({ orderId: open[0].id })).status, "LIVE");
    assert.equal(await alice.fetchOrderScoring({ orderId: open[0].id }), false);
  },

  async everyKindOfCancel() {
    const open = (await all(alice.listOpenOrders())).map((row) => row.id);
    assert.deepEqual((await alice.cancelOrder({ orderId: open[0] })).canceled, [open[0]]);
    const two = await alice.cancelOrders({ orderIds: [open[0], open[1]] });
    assert.deepEqual(two.canceled, [open[1]]);
    assert.ok(open[0] in two.notCanceled);
    assert.equal((await alice.cancelMarketOrders({ market })).canceled.length, 3);
    await alice.placeLimitOrder(bid(0.3, 10));
    assert.equal((await alice.cancelAll()).canceled.length, 1);
  },

  async prices() {
    await alice.placeLimitOrder(bid(0.4, 50));
    await alice.placeLimitOrder(bid(0.5, 20, NO));
    const tokenId = YES;
    assert.equal(await alice.fetchMidpoint({ tokenId }), "0.45");
    assert.deepEqual(await alice.fetchMidpoints([{ tokenId }]), { [YES]: "0.45" });
    assert.equal(await alice.fetchPrice({ tokenId, side: "BUY" }), "0.4");
    assert.deepEqual(await alice.fetchPrices([{ tokenId, side: "BUY" }]), { [YES]: { BUY: "0.4" } });
    assert.equal(await alice.fetchSpread({ tokenId }), "0.1");
    assert.deepEqual(await alice.fetchSpreads([{ tokenId }]), { [YES]: "0.1" });
    assert.deepEqual((await alice.fetchOrderBook({ tokenId })).asks, [{ price: "0.5", size: "20" }]);
    assert.equal((await alice.fetchOrderBooks([{ tokenId }])).length, 1);
    assert.equal((await alice.fetchLastTradePrice({ tokenId })).price, "0.6");
    assert.equal((await alice.fetchLastTradePrices([{ tokenId }]))[0].price, "0.6");
    assert.ok((await alice.fetchPriceHistory({ tokenId, interval: "1d" })).length > 0);
    assert.equal(await alice.estimateMarketPrice({ tokenId, side: "BUY", amount: 5 }), 0.5);
    await alice.cancelAll();
  },

  async account() {
    const [trade] = await all(alice.listAccountTrades());
    assert.equal(trade.status, "TRADE_STATUS_CONFIRMED");
    assert.equal(await alice.fetchClosedOnlyMode(), false);
    assert.ok((await alice.fetchNotifications()).length > 0);
    assert.equal((await alice.fetchPortfolioValue())[0].value, "12");
    assert.equal((await alice.fetchTradedMarketCount()).traded, 1);
    const kinds = (await all(alice.listActivity())).map((row) => row.type);
    assert.deepEqual(kinds, ["TRADE", "TRADE"]);
    assert.equal((await all(alice.listPositions()))[0].size, "20");
    assert.deepEqual(await all(alice.listClosedPositions()), []);
    assert.deepEqual(await all(alice.listComboPositions()), []);
    assert.deepEqual(await all(alice.listComboActivity()), []);
    const archive = await (await alice.downloadAccountingSnapshot()).text();
    assert.ok(archive.includes("positions.csv") && archive.includes("equity.csv"));
  },

  async everybodysTrades() {
    const [yes] = await all(alice.listMarketPositions({ market }));
    assert.deepEqual(yes.positions.map((row) => [row.wallet, row.size]), [[wallet.toLowerCase(), "20"]]);
    assert.equal((await alice.listOpenInterest({ market: [market] }))[0].value, "20");
    assert.equal((await alice.listMarketHolders({ market: [market] }))[0].holders.length, 1);
    assert.equal((await all(alice.listTrades({ user: bob.account.wallet }))).length, 2);
    assert.ok((await all(alice.listTraderLeaderboard())).length > 0);
    assert.deepEqual(await all(alice.listBuilderLeaderboard()), []);
    assert.deepEqual(await alice.fetchBuilderVolume(), []);
  },

  async catalogue() {
    const found = await alice.fetchMarket({ slug: "will-it-rain" });
    assert.equal(found.conditionId, market);
    assert.equal((await all(alice.listMarkets()))[0].id, found.id);
    assert.deepEqual((await alice.fetchMarketTags({ id: found.id })).map((row) => row.slug), ["weather"]);
    const event = await alice.fetchEvent({ slug: "weather" });
    assert.equal((await all(alice.listEvents()))[0].id, event.id);
    assert.equal((await alice.fetchEvent({ id: event.id })).slug, "weather");
    assert.equal((await alice.fetchEventTags({ id: event.id })).length, 1);
    assert.equal((await alice.fetchEventLiveVolume({ id: event.id }))[0].total, "20");
    assert.equal((await alice.fetchTag({ slug: "weather" })).label, "weather");
    assert.equal((await all(alice.listTags())).length, 1);
    assert.deepEqual(await alice.fetchRelatedTags({ slug: "weather" }), []);
    assert.deepEqual(await alice.fetchRelatedTagResources({ slug: "weather" }), []);
    const search = await alice.search({ q: "rain" }).firstPage();
    assert.equal(search.items.events[0].slug, "weather");
    assert.ok(await alice.fetchPublicProfile({ address: wallet }));
    const about = { parentEntityId: event.id, parentEntityType: "Event" };
    assert.deepEqual(await all(alice.listComments(about)), []);
    assert.deepEqual(await alice.fetchCommentsById({ id: "1" }), []);
    for (const name of ["listSeries", "listMarketClarifications", "listTeams"]) {
      assert.deepEqual(await all(alice[name]()), [], name);
    }
    assert.deepEqual(await alice.listSports(), []);
    assert.ok(await alice.fetchSportsMarketTypes());
  },

  async rewards() {
    assert.deepEqual(await all(alice.listCurrentRewards()), []);
    assert.deepEqual(await all(alice.listMarketRewards({ conditionId: market })), []);
    const day = { date: "2026-11-20" };
    assert.deepEqual(await all(alice.listUserEarningsForDay(day)), []);
    assert.deepEqual(await alice.fetchTotalEarningsForUserForDay(day), []);
    assert.deepEqual(await all(alice.listUserEarningsAndMarketsConfig(day)), []);
    assert.deepEqual(await alice.fetchRewardPercentages(), {});
  },

  async spotPrices() {
    for (const [topic, form] of [["binance", /usdt$/], ["chainlink", /\/usd$/]]) {
      const stream = await alice.subscribe([{ topic: `prices.crypto.${topic}` }]);
      const { payload } = await take(stream, ({ type }) => type === "update");
      assert.match(payload.symbol, form);
      await stream.close();
    }
  },

  async aWalletIsFoundForAKeyAlone() {
    const found = await createSecureClient({ environment, signer: privateKey(bobKey) });
    assert.equal(found.account.walletType, 3);
  },
};

const done = [];
for (const [name, step] of Object.entries(steps)) {
  await step().catch((error) => {
    console.error(`step ${name}:`, error);
    process.exit(1);
  });
  done.push(name);
}
process.stdout.write(JSON.stringify(done) + "\n", () => process.exit(0));
