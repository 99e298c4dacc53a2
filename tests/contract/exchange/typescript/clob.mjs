// The two CLOB clients, unmodified: every kind of order, cancel and read that they have.
// Usage: node clob.mjs <url> <v2 | legacy> <token of yes> <token of no> <condition> <key> <key>
import assert from "node:assert/strict";
import { Wallet } from "@ethersproject/wallet";

const [url, which, YES, NO, market, aliceKey, bobKey] = process.argv.slice(2);
const isLegacy = which === "legacy";
const sdk = await import(isLegacy ? "@polymarket/clob-client" : "@polymarket/clob-client-v2");
const { AssetType, ClobClient, OrderType, Side } = sdk;

function client(signer, creds) {
  if (isLegacy) return new ClobClient(url, 137, signer, creds);
  return new ClobClient({ host: url, chain: 137, signer, creds });
}

async function login(key) {
  const signer = new Wallet(key);
  const creds = await client(signer).createOrDeriveApiKey();
  assert.deepEqual(await client(signer).deriveApiKey(), creds);
  return client(signer, creds);
}

const limit = (price, size, tokenID = YES, side = Side.BUY) => ({ tokenID, price, size, side });
const ids = (rows) => rows.map((row) => row.id).sort();
const alice = await login(aliceKey);
const bob = await login(bobKey);

