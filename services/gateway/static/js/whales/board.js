// The leaderboard: whales first, then by the lower end of the edge.

import { byId, h, setText, table } from "../dom.js";
import { count, percent, price, shortId, tone, usd } from "../format.js";

export const pill = (one) => h("span", { class: `pill ${one.is_whale ? "yes" : "no"}`,
  text: one.ruling || (one.is_whale ? "copied" : one.stage) });

export const amount = (micro) =>
  h("span", { class: `amount ${tone(micro)}`, text: usd(micro, { sign: true }) });

// Without a market that is scored nothing is known, which is not the same as nought.
export const ifScored = (one, text) => (one.markets ? text : "–");

export function board(items) {
  const found = items.filter((one) => one.is_whale).length;
  setText(byId("board-count"), items.length ? `${found} whales of ${items.length} wallets` : "");
  table(byId("board"), {
    label: "Wallets, best first", items, keyOf: (one) => one.wallet,
    empty: ["No wallet is scored yet", "Scores come once markets settle."],
    columns: [
      { head: "Wallet", row: true, cell: (one) => h("a", { href: `/whales/${one.wallet}` },
        h("code", { class: "id", text: shortId(one.wallet), title: one.wallet })) },
      { head: "State", cell: pill },
      { head: "Edge", class: "num",
        cell: (one) => ifScored(one, price(one.edge_micro, { sign: true })) },
      { head: "At least", class: "num",
        cell: (one) => ifScored(one, price(one.edge_lower_micro, { sign: true })) },
      { head: "Luck", class: "num",
        cell: (one) => ifScored(one, percent(one.luck_micro)) },
      { head: "Confidence", class: "num",
        cell: (one) => ifScored(one, percent(one.confidence_micro)) },
      { head: "Markets", class: "num", cell: (one) => `${one.markets_won}/${count(one.markets)}` },
      { head: "Quality", class: "num",
        cell: (one) => (one.quality_rank ? percent(one.quality_micro) : "–") },
      { head: "Capital", class: "num",
        cell: (one) => (one.is_whale ? percent(one.share_micro) : "–") },
      { head: "Profit", class: "num", cell: (one) => amount(one.profit_micro) },
    ],
  });
}
