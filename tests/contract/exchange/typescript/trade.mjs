// Each official TypeScript client trades at the exchange: only its hosts are changed.
const [url, which, key, address, token] = process.argv.slice(2);
const streams = url.replace("http", "ws");

async function legacy() {
  const { ClobClient, Side } = await import("@polymarket/clob-client");
  const { Wallet } = await import("@ethersproject/wallet");
  const signer = new Wallet(key);
  const creds = await new ClobClient(url, 137, signer).createOrDeriveApiKey();
  return clob(new ClobClient(url, 137, signer, creds), Side);
}

async function v2() {
  const { ClobClient, Side } = await import("@polymarket/clob-client-v2");
  const { Wallet } = await import("@ethersproject/wallet");
  const signer = new Wallet(key);
  const creds = await new ClobClient({ host: url, chain: 137, signer }).createOrDeriveApiKey();
  return clob(new ClobClient({ host: url, chain: 137, signer, creds }), Side);
}

async function clob(client, Side) {
  const order = { tokenID: token, price: 0.4, size: 10, side: Side.BUY };
  const placed = await client.createAndPostOrder(order);
  const book = await client.getOrderBook(token);
  const hash = book.hash;
  const open = await client.getOpenOrders();
  const computed = await client.getOrderBookHash(book);
  const canceled = await client.cancelOrder({ orderID: placed.orderID });
  return {
    status: placed.status,
    id: placed.orderID,
    open: open.map((row) => row.id),
    hash, computed,
    canceled: canceled.canceled,
    ok: await client.getOk(),
  };
}

async function current() {
  const { createSecureClient, forkEnvironmentConfig } = await import("@polymarket/client");
  const { privateKey } = await import("@polymarket/client/viem");
  const environment = forkEnvironmentConfig({
    name: "local", rpc: `${url}/rpc`,
    clob: { rest: url, market: { ws: `${streams}/ws/market` }, user: { ws: `${streams}/ws/user` } },
    gamma: { rest: `${url}/gamma` }, data: { rest: `${url}/data-api` },
    relayer: { rest: `${url}/relayer` }, rtds: { ws: `${streams}/rtds` },
  });
  const client = await createSecureClient({ environment, signer: privateKey(key), wallet: address });
  const placed = await client.placeLimitOrder({ tokenId: token, price: 0.4, size: 10, side: "BUY" });
  const open = [];
  for await (const page of client.listOpenOrders()) open.push(...page.items.map((row) => row.id));
  const canceled = await client.cancelOrder({ orderId: placed.orderId });
  return { status: placed.status, id: placed.orderId, open, canceled: canceled.canceled };
}

const run = { legacy, v2, current }[which];
run().then(
  (said) => { console.log(JSON.stringify(said)); process.exit(0); },
  (error) => { console.error(error); process.exit(1); },
);