const steps = {
  async keys() {
    assert.deepEqual(await alice.getApiKeys(), { apiKeys: [alice.creds.key] });
    assert.deepEqual(await alice.getClosedOnlyMode(), { closed_only: false });
    const readonly = await alice.createReadonlyApiKey();
    assert.deepEqual(await alice.getReadonlyApiKeys(), [readonly.apiKey]);
    await alice.deleteReadonlyApiKey(readonly.apiKey);
    assert.deepEqual(await alice.getReadonlyApiKeys(), []);
    const builder = await alice.createBuilderApiKey();
    assert.deepEqual((await alice.getBuilderApiKeys()).map((row) => row.key), [builder.key]);
  },

  async restingOrders() {
    const gtc = await alice.createAndPostOrder(limit(0.3, 10));
    assert.equal(gtc.status, "live");
    assert.equal(gtc.success, true);
    const expiration = Math.floor(Date.now() / 1000) + 300;
    const gtdOrder = { ...limit(0.31, 10), expiration };
    const gtd = await alice.createAndPostOrder(gtdOrder, undefined, OrderType.GTD);
    const quiet = await alice.postOrder(
      await alice.createOrder(limit(0.29, 10)), OrderType.GTC, ...(isLegacy ? [false, true] : [true]),
    );
    const open = await alice.getOpenOrders({ market });
    assert.deepEqual(ids(open), [gtc, gtd, quiet].map((placed) => placed.orderID).sort());
    const read = await alice.getOrder(gtd.orderID);
    assert.equal(read.order_type, "GTD");
    assert.equal(read.expiration, String(expiration));
    assert.equal((await alice.isOrderScoring({ order_id: gtc.orderID })).scoring, false);
    assert.deepEqual(await alice.areOrdersScoring({ orderIds: [gtc.orderID] }), { [gtc.orderID]: false });
  },

  async bookHash() {
    const book = await alice.getOrderBook(YES);
    assert.deepEqual(book.bids.map((row) => row.price), ["0.29", "0.3", "0.31"]);
    const books = await alice.getOrderBooks([{ token_id: NO, side: Side.BUY }]);
    for (const read of [book, ...books]) {
      const { hash } = read;
      assert.equal(await alice.getOrderBookHash(read), hash);
    }
  },

  async cancels() {
    const open = ids(await alice.getOpenOrders());
    const one = await alice.cancelOrder({ orderID: open[0] });
    assert.deepEqual(one.canceled, [open[0]]);
    const two = await alice.cancelOrders([open[0], open[1]]);
    assert.deepEqual(two.canceled, [open[1]]);
    assert.match(two.not_canceled[open[0]], /already canceled/);
    assert.deepEqual((await alice.cancelMarketOrders({ market, asset_id: NO })).canceled, []);
    assert.deepEqual((await alice.cancelMarketOrders({ market })).canceled, [open[2]]);
    await alice.createAndPostOrder(limit(0.3, 10));
    assert.equal((await alice.cancelAll()).canceled.length, 1);
    assert.deepEqual(await alice.getOpenOrders(), []);
  },

  async batch() {
    const orders = [];
    for (const price of [0.2, 0.21, 0.22]) {
      orders.push({ order: await alice.createOrder(limit(price, 10)), orderType: OrderType.GTC });
    }
    const placed = await alice.postOrders(orders);
    assert.deepEqual(placed.map((row) => row.status), ["live", "live", "live"]);
    assert.deepEqual(ids(await alice.getOpenOrders()), placed.map((row) => row.orderID).sort());
    const again = await alice.postOrders(orders.slice(0, 1));
    assert.match(again[0].errorMsg, /Duplicated/);
    await alice.cancelAll();
  },

  async marketOrders() {
    const ask = await alice.createAndPostOrder(limit(0.6, 20));
    const price = await bob.calculateMarketPrice(NO, Side.BUY, 4, OrderType.FOK);
    assert.equal(price, 0.4);
    const fok = await bob.createAndPostMarketOrder({ tokenID: NO, amount: 4, side: Side.BUY });
    assert.deepEqual([fok.status, fok.makingAmount, fok.takingAmount], ["matched", "4", "10"]);
    assert.match(fok.transactionsHashes[0], /^0x[0-9a-f]{64}$/);
    const fak = await bob.createAndPostMarketOrder(
      { tokenID: NO, amount: 8, side: Side.BUY, price: 0.45 }, undefined, OrderType.FAK,
    );
    assert.equal(fak.takingAmount, "10");
    const sold = await alice.createAndPostOrder(limit(0.55, 5, YES));
    const sell = await alice.createAndPostOrder(limit(0.7, 5, YES, Side.SELL));
    assert.deepEqual([sold.status, sell.status], ["live", "live"]);
    assert.equal((await alice.getOrder(ask.orderID)).status, "MATCHED");
    await alice.cancelAll();
  },

  async tradesAndMoney() {
    const [first, second] = await bob.getTrades({ market });
    assert.deepEqual([first.trader_side, first.size, first.status], ["TAKER", "10", "CONFIRMED"]);
    assert.match(first.transaction_hash, /^0x[0-9a-f]{64}$/);
    const mine = await alice.getTrades({ id: second.id });
    assert.deepEqual([mine.length, mine[0].trader_side], [1, "MAKER"]);
    assert.equal((await alice.getTradesPaginated({ market })).trades.length, 2);
    const held = await bob.getBalanceAllowance({ asset_type: AssetType.CONDITIONAL, token_id: NO });
    assert.equal(held.balance, "20000000");
    const money = await alice.getBalanceAllowance({ asset_type: AssetType.COLLATERAL });
    assert.equal(money.balance, "988000000");
    await alice.updateBalanceAllowance({ asset_type: AssetType.COLLATERAL });
    const notes = await alice.getNotifications();
    const fills = notes.map(({ type, payload }) => [type, payload.matched_size, payload.remaining_size]);
    assert.deepEqual(fills, [[2, "10", "10"], [2, "10", "0"]]);
    await alice.dropNotifications({ ids: notes.map((row) => String(row.id)) });
    assert.deepEqual(await alice.getNotifications(), []);
  },

  async refusals() {
    const refused = async (call, text) => {
      const answer = await call.catch((error) => ({ error: String(error.message ?? error) }));
      assert.match(String(answer.error ?? answer.errorMsg), text);
    };
    await refused(alice.createAndPostOrder(limit(0.5, 5_000)), /not enough balance/);
    await refused(alice.createAndPostOrder(limit(0.5, 1)), /lower than the minimum: 5/);
    const nothing = { tokenID: YES, amount: 5, side: Side.BUY, price: 0.9 };
    await refused(bob.createAndPostMarketOrder(nothing), /FOK orders are fully filled or killed/);
    await refused(
      bob.createAndPostMarketOrder(nothing, undefined, OrderType.FAK), /no orders found to match/,
    );
    await alice.createAndPostOrder(limit(0.6, 10));
    const crossing = await bob.createOrder(limit(0.45, 10, NO));
    const post = isLegacy ? [OrderType.GTC, false, true] : [OrderType.GTC, true];
    await refused(bob.postOrder(crossing, ...post), /crosses (the )?book/);
    await alice.cancelAll();
    await refused(alice.getOrderBook("12345"), /No orderbook exists/);
  },

  async publicReads() {
    await alice.createAndPostOrder(limit(0.4, 50));
    await alice.createAndPostOrder(limit(0.5, 20, NO));
    const asked = [{ token_id: YES, side: Side.BUY }];
    assert.equal(await alice.getOk(), "OK");
    assert.ok(Math.abs((await alice.getServerTime()) - Date.now() / 1000) < 60);
    assert.deepEqual(await alice.getMidpoint(YES), { mid: "0.45" });
    assert.deepEqual(await alice.getMidpoints(asked), { [YES]: "0.45" });
    assert.deepEqual(await alice.getPrice(YES, "BUY"), { price: "0.4" });
    assert.deepEqual(await alice.getPrices(asked), { [YES]: { BUY: "0.4" } });
    assert.deepEqual(await alice.getSpread(YES), { spread: "0.1" });
    assert.deepEqual(await alice.getSpreads(asked), { [YES]: "0.1" });
    assert.equal((await alice.getLastTradePrice(YES)).price, "0.6");
    assert.equal((await alice.getLastTradesPrices(asked))[0].token_id, YES);
    assert.equal(await alice.getTickSize(YES), "0.01");
    assert.equal(await alice.getNegRisk(YES), false);
    assert.equal((await alice.getMarket(market)).condition_id, market);
    for (const page of ["getMarkets", "getSimplifiedMarkets", "getSamplingMarkets",
      "getSamplingSimplifiedMarkets"]) {
      assert.equal((await alice[page]()).data.length, 1, page);
    }
    const history = await alice.getPricesHistory({ market: YES, interval: "1d" });
    assert.ok((history.history ?? history).length > 0);
    assert.ok(await alice.getMarketTradesEvents(market));
    await alice.cancelAll();
  },

  async rewards() {
    assert.deepEqual(await alice.getEarningsForUserForDay("2026-11-20"), []);
    assert.deepEqual(await alice.getTotalEarningsForUserForDay("2026-11-20"), []);
    assert.deepEqual(await alice.getUserEarningsAndMarketsConfig("2026-11-20"), []);
    assert.deepEqual(await alice.getRewardPercentages(), {});
    assert.deepEqual(await alice.getCurrentRewards(), []);
    assert.deepEqual(await alice.getRawRewardsForMarket(market), []);
  },

  async heartbeatsAndTheEnd() {
    if (!isLegacy) {
      assert.equal(await alice.getVersion(), 2);
      assert.equal((await alice.getClobMarketInfo(market)).c, market);
      assert.equal(await alice.getFeeExponent(YES), 1);
      assert.deepEqual(await alice.getPreMigrationOrders(), []);
    }
    const beat = await alice.postHeartbeat("");
    assert.ok((await alice.postHeartbeat(beat.heartbeat_id)).heartbeat_id);
    await alice.deleteApiKey();
    const gone = await alice.getApiKeys().catch((error) => ({ error, status: 401 }));
    assert.ok(gone.error);
  },
};

console.log = console.error; // The clients tell their errors there; the last line is ours.
const done = [];
for (const [name, step] of Object.entries(steps)) {
  await step().catch((error) => {
    console.error(`step ${name}:`, error);
    process.exit(1);
  });
  done.push(name);
}
process.stdout.write(JSON.stringify(done) + "\n", () => process.exit(0));
