// The whales page: the leaderboard, or one wallet when the address names one.

import { ApiError, ask, token } from "../api.js";
import { byId, setText } from "../dom.js";
import { board } from "./board.js";
import { setUp as setUpRulings } from "./rulings.js";
import { wallet } from "./wallet.js";

const AGAIN_MS = 10_000;
const address = location.pathname.split("/")[2] ?? "";

async function load() {
  try {
    if (address) wallet(await ask(`/api/whales/${encodeURIComponent(address)}`));
    else board(await ask("/api/leaderboard"));
    byId("notice").hidden = true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) return askForToken();
    byId("notice").hidden = false;
    setText(byId("notice"), error.message);
  }
  return undefined;
}

function askForToken() {
  if (!byId("token-dialog").open) byId("token-dialog").showModal();
}

byId("board-panel").hidden = Boolean(address);
byId("wallet").hidden = !address;
byId("all").hidden = !address;
setUpRulings(address, load);
byId("token-form").addEventListener("submit", () => {
  token.set(byId("token").value);
  byId("token").value = "";
  load();
});
load();
setInterval(() => { if (!document.hidden && !byId("token-dialog").open) load(); }, AGAIN_MS);
